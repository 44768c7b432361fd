"""One call for all who ask the same at the same time: who came first makes it, the others listen.

The call runs in a task of its own, so whoever leaves, the first one too, leaves alone; it is given up when nobody listens
any more. Each reader has its own place in the stream and its own pace. Who comes late is first told what was said so far, as
one piece. The one who made the call gets the provider's bytes as they come; the others have theirs written from what those
bytes say, in their own dialect.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from time import monotonic

from headgate.cache.readers import FRAME_BYTES, Audience, Reader
from headgate.core.errors import GatewayError, ShuttingDown
from headgate.core.events import AnswerBuilder, End, TextDelta, events_of
from headgate.core.frame import Frame
from headgate.core.ids import request_id_text
from headgate.core.messages import Answer
from headgate.core.tasks import ended
from headgate.exchange.dialect import LocalReply
from headgate.exchange.exchange import Exchange
from headgate.exchange.pumping import Pumped, pump_one
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed

__all__ = ["Flight", "LeaderFailed", "NotForOthers"]

MOST_READERS = 1000
"""Of one call; who comes after them makes a call of their own."""
MOST_HEARD = 16_000_000
"""Bytes of a stream that is kept in mind, for the late and for the cache; of a longer one only the end is waited for."""
_AT_A_TIME = 64
"""Events of a stream that are taken in together."""

log = logging.getLogger("headgate.cache")


class LeaderFailed(Exception):
    """The call came to nothing before there was anything to listen to."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(repr(error))
        self.error = error


class NotForOthers(Exception):
    """The answer is for the user who has asked, and for nobody else."""


