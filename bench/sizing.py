"""Measure what an installation needs, for docs/how-to/scale.md.

    python bench/sizing.py                     all of it, about a minute and a half
    python bench/sizing.py --only file --seconds 2
    python bench/sizing.py --write             and put the tables into the page

One gateway with all its records, on a file, on PostgreSQL, and on PostgreSQL with Redis and a limit for each user. Every request
has a prompt of 0.9 kB of its own. Speed is measured on an nginx that answers at once, sizes on the simulated provider,
whose answers (some 800 bytes) differ as well.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import socket
import sqlite3
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.alone import alone
from bench.contestants.contestant import Target
from bench.form import gateway_environment
from bench.load import closed_loop
from bench.machine import describe_machine
from bench.places import ROOT, clean_environment
from bench.process_tree import Ports, ProcessTree
from bench.shapes import LANES
from bench.upstream import Upstream
from tests.support.postgres_server import PostgresServer, postgres_server

__all__ = ["main"]

KEY = "hg-sizing-0123456789abcdef0123456789abcdef"
PAGE = ROOT / "docs" / "how-to" / "scale.md"
BEGIN, END = (
    "<!-- written by bench/sizing.py: begin; do not edit -->",
    "<!-- written by bench/sizing.py: end -->",
)
KINDS = {
    "file": "a file (SQLite)",
    "bare": "a file, `records.content = false`",
    "postgres": "PostgreSQL",
    "redis": "PostgreSQL and Redis, one limit for each user",
}
CONFIG = """\
[server]
listen = "127.0.0.1:{port}"
database = "{database}"
data = "{work}/data"
{redis}
[records]
content = {content}

[providers.quick]
kind = "openai"
base_url = "{upstream}"
api_key = "unused"

[providers.sim]
kind = "simulated"
speed = 0
models.talks = {{ error_rate = 0, quality = 1, answer_tokens = 180 }}

[features.quick]
route = "quick/m"

[features.talks]
route = "sim/talks"
"""
REDIS = 'redis = "redis://127.0.0.1:{port}/0"\n'
LIMIT = '\n[[limits]]\nname = "of-a-user"\nof = "user"\nrequests = 1000\nper = "1d"\n'


@dataclass
class Found:
    """What one kind of installation needs."""

    kind: str
    figures: dict[str, float] = field(default_factory=dict)


class Running:
    """A started gateway and what it stands on."""

    def __init__(self, kind: str, work: Path, ports: Ports, stack: contextlib.ExitStack) -> None:
        self.kind, self.work = kind, work
        self.port = ports.take()
        self.postgres: PostgresServer | None = None
        self.redis: ProcessTree | None = None
        database = f"sqlite:///{work}/headgate.db"
        if kind in ("postgres", "redis"):
            self.postgres = stack.enter_context(postgres_server())
            database = self.url = self.postgres.new_database()
        if kind == "redis":
            self.redis_port = ports.take()
            command = ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", ""]
            self.redis = ProcessTree(command, log=work / "redis.log", env=clean_environment(), cwd=work)
            stack.callback(self.redis.stop)
            self.redis.wait_listening(self.redis_port, seconds=10)
        upstream = Upstream(work / "upstream", ports)
        stack.callback(upstream.stop)
        text = CONFIG.format(
            port=self.port,
            database=database,
            work=work,
            redis=REDIS.format(port=self.redis_port) if self.redis else "",
            content="false" if kind == "bare" else "true",
            upstream=upstream.base_url(LANES["whole"]),
        )
        (work / "headgate.toml").write_text(text + (LIMIT if self.redis else ""))
        command = [sys.executable, "-m", "headgate", "serve", "--config", str(work / "headgate.toml")]
        environment = gateway_environment(HEADGATE_BOOTSTRAP_KEY=KEY)
        self.gateway = ProcessTree(command, log=work / "serve.log", env=environment, cwd=work)
        stack.callback(self.gateway.stop)
        self.gateway.wait_listening(self.port, seconds=20)
        self.stored()

    def load(self, feature: str, seconds: float, connections: int = 16) -> int:
        """How many requests were answered in that time."""
        said = {"role": "user", "content": "@TEXT@"}
        body = json.dumps({"model": feature, "messages": [said]}).encode()
        target = Target(self.port, "/v1/chat/completions", body, {"authorization": f"Bearer {KEY}"})
        seen = closed_loop(
            target, connections=connections, seconds=seconds, work=self.work, script="sizing.lua"
        )
        if seen.bad_status or seen.broken:
            raise SystemExit(f"{self.kind}: {seen.bad_status + seen.broken} requests failed")
        return seen.requests

    def stored(self) -> None:
        """Wait until the journal is in the database."""
        due = time.monotonic() + 120
        while self.waiting():
            if time.monotonic() > due:
                raise SystemExit(f"{self.kind}: the records did not arrive in two minutes")
            time.sleep(0.05)

    def waiting(self) -> float:
        """Bytes of the journal that are not stored."""
        return self._metric("headgate_journal_bytes")

    def _metric(self, name: str) -> float:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/metrics", headers={"authorization": f"Bearer {KEY}"}
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            found = re.search(rf"^{name} (\S+)", reply.read().decode(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    def database_bytes(self) -> float:
        """As large as it is, all that was written included."""
        if self.postgres:
            self.postgres.run(self.url, "CHECKPOINT")
            return float(self.postgres.run(self.url, "SELECT pg_database_size(current_database())")[0][0])
        with contextlib.closing(sqlite3.connect(self.work / "headgate.db")) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        return float((self.work / "headgate.db").stat().st_size)

    def redis_bytes(self) -> float:
        """What Redis holds."""
        text = _redis(self.redis_port, b"INFO memory\r\n")
        return float(text.partition(b"used_memory:")[2].split(b"\r", 1)[0])

    def cpu(self) -> dict[str, float]:
        """Seconds of each part so far."""
        used = {"gateway": self.gateway.cpu_seconds()}
        if self.postgres:
            used["postgres"] = sum(map(_cpu, self.postgres._all()))
        if self.redis:
            used["redis"] = self.redis.cpu_seconds()
        return used


def _redis(port: int, command: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 10) as asked:
        asked.sendall(command)
        said = b""
        while b"used_memory_human" not in said:
            said += asked.recv(65_536)
        return said


def _cpu(pid: int) -> float:
    """Of a process, and of its children that have ended."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        reaped = int(fields[13]) + int(fields[14])
        # The process's own clock, as clock_getcpuclockid(3) names it.
        return time.clock_gettime((~pid << 3) | 2) + reaped / os.sysconf("SC_CLK_TCK")
    return 0.0


