"""What an attempt cost: the operator's price, else the list's price on the day it was sent, else unknown - never zero."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from headgate.core.money import CostLabel
from headgate.core.usage import Usage
from headgate.providers.catalog.book import PriceBook
from headgate.providers.catalog.charging import cost_nanos, prompt_cache_nanos
from headgate.providers.catalog.rates import Rates
from headgate.records.entries import Bill
from headgate.stores.spans import AttemptRow, RequestRow

if TYPE_CHECKING:
    # Of the gateway's side; the record writer's process would load it for nothing.
    from headgate.providers.port import Endpoint

__all__ = ["Pricer", "usage_of"]

_log = logging.getLogger("headgate.prices")

# The rows were decoded a moment ago and nobody else has seen them: filling them in is still part of making them.
_set = msgspec.structs.force_setattr
_NOTHING = (0, 0)


def usage_of(row: AttemptRow) -> Usage:
    """The tokens of an attempt."""
    return Usage(
        input=row.input_tokens,
        cache_read=row.cache_read_tokens,
        cache_write=row.cache_write_tokens,
        cache_write_1h=row.cache_write_1h_tokens,
        output=row.output_tokens,
        reasoning=row.reasoning_tokens,
    )


class Pricer:
    """Prices attempts. `cost` is for the event loop, the rest for the writer's thread."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book

    def prepare(self) -> None:
        """Look up what was asked for; the first time, that takes half a second."""
        self._book.catch_up()

    def cost(self, endpoint: Endpoint, usage: Usage, *, when_ns: int, reported_model: str = "") -> int | None:
        """Nano-dollars of one answer, in a microsecond; None while the price is not known, or not at all.

        when_ns: wall clock when the request was sent."""
        own = endpoint.own_price
        if isinstance(own, Rates):
            return cost_nanos(own, usage)
        key = endpoint.price_key
        rates = self._book.peek(key, endpoint.model, when_ns)
        if rates is None and reported_model:
            rates = self._book.peek(key, reported_model, when_ns)
        return None if rates is None else cost_nanos(rates, usage)

    def price_attempt(self, row: AttemptRow, bill: Bill, sent_ns: int) -> tuple[int, int]:
        """Fill in the cost, if it is not there; the label becomes `unknown` where no price is known. What the provider's prompt
        cache saved, and what it cost on top, in nano-dollars; 0 where no price is known."""
        if row.cost_nanos is not None:
            return _NOTHING
        rates = bill.own
        if rates is None:
            # A deployment may bear any name; then the model that answered tells the price.
            try:
                rates = self._book.rates(bill.price_key, row.model, sent_ns) or self._book.rates(
                    bill.price_key, row.reported_model, sent_ns
                )
            except Exception:  # noqa: BLE001 - told in the log; a record without its price is better than none
                _log.exception("the price list cannot be asked: what a call cost is recorded as unknown")
        if rates is None:
            label: CostLabel = "unknown"
            _set(row, "cost_label", label)
            return _NOTHING
        usage = usage_of(row)
        _set(row, "cost_nanos", cost_nanos(rates, usage))
        return prompt_cache_nanos(rates, usage)

    @staticmethod
    def price_request(row: RequestRow, attempts: tuple[AttemptRow, ...]) -> None:
        """Fill in the sum over its attempts; unknown as soon as one of them is."""
        if not attempts:
            return
        if len(attempts) == 1:
            label, total = attempts[0].cost_label, attempts[0].cost_nanos
        else:
            labels = {attempt.cost_label for attempt in attempts}
            label = next((label for label in ("unknown", "estimated", "exact") if label in labels), "")
            total = sum(attempt.cost_nanos or 0 for attempt in attempts)
        _set(row, "cost_label", label)
        if label != "unknown":
            _set(row, "cost_nanos", total)
