"""A stream's frames, unchanged, heard as they pass: for whoever wants to know at the end what was said."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from headgate.core.events import AnswerBuilder
from headgate.core.frame import Frame
from headgate.exchange.pumping import pump_one, pumped

__all__ = ["Hearing"]


class Hearing:
    """Fulfils `Pumped`. No generator: one that was never begun would not close the stream beneath."""

    __slots__ = ("_answer", "_frames")

    def __init__(self, frames: AsyncIterator[Frame], answer: AnswerBuilder) -> None:
        """answer: is given every event."""
        self._frames = frames
        self._answer = answer

    def __aiter__(self) -> Hearing:
        return self

    async def __anext__(self) -> Frame:
        frame = await anext(self._frames)
        self._hear(frame)
        return frame

    async def pump(self, deliver: Callable[[Frame], bool]) -> bool:
        """See `Pumped`."""
        frames = pumped(self._frames)
        if frames is None:
            return await pump_one(self, deliver)

        def hear(frame: Frame) -> bool:
            self._hear(frame)
            return deliver(frame)

        return await frames.pump(hear)

    async def aclose(self) -> None:
        """Hang up on the provider, if there is more to come."""
        close = getattr(self._frames, "aclose", None)
        if close is not None:
            await close()

    def _hear(self, frame: Frame) -> None:
        for event in frame.events:
            self._answer.add(event)
