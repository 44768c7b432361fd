"""What comes back up the journey: a head and a stream of frames; a whole answer is one frame."""
from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from headgate.core.frame import Frame
from headgate.exchange.dialect import LocalReply

__all__ = ["Frame", "Reply", "whole"]


class Reply:
    """An answer under way.

    wire:   the wire `frames`' data is in; "" once somebody edited, so that everything is encoded afresh. Raw and
            encoded events never mix within one reply: block numbers and ids would not fit.
    answer: a whole answer in canonical form; None for a stream.
    body:   the provider's bytes of that whole answer, if it came from one.
    frames: the stream; None for a whole answer. Whoever iterates it closes it (`aclose`) when leaving early.
    """

    __slots__ = ("answer", "body", "frames", "headers", "status", "wire")

    def __init__(
        self,
        *,
        wire: str = "",
        answer: LocalReply | None = None,
        body: bytes | None = None,
        frames: AsyncIterator[Frame] | None = None,
        status: int = 200,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        self.wire = wire
        self.answer = answer
        self.body = body
        self.frames = frames
        self.status = status
        self.headers = headers

    @property
    def streaming(self) -> bool:
        return self.frames is not None

    def with_frames(self, frames: AsyncIterator[Frame]) -> Reply:
        """The same reply with other frames, to be encoded from their events."""
        return Reply(frames=frames, status=self.status, headers=self.headers)

    def with_answer(self, answer: LocalReply) -> Reply:
        """The same reply with another whole answer."""
        return Reply(answer=answer, status=self.status, headers=self.headers)


def whole(answer: LocalReply) -> Reply:
    """A reply that nobody upstream gave."""
    return Reply(answer=answer)
