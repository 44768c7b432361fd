"""What a model costs, as far as it is known before it is asked."""

from __future__ import annotations

import asyncio
import time

from headgate.compose.providers import Provider
from headgate.core.tasks import ended
from headgate.providers.catalog.book import PriceBook
from headgate.providers.catalog.rates import Rates
from headgate.providers.catalog.settings import PriceSettings, own_rates
from headgate.providers.port import Endpoint
from headgate.providers.simulated.upstream import SimulatedUpstream
from headgate.routing.directory import Directory
from headgate.routing.strategies import PriceOf

__all__ = [
    "PriceReading",
    "blended_prices",
    "expected_usd",
    "own_rates_of",
]

_LOOK_SECONDS = 0.2
_PRICE_SECONDS = 600.0
"""How long a price counts for the order of endpoints before the list is asked again."""
_MOST_PRICES = 10_000
_ANSWER_TOKENS = 300
"""What an answer is taken to have when its cost is guessed beforehand."""


def expected_usd(directory: Directory, price_of: PriceOf, model: str, tokens: int) -> float:
    """What a request of so many tokens to a model of the configuration will cost, about; 0.0 where no price is known."""
    found = directory.reached(model)
    price = price_of(found[0]) if found else None
    return (price or 0.0) * (tokens + _ANSWER_TOKENS) / 1e6


def blended_prices(book: PriceBook) -> PriceOf:
    """Three parts prompt to one part answer, as most traffic has it; own prices first, then the price list's of today."""
    known: dict[int, tuple[Endpoint, float, float]] = {}

    def usd(endpoint: Endpoint) -> float | None:
        now = time.monotonic()
        found = known.get(id(endpoint))
        if found is not None and now < found[2]:
            return found[1]
        own = endpoint.own_price
        rates = (
            own if isinstance(own, Rates) else book.peek(endpoint.price_key, endpoint.model, time.time_ns())
        )
        if rates is None:
            return None
        step = rates.steps[0]
        price = (3 * step.input + step.output) / 4 / 1e9
        if len(known) > _MOST_PRICES:
            known.clear()
        # The endpoint is kept with its price: as long as it is, nothing else can have its identity.
        known[id(endpoint)] = (endpoint, price, now + _PRICE_SECONDS)
        return price

    return usd


def own_rates_of(provider: Provider, model: str, price: PriceSettings | None = None) -> Rates | None:
    """What a model costs by the operator's word or, if it is simulated, pretends to cost; None: ask the price list."""
    if price is not None:
        return own_rates(price)
    return provider.upstream.own_price(model) if isinstance(provider.upstream, SimulatedUpstream) else None


class PriceReading:
    """Looks up in the price list, in a thread, what was asked for: where no writer in this process does so."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._read(), name="prices")

    async def aclose(self) -> None:
        """End. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            await ended(task)

    async def _read(self) -> None:
        while True:
            if self._book.wanted:
                await asyncio.to_thread(self._book.catch_up)
            await asyncio.sleep(_LOOK_SECONDS)
