"""Calls that nobody waits for: an entry that is old is made anew, and a similar question is asked all the same to learn from it.

Each is a request of its own, on record with its purpose, and billed to the key whose request brought it about. A few at a time,
one for each entry; what is too much is left out, for nothing is lost by it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Literal

from headgate.core.clock import Clock
from headgate.core.errors import GatewayError, InternalFault, ShuttingDown, TotalTimeout
from headgate.core.events import AnswerBuilder
from headgate.core.ids import IdSource, request_id_text, trace_id
from headgate.core.tasks import ended
from headgate.exchange.dialect import LocalReply
from headgate.exchange.exchange import Exchange
from headgate.exchange.stage import Proceed

__all__ = ["MOST_UNDER_WAY", "Aside", "Asides", "aside_of"]

Aside = Literal["refresh", "sample"]
"""refresh: to renew an entry. sample: to learn whether a similar question has the same answer."""
Told = Callable[[LocalReply], None]

MOST_UNDER_WAY = 16
"""In one process."""
LONGEST_SECONDS = 120.0
_NOT_REPEATED = frozenset({b"cache-control", b"x-headgate-cache", b"idempotency-key"})

log = logging.getLogger("headgate.cache")


class Asides:
    """Makes them. Belongs to one event loop."""

    def __init__(self, proceed: Proceed, ids: IdSource, clock: Clock) -> None:
        """proceed: the journey of requests that were let in already."""
        self.sent = 0
        self.left_out = 0
        """For want of room."""
        self._proceed = proceed
        self._ids = ids
        self._clock = clock
        self._under_way: set[tuple[Aside, bytes]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def ask(self, exchange: Exchange, purpose: Aside, key: bytes, told: Told | None = None) -> bool:
        """Ask what this request has asked once more, in the background. key: of what; one at a time is asked for it.
        told: called with the complete answer, if there is one. False: not now."""
        about = (purpose, key)
        if self._closed or about in self._under_way:
            return False
        if len(self._under_way) >= MOST_UNDER_WAY:
            self.left_out += 1
            return False
        copy = aside_of(exchange, purpose, self._ids.next(), self._clock)
        self.sent += 1
        self._under_way.add(about)
        task = asyncio.get_running_loop().create_task(self._run(copy, about, told), name=purpose)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def aclose(self) -> None:
        """Give up what is under way, and ask nothing any more."""
        self._closed = True
        await ended(*self._tasks)

    async def _run(self, copy: Exchange, about: tuple[Aside, bytes], told: Told | None) -> None:
        try:
            answer = await self._answer(copy)
        finally:
            self._under_way.discard(about)
            pending = copy.close()
            if pending is not None:
                await asyncio.shield(pending)
        if told is not None and answer is not None and not copy.degraded:
            told(answer)

    async def _answer(self, copy: Exchange) -> LocalReply | None:
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                reply = copy.reply = await self._proceed(copy)
                frames = reply.frames
                if frames is None:
                    return reply.answer
                builder = AnswerBuilder()
                try:
                    async for frame in frames:
                        for event in frame.events:
                            builder.add(event)
                finally:
                    await frames.aclose()  # type: ignore[attr-defined]
                return builder.answer()
        except GatewayError as error:
            copy.error = copy.error or error
        except TimeoutError:
            copy.error = TotalTimeout(detail=f"within {LONGEST_SECONDS:g} s, in the background")
        except asyncio.CancelledError:
            copy.error = ShuttingDown("Headgate stopped before this was answered")
            raise
        except Exception as bug:
            log.exception("request %s failed inside Headgate", request_id_text(copy.id))
            copy.error = InternalFault(
                "a call in the background failed inside Headgate", detail=repr(bug)[:500]
            )
        return None


def aside_of(exchange: Exchange, purpose: Aside, copy_id: int, clock: Clock) -> Exchange:
    """The same request as one of its own, in the same trace: all that its identity depends on is the same."""
    copy = Exchange(
        id=copy_id,
        dialect=exchange.dialect,
        body=exchange.body,
        headers=[header for header in exchange.headers if header[0] not in _NOT_REPEATED],
        received_at=clock.monotonic(),
        started_ns=clock.wall_ns(),
        path=exchange.path,
    )
    copy.purpose = purpose
    copy.peek = exchange.peek.again()
    copy.answer_limit = exchange.answer_limit
    if exchange.edited:
        copy.edit(exchange.request)
    copy.caller, copy.asked_by = exchange.caller, exchange.asked_by
    copy.user, copy.session, copy.feature = exchange.user, exchange.session, exchange.feature
    copy.tags = dict(exchange.tags)
    copy.route_as, copy.prompt, copy.variables = exchange.route_as, exchange.prompt, dict(exchange.variables)
    copy.index_version = exchange.index_version
    trace = exchange.trace_parent[3:35] or trace_id(exchange.id)
    copy.trace_parent = f"00-{trace}-{exchange.id:016x}-01"
    return copy
