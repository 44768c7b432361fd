"""CPU time that the metrics of one request cost, beside everything else that its end costs; and what one look at them costs.

python -m bench.micro.counting
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from bench.form import measured_compiled
from headgate.records.counting import Counting
from headgate.stores.spans import AttemptRow, RequestRow
from headgate.telemetry.metrics import Metrics

MANY = 100_000


def rows() -> tuple[RequestRow, AttemptRow]:
    """As a streamed chat leaves them."""
    request = RequestRow(
        1, 1, "", "", "key_1", "team", "", "user-1", "session-9", "support-chat",
        "", "chat", "openai.chat", True, "support-chat", "small", "gpt-4o-mini-2024-07-18", "openai", "eu", "0123456789ab",
        200, "ok", "", "", "end", 1, 0, 300_000, 310_000, 900_000, 400, 120, 40, 0, 0, 200, 0, 135_000, "exact",
    )  # fmt: skip
    attempt = AttemptRow(
        2, 1, 1, "openai", "gpt-4o-mini", "openai.chat", "gpt-4o-mini-2024-07-18", "eu", 200, "ok", "", "",
        "end", 200, 0, 250, 300_000, 310_000, 899_000, 120, 40, 0, 0, 200, 0, 135_000, "exact", "req_upstream_1",
    )  # fmt: skip
    return request, attempt


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
    request, attempt = rows()
    exchange: Any = SimpleNamespace(
        caller=object(), feature="support-chat", routed_model="small", purpose="", degraded="", notes=None,
        answering=SimpleNamespace(number=1),
    )  # fmt: skip
    counting = Counting(Metrics())
    attempts, costs = (attempt,), (135_000,)

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
