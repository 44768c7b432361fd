"""Ask three gateways for more than one limit lets through, kill one of them, and say how much passed.

    python bench/limits_hold.py                 60 seconds, the second half with two gateways
    python bench/limits_hold.py --seconds 10

Three gateways share one Redis and one limit on requests, counted for all together. Callers ask three times as much as may
pass, arriving at random (open loop), evenly spread over the gateways. After half of the time one gateway is killed (`kill
-9`) and its callers are gone. Told is how many requests passed, beside how many may: more would be a limit that does not
hold, fewer would be callers refused without need. A gateway for which Redis is too slow refuses, so that what passed was
counted in Redis. It ends with an error if either differs by more than one per cent.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import click
import uvloop

from bench.form import gateway_environment
from bench.machine import describe_machine
from bench.open_loop import Client
from bench.places import ROOT
from bench.process_tree import Ports, ProcessTree
from bench.shapes import request_body

__all__ = ["main"]

_KEY = "hg-limits-0123456789abcdef0123456789abcdef"
_NODES = 3
_TOLERANCE = 0.01
_CONFIG = """\
[server]
listen = "127.0.0.1:{port}"
database = "sqlite:///{work}/headgate.db"
redis = "redis://127.0.0.1:{redis}/0"
nodes = {nodes}
limits_without_redis = "refuse"

[providers.house]
kind = "openai"
base_url = "http://127.0.0.1:{upstream}/whole/v1"

[features.answers]
route = "house/m"

[[limits]]
name = "together"
each = false
requests = {amount}
per = "1s"
burst = {burst}
"""


class Counting(Client):
    """Notes when each answer that passed had come."""

    def __init__(self, port: int, request: bytes) -> None:
        super().__init__(port, request)
        self.passed: list[float] = []
        self.others = 0

    def _finish(self, began: float, *, good: bool) -> None:
        if good:
            self.passed.append(time.perf_counter())
        else:
            self.others += 1
        super()._finish(began, good=good)


async def load(ports: list[int], *, rate: float, seconds: float, kill: ProcessTree) -> tuple[int, int, float]:
    """(passed, refused or lost, seconds from the first arrival to the last)."""
    body = request_body("answers", size=1000, stream=False)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {_KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    clients = [Counting(port, head.encode() + body) for port in ports]
    chance = random.Random(13)
    started = due = time.perf_counter()
    alive = clients
    while True:
        due += chance.expovariate(rate)
        if due - started > seconds:
            break
        if (pause := due - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        if alive is clients and due - started > seconds / 2:
            kill.stop(seconds=0)
            alive = clients[1:]
        alive[chance.randrange(len(alive))].arrive(due)
    lasted = time.perf_counter() - started
    async with asyncio.timeout(30):
        for client in clients:
            await client.idle.wait()
    return sum(len(one.passed) for one in clients), sum(one.others for one in clients), lasted


def hold(*, amount: int, burst: float, seconds: float) -> dict[str, float]:
    """Start everything, drive it, stop it."""
    redis_server = shutil.which("redis-server")
    if redis_server is None:
        raise click.ClickException("there is no redis-server: apt-get install redis-server")
    with tempfile.TemporaryDirectory(prefix="headgate-limits-") as folder:
        work, ports = Path(folder), Ports()
        upstream_port, redis_port = ports.take(), ports.take()
        trees: list[ProcessTree] = []

        def start(command: list[str], name: str, port: int, cwd: Path, **environment: str) -> ProcessTree:
            tree = ProcessTree(
                command, log=work / f"{name}.log", env=gateway_environment(**environment), cwd=cwd
            )
            trees.append(tree)
            tree.wait_listening(port, seconds=20)
            return tree

        try:
            redis = [redis_server, "--port", str(redis_port), "--bind", "127.0.0.1", "--save", ""]
            start(redis, "redis", redis_port, work)
            upstream = [sys.executable, "-m", "bench.upstream_server", "--port", str(upstream_port)]
            start(upstream, "upstream", upstream_port, ROOT)
            gateways, listening = [], []
            for number in range(_NODES):
                port, home = ports.take(), work / str(number)
                home.mkdir()
                (home / "headgate.toml").write_text(
                    _CONFIG.format(
                        port=port,
                        work=home,
                        redis=redis_port,
                        nodes=_NODES,
                        upstream=upstream_port,
                        amount=amount,
                        burst=burst,
                    )
                )
                headgate = str(Path(sys.executable).with_name("headgate"))
                command = [headgate, "serve", "--config", str(home / "headgate.toml")]
                gateways.append(start(command, f"gateway-{number}", port, home, HEADGATE_BOOTSTRAP_KEY=_KEY))
                listening.append(port)
            time.sleep(2.0)  # price lists are read in the background
            passed, refused, lasted = uvloop.run(
                load(listening, rate=3.0 * amount, seconds=seconds, kill=gateways[0])
            )
        finally:
            for tree in reversed(trees):
                tree.stop()
    may = burst * amount + amount * lasted
    return {
        "seconds": lasted,
        "asked": passed + refused,
        "passed": passed,
        "may_pass": may,
        "difference_percent": 100 * (passed - may) / may,
    }


@click.command(help=__doc__)
@click.option("--amount", default=100, show_default=True, help="Requests per second that may pass.")
@click.option("--burst", default=0.5, show_default=True, help="Part of it that may pass at once.")
@click.option(
    "--seconds", default=60.0, show_default=True, help="How long; half of it with one gateway less."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a sentence.")
def main(amount: int, burst: float, seconds: float, as_json: bool) -> None:
    found = hold(amount=amount, burst=burst, seconds=seconds)
    if as_json:
        click.echo(json.dumps({**found, "machine": describe_machine()}, indent=2))
    else:
        click.echo(
            f"{found['passed']:,} of {found['asked']:,} requests passed in {found['seconds']:.1f} s; "
            f"{found['may_pass']:,.1f} may: {found['difference_percent']:+.2f} %"
        )
    if abs(found["difference_percent"]) > 100 * _TOLERANCE:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