def speed(on: Running, seconds: float) -> dict[str, float]:
    """Processor time for a request until all its records are stored, and memory after many."""
    on.load("quick", 1)
    on.stored()
    before = on.cpu()
    requests = on.load("quick", seconds)
    on.stored()
    found = {f"{part} µs": (used - before[part]) / requests * 1e6 for part, used in on.cpu().items()}
    return found | {"loaded MB": on.gateway.rss_bytes() / 1e6}


def sizes(on: Running, seconds: float) -> dict[str, float]:
    """Bytes in the database, and in Redis, for each request."""
    on.stored()
    database, redis = on.database_bytes(), on.redis_bytes() if on.redis else 0.0
    requests = on.load("talks", seconds)
    on.stored()
    found = {"database bytes": (on.database_bytes() - database) / requests}
    if on.redis:
        # Each request was that of another user.
        found["redis bytes"] = (on.redis_bytes() - redis) / requests
    return found


def outage(on: Running, seconds: float) -> dict[str, float]:
    """PostgreSQL away: bytes that a request waits in the journal, and how fast one gateway catches up."""
    assert on.postgres is not None
    on.stored()
    on.postgres.kill()
    time.sleep(0.5)
    before = on.waiting()
    requests = on.load("talks", seconds)
    found = {"journal bytes": (on.waiting() - before) / requests}
    on.postgres.start()
    while on.waiting() > 0.95 * found["journal bytes"] * requests:
        time.sleep(0.005)  # it tries once a second
    began, left = time.monotonic(), on.waiting() / found["journal bytes"]
    on.stored()
    return found | {"caught up per second": left / (time.monotonic() - began)}


def measured(kind: str, seconds: float) -> Found:
    """One kind of installation, from an empty directory."""
    found = Found(kind)
    with tempfile.TemporaryDirectory(prefix="headgate-sizing-") as folder, contextlib.ExitStack() as stack:
        on = Running(kind, Path(folder), Ports(), stack)
        time.sleep(1)
        found.figures["idle MB"] = on.gateway.rss_bytes() / 1e6
        found.figures |= speed(on, seconds)
        found.figures |= sizes(on, seconds / 2)
        if kind == "postgres":
            found.figures |= outage(on, seconds / 2)
    return found


def page(all_found: list[Found]) -> str:
    """The tables, in Markdown."""
    machine = describe_machine()
    today = time.strftime("%Y-%m-%d", time.gmtime())
    where = f"Of {today}, on {machine['processor']}, which the load, the providers and the databases shared"
    lines = [
        f"{where}; PostgreSQL did not wait for its disk.",
        "",
        "| one gateway on | requests/s for a core | CPU of the gateway | of PostgreSQL | of Redis | in the database | idle | after the load |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in all_found:
        told = one.figures
        cells = [
            f"{1e6 / told['gateway µs']:,.0f}",
            f"{told['gateway µs']:,.0f} µs",
            f"{told['postgres µs']:,.0f} µs" if "postgres µs" in told else "",
            f"{told['redis µs']:,.0f} µs" if "redis µs" in told else "",
            f"{told['database bytes'] / 1000:.1f} kB",
            f"{told['idle MB']:,.0f} MB",
            f"{told['loaded MB']:,.0f} MB",
        ]
        lines.append(f"| {KINDS[one.kind]} | {' | '.join(cells)} |")
    every = {name: value for one in all_found for name, value in one.figures.items()}
    lines += ["", "| besides | |", "|---|---|"]
    if "journal bytes" in every:
        lines += [
            f"| a request in the journal, while PostgreSQL is away | {every['journal bytes'] / 1000:.1f} kB |",
            f"| requests/s that one gateway catches up with | {every['caught up per second']:,.0f} |",
        ]
    if "redis bytes" in every:
        lines.append(f"| Redis, for each user a limit counts | {every['redis bytes']:.0f} bytes |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and perhaps write."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument(
        "--only", choices=KINDS, action="append", help="one kind of installation; may be repeated"
    )
    arguments.add_argument("--seconds", type=float, default=8, help="length of each load")
    arguments.add_argument("--write", action="store_true", help="put the tables into docs/how-to/scale.md")
    chosen = arguments.parse_args()
    with alone():
        found = [measured(kind, chosen.seconds) for kind in chosen.only or KINDS]
    for one in found:
        print(one.kind, {name: round(value, 1) for name, value in one.figures.items()})
    text = page(found)
    print("\n" + text)
    if chosen.write:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        if not rest:
            raise SystemExit(f"{PAGE.name} lacks the marks between which the tables stand")
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
