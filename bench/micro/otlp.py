"""CPU time that exporting one request costs: rows to spans, spans to bytes, bytes compressed; and the whole way from SQLite.

python -m bench.micro.otlp
"""

from __future__ import annotations

import asyncio
import gzip
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.form import measured_compiled
from headgate.core.clock import SystemClock
from headgate.core.ids import trace_id
from headgate.records.export.claim import Claim
from headgate.records.export.histograms import Histograms
from headgate.records.export.relay import Plan, Relay
from headgate.records.export.spans import Place, attempt_span, request_span
from headgate.stores.backends import sqlite
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import AttemptRow, RequestRow
from headgate.telemetry.otlp.protobuf import encode_resource, encode_span, traces_of
from headgate.telemetry.otlp.sending import Answer, Collector
from headgate.telemetry.otlp.settings import OtlpSettings

MANY = 5_000
PLACE = Place("openai", "api.openai.com", 443)


def place(name: str) -> Place:
    """The same for all."""
    return PLACE


def rows() -> list[tuple[RequestRow, AttemptRow]]:
    """As a streamed chat leaves them."""
    found = []
    now = time.time_ns()
    for number in range(1, MANY + 1):
        key = (now // 1_000_000 - 1_704_067_200_000 << 22) + number
        request = RequestRow(
            key, now, trace_id(key), "00f067aa0ba902b7", "key_1", "team", "", "user-1", "session-9", "support-chat",
            "", "chat", "openai.chat", True, "support-chat", "small", "gpt-4o-mini-2024-07-18", "openai", "eu", "0123456789ab",
            200, "ok", "", "", "end", 1, 0, 300_000, 310_000, 900_000, 400, 120, 40, 0, 0, 200, 0, 135_000, "exact",
        )  # fmt: skip
        attempt = AttemptRow(
            key + MANY, key, 1, "openai", "gpt-4o-mini", "openai.chat", "gpt-4o-mini-2024-07-18", "eu", 200, "ok", "", "",
            "end", 200, 0, 250, 300_000, 310_000, 899_000, 120, 40, 0, 0, 200, 0, 135_000, "exact", "req_upstream_1",
        )  # fmt: skip
        found.append((request, attempt))
    return found


def measured(name: str, work: Callable[[], object]) -> None:
    """Best of three, in µs of CPU a request."""
    best = float("inf")
    for _ in range(3):
        begun = time.process_time()
        work()
        best = min(best, time.process_time() - begun)
    print(f"{name:<44} {best / MANY * 1e6:6.1f} µs a request")


async def whole_way(found: list[tuple[RequestRow, AttemptRow]], folder: Path) -> None:
    """From the file to a collector that answers at once."""
    database = sqlite.Database(folder / "bench.db")
    spans, exports, clock = sqlite.SqliteSpans(database), sqlite.SqliteExports(database), SystemClock()

    async def post(url: str, headers: object, body: bytes, seconds: float) -> Answer:
        return Answer(200)

    plan = Plan(
        settings=OtlpSettings(endpoint="http://c"),
        collector=Collector("http://c", {}, 1.0, post),
        places=place,
        resource=encode_resource([("service.name", "headgate")]),
        version="1",
        read_prompt=lambda content: None,
        read_answer=lambda content: None,
    )
    relay = Relay(spans, exports, Claim("otlp", exports, spans, clock, node="n"), Histograms(0), clock)
    await relay.step(plan)
    sink = sqlite.SqliteSink(database)
    sink.write(
        Batch(
            journal="j",
            position=Position(),
            requests=[request for request, _ in found],
            attempts=[attempt for _, attempt in found],
        )
    )
    sink.close()
    begun, at = time.process_time(), time.perf_counter()
    while await relay.step(plan) == "more":
        pass
    cpu, seconds = time.process_time() - begun, time.perf_counter() - at
    await database.close()
    assert relay.counts["sent"] == 2 * MANY
    print(
        f"{'read, made, sent, marked (SQLite)':<44} {cpu / MANY * 1e6:6.1f} µs a request, {MANY / seconds:,.0f} requests/s"
    )


def main() -> None:
    """Print the table."""
    found = rows()
    made = [(request_span(one, place), attempt_span(one, two, place)) for one, two in found]
    encoded = [encode_span(span) for pair in made for span in pair]
    body = traces_of(b"", "1", encoded)
    histograms = Histograms(0)

    # Nothing is kept: a collector of garbage that walks through 10,000 spans is no part of the work.
    def make() -> None:
        for one, two in found:
            request_span(one, place)
            attempt_span(one, two, place)

    def encode() -> None:
        for pair in made:
            for span in pair:
                encode_span(span)

    def count() -> None:
        for one, two in found:
            histograms.add(one, (two,), place)

    measured("rows to spans (one attempt)", make)
    measured("spans to protobuf", encode)
    measured("histograms", count)
    measured("gzip", lambda: gzip.compress(body, 1))
    print(f"{'protobuf':<44} {len(body) / MANY:6.0f} bytes a request")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(whole_way(found, Path(folder)))


if __name__ == "__main__":
    measured_compiled()
    main()