class Flight:
    """One call, from when it is decided on until its answer is kept. Belongs to one event loop."""

    __slots__ = (
        "_audience",
        "_builder",
        "_fine",
        "_for_others",
        "_head",
        "_heard",
        "_landing",
        "_leader_left",
        "_own",
        "_rest",
        "_said_end",
        "_task",
        "ended_at",
        "failure",
        "joined",
        "landed",
        "leader",
        "person",
        "refused",
        "reply",
    )

    def __init__(self, leader: Exchange, person: tuple[object, ...] = ()) -> None:
        self.leader = leader
        self.person = person
        """Whose call it is: they may hear it word by word."""
        self.reply: Reply | None = None
        """Of the call; None as long as there is nothing to be heard."""
        self.landed = False
        """All has been said, or will never be."""
        self.failure: BaseException | None = None
        self.ended_at = 0.0
        self.joined = 0
        """How many have listened beside the leader."""
        self._builder: AnswerBuilder | None = AnswerBuilder()
        self.refused = False
        """Has the model, in the stream, said that it will not answer?"""
        self._fine = False
        self._for_others: bool | None = None
        """May others hear it? None: nobody has looked."""
        self._said_end = False
        self._heard = 0
        self._own: Reader | None = None
        """The leader's."""
        self._leader_left = False
        self._audience = Audience()
        self._task: asyncio.Task[None] | None = None
        self._rest: Callable[[], Awaitable[None] | None] | None = None
        """What the leader has left to be closed."""
        loop = asyncio.get_running_loop()
        self._head: asyncio.Future[None] = loop.create_future()
        self._landing: asyncio.Future[None] = loop.create_future()

    # The leader

    async def lead(self, proceed: Proceed) -> Reply:
        """Make the call. Raises what it raises. When the leader leaves, others may go on."""
        exchange = self.leader
        self._task = asyncio.create_task(self._run(proceed), name="answer")
        try:
            await asyncio.shield(self._head)
        except asyncio.CancelledError:
            await self._left_early()
            raise
        reply, own = self.reply, self._own
        if reply is None:
            assert self.failure is not None
            raise self.failure
        if own is None:
            return reply
        exchange.on_close(own.let_go)
        # Not `with_frames`: nothing is edited, so bytes may go on passing untouched.
        return Reply(wire=reply.wire, frames=own, status=reply.status, headers=reply.headers)

    async def aclose(self) -> None:
        """Give the call up, whoever listens."""
        await ended(self._task)

    # Those who join

    @property
    def open(self) -> bool:
        """Can somebody still join?"""
        return self.joined < MOST_READERS and self._builder is not None and not (self.landed and self.failure)

    async def heard(self, exchange: Exchange) -> Reply:
        """The same answer for somebody else: streamed or whole, as they asked. Raises LeaderFailed."""
        self.joined += 1
        self._audience.waiting += 1
        self._audience.progress()
        whole = not exchange.peek.stream
        try:
            await asyncio.shield(self._landing if whole else self._head)
            return self._reply_for(exchange)
        finally:
            self._audience.waiting -= 1
            self._look_around()

    async def heard_whole(
        self, exchange: Exchange, may_be_told: Callable[[LocalReply], bool], *, seconds: float
    ) -> Reply:
        """As `heard`, for another user than the leader: told when all of it is there and may be told to others, and nothing but what was
        looked through. Raises LeaderFailed, NotForOthers, and TimeoutError when it takes longer than `seconds`."""
        self.joined += 1
        self._audience.waiting += 1
        self._audience.progress()
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(self._landing)
            answer = self.answer()
            if answer is None:
                raise LeaderFailed(self.failure or ShuttingDown("the answer is not complete"))
            if self._for_others is None:
                self._for_others = may_be_told(answer)
            if not self._for_others:
                raise NotForOthers
        finally:
            self._audience.waiting -= 1
            self._look_around()
        assert self.reply is not None
        if exchange.peek.stream and isinstance(answer, Answer):
            reader = Reader(self, self._audience)
            reader.begin(Frame(None, events_of(answer)))
            return Reply(frames=reader, status=self.reply.status)
        return Reply(answer=answer, status=self.reply.status)

    @property
    def took_us(self) -> int:
        """How long the call took, without the leader's waiting for a place."""
        leader = self.leader
        return max(int((self.ended_at - leader.received_at - leader.queued_seconds) * 1e6), 0)

    @property
    def complete(self) -> bool:
        """Has it come to its own end?"""
        return self.landed and self._fine

    def answer(self) -> LocalReply | None:
        """The complete answer; None if it is too long, or not complete. Raises UpstreamMalformed."""
        if not self.complete or self.reply is None:
            return None
        if self.reply.frames is None:
            return self.reply.answer
        builder = self._builder
        if builder is None or not self._said_end:
            return None
        self._fold(builder)
        return builder.answer()

    # Within

    async def _run(self, proceed: Proceed) -> None:
        try:
            reply = await proceed(self.leader)
            self.reply = reply
            if reply.frames is not None:
                if not self._leader_left:
                    self._own = Reader(self, self._audience)
                    self._audience.readers.append(self._own)
                self._tell()
                await self._read(reply.frames)
            self._fine = True
        except asyncio.CancelledError:
            self.failure = ShuttingDown("Headgate stopped before the answer was complete")
            raise
        except Exception as failure:  # noqa: BLE001 - raised by everyone who listens
            self.failure = failure
        finally:
            self._land()
            await self._close_for_the_leader()

    async def _read(self, frames: AsyncIterator[Frame]) -> None:
        try:
            pump = frames.pump if isinstance(frames, Pumped) else partial(pump_one, frames)
            while not await pump(self._take):
                await self._audience.until_room()
        finally:
            close = getattr(frames, "aclose", None)
            if close is not None:
                await close()

    def _take(self, frame: Frame) -> bool:
        builder = self._builder
        if builder is not None:
            waiting = builder.waiting
            waiting.extend(frame.events)
            if len(waiting) >= _AT_A_TIME:
                self._fold(builder)
            self._heard += len(frame.data or b"") + FRAME_BYTES
            if self._heard > MOST_HEARD:
                self._builder = None
            if any(type(event) is End for event in frame.events[-2:]):
                self._said_end = True
        return self._audience.offer(frame)

    def _fold(self, builder: AnswerBuilder) -> None:
        # An answer in canonical form does not tell a refusal from other words.
        for event in builder.waiting:
            if type(event) is TextDelta and event.kind != "text":
                self.refused = True
        builder.fold()

    def _tell(self) -> None:
        if not self._head.done():
            self._head.set_result(None)

    def _land(self) -> None:
        self.landed = True
        self.ended_at = monotonic()
        self._tell()
        if not self._landing.done():
            self._landing.set_result(None)
        for reader in self._audience.readers:
            reader.wake()

    def _reply_for(self, exchange: Exchange) -> Reply:
        reply, failure = self.reply, self.failure
        if reply is None or (failure is not None and not isinstance(failure, GatewayError)):
            raise LeaderFailed(failure or ShuttingDown("the call was given up"))
        if exchange.peek.stream:
            return Reply(frames=self._stream_for(exchange, reply), status=reply.status)
        if failure is not None:
            # Nothing is out yet: they can still have a call of their own.
            raise LeaderFailed(failure)
        if reply.frames is not None:
            answer = self.answer()
            if answer is None:
                raise LeaderFailed(ShuttingDown("the answer is too long to be shared"))
            return Reply(answer=answer, status=reply.status)
        if exchange.dialect.operation == "chat" and reply.wire == exchange.dialect.name:
            return reply.again()
        # Vectors are written as each caller wants them.
        return Reply(answer=reply.answer, status=reply.status)

    def _stream_for(self, exchange: Exchange, reply: Reply) -> AsyncIterator[Frame]:
        reader = Reader(self, self._audience)
        if reply.frames is None:
            answer = reply.answer
            if isinstance(answer, Answer):
                reader.begin(Frame(None, events_of(answer)))
            return reader
        builder = self._builder
        if builder is None:
            raise LeaderFailed(ShuttingDown("too much of the answer is over to join it"))
        so_far = events_of(builder.answer())
        reader.begin(Frame(None, so_far if self._said_end else so_far[:-1]))
        if not self.landed:
            self._audience.readers.append(reader)
            self._audience.progress()
        exchange.on_close(reader.let_go)
        return reader

    def leave(self, reader: Reader) -> None:
        """It reads no more."""
        if reader not in self._audience.readers:
            return
        self._audience.readers.remove(reader)
        if reader is self._own and not self.landed:
            self._leader_left = True
            if self._listened_to():
                # Registered last, so it runs first: the rest of what the leader has to close waits for the call.
                self.leader.on_close(self._hand_over)
        self._audience.progress()
        self._look_around()

    @property
    def beside(self) -> int:
        """How many listen, or wait to, beside the leader."""
        return len(self._audience.readers) + self._audience.waiting - (self._own in self._audience.readers)

    def _listened_to(self) -> bool:
        return bool(self._audience.readers or self._audience.waiting)

    def _look_around(self) -> None:
        """Does anybody listen? The leader does, until it has left."""
        if self._leader_left and not self.landed and not self._listened_to() and self._task is not None:
            self._task.cancel()

    async def _left_early(self) -> None:
        """The leader has left before it had anything."""
        if self._own is not None:
            self._own.let_go()
            return
        self._leader_left = True
        if self.landed:
            return
        if self._audience.waiting:
            self.leader.on_close(self._hand_over)
        else:
            await ended(self._task)

    def _hand_over(self) -> None:
        if not self.landed:
            self._rest = self.leader.hand_over()
            self._look_around()

    async def _close_for_the_leader(self) -> None:
        if self._rest is None:
            return
        try:
            pending = self._rest()
            if pending is not None:
                await asyncio.shield(pending)
        except Exception:
            log.exception("closing request %s, which others went on with", request_id_text(self.leader.id))
