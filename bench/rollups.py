"""Measure what the dashboard reads on a large installation, for docs/reference/dashboard-benchmark.md.

    python bench/rollups.py --spans 200_000              a file, in a minute
    python bench/rollups.py --spans 10_000_000 --write   and put the table into the page
    python bench/rollups.py --spans 10_000_000 --postgres
    python bench/rollups.py --keep /tmp/big.db ...       leave the file there; use it again if it is there
    python bench/rollups.py --ahead 20 ...               requests reach 20 minutes into the future when filling begins, so that
                                                         pages that show the present have something once it has ended

Requests of 30 days, by day and night as people sleep, of 20 features on 3 models, 5,000 users, some conversations, 3 % without an
answer, are stored by the gateway's own writer of spans, which adds them up as it does for every batch; only that the batches are
larger. A span is a request or an attempt. Then everything is asked that pages ask, and with `--pages` a gateway is started on it
and asked for the pages themselves. Each is asked five times after the first, which is shown apart.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import math
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.form import gateway_environment
from bench.machine import describe_machine
from bench.places import ROOT
from bench.process_tree import Ports, ProcessTree
from headgate.core.ids import IdSource
from headgate.stores.backends import postgres, sqlite
from headgate.stores.rollups import DAY, HOUR, MINUTE, RollupStore, Scope
from headgate.stores.sink import Batch, Position, SpanSink
from headgate.stores.spans import AttemptRow, RequestRow
from tests.support.postgres_server import postgres_server

__all__ = ["main"]

PAGE = ROOT / "docs" / "reference" / "dashboard-benchmark.md"
BUDGET_MS = 300.0
DAYS = 30
FEATURES = [f"feature-{number}" for number in range(20)]
MODELS = ["small", "medium", "large"]
USERS = [f"user-{number}" for number in range(5_000)]
KEYS = [f"key_{number}" for number in range(12)]
TEAMS = ["red", "green", "blue", "grey"]
PLANS = ['{"plan":"free"}', '{"plan":"pro"}', '{"plan":"enterprise"}', ""]
ERRORS = [
    "provider_rate_limited",
    "first_content_timeout",
    "provider_failed",
    "limit_reached",
    "malformed_body",
]
SECOND = 1_000_000_000
AGAIN = 5
BROWSER_KEY = "hg-bench-0123456789abcdef0123456789abcdef"
CONFIG = """\
[server]
listen = "127.0.0.1:{port}"
database = "{database}"
data = "{work}/data"

