"""Where calls wait for money that is set aside for others: who came first is paid first."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from math import inf

from headgate.stores.purses import Hold, PotKey, Purses, Standing

__all__ = ["Line", "short_of"]

_SHORTEST = 0.001
"""Seconds between two looks, at least."""


def short_of(hold: Hold, standing: Standing) -> list[int]:
    """The places of the pots that cannot pay for it."""
    nanos, spent, reserved = hold.nanos, standing.spent, standing.reserved
    return [
        at
        for at, pot in enumerate(hold.pots)
        if pot.most >= 0 and spent[at] + reserved[at] + nanos > pot.most
    ]


class _Waiter:
    """A call that waits."""

    __slots__ = ("answer", "hold", "own", "short", "standing")

    def __init__(
        self, hold: Hold, own: Counter[PotKey], standing: Standing, short: frozenset[PotKey]
    ) -> None:
        self.hold = hold
        self.own = own
        """What the same request has set aside already: that will not be free before this call is over."""
        self.standing = standing
        """Why it still waits."""
        self.short = short
        self.answer: asyncio.Future[Standing] = asyncio.get_running_loop().create_future()


class Line:
    """All that wait, and one task that pays them in turn whenever something may be free.

    Nobody overtakes whom the same pot is too short for: otherwise small calls would keep a large one waiting."""

    def __init__(self, purses: Purses, *, look_every: float = inf) -> None:
        """look_every: seconds after which something may be free without a word, because other nodes give back too."""
        self.waiting = 0
        self.paid = 0
        self.in_vain = 0
        """Calls that waited and were not paid for all the same."""
        self._purses = purses
        self._look_every = look_every
        self._waiters: dict[_Waiter, None] = {}
        self._short: Counter[PotKey] = Counter()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def freed(self) -> None:
        """Something that was set aside is free again."""
        if self.waiting:
            self._changed.set()

    def ahead(self, hold: Hold) -> frozenset[PotKey]:
        """The pots that somebody waits for already."""
        short = self._short
        return frozenset(pot.key for pot in hold.pots if pot.most >= 0 and pot.key in short)

    async def wait(
        self,
        hold: Hold,
        *,
        own: Counter[PotKey],
        standing: Standing,
        short: Iterable[PotKey],
        seconds: float,
    ) -> Standing:
        """Until it is set aside, or it is certain that it will not be, or the time is over: the standing says which.
        standing, short: why it has to wait, as far as that is known. Whoever is cancelled leaves, and nothing is set aside."""
        waiter = _Waiter(hold, own, standing, frozenset())
        self._join(waiter, frozenset(short))
        answer = waiter.answer
        try:
            await asyncio.wait([answer], timeout=seconds)
        except asyncio.CancelledError:
            if answer.done() and not answer.exception() and answer.result().ok:
                self._give_back(waiter)
            raise
        finally:
            self._leave(waiter)
            if not answer.done():
                answer.cancel()
        found = waiter.standing if answer.cancelled() else answer.result()
        if found.ok:
            self.paid += 1
        else:
            self.in_vain += 1
        return found

    def _join(self, waiter: _Waiter, short: frozenset[PotKey]) -> None:
        self._waiters[waiter] = None
        self._now_short(waiter, short)
        self.waiting += 1
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="budgets line")

    def _leave(self, waiter: _Waiter) -> None:
        del self._waiters[waiter]
        self._now_short(waiter, frozenset())
        self.waiting -= 1
        # Whoever stood behind it may be paid where it was not.
        self._changed.set()

    def _now_short(self, waiter: _Waiter, keys: frozenset[PotKey]) -> None:
        short = self._short
        for key in waiter.short:
            short[key] -= 1
            if not short[key]:
                del short[key]
        short.update(keys)
        waiter.short = keys

    async def _run(self) -> None:
        while self.waiting:
            self._changed.clear()
            await self._look()
            if self.waiting and not self._changed.is_set():
                timeout = max(self._look_every, _SHORTEST)
                try:
                    async with asyncio.timeout(None if timeout == inf else timeout):
                        await self._changed.wait()
                except TimeoutError:
                    pass  # something may be free now

    async def _look(self) -> None:
        """Pay whom there is money for, in order."""
        spent: dict[PotKey, int] = {}
        reserved: dict[PotKey, int] = {}
        for waiter in list(self._waiters):
            if waiter.answer.done() or waiter not in self._waiters:
                continue
            pots = waiter.hold.pots
            if any(pot.most >= 0 and pot.key in spent for pot in pots):
                # Somebody before it waits for the same money: it is not asked for, but what is known now tells it more.
                before = waiter.standing
                waiter.standing = Standing(
                    ok=False,
                    spent=[spent.get(pot.key, was) for pot, was in zip(pots, before.spent, strict=True)],
                    reserved=[
                        reserved.get(pot.key, was) for pot, was in zip(pots, before.reserved, strict=True)
                    ],
                )
                self._now_short(waiter, frozenset(pot.key for pot in pots if pot.key in spent))
            else:
                await self._try(waiter)
                if waiter.answer.done():
                    continue
                for at in short_of(waiter.hold, waiter.standing):
                    key = pots[at].key
                    spent[key], reserved[key] = waiter.standing.spent[at], waiter.standing.reserved[at]
                if waiter in self._waiters:
                    self._now_short(waiter, frozenset(pot.key for pot in pots if pot.key in spent))
            if _hopeless(waiter) and not waiter.answer.done():
                waiter.answer.set_result(waiter.standing)

    async def _try(self, waiter: _Waiter) -> None:
        try:
            standing = await self._purses.reserve(waiter.hold)
        except Exception as error:  # noqa: BLE001 - it is raised where the call waits
            if not waiter.answer.done():
                waiter.answer.set_exception(error)
            return
        if not standing.ok:
            waiter.standing = standing
        elif waiter.answer.done():
            self._give_back(waiter)
        else:
            waiter.answer.set_result(standing)

    def _give_back(self, waiter: _Waiter) -> None:
        self._purses.settle(waiter.hold, 0)
        self._changed.set()


def _hopeless(waiter: _Waiter) -> bool:
    """Would it not be paid for either if all others gave back what is set aside for them?"""
    nanos, spent, own = waiter.hold.nanos, waiter.standing.spent, waiter.own
    return any(
        pot.most >= 0 and spent[at] + nanos + own[pot.key] > pot.most
        for at, pot in enumerate(waiter.hold.pots)
    )
