"""What one process asks of Redis about limits and budgets: all calls of one turn of the event loop leave together.

One connection, one pipeline at a time, in the order in which calls were posted: a hundred requests at once cost one round
trip, a request with limits and budgets no more than one, and nothing is given back before it was taken."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from headgate.core.tasks import ended
from headgate.stores.backends.redis.client import connect, driver_error, refusal_error
from headgate.stores.errors import StoreUnavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["ANSWER_SECONDS", "Call", "Outbox"]

T = TypeVar("T")

ANSWER_SECONDS = 0.05
"""Longest wait of a request for Redis."""
_LATE_SECONDS = 0.005
"""A timer that comes so much too late says that this process is busy, not Redis."""
_MOST_WAITS = 5
"""Times that `ANSWER_SECONDS` are waited, when it is this process that is late."""
_DRIVER_WAITS = 4
"""The driver's own limit, in these; it cannot tell who is late."""
CONNECT_SECONDS = 1.0
"""Longest wait of a connection, which with TLS to another house takes more than a request would wait. Requests do not."""
MOST_AT_ONCE = 200
"""Calls in one round trip."""
_GOODBYE_SECONDS = 1.0
_FOR_NOW = ("MISCONF", "NOREPLICAS", "OOM", "READONLY")


class Call:
    """One script to run. Subclasses say what becomes of its answer; none of it may raise."""

    __slots__ = ("arguments", "keys", "script")

    def __init__(self, script: str, keys: list[str], arguments: list[str | bytes]) -> None:
        self.script = script
        self.keys = keys
        self.arguments = arguments

    def leaves(self) -> bool:
        """Asked right before it is sent, in order. False: it is not sent, and nothing more is heard of it here."""
        return True

    def answered(self, reply: Any) -> None:
        """Redis has run it."""

    def refused(self, error: StoreUnavailable) -> None:
        """Redis has not run it: it said so."""

    def broken(self, error: StoreUnavailable) -> None:
        """Redis has begun to run it, and would fail in the same way again: a key that is not ours, a number beyond all bounds."""
        self.refused(error)

    def lost(self, error: StoreUnavailable) -> None:
        """Nobody knows whether Redis has run it, or is going to."""
        self.refused(error)


class Outbox:
    """See above. One for all that a gateway counts in one Redis."""

    def __init__(self, url: str, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        """url: `redis://`, `rediss://` or `unix://`. Raises ValueError for another, or without the extra `redis`."""
        self.seconds = answer_seconds
        """Longest wait for an answer."""
        self.client: Redis = connect(
            url, seconds=_DRIVER_WAITS * answer_seconds, connect_seconds=CONNECT_SECONDS
        )
        self._sent_at = 0.0
        """When the calls that are under way left, by the loop's clock."""
        self._failure, self._refusal = driver_error(), refusal_error()
        self._calls: deque[Call] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._hashes: dict[str, bytes] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._calls)

    def post(self, call: Call) -> None:
        """Send it with the others of this turn. Never waits."""
        if self._closed:
            call.lost(StoreUnavailable("Redis: closed"))
            return
        self._calls.append(call)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send(), name="to redis")

    async def wait_for(self, answer: asyncio.Future[T]) -> T:
        """What a posted call was answered. Raises StoreUnavailable when Redis has taken longer than `seconds`; the time by which
        this process is late itself, and that of calls which left before, does not count against it, within bounds. Whenever
        nobody waits any more, the answer is cancelled."""
        loop = asyncio.get_running_loop()
        try:
            for _ in range(_MOST_WAITS):
                due = loop.time() + self.seconds
                await asyncio.wait([answer], timeout=self.seconds)
                if answer.done():
                    return answer.result()
                now = loop.time()
                if now - due < _LATE_SECONDS and now - self._sent_at >= self.seconds:
                    break
        finally:
            if not answer.done():
                answer.cancel()
        raise StoreUnavailable(f"Redis did not answer within {1000 * self.seconds:g} ms")

    async def aclose(self) -> None:
        """What was posted is sent first, if Redis is there. Idempotent."""
        if self._sending is not None:
            await asyncio.wait([self._sending], timeout=_GOODBYE_SECONDS)
            self._closed = True
            await ended(self._sending)
        self._closed = True
        with contextlib.suppress(Exception):  # whatever a broken connection says to a goodbye
            await self.client.aclose()

    async def _send(self) -> None:
        while self._calls:
            some = [self._calls.popleft() for _ in range(min(len(self._calls), MOST_AT_ONCE))]
            calls = [call for call in some if call.leaves()]
            if not calls:
                continue
            self._sent_at = asyncio.get_running_loop().time()
            try:
                replies = await self._together(calls)
            except (OSError, self._failure) as error:
                gone = _unavailable(error)
                for call in calls:
                    call.lost(gone)
            except asyncio.CancelledError:
                for call in calls:
                    call.lost(StoreUnavailable("Redis: closed"))
                raise
            else:
                for call, reply in zip(calls, replies, strict=True):
                    if isinstance(reply, Exception):
                        (call.broken if _by_itself(reply) else call.refused)(_unavailable(reply))
                    else:
                        call.answered(reply)

    async def _together(self, calls: Sequence[Call]) -> list[Any]:
        # Put together by hand: the driver's own pipeline took 139 µs of CPU for a reservation and its settlement, this takes 99.
        packed = self._packed(calls)
        pool: Any = self.client.connection_pool
        connection: Any = await pool.get_connection()
        try:
            await connection.send_packed_command([packed], check_health=False)
            replies: list[Any] = []
            for _ in calls:
                try:
                    replies.append(await connection.read_response())
                except self._refusal as error:
                    replies.append(error)
            return replies
        except BaseException:
            # Answers that are still to come would be taken for those of the next calls.
            await connection.disconnect(nowait=True)
            raise
        finally:
            await pool.release(connection)

    def _packed(self, calls: Sequence[Call]) -> bytes:
        loaded: set[str] = set()
        parts: list[bytes] = []
        for call in calls:
            # The first of a kind brings the script along: whatever Redis has forgotten, the others find it there.
            script, keys, arguments = call.script, call.keys, call.arguments
            if script in loaded:
                how = self._hash(script)
            else:
                loaded.add(script)
                text = script.encode()
                how = b"$4\r\nEVAL\r\n$%d\r\n%b\r\n" % (len(text), text)
            count = b"%d" % len(keys)
            parts.append(b"*%d\r\n%b$%d\r\n%b\r\n" % (3 + len(keys) + len(arguments), how, len(count), count))
            for each in (*keys, *arguments):
                data = each.encode() if isinstance(each, str) else each
                parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
        return b"".join(parts)

    def _hash(self, script: str) -> bytes:
        known = self._hashes.get(script)
        if known is None:
            digest = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
            known = self._hashes[script] = b"$7\r\nEVALSHA\r\n$40\r\n%b\r\n" % digest.encode()
        return known


def _by_itself(error: Exception) -> bool:
    """Is it the script's own failure? What Redis refuses for now (no memory, no replica, loading) is not."""
    text = str(error)
    return type(error).__name__ == "ResponseError" and "user_script" in text and not text.startswith(_FOR_NOW)


def _unavailable(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"Redis: {str(error) or type(error).__name__}")