[providers.house]
kind = "simulated"
models.small = {{}}
models.medium = {{}}
models.large = {{}}
"""


def pages(until: int) -> list[str]:
    """What people look at. until: where the requests end; what says no time is of the present."""

    def before(seconds: int) -> str:
        return f"from={until - seconds}&to={until}"

    hours, day, week, month = before(6 * HOUR), before(DAY), before(7 * DAY), before(30 * DAY)
    return [
        "/",
        *(f"/?{stretch}" for stretch in (hours, day, week, month)),
        *(
            f"/plots/overview/{name}?{hours}"
            for name in ("requests", "errors", "latency", "first", "cost", "tokens")
        ),
        *(f"/plots/overview/latency?{stretch}" for stretch in (day, week, month)),
        "/traces",
        f"/traces?{day}",
        "/traces?feature=feature-3",
        "/traces?outcome=failed",
        "/traces?user=user-4000",
        *(f"/traces?range=30d&{what}" for what in NOTHING),
        "/sessions",
        *(f"/cost?{stretch}" for stretch in (day, month)),
        *(f"/cost?by={by}&{month}" for by in ("feature", "key", "user")),
        *(f"/plots/cost/spending?by={by}&{month}" for by in ("feature", "user")),
        f"/plots/cost/spending?by=feature&{week}",
        "/plots/cost/month",
        "/features",
        f"/features/feature-3?{month}",
        f"/quality?{month}",
        "/quality/changes",
        "/quality/changes?feature=feature-3",
        "/alerts",
        "/keys",
        "/audit",
        "/settings",
    ]


NOTHING = (
    "feature=nobody",
    "user=nobody",
    "model=nobody",
    "error=nobody",
    "tag=plan%3Dnobody",
    "costlier=1000",
    "text=nobody+ever+said+this",
)
"""Filters of Traces that no request matches."""


class _Clock:
    """Says what it is told."""

    def __init__(self) -> None:
        self.now_ns = 0

    def wall_ns(self) -> int:
        return self.now_ns

    def monotonic(self) -> float:
        return self.now_ns / SECOND


@dataclass(frozen=True)
class Timed:
    """What was asked, and how long it took, in milliseconds."""

    what: str
    first: float
    median: float
    worst: float
    cpu: float
    """Of the process that answers, in milliseconds; of a database server nothing."""
    size: int
    """Rows, or bytes of a page."""


def hours(spans: int, until: int) -> Iterator[tuple[list[RequestRow], list[AttemptRow]]]:
    """Rows of one hour after the other, so many in all."""
    chance = random.Random(20260822)
    since = until - DAYS * DAY
    clock = _Clock()
    ids = IdSource(clock, node=1)
    weights = [
        1 + 0.8 * math.sin((since // HOUR + number) % 24 / 24 * 2 * math.pi) for number in range(DAYS * 24)
    ]
    requests_in_all = spans / 2.03
    per_weight = requests_in_all / sum(weights)
    session = 0
    for number, weight in enumerate(weights):
        count = round(weight * per_weight)
        moments = sorted(chance.random() for _ in range(count))
        requests: list[RequestRow] = []
        attempts: list[AttemptRow] = []
        for moment in moments:
            clock.now_ns = round((since + (number + moment) * HOUR) * SECOND)
            if chance.random() < 0.05:
                session += 1
            one, its = _request(chance, ids, clock.now_ns, session)
            requests.append(one)
            attempts += its
        yield requests, attempts


def _request(
    chance: random.Random, ids: IdSource, started_ns: int, session: int
) -> tuple[RequestRow, list[AttemptRow]]:
    draw = chance.random
    number = ids.next()
    # Some features, models and users are asked for far more often than others.
    feature = FEATURES[int(draw() ** 2 * 20)]
    model = MODELS[int(draw() ** 2 * 3)]
    user = USERS[int(draw() ** 2 * 5_000)]
    failed = draw() < 0.03
    outcome: Any = "ok" if not failed else ("refused" if draw() < 0.3 else "failed")
    error = ERRORS[int(draw() * 5)] if failed else ""
    stream = draw() < 0.6
    total = int(math.exp(chance.gauss(14, 0.8)))
    first = int(total * (0.1 + 0.3 * draw())) if stream and not failed else 0
    tokens_in, tokens_out = int(draw() * 3_000), 0 if failed else int(draw() ** 2 * 1_500)
    cost = tokens_in * 150 + tokens_out * 600
    tried = 2 if draw() < 0.03 else 1
    started = 400
    row = RequestRow(
        number,
        started_ns,
        "0123456789abcdef0123456789abcdef",
        key_id=KEYS[int(draw() * 12)],
        team=TEAMS[int(draw() * 4)],
        tenant="acme",
        user=user,
        session=f"conversation-{session}" if draw() < 0.3 else "",
        feature=feature,
        tags=PLANS[int(draw() * 4)],
        operation="chat",
        dialect="openai.chat",
        stream=stream,
        requested_model=feature,
        routed_model=model,
        reported_model=model,
        provider="house",
        config_hash="0123456789abcdef",
        status=503 if failed else 200,
        outcome=outcome,
        error_class=error,
        finish_reason="" if failed else "end",
        attempts=tried,
        first_upstream_us=first,
        first_content_us=first,
        total_us=total,
        overhead_us=250 + int(draw() * 500),
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cost_nanos=cost,
        cost_label="exact",
        bytes_in=tokens_in * 4,
        bytes_out=tokens_out * 4,
        prompt=f"{feature}@{1 + int(draw() * 3)}",
    )
    its = [
        AttemptRow(
            number + place,
            number,
            place,
            "house" if place == tried else "cloud",
            model,
            wire="openai.chat",
            reported_model=model,
            status=row.status,
            outcome=outcome if place == tried else "failed",
            error_class=error,
            started_us=started,
            connected_us=started,
            sent_us=started,
            first_byte_us=first,
            ended_us=total,
            input_tokens=tokens_in,
            output_tokens=tokens_out,
            cost_nanos=cost,
            cost_label="exact",
            fingerprint="fp_1",
        )
        for place in range(1, tried + 1)
    ]
    return row, its


def fill(sink: SpanSink, spans: int, until: int) -> tuple[int, int, float]:
    """Store them; requests, attempts, and seconds of this process's CPU for storing."""
    requests_in_all = attempts_in_all = 0
    cpu, shown = 0.0, time.monotonic()
    for place, (requests, attempts) in enumerate(hours(spans, until), 1):
        before = time.process_time()
        batch = Batch(journal="bench", position=Position(1, place), requests=requests, attempts=attempts)
        sink.write(batch)
        cpu += time.process_time() - before
        requests_in_all += len(requests)
        attempts_in_all += len(attempts)
        if time.monotonic() - shown > 10:
            shown = time.monotonic()
            print(
                f"  {place * 100 // (DAYS * 24)} %, {requests_in_all:,} requests", file=sys.stderr, flush=True
            )
    return requests_in_all, attempts_in_all, cpu


