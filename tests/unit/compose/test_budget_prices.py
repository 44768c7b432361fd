"""What endpoints charge, as budgets ask for it; and what was put into prepaid ones."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from headgate.budgets.plan import plan_of
from headgate.budgets.uses import Uses
from headgate.compose.budgets import DEPOSIT_SECONDS, BookPrices, KnownDeposits
from headgate.core.clock import SystemClock
from headgate.providers.catalog.book import PriceBook
from headgate.providers.catalog.settings import PriceSettings, own_rates
from headgate.stores.errors import StoreUnavailable
from tests.support.aio import aio
from tests.support.budgeting import budgets, money
from tests.support.exchanges import Desk

__all__: list[str] = []

LISTED = Desk().endpoint(price_key="openai")


@aio
async def test_an_own_price_needs_no_list() -> None:
    """It goes before it, too."""
    own = own_rates(PriceSettings(input=Decimal(1)))
    prices = BookPrices(PriceBook(), SystemClock())
    assert prices.rates(Desk().endpoint(own_price=own, price_key="openai")) is own


@aio
async def test_a_price_that_is_being_looked_up_is_waited_for() -> None:
    """At the start the list takes half a second to read, and a model asked for directly is looked up when it comes."""
    book = PriceBook()
    prices = BookPrices(book, SystemClock())
    assert prices.rates(LISTED) is None
    waiting = asyncio.create_task(prices.looked_up(LISTED))
    await asyncio.sleep(0)
    assert not waiting.done()
    await asyncio.to_thread(book.load)
    rates = await waiting
    assert rates is not None
    assert rates.steps[0].output > rates.steps[0].input > 0
    assert prices.rates(LISTED) is rates


@pytest.mark.parametrize("endpoint", [Desk().endpoint(), Desk().endpoint(price_key="openai", model="my-own")])
@aio
async def test_what_has_no_price_is_told_at_once(endpoint: Any) -> None:
    """A server of one's own, and a model that the list does not know."""
    book = PriceBook()
    book.prefetch([(endpoint.price_key, endpoint.model)])
    await asyncio.to_thread(book.load)
    assert await BookPrices(book, SystemClock()).looked_up(endpoint) is None


def test_of_prices_by_the_hour_the_highest_counts() -> None:
    """Nobody knows beforehand in which hour a call will be billed."""
    book = PriceBook()
    pair = ("deepseek", "deepseek-chat")
    book.prefetch([pair])
    assert not book.looked_up(*pair)
    book.load()
    assert book.looked_up(*pair)
    now = SystemClock().wall_ns()
    assert book.peek(*pair, now) is None
    dearest = book.dearest(*pair, now)
    assert dearest is not None
    day = 86_400 * 10**9
    for hour in range(24):
        rates = book.rates(*pair, now - now % day + hour * 3600 * 10**9)
        assert rates is not None
        assert all(rates.steps[0].output <= dearest.steps[0].output for _ in rates.steps)


class Books:
    """Says what was put in, or that it cannot."""

    def __init__(self) -> None:
        self.told: Mapping[tuple[str, str], int] | StoreUnavailable = {}
        self.asked = 0

    async def deposits(self) -> Mapping[tuple[str, str], int]:
        self.asked += 1
        if isinstance(self.told, StoreUnavailable):
            raise self.told
        return self.told


@aio
async def test_deposits_are_known_within_a_second_or_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database is away those that are known go on counting; without a prepaid budget nobody asks."""
    assert DEPOSIT_SECONDS == 1.0
    monkeypatch.setattr("headgate.compose.budgets.DEPOSIT_SECONDS", 0.001)
    books: Any = Books()
    clock = SystemClock()
    uses = Uses(clock)
    plan = plan_of(budgets({"name": "day", "usd": 1, "per": "day"}))
    known = KnownDeposits(books, uses, lambda: plan, clock)
    await known.read()
    assert books.asked == 0
    plan = plan_of(budgets({"name": "credits", "per": "prepaid"}))
    known.start()
    books.told = {("credits", "key_1"): money(5)}
    while not uses.deposits:
        await asyncio.sleep(0.001)
    books.told, before = StoreUnavailable("away"), books.asked
    while books.asked < before + 3:
        await asyncio.sleep(0.001)
    assert uses.deposits == {("credits", "key_1"): money(5)}
    await known.stop()
