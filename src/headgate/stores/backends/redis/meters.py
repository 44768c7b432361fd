"""Limits counted in Redis, so that many gateways hold them together: one round trip before a request, one after it.

All calls of one turn of the event loop leave together on one connection, in order: a hundred requests at once cost one
round trip, and nothing is given back before it was taken."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headgate.stores.backends.redis.client import connect, driver_error
from headgate.stores.backends.redis.meter_scripts import RENEW, SETTLE, TAKE
from headgate.stores.errors import StoreUnavailable
from headgate.stores.meters import Gauge, Reading, Want, refused

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["RedisMeters"]

log = logging.getLogger("headgate.limits")

PREFIX = "{headgate}:limit:"
"""The braces keep all counts on one node of a Redis cluster, where one script may touch them."""
ANSWER_SECONDS = 0.05
"""Longest wait of a request for Redis."""
CONNECT_SECONDS = 1.0
"""Longest wait of a connection, which with TLS to another house takes more than a request would wait. Requests do not."""
LEASE_SECONDS = 30.0
"""What a node holds is free again so long after it was last heard of."""
_MOST_AT_ONCE = 200
"""Calls in one round trip."""
_MOST_WAITING = 10_000
"""Corrections kept while Redis is away. What is lost heals by itself: counts come back with time, what is held is freed."""


@dataclass(slots=True)
class _Call:
    script: str
    keys: list[str]
    arguments: list[str]
    answer: asyncio.Future[list[Any]] | None = None
    undo: Sequence[Want] = ()
    """What to give back if nobody waits for the answer any more."""
    holder: int = 0


class RedisMeters:
    """See `Meters`."""

    def __init__(self, url: str, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        """url: `redis://`, `rediss://` or `unix://`. Raises ValueError for another, or without the extra `redis`."""
        self._client: Redis = connect(url, seconds=answer_seconds, connect_seconds=CONNECT_SECONDS)
        self._failure = driver_error()
        self._seconds = answer_seconds
        self._outbox: deque[_Call] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._held: set[tuple[str, int]] = set()
        self._renewing: asyncio.Task[None] | None = None
        self._known: dict[str, str] = {
            script: hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
            for script in (TAKE, SETTLE, RENEW)
        }
        self.dropped = 0
        """Corrections that never reached Redis."""

    async def take(self, wants: Sequence[Want], holder: int) -> Reading:
        """See `Meters`."""
        arguments = [str(holder), str(round(LEASE_SECONDS * 1e6))]
        for gauge, _, units in wants:
            arguments += (str(units), repr(gauge.interval * 1e6), repr(gauge.most))
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        keys = [_key(gauge, subject) for gauge, subject, _ in wants]
        self._post(_Call(TAKE, keys, arguments, answer, wants, holder))
        try:
            async with asyncio.timeout(self._seconds):
                reply = await answer
        except (TimeoutError, asyncio.CancelledError) as left_early:
            if answer.done() and not answer.cancelled() and not answer.exception() and answer.result()[0]:
                # The answer came in the very moment in which we stopped waiting for it.
                self.settle([(gauge, subject, -units) for gauge, subject, units in wants], holder)
            if isinstance(left_early, asyncio.CancelledError):
                raise
            raise StoreUnavailable(f"Redis did not answer within {1000 * self._seconds:g} ms") from None
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
        if len(self._outbox) >= _MOST_WAITING:
            self.dropped += 1
            return
        arguments = [str(holder)]
        keys = []
        for gauge, subject, units in changes:
            key = _key(gauge, subject)
            keys.append(key)
            arguments += (str(units), repr(gauge.interval * 1e6))
            if not gauge.interval:
                self._held.discard((key, holder))
        self._post(_Call(SETTLE, keys, arguments))

    async def aclose(self) -> None:
        """See `Meters`. What waits to be told is told first, if Redis is there."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        if self._sending is not None:
            await asyncio.wait([self._sending], timeout=1.0)
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        with contextlib.suppress(Exception):  # whatever a broken connection says to a goodbye
            await self._client.aclose()

    def _post(self, call: _Call) -> None:
        self._outbox.append(call)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send(), name="limits to redis")

    async def _send(self) -> None:
        while self._outbox:
            count = min(len(self._outbox), _MOST_AT_ONCE)
            calls = [self._outbox.popleft() for _ in range(count)]
            # Whoever has stopped waiting has gone on without an answer.
            calls = [call for call in calls if call.answer is None or not call.answer.done()]
            if not calls:
                continue
            try:
                replies = await self._together(calls)
            except (OSError, self._failure) as error:
                self._failed(calls, error)
            else:
                for call, reply in zip(calls, replies, strict=True):
                    self._answered(call, reply)

    async def _together(self, calls: Sequence[_Call]) -> list[Any]:
        loaded: set[str] = set()
        async with self._client.pipeline(transaction=False) as pipe:
            for call in calls:
                # The first of a kind brings the script along: whatever Redis has forgotten, the others find it there.
                if call.script in loaded:
                    pipe.evalsha(self._known[call.script], len(call.keys), *call.keys, *call.arguments)
                else:
                    loaded.add(call.script)
                    pipe.eval(call.script, len(call.keys), *call.keys, *call.arguments)
            return await pipe.execute(raise_on_error=False)

    def _answered(self, call: _Call, reply: Any) -> None:
        answer = call.answer
        if isinstance(reply, Exception):
            self._failed([call], reply)
        elif answer is not None and not answer.done():
            answer.set_result(reply)
        elif answer is not None and reply[0]:
            self.settle([(gauge, subject, -units) for gauge, subject, units in call.undo], call.holder)

    def _failed(self, calls: Sequence[_Call], error: Exception) -> None:
        for call in calls:
            if call.answer is None:
                self.dropped += 1
            elif not call.answer.done():
                call.answer.set_exception(StoreUnavailable(f"Redis: {str(error) or type(error).__name__}"))

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
                self._post(
                    _Call(RENEW, [key for key, _ in some], [lease, *(str(holder) for _, holder in some)])
                )


def _key(gauge: Gauge, subject: str) -> str:
    # A subject may be somebody's mail address, or a text of the caller's choice: Redis learns only its hash.
    whom = hashlib.blake2b(subject.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return f"{PREFIX}{gauge.name}:{whom}"
