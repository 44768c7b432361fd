"""Take the first of two providers away under load, and say what callers noticed.

    python bench/outage.py                            all outages, about two minutes
    python bench/outage.py --only refused --seconds 5

A gateway with a primary and a fallback serves 200 requests a second, arriving at random (open loop). After a while the
primary goes: its process is killed (connections are refused), or frozen (it is silent). Later it comes back. Told are
the requests that got no answer (there must be none) and what latency the outage added, phase by phase.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import click
import uvloop

from bench.form import gateway_environment
from bench.machine import describe_machine
from bench.measures import percentile
from bench.open_loop import Client
from bench.places import ROOT, clean_environment
from bench.process_tree import Ports, ProcessTree
from bench.shapes import request_body

__all__ = ["main"]

_KEY = "hg-outage-0123456789abcdef0123456789abcdef"
_FIRST_SECOND = 1.0
_CONFIG = """\
[server]
listen = "127.0.0.1:{port}"
database = "sqlite:///{work}/headgate.db"

[providers.primary]
kind = "openai"
base_url = "http://127.0.0.1:{primary}/whole/v1"

[providers.secondary]
kind = "openai"
base_url = "http://127.0.0.1:{secondary}/whole/v1"

[features.answers]
route = "primary/m"
fallback = ["secondary/m"]
timeouts = {{ connect = "500ms", attempt = "500ms", total = "10s" }}
"""
OUTAGES = {
    "refused": "the primary's process is killed: connections are refused at once",
    "silent": "the primary's process is frozen: connections stand, nothing is answered; an attempt may take 500 ms",
}


@dataclass
class Phase:
    """A stretch of the run."""

    name: str
    begins: float
    latencies_ms: list[float] = field(default_factory=list)
    failed: int = 0


class Noting(Client):
    """Notes when each answer's request had come."""

    def __init__(self, port: int, request: bytes, phases: list[Phase], started: float) -> None:
        super().__init__(port, request)
        self._phases = phases
        self._started = started

    def _finish(self, began: float, *, good: bool) -> None:
        moment = began - self._started
        phase = [phase for phase in self._phases if phase.begins <= moment][-1]
        if good:
            phase.latencies_ms.append((time.perf_counter() - began) * 1000)
        else:
            phase.failed += 1
        super()._finish(began, good=good)


def provider(port: int, work: Path, name: str) -> ProcessTree:
    command = [sys.executable, "-m", "bench.upstream_server", "--port", str(port)]
    tree = ProcessTree(command, log=work / f"{name}.log", env=clean_environment(), cwd=ROOT)
    tree.wait_listening(port, seconds=10)
    return tree


