"""Two attempts of one request that ask for money in the same moment."""

from __future__ import annotations

import asyncio

import pytest

from headgate.core.errors import BudgetSpent
from headgate.stores.backends.memory.purses import MemoryPurses
from headgate.stores.purses import Hold, Standing
from tests.support.aio import aio
from tests.support.budgeting import Budgeting, money

__all__: list[str] = []

ONE = {"name": "one", "usd": 3, "per": "request"}
MONTH = {"name": "month", "each": False, "usd": 10, "per": "prepaid", "wait": "5s"}


class Distant:
    """Purses that have to be waited for, as those in Redis."""

    def __init__(self) -> None:
        self.near = MemoryPurses(loaded=True)
        self.heard = None
        self.settle, self.standing = self.near.settle, self.near.standing

    async def reserve(self, hold: Hold) -> Standing:
        for _ in range(3):
            await asyncio.sleep(0)
        return await self.near.reserve(hold)


@aio
async def test_a_hedge_does_not_slip_past_the_budget_of_its_request_while_the_first_call_waits() -> None:
    """What has been asked for counts from then on, not from when it is there."""
    bench = Budgeting(ONE, MONTH, purses=Distant())  # type: ignore[arg-type]
    exchange = await bench.asked()
    said = await asyncio.gather(bench.pay(exchange, 2), bench.pay(exchange, 2), return_exceptions=True)
    assert [isinstance(each, BudgetSpent) for each in said] == [False, True]
    assert await bench.standing(("month", "*", 0)) == (0, money(2))


@pytest.mark.parametrize("how", ["refused", "cancelled"])
@aio
async def test_what_was_asked_for_in_vain_counts_no_more(how: str) -> None:
    """A cheaper attempt after it is paid for."""
    bench = Budgeting(ONE, MONTH | {"wait": "50ms"}, purses=Distant())  # type: ignore[arg-type]
    other = await bench.asked()
    await bench.pay(other, 3)
    await bench.pay(await bench.asked(), 3)
    await bench.pay(await bench.asked(), 3)
    exchange = await bench.asked()
    asking = asyncio.ensure_future(bench.pay(exchange, 3))
    if how == "cancelled":
        await asyncio.sleep(0.01)
        asking.cancel()
    with pytest.raises((BudgetSpent, asyncio.CancelledError)):
        await asking
    await bench.pay(exchange, 1)
