"""Whatever the order of things: no more is spent and set aside than a budget holds, and nothing stays set aside."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.errors import BudgetSpent
from headgate.exchange.exchange import Exchange
from headgate.stores.backends.memory.purses import MemoryPurses
from headgate.stores.purses import Pot
from tests.support.budgeting import Budgeting, money

__all__: list[str] = []

ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "again", "end", "cancel", "turn"]),
        st.integers(0, 7),
        st.integers(1, 12),
        st.sampled_from(["ada", "grace"]),
    ),
    max_size=60,
)


class Watched(MemoryPurses):
    """Purses that look at every sum whenever it changes."""

    def __init__(self) -> None:
        super().__init__(loaded=True)
        self.overspent: list[tuple[Pot, int, int]] = []

    def __setattr__(self, name: str, value: object) -> None:
        if name == "heard" and callable(value):
            inner = value

            def heard(pot: Pot, spent: int, reserved: int) -> None:
                if pot.most >= 0 and (spent + reserved > pot.most or reserved < 0):
                    self.overspent.append((pot, spent, reserved))
                inner(pot, spent, reserved)

            value = heard
        super().__setattr__(name, value)


class Crowd:
    """Requests that come, try again, wait, end and leave in any order."""

    def __init__(self) -> None:
        self.purses = Watched()
        self.bench = Budgeting(
            {"name": "all", "each": False, "usd": 20, "per": "prepaid", "wait": "30s"},
            {"name": "user", "of": "user", "usd": 15, "per": "day", "wait": "30s"},
            {"name": "soft", "usd": 1, "per": "day", "when_spent": "alert"},
            {"name": "one", "usd": 14, "per": "request"},
            purses=self.purses,
        )
        self.open: dict[int, Exchange] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}

    async def act(self, what: str, who: int, amount: int, user: str) -> None:
        if what == "turn":
            for _ in range(amount):
                await asyncio.sleep(0)
            return
        busy = self.tasks.get(who)
        if what == "cancel":
            if busy is not None:
                busy.cancel()
            return
        if busy is not None and not busy.done():
            return
        if what == "ask" and who not in self.open:
            self.open[who] = await self.bench.asked(user=user)
        exchange = self.open.get(who)
        if exchange is None:
            return
        if what == "end":
            self.end(who, amount)
        else:
            self.tasks[who] = asyncio.create_task(self.pay(exchange, amount))

    async def pay(self, exchange: Exchange, amount: int) -> None:
        with suppress(BudgetSpent):
            await self.bench.pay(exchange, amount)

    def end(self, who: int, amount: int) -> None:
        """As the record stage does: each attempt is settled, with at most what was set aside for it."""
        exchange = self.open.pop(who)
        assert exchange.purse is not None
        for attempt in exchange.attempts:
            exchange.purse.settle(attempt, min(money(amount - 1), attempt.reserved_nanos))

    async def go_home(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        for who in list(self.open):
            self.end(who, 1)
        while self.bench.till.line.waiting:
            await asyncio.sleep(0)


@settings(max_examples=150, deadline=None)
@given(ACTIONS)
def test_no_order_of_asking_ending_and_leaving_spends_too_much(
    actions: list[tuple[str, int, int, str]],
) -> None:
    """Waiting, trying again beside a first attempt, being cancelled at any point: the sums hold at every moment."""

    async def run() -> None:
        crowd = Crowd()
        for action in actions:
            await crowd.act(*action)
        await crowd.go_home()
        assert crowd.purses.overspent == []
        for rule, known in crowd.bench.uses.now():
            assert known.reserved == 0, rule.name
            if rule.refuses:
                assert known.spent <= known.amount

    asyncio.run(run())


def test_fifty_of_two_hundred_pass_where_there_is_money_for_fifty() -> None:
    """All at the same moment, each costing what was set aside for it; the others are told why."""

    async def run() -> None:
        bench = Budgeting({"name": "fifty", "each": False, "usd": 50, "per": "month", "wait": "20s"})

        async def one() -> None:
            exchange = await bench.asked()
            attempt = await bench.pay(exchange, 1)
            await asyncio.sleep(0.001)
            assert exchange.purse is not None
            exchange.purse.settle(attempt, money(1))

        ends = await asyncio.gather(*(one() for _ in range(200)), return_exceptions=True)
        assert [type(end).__name__ for end in ends].count("NoneType") == 50
        assert sum(isinstance(end, BudgetSpent) for end in ends) == 150
        assert bench.till.settled_nanos == {"fifty": money(50)}

    asyncio.run(run())
