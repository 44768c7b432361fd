"""Measure what recording everything costs: throughput beside the same gateway that records nothing; then ten minutes at full load.

    python bench/recording.py                  13 minutes; prints what it saw
    python bench/recording.py --minutes 1 --rounds 3
    python bench/recording.py --write          and writes docs/reference/recording-benchmark.md

"Off" is the same `headgate serve` in which nothing is written down: no rows are made, no contents kept, no journal written, no metrics of requests
counted, and the writer has nothing to do. Answers still say what they cost. A setting for that does not exist: it is done when it starts.
64 callers ask as fast as they get answers; nginx
answers at once. The two take turns, in short rounds, and the other one is frozen meanwhile; the median of the rounds' ratios counts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.alone import alone
from bench.contestants.contestant import Target
from bench.form import compiled, gateway_environment
from bench.load import closed_loop
from bench.machine import describe_machine
from bench.places import BUILD, ROOT
from bench.process_tree import Ports, ProcessTree
from bench.shapes import LANES
from bench.upstream import Upstream

__all__ = ["main"]

KEY = "hg-recording-0123456789abcdef0123456789ab"
CALLERS = 64
MOST_SHARE = 0.25
PAGE = ROOT / "docs" / "reference" / "recording-benchmark.md"
CONFIG = """\
[server]
listen = "127.0.0.1:{port}"
database = "sqlite:///{work}/headgate.db"

[providers.quick]
kind = "openai"
base_url = "{upstream}"
api_key = "unused"

[models.small]
endpoints = [{{ provider = "quick", model = "m" }}]
price = {{ input = 0.15, output = 0.60 }}