async def load(
    port: int, phases: list[Phase], events: list[tuple[float, object]], *, rate: float, seconds: float
) -> int:
    """Drive the gateway; run each event at its moment. Returns how many requests were sent."""
    body = request_body("answers", size=1000, stream=False)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {_KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    started = due = time.perf_counter()
    client = Noting(port, head.encode() + body, phases, started)
    chance = random.Random(11)
    loop = asyncio.get_running_loop()
    running = [loop.call_later(moment, loop.run_in_executor, None, event) for moment, event in events]
    sent = 0
    while True:
        due += chance.expovariate(rate)
        if due - started > seconds:
            break
        if (pause := due - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        sent += 1
        client.arrive(due)
    async with asyncio.timeout(30):
        await client.idle.wait()
    assert all(handle.when() for handle in running)
    return sent


def outage(kind: str, *, rate: float, seconds: float) -> dict[str, object]:
    """One outage: `seconds` before it, as long in it, as long after it."""
    with tempfile.TemporaryDirectory(prefix="headgate-outage-") as folder:
        work, ports = Path(folder), Ports()
        gateway_port, primary_port, secondary_port = ports.take(), ports.take(), ports.take()
        (work / "headgate.toml").write_text(
            _CONFIG.format(port=gateway_port, work=work, primary=primary_port, secondary=secondary_port)
        )
        trees = {
            "primary": provider(primary_port, work, "primary"),
            "secondary": provider(secondary_port, work, "secondary"),
        }
        command = [
            str(Path(sys.executable).with_name("headgate")),
            "serve",
            "--config",
            str(work / "headgate.toml"),
        ]
        gateway = ProcessTree(
            command, log=work / "gateway.log", env=gateway_environment(HEADGATE_BOOTSTRAP_KEY=_KEY), cwd=work
        )
        try:
            gateway.wait_listening(gateway_port, seconds=20)
            time.sleep(1.0)  # the price list is read in the background

            def gone() -> None:
                trees["primary"].freeze() if kind == "silent" else trees["primary"].stop(seconds=0)

            def back() -> None:
                if kind == "silent":
                    trees["primary"].thaw()
                else:
                    trees["primary"] = provider(primary_port, work, "primary-again")

            phases = [
                Phase("before", 0.0),
                Phase("first second of the outage", seconds),
                Phase("rest of the outage", seconds + _FIRST_SECOND),
                Phase("after it is back", 2 * seconds),
            ]
            # The moment is the primary's; requests under way then belong to the phase they came in.
            events = [(seconds, gone), (2 * seconds, back)]
            sent = uvloop.run(load(gateway_port, phases, events, rate=rate, seconds=3 * seconds))
            returned = _answers_again(gateway_port)
        finally:
            gateway.stop()
            for tree in trees.values():
                if kind == "silent" and tree.ended() is None:
                    tree.thaw()
                tree.stop()
    base = percentile(sorted(phases[0].latencies_ms), 0.95)
    return {
        "kind": kind,
        "sent": sent,
        "lost": sum(phase.failed for phase in phases),
        "served_by_primary_again": returned,
        "phases": [
            {
                "name": phase.name,
                "requests": len(phase.latencies_ms) + phase.failed,
                "lost": phase.failed,
                "p50_ms": percentile(sorted(phase.latencies_ms), 0.50),
                "p95_ms": percentile(sorted(phase.latencies_ms), 0.95),
                "p99_ms": percentile(sorted(phase.latencies_ms), 0.99),
                "added_p95_ms": percentile(sorted(phase.latencies_ms), 0.95) - base,
            }
            for phase in phases
            if phase.latencies_ms
        ],
    }


def _answers_again(port: int) -> bool:
    """Is the primary asked again?"""
    import urllib.request

    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        request_body("answers", size=1000, stream=False),
        {"authorization": f"Bearer {_KEY}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as reply:
        return reply.headers["x-headgate-provider"] == "primary"


@click.command(help=__doc__)
@click.option("--only", type=click.Choice([*OUTAGES]), help="One outage instead of all.")
@click.option("--rate", default=200.0, show_default=True, help="Requests per second.")
@click.option("--seconds", default=10.0, show_default=True, help="Each of: before, outage, after.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--write", is_flag=True, help="Write docs/reference/outage-benchmark.md.")
def main(only: str | None, rate: float, seconds: float, as_json: bool, write: bool) -> None:
    found = []
    for kind in [only] if only else OUTAGES:
        if not as_json:
            click.echo(f"{kind}: {OUTAGES[kind]} ({3 * seconds:.0f} s) ...")
        found.append(outage(kind, rate=rate, seconds=seconds))
    text = "\n".join(_table(one) for one in found)
    click.echo(json.dumps(found, indent=2) if as_json else text)
    if write:
        machine = "\n".join(f"- {name}: {value}" for name, value in describe_machine().items())
        page = _PAGE.format(
            rate=f"{rate:g}",
            seconds=f"{seconds:g}",
            date=time.strftime("%Y-%m-%d"),
            machine=machine,
            tables=text,
        )
        (ROOT / "docs" / "reference" / "outage-benchmark.md").write_text(page)
    if any(one["lost"] for one in found):
        raise SystemExit(1)


def _table(one: dict[str, object]) -> str:
    lines = [
        f"### {one['kind']}: {OUTAGES[str(one['kind'])]}",
        "",
        (
            f"{one['sent']:,} requests, {one['lost']} lost; "
            f"at the end the primary {'serves again' if one['served_by_primary_again'] else 'does not serve yet'}."
        ),
        "",
        "| phase | requests | lost | p50 ms | p95 ms | p99 ms | p95 added ms |",
        "|---|---|---|---|---|---|---|",
    ]
    phases: list[dict[str, float]] = one["phases"]  # type: ignore[assignment]
    lines += [
        f"| {p['name']} | {p['requests']:,} | {p['lost']} | {p['p50_ms']:.1f} | {p['p95_ms']:.1f} | {p['p99_ms']:.1f} | {p['added_p95_ms']:.1f} |"
        for p in phases
    ]
    return "\n".join([*lines, ""])


_PAGE = """\
# Benchmark: a provider goes away under load

<!-- Written by `python bench/outage.py --write`; run it again instead of editing. -->

A gateway with a primary and a fallback, everything recorded, {rate} requests a second arriving at random (open loop, whole
answers), each phase {seconds} s long. Latency is counted from the moment a caller wants to send, waiting for a connection
included; the added latency is the difference to the p95 before the outage. Measured {date}.

{machine}

{tables}"""


if __name__ == "__main__":
    main()
