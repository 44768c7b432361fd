"""Recorded requests and attempts with the fields that are about money."""

from __future__ import annotations

from typing import Any

from headgate.core.usage import Usage
from headgate.providers.catalog.charging import cost_nanos
from headgate.providers.catalog.rates import Rates
from headgate.stores.backends.memory import MemorySpans
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import AttemptRow, Content, RequestRow

__all__ = ["DAY", "TOKENS", "attempts_of", "priced", "request", "store_of"]

DAY = 86_400 * 10**9
TOKENS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
)


def request(number: int, **given: Any) -> RequestRow:
    """A request; without anything said of it, it came at the moment 5 and cost nothing that is known."""
    return RequestRow(number, given.pop("started_ns", 5), "t", **given)


def attempts_of(row: RequestRow, count: int) -> tuple[AttemptRow, ...]:
    """So many attempts of it, each with other tokens, in the order of their numbers."""

    def tokens(number: int) -> dict[str, Any]:
        return {name: 10 * number + place for place, name in enumerate(TOKENS)}

    return tuple(
        AttemptRow(
            row.id + number,
            row.id,
            number,
            "p",
            "m",
            reported_model="m-1",
            cost_nanos=number,
            cost_label="exact",
            **tokens(number),
        )
        for number in range(1, count + 1)
    )


def priced(row: RequestRow, number: int, rates: Rates, tokens: tuple[int, ...], **given: Any) -> AttemptRow:
    """An attempt of it, with these tokens (in the order of TOKENS), at the price that is recorded for them."""
    usage = Usage(*(tokens[place] for place in (0, 1, 2, 4, 5, 3)))
    values: dict[str, Any] = {"cost_nanos": cost_nanos(rates, usage), "cost_label": "exact"} | given
    return AttemptRow(
        row.id + number,
        row.id,
        number,
        "p",
        "m",
        **(dict(zip(TOKENS, tokens, strict=True)) | values),
    )


def store_of(*rows: RequestRow, attempts: Any = (), contents: tuple[Content, ...] = ()) -> MemorySpans:
    """A store in memory that has them. Requests' own sums are left as they are."""
    store = MemorySpans()
    store.write(
        Batch(
            journal="j", position=Position(1, 1), requests=rows, attempts=tuple(attempts), contents=contents
        )
    )
    return store
