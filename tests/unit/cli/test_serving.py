"""`serve`, `demo` and `simulate` as people start them: processes, signals, real HTTP."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

from headgate.cli.demo_scenarios import SCENARIOS
from tests.support.gateway import KEY, running_gateway
from tests.support.ports import free_port

__all__: list[str] = []

SIMULATED = """
[providers.sim]
kind = "simulated"
speed = 0
[providers.slow]
kind = "simulated"
[providers.slow.models.crawl]
tokens_per_second = 20
answer_tokens = 40
error_rate = 0
first_token = { median = "10ms", p95 = "10ms" }
[features.chat]
route = "sim/any"
"""


def environment(**more):
    kept = {k: v for k, v in os.environ.items() if not k.endswith(("_API_KEY", "_proxy", "_PROXY"))}
    return kept | {"NO_COLOR": "1", **more}


def call(url, body, key=KEY, timeout=20):
    request = urllib.request.Request(
        url,
        json.dumps(body).encode(),
        {"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def chat(gateway, model="chat", key=KEY, **more):
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], **more}
    return call(f"{gateway.url}/v1/chat/completions", body, key)


def eventually(condition, seconds=20.0):
    due = time.monotonic() + seconds
    while time.monotonic() < due:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


def start(*arguments, cwd, **more):
    command = [sys.executable, "-m", "headgate", *arguments]
    return subprocess.Popen(
        command, cwd=cwd, env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@contextmanager
def ended(process):
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_first_key_is_shown_once_and_works(tmp_path):
    """Made at the first start; the second start knows it and does not show it."""
    port = free_port()
    outputs = []
    for _ in range(2):
        with ended(start("serve", "--listen", f"127.0.0.1:{port}", cwd=tmp_path)) as process:
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line.startswith("  dashboard"):
                    break
            threading.Timer(0.3, lambda process=process: process.send_signal(signal.SIGINT)).start()
            lines += process.stdout.readlines()
            assert process.wait(20) == 0
            outputs.append("".join(lines))
    (key,) = set(re.findall(r"hg_[\w-]{43}", outputs[0]))
    assert f'curl http://127.0.0.1:{port}/v1/chat/completions -H "Authorization: Bearer {key}"' in outputs[0]
    assert "hg_" not in outputs[1]
    config = '[server]\ndatabase = "sqlite:///headgate.db"\n' + SIMULATED
    with running_gateway(tmp_path, config) as gateway:
        assert chat(gateway, key=key)[0] == 200
        assert chat(gateway, key="hg_wrong")[0] == 401


def test_stopping_lets_a_stream_end_and_stores_it(tmp_path):
    """SIGTERM: no new requests, those under way to their last byte, then the records."""
    with running_gateway(tmp_path, SIMULATED) as gateway:
        connection = http.client.HTTPConnection(gateway.url.removeprefix("http://"), timeout=30)
        body = {
            "model": "slow/crawl",
            "stream": True,
            "messages": [{"role": "user", "content": "Tell me more"}],
        }
        connection.request(
            "POST", "/v1/chat/completions", json.dumps(body), {"authorization": f"Bearer {KEY}"}
        )
        reply = connection.getresponse()
        begun = reply.read1()
        gateway.process.send_signal(signal.SIGTERM)
        eventually(lambda: refuses_connections(gateway.url))
        text = begun + reply.read()
        connection.close()
        assert b"data: [DONE]" in text
        assert gateway.process.wait(20) == 0
        assert "Traceback" not in gateway.log
        shown = subprocess.run(
            [sys.executable, "-m", "headgate", "tail", "--json", "--no-follow"],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=30,
        )
        (row,) = [json.loads(line) for line in shown.stdout.splitlines()]
        assert (row["requested_model"], row["outcome"], row["stream"]) == ("slow/crawl", "ok", True)


def refuses_connections(url):
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


def test_a_changed_file_is_served_without_a_restart_and_a_bad_one_is_not(tmp_path):
    """Checked whole, swapped whole; the requests' records carry the hash that served them."""
    with running_gateway(tmp_path, SIMULATED) as gateway:
        path = tmp_path / "headgate.toml"
        path.write_text(SIMULATED + '[features.new]\nroute = "nowhere/x"\n')
        eventually(lambda: "no provider `nowhere`" in gateway.log)
        assert chat(gateway)[0] == 200
        path.write_text(SIMULATED + '[features.new]\nroute = "sim/any"\n[server]\nmax_drains = 7\n')
        eventually(lambda: "replaces" in gateway.log)
        assert "server.max_drains has changed: it needs a restart" in gateway.log
        names = urllib.request.Request(f"{gateway.url}/v1/models", headers={"authorization": f"Bearer {KEY}"})
        with urllib.request.urlopen(names, timeout=10) as reply:
            assert "new" in [each["id"] for each in json.load(reply)["data"]]
        gateway.process.send_signal(signal.SIGHUP)
        eventually(
            lambda: "says the same as before" in gateway.log or gateway.log.count("needs a restart") > 1
        )
        assert chat(gateway)[0] == 200


