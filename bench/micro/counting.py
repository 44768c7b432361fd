"""CPU time that the metrics of one request cost, beside everything else that its end costs; and what one look at them costs.

python -m bench.micro.counting
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from bench.form import measured_compiled
from headgate.core.usage import Usage
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.exchange.attempt import Attempt
from headgate.exchange.caller import Caller
from headgate.exchange.dialect import Peek
from headgate.exchange.exchange import Exchange
from headgate.providers.port import Endpoint
from headgate.records.attempts import Ended, ended_attempt
from headgate.records.counting import Counting
from headgate.records.places import Place
from headgate.records.rows import Over, closed_request
from headgate.telemetry.metrics import Metrics

MANY = 100_000


def over() -> tuple[Exchange, Over, Ended]:
    """A streamed chat that is over."""
    exchange = Exchange(id=1, dialect=OpenAIChat(), body=b"{}", headers=(), received_at=100.0, started_ns=1)
    exchange.peek, exchange.caller = Peek(model="support-chat", stream=True), Caller("key_1", team="team")
    exchange.feature, exchange.routed_model = "support-chat", "small"
    unused: Any = None
    endpoint = Endpoint("openai", "gpt-4o-mini", unused, unused, region="eu")
    attempt = Attempt(id=2, number=1, endpoint=endpoint, wire="openai.chat", started_at=100.0002)
    attempt.first_byte_at, attempt.first_content_at, attempt.ended_at = 100.3, 100.31, 100.899
    attempt.status, attempt.finish_reason = 200, "end"
    attempt.usage = Usage(input=120, cache_read=40, output=200)
    exchange.attempts, exchange.answering = [attempt], attempt
    ended = ended_attempt(exchange, attempt, Place(endpoint), ended_at=100.9, hung_up=False, completion=None)
    request = closed_request(
        exchange, [ended], config_hash="0123456789ab", status=200, outcome="ok", error=None, ended_at=100.9, bytes_out=900,
    )  # fmt: skip
    return exchange, request, ended


def measured(name: str, work: Callable[[], object], many: int) -> None:
    """Best of five, in µs of CPU."""
    best = float("inf")
    for _ in range(5):
        begun = time.process_time()
        work()
        best = min(best, time.process_time() - begun)
    print(f"{name:50} {best / many * 1e6:8.2f} µs")


def main() -> None:
    """Print the figures."""
    exchange, request, ended = over()
    counting = Counting(Metrics())
    attempts: list[Ended] = [ended]
    costs: list[int | None] = [135_000]

    def many() -> None:
        for _ in range(MANY):
            counting.add(exchange, request, attempts, costs)

    measured("one request counted", many, MANY)
    full = Metrics()
    for feature in range(20):
        for model in range(3):
            for outcome in ("ok", "failed", "refused"):
                full.measures.measured((f"feature {feature}", f"model {model}", outcome)).add(
                    1, 1, 1, 1, 9, 9
                )
            full.measures.spent_by((f"feature {feature}", f"model {model}", "openai", "exact"))
    measured(f"text of 20 features x 3 models ({len(full.text()):,} bytes)", full.text, 1)


if __name__ == "__main__":
    measured_compiled()
    main()
