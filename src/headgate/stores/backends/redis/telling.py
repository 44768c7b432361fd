"""Tells Redis what was spent, each exactly once, however often the connection breaks.

Settlements leave in order and bear numbers. Redis keeps the number of the last one of each node: whatever was sent a second
time, because nobody knew whether it had arrived, is not carried out a second time. What could not be sent waits, and what
comes meanwhile waits behind it. The same number tells Redis of a reservation that it comes too late (see `purse_scripts`).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from headgate.core.tasks import ended
from headgate.stores.backends.redis.outbox import MOST_AT_ONCE, Call, Outbox
from headgate.stores.backends.redis.pots import HOLDS, LEASES, MARKER, SWEPT, TOLD, PotKeys, forgotten_at
from headgate.stores.backends.redis.purse_scripts import SETTLE
from headgate.stores.errors import StoreUnavailable
from headgate.stores.purses import Hold

__all__ = ["MOST_WAITING", "Telling"]

log = logging.getLogger("headgate.budgets")

MOST_WAITING = 100_000
"""Settlements kept while Redis is away: at 1,000 requests a second, a minute and a half of it, in some 100 MB. What is over that is
counted as dropped; the database has it all the same."""
_FIRST_REST, _LONGEST_REST = 0.05, 1.0
_GOODBYE_SECONDS = 1.0


class Telling:
    """See above."""

    def __init__(
        self,
        outbox: Outbox,
        keys: PotKeys,
        *,
        heard: Callable[[Hold, list[int]], None],
        unknown: Callable[[], None],
        caught_up: Callable[[], None],
        records_seconds: float,
    ) -> None:
        """heard: told how the pots stand after a settlement. unknown: Redis does not know the pots. caught_up: nothing waits any more. records_seconds: in that
        time what was spent is in the database, too."""
        self.node = secrets.token_hex(8)
        self.number = 0
        """Of the last settlement that was sent."""
        self.dropped = 0
        self.told_key = TOLD + self.node
        self._outbox = outbox
        self._keys = keys
        self._heard = heard
        self._unknown = unknown
        self._caught_up = caught_up
        self._records_us = str(round(records_seconds * 1e6))
        self._lost: deque[_Settle] = deque()
        """Sent, and perhaps carried out: in the order of their numbers, before all others."""
        self._waiting: deque[_Settle] = deque()
        self.blocked = False
        """Something waits, or is being told again: Redis does not know all yet."""
        self._again: list[_Settle] = []
        self._open = 0
        self._finished: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """Settlements that wait for Redis."""
        return len(self._lost) + len(self._waiting)

    def tell(self, hold: Hold, nanos: int) -> None:
        """So much was spent of it. Never waits, never raises."""
        call = _Settle(self, hold, nanos)
        if self.blocked:
            self.put_off(call)
        else:
            self._outbox.post(call)

    async def aclose(self) -> None:
        """What waits is told first, if it can be."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_GOODBYE_SECONDS)
            await ended(self._task)
        self._closed = True
        self.dropped += self.waiting
        self._lost.clear()
        self._waiting.clear()

    # What settlements say of themselves

    def may_leave(self, call: _Settle) -> bool:
        """Or does it have to wait behind others? Gives it its number."""
        if self.blocked and not call.again:
            self.put_off(call)
            return False
        if not call.number:
            self.number += 1
            call.number = self.number
        return True

    def put_off(self, call: _Settle) -> None:
        """It has to be told again, before all that come after it."""
        if self._closed:
            self.dropped += 1
            return
        self.blocked = True
        if call.again:
            self._again.append(call)
            self.finished()
            return
        (self._lost if call.number else self._waiting).append(call)
        if len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            self.dropped += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._tell_again(), name="budgets to redis")

    def told(self, call: _Settle, standing: list[int]) -> None:
        """Redis has it. standing: nothing if it had it before."""
        if standing:
            self._heard(call.hold, standing)
        if call.again:
            self.finished()

    def give_up(self, call: _Settle, error: StoreUnavailable) -> None:
        """It would fail for ever, and keep all others waiting."""
        self.dropped += 1
        log.error("what attempt %d spent could not be told to Redis: %s", call.hold.holder.attempt_id, error)
        if call.again:
            self.finished()

    def unknown(self) -> None:
        """Redis does not know the pots."""
        self._unknown()

    def finished(self) -> None:
        """One of those told again has its answer."""
        self._open -= 1
        if not self._open and self._finished is not None and not self._finished.done():
            self._finished.set_result(None)

    async def _tell_again(self) -> None:
        rest = _FIRST_REST
        while self.waiting:
            await asyncio.sleep(rest)
            some = _first(self._lost, MOST_AT_ONCE)
            some += _first(self._waiting, MOST_AT_ONCE - len(some))
            self._again, self._open = [], len(some)
            self._finished = asyncio.get_running_loop().create_future()
            for call in some:
                call.again = True
                self._outbox.post(call)
            await self._finished
            self._lost.extendleft(reversed([call for call in self._again if call.number]))
            self._waiting.extendleft(reversed([call for call in self._again if not call.number]))
            rest = min(max(rest, _FIRST_REST) * 2, _LONGEST_REST) if self._again else 0.0
        self.blocked = False
        self._caught_up()

    def keys_of(self, hold: Hold) -> list[str]:
        """Of the script SETTLE."""
        swept = f"{SWEPT}{hold.holder.attempt_id}"
        return [MARKER, self.told_key, HOLDS, LEASES, swept, *self._keys.keys(hold.pots)]

    def arguments_of(self, hold: Hold, nanos: int) -> list[str | bytes]:
        """Of the script SETTLE; number and age are filled in when it leaves."""
        ends = [forgotten_at(pot.period, pot.ends) for pot in hold.pots]
        return ["", str(hold.holder.attempt_id), str(nanos), str(hold.nanos), "", self._records_us, *ends]


class _Settle(Call):
    __slots__ = ("_over_at", "_telling", "again", "hold", "number")

    def __init__(self, telling: Telling, hold: Hold, nanos: int) -> None:
        super().__init__(SETTLE, telling.keys_of(hold), telling.arguments_of(hold, nanos))
        self._telling = telling
        self._over_at = time.monotonic()
        self.hold = hold
        self.number = 0
        self.again = False

    def leaves(self) -> bool:
        if not self._telling.may_leave(self):
            return False
        age = round((time.monotonic() - self._over_at) * 1e6)
        self.arguments[0], self.arguments[4] = str(self.number), str(age)
        return True

    def answered(self, reply: Any) -> None:
        if reply[0] == -1:
            self.number = 0
            self._telling.put_off(self)
            self._telling.unknown()
        else:
            self._telling.told(self, reply[1:])

    def refused(self, error: StoreUnavailable) -> None:  # noqa: ARG002 - it is tried until it succeeds
        # It was not carried out, others behind it were: under its old number it would be taken for one that was.
        self.number = 0
        self._telling.put_off(self)

    def broken(self, error: StoreUnavailable) -> None:
        self._telling.give_up(self, error)

    def lost(self, error: StoreUnavailable) -> None:  # noqa: ARG002 - as above
        self._telling.put_off(self)


def _first(calls: deque[_Settle], most: int) -> list[_Settle]:
    return [calls.popleft() for _ in range(min(len(calls), most))]
