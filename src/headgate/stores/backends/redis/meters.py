"""Limits counted in Redis, so that many gateways hold them together: one round trip before a request, one after it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from typing import Any

from headgate.core.tasks import ended
from headgate.stores.backends.redis.meter_scripts import RENEW, SETTLE, TAKE
from headgate.stores.backends.redis.outbox import ANSWER_SECONDS, Call, Outbox
from headgate.stores.backends.redis.questions import Question
from headgate.stores.errors import StoreUnavailable
from headgate.stores.meters import Gauge, Reading, Want, refused

__all__ = ["RedisMeters"]

log = logging.getLogger("headgate.limits")

PREFIX = "{headgate}:limit:"
"""The braces keep all counts on one node of a Redis cluster, where one script may touch them."""
LEASE_SECONDS = 30.0
"""What a node holds is free again so long after it was last heard of."""
_MOST_AT_ONCE = 200
"""Of what is held, renewed by one call."""
_MOST_WAITING = 10_000
"""Calls that may wait when a correction comes. What is lost heals by itself: counts come back with time, what is held is freed."""


class RedisMeters:
    """See `Meters`."""

    def __init__(self, to: str | Outbox, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        """to: an outbox that others use too, whose maker closes it; or a URL, for one of its own (`answer_seconds` is for that
        one). Raises ValueError for a URL that is none, or without the extra `redis`."""
        self._own = isinstance(to, str)
        self.outbox = Outbox(to, answer_seconds=answer_seconds) if isinstance(to, str) else to
        self._held: set[tuple[str, int]] = set()
        self._renewing: asyncio.Task[None] | None = None
        self.dropped = 0
        """Corrections that never reached Redis."""

    async def take(self, wants: Sequence[Want], holder: int) -> Reading:
        """See `Meters`."""
        arguments: list[str | bytes] = [str(holder), str(round(LEASE_SECONDS * 1e6))]
        for gauge, _, units in wants:
            arguments += (str(units), repr(gauge.interval * 1e6), repr(gauge.most))
        keys = [_key(gauge, subject) for gauge, subject, _ in wants]
        call = _Take(self, wants, holder, keys, arguments)
        answer = call.answer
        self.outbox.post(call)
        try:
            reply = await self.outbox.wait_for(answer)
        except (StoreUnavailable, asyncio.CancelledError):
            if answer.done() and not answer.cancelled() and not answer.exception() and answer.result()[0]:
                # The answer came in the very moment in which we stopped waiting for it.
                self.undo(wants, holder)
            raise
        left = [float(each) for each in reply[1:]]
        if not reply[0]:
            return refused(wants, left)
        for key, (gauge, _, _) in zip(keys, wants, strict=True):
            if not gauge.interval:
                self._hold(key, holder)
        return Reading(True, left, [])

    def settle(self, changes: Sequence[Want], holder: int) -> None:
        """See `Meters`."""
        if not changes:
            return
        if len(self.outbox) >= _MOST_WAITING:
            self.dropped += 1
            return
        arguments: list[str | bytes] = [str(holder)]
        keys: list[str] = []
        for gauge, subject, units in changes:
            key = _key(gauge, subject)
            keys.append(key)
            arguments += (str(units), repr(gauge.interval * 1e6))
            if not gauge.interval:
                self._held.discard((key, holder))
        self.outbox.post(_Tell(self, SETTLE, keys, arguments))

    def undo(self, wants: Sequence[Want], holder: int) -> None:
        """Give back what was taken for nobody."""
        self.settle([(gauge, subject, -units) for gauge, subject, units in wants], holder)

    async def aclose(self) -> None:
        """See `Meters`. What waits to be told is told first, if Redis is there."""
        if self._renewing is not None:
            await ended(self._renewing)
        if self._own:
            await self.outbox.aclose()

    def _hold(self, key: str, holder: int) -> None:
        self._held.add((key, holder))
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew(), name="limits held")

    async def _renew(self) -> None:
        """Say from time to time what is still held: a node that dies says nothing more."""
        while self._held:
            await asyncio.sleep(LEASE_SECONDS / 3)
            held = list(self._held)
            for at in range(0, len(held), _MOST_AT_ONCE):
                some = held[at : at + _MOST_AT_ONCE]
                lease = str(round(LEASE_SECONDS * 1e6))
                keys, holders = [key for key, _ in some], [str(holder) for _, holder in some]
                self.outbox.post(_Tell(self, RENEW, keys, [lease, *holders]))


class _Take(Question):
    __slots__ = ("_holder", "_meters", "_wants")

    def __init__(
        self,
        meters: RedisMeters,
        wants: Sequence[Want],
        holder: int,
        keys: list[str],
        arguments: list[str | bytes],
    ) -> None:
        super().__init__(TAKE, keys, arguments)
        self._meters, self._wants, self._holder = meters, wants, holder

    def answered(self, reply: Any) -> None:
        if self.answer.done() and reply[0]:
            self._meters.undo(self._wants, self._holder)
        super().answered(reply)


class _Tell(Call):
    __slots__ = ("_meters",)

    def __init__(
        self, meters: RedisMeters, script: str, keys: list[str], arguments: list[str | bytes]
    ) -> None:
        super().__init__(script, keys, arguments)
        self._meters = meters

    def refused(self, error: StoreUnavailable) -> None:  # noqa: ARG002 - one says it for all, where requests wait
        self._meters.dropped += 1


def _key(gauge: Gauge, subject: str) -> str:
    # A subject may be somebody's mail address, or a text of the caller's choice: Redis learns only its hash.
    whom = hashlib.blake2b(subject.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return f"{PREFIX}{gauge.name}:{whom}"
