"""A stream that is listened to as it passes, and told of as one answer when it has ended well."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from headgate.core.events import AnswerBuilder
from headgate.core.frame import Frame
from headgate.core.messages import Answer
from headgate.exchange.pumping import pump_one, pumped

__all__ = ["Listening"]


class Listening:
    """The frames, unchanged. No generator: one that was never begun would swallow `aclose`."""

    __slots__ = ("_answer", "_ended", "_frames", "_next")

    def __init__(self, frames: AsyncIterator[Frame], ended: Callable[[Answer], None]) -> None:
        """ended: called once, when the stream has come to its own end; not for one that broke off or was left."""
        self._frames = frames
        self._next = frames.__anext__
        self._answer: AnswerBuilder | None = AnswerBuilder()
        self._ended = ended

    def __aiter__(self) -> Listening:
        return self

    async def __anext__(self) -> Frame:
        try:
            frame = await self._next()
        except StopAsyncIteration:
            self._end()
            raise
        self._take(frame)
        return frame

    async def pump(self, deliver: Callable[[Frame], bool]) -> bool:
        """See `exchange.reply.Pumped`."""
        frames = pumped(self._frames)
        if frames is None:
            return await pump_one(self, deliver)

        def listen(frame: Frame) -> bool:
            self._take(frame)
            return deliver(frame)

        over = await frames.pump(listen)
        if over:
            self._end()
        return over

    async def aclose(self) -> None:
        """Hang up on the provider, if there is more to come."""
        self._answer = None
        close = getattr(self._frames, "aclose", None)
        if close is not None:
            await close()

    def _take(self, frame: Frame) -> None:
        if self._answer is not None:
            for event in frame.events:
                self._answer.add(event)

    def _end(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and answer.failure is None:
            self._ended(answer.answer())