[features.chat]
route = "small"
"""
UNTOLD = (
    "self.journal.tell_later(_Leaving(self, exchange, attempt))",
    "record.journal.tell_later(self)",
)
"""Where records/stage.py has a request recorded: of an attempt that leaves, and of the end."""


def unrecorded() -> str:
    """Where the same package is, compiled if the other one is, in which those two lines do nothing."""
    home = BUILD / "unrecorded"
    sources = home / "sources"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(ROOT / "src", sources / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", sources)
    stage = sources / "src" / "headgate" / "records" / "stage.py"
    text = stage.read_text(encoding="utf-8")
    for line in UNTOLD:
        if text.count(line) != 1:
            raise SystemExit(
                f"records/stage.py has no `{line}` any more: bench/recording.py has to learn what it has instead"
            )
        text = text.replace(line, "pass")
    stage.write_text(text, encoding="utf-8")
    if compiled():
        command = [sys.executable, str(ROOT / "scripts" / "compiled.py"), "--sources", str(sources)]
        subprocess.run([*command, "--extensions", str(sources / "src")], check=True)
    return str(sources / "src")


class Gateway:
    """A started gateway, recording or not."""

    def __init__(
        self, work: Path, ports: Ports, upstream: str, stack: contextlib.ExitStack, *, records: bool
    ) -> None:
        work.mkdir()
        self.work, self.port = work, ports.take()
        config = work / "headgate.toml"
        config.write_text(CONFIG.format(port=self.port, work=work, upstream=upstream))
        command = [sys.executable, "-m", "headgate", "serve", "--config", str(config)]
        environment = gateway_environment(HEADGATE_BOOTSTRAP_KEY=KEY)
        if not records:
            environment["PYTHONPATH"] = unrecorded()
        self.tree = ProcessTree(command, log=work / "log", env=environment, cwd=work)
        stack.callback(self.tree.stop)
        self.tree.wait_listening(self.port, seconds=20)
        message = {"role": "user", "content": "How high is the water at the upper gate? " * 20}
        body = json.dumps({"model": "chat", "messages": [message]}).encode()
        self.target = Target(self.port, "/v1/chat/completions", body, {"authorization": f"Bearer {KEY}"})

    def load(self, seconds: float) -> float:
        """Requests a second."""
        seen = closed_loop(self.target, connections=CALLERS, seconds=seconds, work=self.work)
        if seen.bad_status or seen.broken:
            raise SystemExit(f"{seen.bad_status + seen.broken} requests failed")
        return seen.requests / seen.seconds

    def metric(self, name: str) -> float:
        """One number of /metrics."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/metrics", headers={"authorization": f"Bearer {KEY}"}
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            found = re.search(rf"^{name} (\S+)", reply.read().decode(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    def stored(self) -> int:
        """Requests in the database, once all that waits is there."""
        due = time.monotonic() + 120
        while self.metric("headgate_journal_bytes") and time.monotonic() < due:
            time.sleep(0.2)
        with contextlib.closing(sqlite3.connect(self.work / "headgate.db")) as connection:
            return int(connection.execute("SELECT count(*) FROM request").fetchone()[0])


def compared(on: Gateway, off: Gateway, rounds: int, seconds: float) -> list[tuple[float, float]]:
    """(requests a second with recording, without), round by round, after one that does not count."""
    found = []
    for number in range(rounds + 1):
        pair = {}
        # Who goes first changes: machines slow down and speed up.
        for one, other in ((on, off), (off, on)) if number % 2 else ((off, on), (on, off)):
            other.tree.freeze()
            pair[one] = one.load(seconds)
            other.tree.thaw()
            on.stored()
        if number:
            found.append((pair[on], pair[off]))
            print(f"round {number}: {pair[on]:,.0f} of {pair[off]:,.0f} requests/s")
    return found


def endured(on: Gateway, minutes: float) -> list[dict[str, float]]:
    """Full load for so long: what was seen in each piece of 15 seconds."""
    seen = []
    until = time.monotonic() + 60 * minutes
    while time.monotonic() < until:
        rate = on.load(15)
        seen.append(
            {
                "requests/s": rate,
                "MB": on.tree.rss_bytes() / 1e6,
                "journal MB": on.metric("headgate_journal_bytes") / 1e6,
                "dropped": on.metric("headgate_records_dropped_total"),
            }
        )
        print("  ".join(f"{name} {value:,.1f}" for name, value in seen[-1].items()))
    return seen


def page(
    rounds: list[tuple[float, float]], seen: list[dict[str, float]], sent: int, stored: int, seconds: float
) -> str:
    """What is written down."""
    ratios = [on / off for on, off in rounds]
    share = 1 - statistics.median(ratios)
    verdict = "held" if share <= MOST_SHARE else f"missed by {100 * (share - MOST_SHARE):.1f} points"
    machine = describe_machine()
    third = max(len(seen) // 3, 1)
    first, last = seen[:third], seen[-third:]
    middle = [
        f"{statistics.median(each[name] for each in part):,.1f}"
        for name in ("requests/s", "MB", "journal MB")
        for part in (first, last)
    ]
    return "\n".join(
        [
            "# What recording costs",
            "",
            "<!-- Written by `python bench/recording.py --write`; run it again instead of editing. -->",
            "",
            (__doc__ or "").partition("\n\n")[2].partition("\n\n")[2].strip(),
            "",
            f"Measured {time.strftime('%Y-%m-%d', time.gmtime())} on {machine['processor']}, two cores, which callers and nginx shared;",
            f"Python {sys.version.split()[0]}, {'compiled' if compiled() else 'plain'}. {len(rounds)} rounds of {seconds:g} s each.",
            "",
            "| | requests/s, median | least | most |",
            "|---|---|---|---|",
            *(
                f"| {name} | {statistics.median(values):,.0f} | {min(values):,.0f} | {max(values):,.0f} |"
                for name, values in (
                    ("everything recorded", [on for on, _ in rounds]),
                    ("nothing recorded", [off for _, off in rounds]),
                )
            ),
            "",
            (
                f"Recording takes **{100 * share:.0f} %** of the throughput (median of the rounds; {100 * (1 - max(ratios)):.0f} to "
                f"{100 * (1 - min(ratios)):.0f} % in single rounds). Budget {100 * MOST_SHARE:.0f} %: {verdict}."
            ),
            "",
            f"Then {len(seen) * 15 / 60:g} minutes at full load:",
            "",
            "| | first third | last third |",
            "|---|---|---|",
            f"| requests/s | {middle[0]} | {middle[1]} |",
            f"| memory of gateway and writer, MB | {middle[2]} | {middle[3]} |",
            f"| waiting in the journal after each 15 s, MB | {middle[4]} | {middle[5]} |",
            "",
            (
                f"Dropped: {int(seen[-1]['dropped'])}. Of {sent:,} requests answered {stored:,} are in the database (wrk cuts off some at the end "
                "of each piece, which are recorded too)."
            ),
            "",
        ]
    )


def main() -> None:
    """Measure, print, and perhaps write."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--minutes", type=float, default=10, help="of sustained load")
    arguments.add_argument("--rounds", type=int, default=8)
    arguments.add_argument("--seconds", type=float, default=8, help="length of a round")
    arguments.add_argument("--write", action="store_true", help="write docs/reference/recording-benchmark.md")
    chosen = arguments.parse_args()
    with (
        alone(),
        tempfile.TemporaryDirectory(prefix="headgate-recording-") as folder,
        contextlib.ExitStack() as stack,
    ):
        work, ports = Path(folder), Ports()
        upstream = Upstream(work / "upstream", ports)
        stack.callback(upstream.stop)
        address = upstream.base_url(LANES["whole"])
        on = Gateway(work / "on", ports, address, stack, records=True)
        off = Gateway(work / "off", ports, address, stack, records=False)
        time.sleep(3)
        rounds = compared(on, off, chosen.rounds, chosen.seconds)
        off.tree.stop()
        before = on.stored()
        seen = endured(on, chosen.minutes)
        sent = round(sum(each["requests/s"] * 15 for each in seen))
        text = page(rounds, seen, sent, on.stored() - before, chosen.seconds)
    print(text)
    if chosen.write:
        PAGE.write_text(text)


if __name__ == "__main__":
    main()
