"""The price list: genai-prices, asked once per model and kept as whole nano-dollars.

The library takes half a second to import and 150 µs to ask, so both happen in the record writer's thread; the request
path only ever looks into a dictionary. Prices are dated: what counts is the moment the request was sent.
Its figures are best effort, as it says itself; `price` in the configuration goes before it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, Literal

from headgate.core.money import nanos
from headgate.providers.catalog.rates import Rates, Step

__all__ = ["PriceBook"]

_log = logging.getLogger("headgate.prices")

_BUCKETS = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")
_ALWAYS = 0
_NS = 1_000_000_000

_Dated = tuple[tuple[int, Rates | None], ...]
"""(valid from, prices), latest first; prices are None where the list has none."""


class PriceBook:
    """Prices by vendor and model. Any thread may read; `load` and `resolve` belong to one thread."""

    def __init__(self) -> None:
        self._library: Any = None
        self._dated: dict[tuple[str, str], _Dated | Literal["by the hour"]] = {}
        self._wanted: dict[tuple[str, str], None] = {}
        self._dearest: dict[tuple[str, str], Rates] = {}

    @property
    def loaded(self) -> bool:
        """Can prices be asked for yet?"""
        return self._library is not None

    @property
    def wanted(self) -> bool:
        """Was anything asked for that `resolve` would look up?"""
        return bool(self._wanted)

    def prefetch(self, models: Iterable[tuple[str, str]]) -> None:
        """Note (price key, model) pairs that will be asked for; `resolve` looks them up. Cheap, any thread."""
        for pair in models:
            if pair not in self._dated:
                self._wanted[pair] = None

    def load(self) -> None:
        """Read the price list (half a second), then look up what was asked for so far."""
        if self._library is None:
            import genai_prices.data_snapshot  # noqa: PLC0415 - half a second, and only here

            self._library = genai_prices.data_snapshot.get_snapshot()
        self.resolve()

    def catch_up(self) -> None:
        """Look up what was asked for, if anything was. Where operators name all prices themselves nobody asks, and the list (15 MB)
        is not read at all."""
        if self._wanted:
            self.load()

    def resolve(self) -> None:
        """Look up what `peek` and `prefetch` were asked for. Nothing before `load`."""
        if self._library is not None:
            for pair in list(self._wanted):
                self._look_up(pair)
                del self._wanted[pair]

    def peek(self, price_key: str, model: str, when_ns: int) -> Rates | None:
        """The prices at `when_ns`, if they are known without asking the library; None otherwise, and `resolve` will
        look them up for the next time. Under a microsecond."""
        dated = self._dated.get((price_key, model))
        if dated is None:
            if price_key:
                self._wanted[price_key, model] = None
            return None
        return None if dated == "by the hour" else _at(dated, when_ns)

    def dearest(self, price_key: str, model: str, when_ns: int) -> Rates | None:
        """As `peek`; of prices that depend on the hour the highest."""
        return self.peek(price_key, model, when_ns) or self._dearest.get((price_key, model))

    def looked_up(self, price_key: str, model: str) -> bool:
        """Is what `peek` says all there will ever be? False: the list has not been asked for this model yet."""
        return not price_key or not model or (price_key, model) in self._dated

    def rates(self, price_key: str, model: str, when_ns: int) -> Rates | None:
        """The prices at `when_ns`; None: the list has none for this model then. Loads the list if need be."""
        if not price_key or not model:
            return None
        if self._library is None:
            self.load()
        pair = (price_key, model)
        dated = self._dated.get(pair)
        if dated is None:
            dated = self._look_up(pair)
        if dated == "by the hour":
            found = self._find(pair)
            return _rates(found.get_prices(_moment(when_ns))) if found else None
        return _at(dated, when_ns)

    def vendor_of(self, model: str) -> str:
        """Whose model this is, judged by its name: a price key, or "" if the list knows nobody. Loads the list if need be."""
        if self._library is None:
            self.load()
        try:
            return str(self._library.find_provider(model.lower(), None, None).id)
        except LookupError:
            return ""

    def _look_up(self, pair: tuple[str, str]) -> _Dated | Literal["by the hour"]:
        found = self._find(pair)
        dated: _Dated | Literal["by the hour"] = ()
        if found is not None:
            starts = _starts(found.prices)
            if starts is None and (dearest := _dearest(found.prices)) is not None:
                self._dearest[pair] = dearest
            dated = (
                "by the hour"
                if starts is None
                else tuple(
                    (start, _rates(found.get_prices(_moment(start))))
                    for start in sorted(starts, reverse=True)
                )
            )
        self._dated[pair] = dated
        return dated

    def _find(self, pair: tuple[str, str]) -> Any:
        price_key, model = pair
        try:
            return self._library.find_provider_model(model, None, price_key, None)[1]
        except LookupError:
            _log.info("no price is known for %s of %s: its cost is recorded as unknown", model, price_key)
            return None


def _at(dated: _Dated, when_ns: int) -> Rates | None:
    for start, rates in dated:
        if when_ns >= start:
            return rates
    return None


def _moment(when_ns: int) -> datetime:
    return datetime.fromtimestamp(when_ns / _NS, tz=UTC)


def _starts(prices: Any) -> set[int] | None:
    """When the prices change, in nanoseconds; None if they also depend on the hour of the day."""
    starts = {_ALWAYS}
    for conditional in prices if isinstance(prices, list) else ():
        if conditional.constraint is None:
            continue
        start = getattr(conditional.constraint, "start_date", None)
        if start is None:
            return None
        starts.add(int(datetime.combine(start, time(), tzinfo=UTC).timestamp()) * _NS)
    return starts


def _dearest(prices: Any) -> Rates | None:
    """What is charged at no hour more than."""
    rates = [found for each in prices if (found := _rates(each.prices)) is not None]
    if not rates:
        return None
    dearest = {name: max(getattr(step, name) for one in rates for step in one.steps) for name in _BUCKETS}
    return Rates((Step(**dearest),), per_request=max(one.per_request for one in rates))


def _rates(price: Any) -> Rates | None:
    """The library's prices as ours; None for models that are billed by anything but text tokens."""
    if price.input_mtok is None:
        return None
    bounds = {0}
    for value in vars(price).values():
        bounds.update(tier.start for tier in getattr(value, "tiers", ()))
    per_request = price.requests_kcount
    return Rates(
        tuple(_step(price, over) for over in sorted(bounds)),
        per_request=0 if per_request is None else nanos(_amount(per_request, 0) / 1000),
    )


def _step(price: Any, over: int) -> Step:
    # A bucket without a price of its own costs what the bucket costs that it is a part of.
    cache_write = (price.cache_write_mtok, price.cache_write_5m_mtok, price.input_mtok)
    return Step(
        input=_first(over, price.input_mtok),
        output=_first(over, price.output_mtok),
        cache_read=_first(over, price.cache_read_mtok, price.input_mtok),
        cache_write=_first(over, *cache_write),
        cache_write_1h=_first(over, price.cache_write_1h_mtok, *cache_write),
        reasoning=_first(over, price.output_reasoning_mtok, price.output_mtok),
        over=over,
    )


def _first(over: int, *prices: Any) -> int:
    for price in prices:
        if price is not None:
            return nanos(_amount(price, over))
    return 0


def _amount(price: Any, over: int) -> Decimal:
    """The price for a prompt of more than `over` tokens."""
    if isinstance(price, Decimal):
        return price
    amount: Decimal = price.base
    for tier in price.tiers:
        if over >= tier.start:
            amount = tier.price
    return amount