Question = Callable[[], Awaitable[Sequence[Any]]]


def questions(store: RollupStore, until: int) -> dict[str, Question]:
    """What pages ask."""
    read, now = store, until
    times = ("total_us", "first_content_us", "overhead_us")
    month, week, day = now - 30 * DAY, now - 7 * DAY, now - DAY
    six, three = now - 6 * HOUR, now - 3 * HOUR
    by = ("feature", "model")
    return {
        "30 days by day": lambda: read.rolled(Scope(month, now), step=DAY, by=["outcome"]),
        "30 days by day, three spreads": lambda: read.rolled(Scope(month, now), step=DAY, sketches=times),
        "30 days by feature and model, one spread": lambda: read.rolled(
            Scope(month, now), by=by, sketches=["total_us"]
        ),
        "7 days by hour": lambda: read.rolled(Scope(week, now), step=HOUR, by=["outcome"]),
        "7 days by hour, one spread": lambda: read.rolled(Scope(week, now), step=HOUR, sketches=["total_us"]),
        "7 days by hour, three spreads": lambda: read.rolled(Scope(week, now), step=HOUR, sketches=times),
        "7 days by hour of one feature, three spreads": lambda: read.rolled(
            Scope(week, now, only={"feature": FEATURES[3]}), step=HOUR, sketches=times
        ),
        "24 hours by ten minutes": lambda: read.rolled(Scope(day, now), step=10 * MINUTE, by=["outcome"]),
        "24 hours by ten minutes, one spread": lambda: read.rolled(
            Scope(day, now), step=10 * MINUTE, sketches=["total_us"]
        ),
        "24 hours by ten minutes, three spreads": lambda: read.rolled(
            Scope(day, now), step=10 * MINUTE, sketches=times
        ),
        "6 hours by five minutes": lambda: read.rolled(Scope(six, now), step=5 * MINUTE, by=["outcome"]),
        "6 hours by five minutes, by outcome, one spread": lambda: read.rolled(
            Scope(six, now), step=5 * MINUTE, by=["outcome"], sketches=["total_us"]
        ),
        "6 hours by ten minutes, by outcome, one spread": lambda: read.rolled(
            Scope(six, now), step=10 * MINUTE, by=["outcome"], sketches=["total_us"]
        ),
        "3 hours by minute, three spreads": lambda: read.rolled(
            Scope(three, now), step=MINUTE, sketches=times
        ),
        "5 minutes, by feature, all of a rule": lambda: read.rolled(
            Scope(now - 5 * MINUTE, now), by=["feature", "outcome"], sketches=times
        ),
        "spending of 30 days by user, the 100 dearest": lambda: read.spent("user", month, now),
        "spending of 30 days by user, over time": lambda: read.spent("user", month, now, step=DAY, limit=10),
        "spending of 24 hours by user": lambda: read.spent("user", day, now),
        "spending of 30 days by key, over time": lambda: read.spent("key_id", month, now, step=DAY),
        "spending of 7 days by a tag, by hour": lambda: read.spent("tag:plan", week, now, step=HOUR),
        "dimensions of spending": lambda: read.dimensions(month, now),
        "failures of 30 days, with users": lambda: read.failures(month, now),
        "failures of 24 hours by hour and class": lambda: read.failures(
            day, now, step=HOUR, by=["error_class"]
        ),
        "failures of 30 days of one feature": lambda: read.failures(
            month, now, by=["error_class"], only={"feature": FEATURES[3]}
        ),
        "latest 50 conversations": read.sessions,
        "a page of conversations of two weeks ago": lambda: read.sessions(
            before_ns=(now - 14 * DAY) * SECOND
        ),
        "conversations of one user": lambda: read.sessions(only={"user": USERS[4_000]}),
        "conversations of one feature": lambda: read.sessions(only={"feature": FEATURES[19]}),
        "marks": lambda: read.marks(month * SECOND, now * SECOND),
    }


