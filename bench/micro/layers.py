"""What each layer of a request costs: the same load on servers that do ever more of the work.

    PYTHONPATH=.:src python bench/micro/layers.py            six rounds over all layers, about a minute
    PYTHONPATH=.:src python bench/micro/layers.py --rounds 3

CPU time per request of the whole process, from the scheduler's own counters, total over all rounds; the upstream is
nginx answering 0.9 kB, the load wrk on 16 connections. Rounds alternate between the layers, so that a busy machine
disturbs all of them alike. Needs nginx and wrk (Debian packages of these names).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from bench.form import compiled
from bench.shapes import whole_reply

LAYERS = {
    "nginx": "nginx as reverse proxy",
    "uvicorn": "uvicorn's own connection, an app that answers",
    "connection": "our connection, an app that answers",
    "gate": "+ dialect, exchange, journey with one stage that answers",
    "dispatch": "+ route, dispatch, wire, adapter, transport",
    "record": "+ key check, journal (headgate serve, writer held back)",
    "serve": "+ writer to SQLite (headgate serve)",
}
KEY = "hg_layers_0123456789abcdef"


def serve_layer(layer: str, port: int, upstream: int) -> None:
    """Run one of the layers in this process."""
    import uvicorn

    from headgate.core.ids import IdSource
    from headgate.dispatch.manner import Manner
    from headgate.dispatch.stage import Dispatch
    from headgate.edge.connection import Connection
    from headgate.edge.entrance import Entrance
    from headgate.edge.gate import Gate
    from headgate.edge.paths import Paths
    from headgate.edge.settings import ServerSettings
    from headgate.exchange.reply import Reply
    from headgate.journey import journey
    from headgate.providers.adapters.openai import OpenAIAdapter, OpenAISettings
    from headgate.providers.port import Endpoint
    from headgate.providers.transport.client import Transport
    from headgate.routing.directory import Directory
    from headgate.routing.stage import Router

    if layer in ("record", "serve"):
        if layer == "record":
            from headgate.records.writer import Writer

            Writer._step = lambda self: False  # type: ignore[method-assign]
        sys.argv = ["headgate", "serve", "--config", "layers.toml", "--listen", f"127.0.0.1:{port}"]
        from headgate.cli import main

        main()
        return
    body = whole_reply()
    answer = body.encode() if isinstance(body, str) else body

    async def bare(scope, receive, send):
        await receive()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def answered(exchange, proceed):
        return Reply(wire="openai.chat", body=answer)

    settings, ids, manner = ServerSettings(), IdSource(), Manner()
    app = bare
    if layer in ("gate", "dispatch"):
        adapter = OpenAIAdapter(OpenAISettings(base_url=f"http://127.0.0.1:{upstream}/v1", api_key="k"))
        endpoint = Endpoint(provider="up", model="m1", adapter=adapter, upstream=Transport())
        directory = Directory(
            features={}, models={"small": [endpoint]}, providers={"up": "openai"}, make=lambda *_: endpoint
        )
        stages = {"route": answered}
        if layer == "dispatch":
            dispatch = Dispatch(ids=ids, manner=lambda feature: manner)
            stages = {"route": Router(directory), "dispatch": dispatch}
        app = Gate(proceed=journey(stages), paths=Paths(), settings=settings, ids=ids)
    uvicorn.run(
        app,
        port=port,
        http="httptools" if layer == "uvicorn" else partial(Connection, Entrance(settings)),
        loop="uvloop",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_level="error",
        server_header=False,
    )


def nginx_conf(work: Path, name: str, port: int, location: str) -> Path:
    """One server of nginx's, one process."""
    temps = " ".join(
        f"{kind}_temp_path {work}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path = work / f"{name}.conf"
    path.write_text(
        f"worker_processes 1; master_process off; daemon off; pid {work}/{name}.pid; error_log stderr error;\n"
        "events { worker_connections 4096; }\n"
        f"http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; {temps}\n"
        f"{location.partition('@@')[0]}\n"
        f"server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ {location.partition('@@')[2]} }} }} }}\n"
    )
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_seconds(pid: int) -> float:
    """All threads of a process, to the nanosecond."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        total += int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0])
    return total / 1e9


def burst(work: Path, port: int, seconds: int) -> int:
    """Requests answered in a burst; each must be a 200."""
    command = [
        "wrk",
        "-t1",
        "-c16",
        f"-d{seconds}s",
        "-s",
        str(work / "post.lua"),
        f"http://127.0.0.1:{port}/v1/chat/completions",
    ]
    out = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    if "Non-2xx" in out:
        raise SystemExit(f"the server on port {port} refuses:\n{out}")
    return int(next(line for line in out.splitlines() if "requests in" in line).split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--layer", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--upstream", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.layer:
        serve_layer(asked.layer, asked.port, asked.upstream)
        return
    work = Path(tempfile.mkdtemp(prefix="headgate-layers-"))
    processes: list[subprocess.Popen[bytes]] = []
    try:
        _measure(work, asked.rounds, processes)
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(work, ignore_errors=True)


def _measure(work: Path, rounds: int, processes: list[subprocess.Popen[bytes]]) -> None:
    upstream = free_port()
    reply = whole_reply()
    reply = reply if isinstance(reply, str) else reply.decode()
    root = Path(__file__).resolve().parents[2]
    env = os.environ | {"HEADGATE_BOOTSTRAP_KEY": KEY, "PYTHONPATH": f"{compiled() or root / 'src'}:{root}"}
    prompt = {"model": "small", "messages": [{"role": "user", "content": "tell me about water gates " * 38}]}
    (work / "post.lua").write_text(
        f'wrk.method="POST"\nwrk.headers["content-type"]="application/json"\n'
        f'wrk.headers["authorization"]="Bearer {KEY}"\nwrk.body=[[{json.dumps(prompt)}]]\n'
    )

    def start(command: list[str], folder: Path) -> subprocess.Popen[bytes]:
        folder.mkdir(exist_ok=True)
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdout=quiet, stderr=quiet, start_new_session=True
        )
        processes.append(process)
        return process

    conf = nginx_conf(work, "upstream", upstream, f"@@default_type application/json; return 200 '{reply}';")
    start(["nginx", "-e", "stderr", "-p", str(work), "-c", str(conf)], work)
    running: dict[str, tuple[subprocess.Popen[bytes], int]] = {}
    for layer in LAYERS:
        port, folder = free_port(), work / layer
        folder.mkdir()
        (folder / "layers.toml").write_text(
            f'[providers.up]\nkind = "openai"\nbase_url = "http://127.0.0.1:{upstream}/v1"\nself_hosted = true\n'
            '[models.small]\nendpoints = [{ provider = "up", model = "m1", price = { input = 1, output = 2 } }]\n'
        )
        if layer == "nginx":
            proxy = f"upstream u {{ server 127.0.0.1:{upstream}; keepalive 64; }}@@proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection '';"
            command = [
                "nginx",
                "-e",
                "stderr",
                "-p",
                str(work),
                "-c",
                str(nginx_conf(work, "proxy", port, proxy)),
            ]
        else:
            command = [
                sys.executable,
                str(Path(__file__).resolve()),
                "--layer",
                layer,
                "--port",
                str(port),
                "--upstream",
                str(upstream),
            ]
        running[layer] = (start(command, folder), port)
    time.sleep(4)
    for _, port in running.values():
        burst(work, port, 1)
    time.sleep(2)
    before = {layer: cpu_seconds(process.pid) for layer, (process, _) in running.items()}
    served = dict.fromkeys(LAYERS, 0)
    for number in range(rounds):
        for layer, (_, port) in running.items():
            print(f"\rround {number + 1} of {rounds}: {layer:12}", end="", file=sys.stderr, flush=True)
            served[layer] += burst(work, port, 1)
            time.sleep(1.3 if layer == "serve" else 0.05)
    time.sleep(2.5)
    print(file=sys.stderr)
    last = 0.0
    for layer, (process, _) in running.items():
        cost = 1e6 * (cpu_seconds(process.pid) - before[layer]) / served[layer]
        step = "" if layer in ("nginx", "uvicorn", "connection") else f"  (+{cost - last:.0f})"
        print(f"{cost:7.1f} µs  {LAYERS[layer]}{step}")
        last = cost


if __name__ == "__main__":
    main()
