"""A stream of an answer, unchanged, listened to as it passes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Final

from headgate.core.errors import GatewayError
from headgate.core.events import AnswerBuilder
from headgate.core.frame import Frame
from headgate.exchange.pumping import pump_one, pumped
from headgate.records.journal import Teller

__all__ = ["Hearer", "Listening"]

_AT_A_TIME: Final = 64
"""Frames of a stream that are listened to together."""


class Hearer(Teller):
    """Who wants to know what was said: to be told of it later."""

    __slots__ = ("bytes_out", "finished", "refused")

    def __init__(self) -> None:
        self.finished = True
        """Was the stream heard to its end, if there is one?"""
        self.bytes_out = 0
        self.refused: GatewayError | None = None


class Listening:
    """The frames of a stream.

    No generator: one that was never begun would swallow `aclose`, and the provider's stream would stay open."""

    __slots__ = ("_answer", "_frames", "_hearer", "_next")

    def __init__(self, hearer: Hearer, frames: AsyncIterator[Frame], answer: AnswerBuilder) -> None:
        self._hearer = hearer
        self._frames = frames
        self._next = frames.__anext__
        self._answer = answer

    def __aiter__(self) -> Listening:
        return self

    async def __anext__(self) -> Frame:
        try:
            frame = await self._next()
        except StopAsyncIteration:
            self._hearer.finished = True
            raise
        except GatewayError as error:
            self._hearer.refused = error
            raise
        self._take(frame)
        return frame

    def _take(self, frame: Frame) -> None:
        for event in frame.events:
            self._answer.add(event)
        if frame.data is not None:
            self._hearer.bytes_out += len(frame.data)

    async def pump(self, deliver: Callable[[Frame], bool]) -> bool:
        """See `Pumped`."""
        frames = pumped(self._frames)
        if frames is None:
            return await pump_one(self, deliver)

        answer = self._answer
        waiting, words = answer.waiting, answer.words

        def listen(frame: Frame) -> bool:
            # Many at a time cost a fraction of one by one, between which everything else has run.
            said = frame.words
            if said is not None:
                words.append(said)
            else:
                if words:
                    answer.fold()
                waiting.extend(frame.events)
            if len(words) >= _AT_A_TIME or len(waiting) >= _AT_A_TIME:
                answer.fold()
            return deliver(frame)

        answer.fold()

        try:
            self._hearer.finished = await frames.pump(listen)
        except GatewayError as error:
            self._hearer.refused = error
            raise
        finally:
            answer.fold()
        return self._hearer.finished

    async def aclose(self) -> None:
        """Hang up on the provider, if there is more to come."""
        close = getattr(self._frames, "aclose", None)
        if close is not None:
            await close()