async def ask(what: str, question: Question) -> Timed:
    """The first time and five more."""
    taken, worked, size = [], [], 0
    for _ in range(1 + AGAIN):
        begun, working = time.perf_counter(), time.process_time()
        size = len(await question())
        taken.append((time.perf_counter() - begun) * 1_000)
        worked.append((time.process_time() - working) * 1_000)
    return _timed(what, taken, worked, size)


def _timed(what: str, taken: Sequence[float], worked: Sequence[float], size: int) -> Timed:
    again = taken[1:]
    return Timed(what, taken[0], statistics.median(again), max(again), statistics.median(worked[1:]), size)


async def measure(store: RollupStore, until: int) -> list[Timed]:
    """All of them."""
    found = []
    for what, question in questions(store, until).items():
        found.append(await ask(what, question))
        print(line(found[-1]), flush=True)
    return found


def ask_for_pages(database: str, work: Path, until: int) -> list[Timed]:
    """Each page by HTTP, from a gateway that is started on the database."""
    ports = Ports()
    port = ports.take()
    config = work / "headgate.toml"
    features = "".join(f'\n[features.{name}]\nroute = "house/small"\n' for name in FEATURES)
    config.write_text(CONFIG.format(port=port, database=database, work=work) + features, encoding="utf-8")
    command = [sys.executable, "-m", "headgate", "serve", "--config", str(config)]
    environment = gateway_environment(HEADGATE_BOOTSTRAP_KEY=BROWSER_KEY)
    gateway = ProcessTree(command, log=work / "serve.log", env=environment, cwd=work)
    try:
        gateway.wait_listening(port, seconds=30)
        time.sleep(2)
        found = []
        for address in pages(until):
            found.append(_page(gateway, port, address))
            print(line(found[-1]), flush=True)
        return found
    finally:
        gateway.stop()


def _page(gateway: ProcessTree, port: int, address: str) -> Timed:
    taken: list[float] = []
    worked: list[float] = []
    size = status = 0
    for _ in range(1 + AGAIN):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        begun, working = time.perf_counter(), gateway.cpu_seconds()
        connection.request("GET", address, headers={"Authorization": f"Bearer {BROWSER_KEY}"})
        reply = connection.getresponse()
        size, status = len(reply.read()), reply.status
        taken.append((time.perf_counter() - begun) * 1_000)
        worked.append((gateway.cpu_seconds() - working) * 1_000)
        connection.close()
    said = "" if status == 200 else f" (status {status})"
    return _timed(f"`{address}`{said}", taken, worked, size)


