"""What this node has set aside: told to Redis again and again while it is, put back where Redis has forgotten it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from headgate.core.tasks import ended
from headgate.stores.backends.redis.outbox import MOST_AT_ONCE, Outbox
from headgate.stores.backends.redis.pots import HOLDS, LEASES, MARKER, SWEPT, PotKeys, forgotten_at, text_of
from headgate.stores.backends.redis.purse_calls import PutBack, Renew
from headgate.stores.backends.redis.telling import Telling
from headgate.stores.purses import Hold

__all__ = ["MARKER_MS", "Holding"]

MARKER_MS = "600000"
"""How long Redis is believed to know the pots when no gateway has been there: then the database is asked again."""
TOGETHER_SECONDS = 1.5
"""Nodes that have spent without Redis tell it so within that time of its return; until then each goes on as before."""


class Holding:
    """See above."""

    def __init__(
        self,
        outbox: Outbox,
        keys: PotKeys,
        telling: Telling,
        *,
        lease_seconds: float,
        known: Callable[[bool], None],
    ) -> None:
        """known: told whether Redis knows the pots."""
        self.apart = False
        """Something was set aside here that Redis was not asked about, and other nodes may have done so, too. While that is so,
        what Redis says is too much."""
        self._outbox = outbox
        self._keys = keys
        self._telling = telling
        self._lease_seconds = lease_seconds
        self._lease_us = str(round(lease_seconds * 1e6))
        self._known = known
        self._held: dict[int, Hold] = {}
        self._keeping: asyncio.Task[None] | None = None
        self._coming: asyncio.TimerHandle | None = None
        self._open = 0
        """Renewals that have no answer yet."""
        self._once_more = False
        self._answered_at = 0.0
        self._steady_since = 0.0

    def start(self) -> None:
        """Begin to tell. Idempotent."""
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep(), name="budgets held")

    async def aclose(self) -> None:
        """Tell nothing more."""
        if self._coming is not None:
            self._coming.cancel()
        if self._keeping is not None:
            await ended(self._keeping)

    def hold(self, hold: Hold) -> None:
        """Redis has set it aside."""
        self._held[hold.holder.attempt_id] = hold

    def adopt(self, hold: Hold) -> None:
        """Redis was not asked."""
        self._held[hold.holder.attempt_id] = hold
        self.apart = True
        if self._coming is not None:
            self._put_back(hold.holder.attempt_id)

    def let_go(self, hold: Hold) -> None:
        """It is settled."""
        self._held.pop(hold.holder.attempt_id, None)

    def answers(self) -> None:
        """Redis does."""
        now = time.monotonic()
        if now - self._answered_at > self._lease_seconds / 2:
            self._steady_since = now
        self._answered_at = now

    @property
    def steady(self) -> bool:
        """Has Redis been there long enough, so that no lease has ended by its fault?"""
        return 0.0 < self._steady_since < time.monotonic() - self._lease_seconds

    def reservation(
        self, hold: Hold, *, whatever_is_left: bool = False
    ) -> tuple[list[str], list[str | bytes]]:
        """Keys and arguments of the script RESERVE."""
        pots = self._keys.keys(hold.pots)
        attempt_id, nanos = str(hold.holder.attempt_id), str(hold.nanos)
        arguments: list[str | bytes] = ["", attempt_id, nanos, self._lease_us, text_of(hold, pots)]
        for pot in hold.pots:
            arguments += ("-1" if whatever_is_left else str(pot.most), forgotten_at(pot.period, pot.ends))
        return [MARKER, self._telling.told_key, HOLDS, LEASES, *pots], arguments

    def renew(self) -> None:
        """Tell now, or once more when what is under way has its answer. Never waits."""
        if self._open:
            self._once_more = True
            return
        self._once_more = False
        held = [str(attempt_id) for attempt_id in self._held]
        # Also without any: that Redis knows the pots is believed as long as a gateway is there.
        for at in range(0, max(len(held), 1), MOST_AT_ONCE):
            arguments: list[str | bytes] = [self._lease_us, MARKER_MS, SWEPT, *held[at : at + MOST_AT_ONCE]]
            self._open += 1
            self._outbox.post(Renew([MARKER, LEASES], arguments, self._renewed))

    async def _keep(self) -> None:
        while True:
            self.renew()
            await asyncio.sleep(self._lease_seconds / 3)

    def _renewed(self, reply: Sequence[Any] | None) -> None:
        self._open -= 1
        if reply is None:
            return
        if self._once_more and not self._open:
            self.renew()
        self.answers()
        self._known(reply[0] != -1)
        if reply[0] == -1:
            return
        for missing in reply[1:]:
            self._put_back(int(missing))
        if self.apart and self._coming is None and not self._telling.blocked:
            self._coming = asyncio.get_running_loop().call_later(TOGETHER_SECONDS, self._together)

    def _put_back(self, attempt_id: int) -> None:
        hold = self._held.get(attempt_id)
        if hold is not None:
            keys, arguments = self.reservation(hold, whatever_is_left=True)
            still = partial(self._still, attempt_id)
            self._outbox.post(PutBack(keys, arguments, order=self._order, still=still))

    def _still(self, attempt_id: int) -> bool:
        # While something waits to be told, the undoing of just this hold may be among it.
        return attempt_id in self._held and not self._telling.blocked

    def _together(self) -> None:
        self._coming = None
        # If Redis went away again, it all begins anew.
        self.apart = self._telling.blocked

    def _order(self) -> str:
        return str(self._telling.number)