def test_a_key_made_beside_a_running_gateway_is_known_soon(tmp_path):
    """And refused soon after it is revoked; both without a restart."""
    with running_gateway(tmp_path, SIMULATED) as gateway:

        def headgate(*arguments):
            return subprocess.run(
                [sys.executable, "-m", "headgate", *arguments],
                cwd=tmp_path,
                env=environment(),
                capture_output=True,
                text=True,
                timeout=30,
                check=True,
            ).stdout.strip()

        key = headgate("keys", "create", "shop", "--model", "chat")
        eventually(lambda: chat(gateway, key=key)[0] == 200)
        assert chat(gateway, "sim/other", key=key)[0] == 403
        headgate("keys", "revoke", "shop")
        eventually(lambda: chat(gateway, key=key)[0] == 401)


def test_a_taken_port_is_told_in_words(tmp_path):
    """And with what to do about it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with ended(start("serve", "--listen", listen, cwd=tmp_path)) as process:
            said = process.stdout.read()
            assert process.wait(20) == 1
    assert f"error: {listen} is taken by another program" in said and "Traceback" not in said


def test_the_log_can_be_read_by_machines(tmp_path):
    """One object a line, whatever happens."""
    config = SIMULATED + '[log]\nformat = "json"\n'
    with running_gateway(tmp_path, config) as gateway:
        (tmp_path / "headgate.toml").write_text(config + "[nonsense]\n")
        line = eventually(lambda: next((x for x in gateway.log.split("\n") if "nonsense" in x), ""))
        assert json.loads(line)["level"] == "error"


def test_the_demonstration_runs_to_its_end(tmp_path):
    """Every kind of call at least once, all recorded, some answered from memory, a summary, and code 0; with no key, and a port that
    was taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with ended(
            start("demo", "--seconds", "1", "--once", "--listen", f"127.0.0.1:{port}", cwd=tmp_path)
        ) as process:
            said = process.stdout.read()
            assert process.wait(60) == 0, said
    assert f"http://127.0.0.1:{port} " not in said
    count = len(SCENARIOS)
    for text in (
        "support-chat",
        "first token p50",
        f"{count} requests were sent, {count} are on record",
        "all  ",
    ):
        assert text in said
    assert re.search(r"Memory answered [1-9]\d* of the \d+ requests that asked it", said), said
    assert "Traceback" not in said and "unexpected" not in said


def test_the_demonstration_stays_and_can_be_tried(tmp_path):
    """Base URL, key, curl, Python: all of it works when copied. Ctrl-C ends it."""
    arguments = ("demo", "--seconds", "1", "--listen", f"127.0.0.1:{free_port()}", "--data", "kept")
    with ended(start(*arguments, cwd=tmp_path)) as process:
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        (url,) = re.findall(r"base URL\s+(\S+)", said)
        (key,) = re.findall(r"  key\s+(hg_\S+)", said)
        status, answer = call(
            f"{url}/chat/completions",
            {"model": "support-chat", "messages": [{"role": "user", "content": "Hi"}]},
            key,
        )
        assert status in (200, 429, 500, 502, 503) and answer
        snippet = said[said.index("  from openai") : said.index("Ctrl-C")]
        compile("\n".join(line[2:] for line in snippet.split("\n")), "snippet", "exec")
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(30) == 0
    assert (tmp_path / "kept" / "headgate.db").exists()


@pytest.fixture
def simulator(tmp_path):
    listen = f"127.0.0.1:{free_port()}"
    with ended(start("simulate", "--listen", listen, "--speed", "0", cwd=tmp_path)) as process:
        process.stdout.readline()
        yield f"http://{listen}"


def test_the_simulator_answers_in_both_protocols(simulator):
    """Whole and streamed, for any key."""
    hello = [{"role": "user", "content": "Hello"}]
    status, body = call(f"{simulator}/v1/chat/completions", {"model": "sim-large", "messages": hello})
    assert status == 200 and json.loads(body)["choices"]
    stream = {"model": "sim-large", "max_tokens": 20, "stream": True, "messages": hello}
    status, body = call(f"{simulator}/v1/messages", stream)
    assert status == 200 and "event: message_stop" in body


@pytest.mark.parametrize(("fault", "status"), [("error_500", 500), ("rate_limit:3", 429)])
def test_the_simulator_fails_on_command(simulator, fault, status):
    """With the status a real provider would send."""
    request = urllib.request.Request(
        f"{simulator}/v1/chat/completions",
        b'{"model": "sim-large", "messages": [{"role": "user", "content": "Hello"}]}',
        {"content-type": "application/json", "x-headgate-fault": fault},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == status
    refused.value.close()


def test_a_simulated_cut_closes_the_connection(simulator):
    """A reset is no answer with a status."""
    host = simulator.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=10)
    body = b'{"model": "sim-large", "messages": [{"role": "user", "content": "Hello"}]}'
    connection.request("POST", "/v1/chat/completions", body, {"x-headgate-fault": "reset"})
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        connection.getresponse()
    connection.close()