def line(one: Timed) -> str:
    """A row of the table."""
    return f"| {one.what} | {one.median:.0f} | {one.worst:.0f} | {one.first:.0f} | {one.cpu:.0f} | {one.size:,} |"


def table(found: Sequence[Timed]) -> str:
    """The whole of it."""
    head = "| what is asked | median, ms | worst, ms | the first time, ms | CPU, ms | rows, or bytes |\n|---|---:|---:|---:|---:|---:|"
    return "\n".join([head, *map(line, found)])


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spans", type=int, default=200_000)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--url", default="", help="ask this PostgreSQL database, which was filled before")
    parser.add_argument("--keep", type=Path, help="the file; its facts stand beside it")
    parser.add_argument("--ahead", type=int, default=0, help="minutes")
    parser.add_argument("--pages", action="store_true", help="ask a gateway for its pages too")
    parser.add_argument("--write", action="store_true", help="write the page")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database: Any
        path = given.keep or folder / "headgate.db"
        if given.postgres:
            url = given.url or stack.enter_context(postgres_server()).new_database()
            database = postgres.Database(url)
            sink: SpanSink = postgres.PostgresSink(database)
            store: RollupStore = postgres.PostgresRollups(database)
        else:
            url = f"sqlite:///{path}"
            database = sqlite.Database(path)
            sink, store = sqlite.SqliteSink(database), sqlite.SqliteRollups(database)
        noted = path.with_suffix(".facts")
        if noted.exists():
            said = json.loads(noted.read_text(encoding="utf-8"))
            until, facts = int(said["until"]), str(said["facts"])
        else:
            begun, until = time.monotonic(), (int(time.time()) // MINUTE + given.ahead) * MINUTE
            requests, attempts, cpu = fill(sink, given.spans, until)
            facts = (
                f"{requests:,} requests and {attempts:,} attempts, stored in {time.monotonic() - begun:.0f} s, "
                f"{cpu / requests * 1e6:.0f} µs of this process's CPU a request"
            )
            noted.write_text(json.dumps({"until": until, "facts": facts}), encoding="utf-8")
        sink.close()
        if not given.postgres:
            facts += f"; the file has {path.stat().st_size / 1e9:.1f} GB"
        print(f"{describe_machine()}\n{facts}\n")
        found = asyncio.run(_all(store, database, until))
        if given.pages:
            found += ask_for_pages(url, folder, until)
        late = [one.what for one in found if one.worst > BUDGET_MS]
        print(f"\nover {BUDGET_MS:.0f} ms: {', '.join(late) or 'nothing'}")
        if given.write:
            engine = "PostgreSQL" if given.postgres else "SQLite"
            write(engine, f"{facts}. {datetime.now(tz=UTC).date().isoformat()}, {_machine()}.", found)


async def _all(store: RollupStore, database: Any, until: int) -> list[Timed]:
    if isinstance(database, postgres.Database):
        # As its server does by itself some minutes after so much was stored.
        await database.run(lambda connection: connection.execute("ANALYZE"))
    found = await measure(store, until)
    await database.close()
    return found


def _machine() -> str:
    found = describe_machine()
    return ", ".join(
        [
            found["processor"],
            found["memory"],
            *(f"{name} {value}" for name, value in found.items() if "load" in name),
        ]
    )


def write(engine: str, facts: str, found: Sequence[Timed]) -> None:
    """Put it into the page, in place of what stood there."""
    begin, end = f"<!-- {engine}: begin; written by bench/rollups.py -->", f"<!-- {engine}: end -->"
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2]
    PAGE.write_text(f"{before}{begin}\n\n{facts}\n\n{table(found)}\n\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
