"""Budgets counted in Redis, so that many gateways pay from them together: one round trip before an attempt, one after it, for
which nobody waits. Both leave with the calls about limits of the same turn (see `outbox`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from headgate.stores.backends.redis.filling import Filling
from headgate.stores.backends.redis.holding import Holding
from headgate.stores.backends.redis.outbox import ANSWER_SECONDS, Outbox
from headgate.stores.backends.redis.pots import (
    HOLDS,
    LEASES,
    MARKER,
    ORPHANED,
    ORPHANS_TOLD,
    SWEPT,
    PotKeys,
    forgotten_at,
    orphan_of,
)
from headgate.stores.backends.redis.purse_calls import Ask, Reserve
from headgate.stores.backends.redis.purse_scripts import ADD, ORPHANS, STANDING
from headgate.stores.backends.redis.telling import Telling
from headgate.stores.errors import StoreUnavailable
from headgate.stores.purses import Hold, Orphan, Pot, Standing, UseStore

__all__ = ["LEASE_SECONDS", "RedisPurses"]

LEASE_SECONDS = 30.0
"""What a node has set aside counts as spent so long after it was last heard of."""
FIRST_FILL_SECONDS = 5.0
"""How long requests wait at the start until Redis knows what was spent before."""
PAUSE_SECONDS = 3.0
"""Before the database is read into a Redis that has lost its data."""
RECORDS_SECONDS = 1.5
"""In that time what was spent is in the database: the record writer looks once a second, and has to write."""
_DAY_MS = "86400000"
_MOST_ORPHANS = 100
_SETTLED = 10_000
"""Holds that are remembered as settled, at least."""


class RedisPurses:
    """See `Purses`."""

    def __init__(
        self,
        to: str | Outbox,
        uses: UseStore | None = None,
        *,
        lease_seconds: float = LEASE_SECONDS,
        pause_seconds: float = PAUSE_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        """to: an outbox that others use too, whose maker closes it; or a URL, for one of its own (`answer_seconds` is for that
        one). uses: what to begin with where Redis knows nothing; ready: is all of it there that this node has to write? Raises
        ValueError for a URL that is none, or without the extra `redis`."""
        self.heard: Callable[[Pot, int, int], None] | None = None
        self._own = isinstance(to, str)
        self.outbox = Outbox(to, answer_seconds=answer_seconds) if isinstance(to, str) else to
        self._lease_seconds = lease_seconds
        self._keys = PotKeys()
        self._telling = Telling(
            self.outbox,
            self._keys,
            heard=self._settled_so,
            unknown=lambda: self._is_known(False),
            caught_up=self._caught_up,
            records_seconds=min(RECORDS_SECONDS, pause_seconds),
        )
        self._holding = Holding(
            self.outbox, self._keys, self._telling, lease_seconds=lease_seconds, known=self._is_known
        )
        self._filling = Filling(
            self._ask,
            self._keys,
            uses,
            node=self._telling.node,
            pause=pause_seconds,
            done=self._holding.renew,
            ready=ready,
        )
        self._settled: set[int] = set()
        self._settled_before: set[int] = set()
        self._handed: list[str] = []
        """Orphans that were returned last time."""

    @property
    def dropped(self) -> int:
        """Settlements that never reached Redis. The database has them."""
        return self._telling.dropped

    @property
    def waiting(self) -> int:
        """Settlements that wait for Redis."""
        return self._telling.waiting

    def start(self) -> None:
        """Look at once whether Redis knows the pots; else the first request does. Idempotent; needs a running loop."""
        self._holding.start()

    async def reserve(self, hold: Hold) -> Standing:
        """See `Purses`."""
        self.start()
        if self._telling.blocked or self._holding.apart:
            # Told first, asked then: what this node spent, and gave back, is not in what Redis would say.
            if self._holding.apart:
                self._holding.renew()
            raise StoreUnavailable("Redis has not been told yet what was spent meanwhile")
        reply = await self._try(hold)
        if reply[0] == -1:
            await self._first_fill()
            reply = await self._try(hold)
        if reply[0] < 0:
            raise StoreUnavailable("Redis does not know what budgets have spent")
        self._filling.known.set()
        ok = reply[0] == 1
        spent = [int(each) for each in reply[1::2]]
        reserved = [int(each) for each in reply[2::2]]
        if ok:
            self._holding.hold(hold)
            nanos = hold.nanos
            reserved = [each + nanos for each in reserved]
        self._tell_heard(hold.pots, spent, reserved)
        return Standing(ok, spent, reserved)

    def adopt(self, hold: Hold) -> None:
        """It was set aside without asking. Redis is told as soon as it is there; until then `reserve` raises."""
        self.start()
        self._holding.adopt(hold)

    def settle(self, hold: Hold, nanos: int) -> None:
        """See `Purses`."""
        attempt_id = hold.holder.attempt_id
        self._holding.let_go(hold)
        if attempt_id in self._settled or attempt_id in self._settled_before:
            return
        self._settled.add(attempt_id)
        if len(self._settled) >= _SETTLED:
            self._settled_before, self._settled = self._settled, set()
        self._telling.tell(hold, nanos)

    async def standing(self, pots: Sequence[Pot]) -> Standing:
        """See `Purses`."""
        reply = await self._ask_known(STANDING, [MARKER, *self._keys.keys(pots)], [])
        spent, reserved = [int(each) for each in reply[1::2]], [int(each) for each in reply[2::2]]
        self._tell_heard(pots, spent, reserved)
        return Standing(True, spent, reserved)

    async def add(self, pot: Pot, nanos: int) -> None:
        """See `Purses`."""
        arguments: list[str | bytes] = [str(nanos), forgotten_at(pot.period, pot.ends)]
        reply = await self._ask_known(ADD, [MARKER, *self._keys.keys([pot])], arguments)
        self._tell_heard([pot], [int(reply[1])], [int(reply[2])])

    async def orphans(self) -> Sequence[Orphan]:
        """See `Purses`. What was returned is taken as dealt with when this is called again; what was returned to somebody who
        never came again is returned to somebody else, after some time."""
        self.start()
        if not self._holding.steady:
            # Redis was away: those whose leases ended meanwhile must have had the time to renew them.
            return ()
        confirmed, self._handed = self._handed, []
        arguments: list[str | bytes] = [
            str(_MOST_ORPHANS),
            SWEPT,
            str(round(2 * self._lease_seconds * 1e6)),
            _DAY_MS,
            *confirmed,
        ]
        try:
            texts = await self._ask(ORPHANS, [HOLDS, LEASES, ORPHANED, ORPHANS_TOLD], arguments)
        except StoreUnavailable:
            self._handed = confirmed
            raise
        found = [orphan_of(text) for text in texts]
        self._handed = [str(orphan.holder.attempt_id) for orphan in found]
        return found

    async def aclose(self) -> None:
        """See `Purses`."""
        await self._holding.aclose()
        await self._filling.aclose()
        await self._telling.aclose()
        if self._own:
            await self.outbox.aclose()

    # With Redis

    def _is_known(self, known: bool) -> None:
        """Does Redis know the pots?"""
        if known:
            self._filling.known.set()
        else:
            self._filling.begin()

    def _caught_up(self) -> None:
        """Nothing waits to be told: what Redis has forgotten can be put back."""
        self._holding.renew()

    def _undo(self, hold: Hold) -> None:
        """It was, or may have been, set aside for nobody."""
        self._telling.tell(hold, 0)

    def _order(self) -> str:
        return str(self._telling.number)

    async def _try(self, hold: Hold) -> Sequence[Any]:
        keys, arguments = self._holding.reservation(hold)
        call = Reserve(keys, arguments, self._holding.answers, hold=hold, order=self._order, undo=self._undo)
        try:
            return await self._answer(call)
        except (StoreUnavailable, asyncio.CancelledError):
            answer = call.answer
            if (
                answer.done()
                and not answer.cancelled()
                and not answer.exception()
                and answer.result()[0] == 1
            ):
                # The answer came in the very moment in which we stopped waiting for it.
                self._undo(hold)
            raise

    async def _first_fill(self) -> None:
        """Wait for it, if Redis has not known the pots before. Afterwards that is an outage, with a policy of its own."""
        self._filling.begin()
        if self._filling.known.is_set():
            raise StoreUnavailable("Redis has lost what budgets have spent; it is looked up in the database")
        try:
            async with asyncio.timeout(FIRST_FILL_SECONDS):
                await self._filling.known.wait()
        except TimeoutError:
            raise StoreUnavailable("Redis does not know yet what budgets have spent") from None

    async def _ask_known(self, script: str, keys: list[str], arguments: list[str | bytes]) -> Sequence[Any]:
        self.start()
        reply = await self._ask(script, keys, arguments)
        if reply[0] == -1:
            await self._first_fill()
            reply = await self._ask(script, keys, arguments)
        if reply[0] == -1:
            raise StoreUnavailable("Redis does not know what budgets have spent")
        return reply

    async def _ask(self, script: str, keys: list[str], arguments: list[str | bytes]) -> Sequence[Any]:
        return await self._answer(Ask(script, keys, arguments, self._holding.answers))

    async def _answer(self, call: Ask) -> Sequence[Any]:
        self.outbox.post(call)
        return await self.outbox.wait_for(call.answer)

    def _settled_so(self, hold: Hold, standing: list[int]) -> None:
        self._holding.answers()
        self._tell_heard(hold.pots, standing[0::2], standing[1::2])

    def _tell_heard(self, pots: Sequence[Pot], spent: Sequence[int], reserved: Sequence[int]) -> None:
        heard = self.heard
        if heard is not None:
            for pot, gone, aside in zip(pots, spent, reserved, strict=True):
                heard(pot, gone, aside)
