"""What comes back up the journey: a head and a stream of frames; a whole answer is one frame."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from headgate.core.frame import Frame
from headgate.exchange.dialect import LocalReply

__all__ = ["Frame", "Reply", "whole"]


class Reply:
    """An answer under way.

    wire:   the wire `frames`' data is in; "" once somebody edited, so that everything is encoded afresh. Raw and
            encoded events never mix within one reply: block numbers and ids would not fit.
    answer: a whole answer in canonical form, decoded when first asked for; None for a stream.
    body:   the provider's bytes of that whole answer, if it came from one.
    frames: the stream; None for a whole answer. Whoever iterates it closes it (`aclose`) when leaving early.
    """

    __slots__ = ("_answer", "_decode", "body", "frames", "headers", "status", "wire")

    def __init__(
        self,
        *,
        wire: str = "",
        answer: LocalReply | None = None,
        body: bytes | None = None,
        decode: Callable[[bytes], LocalReply] | None = None,
        frames: AsyncIterator[Frame] | None = None,
        status: int = 200,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        self.wire = wire
        self._answer = answer
        self._decode = decode
        self.body = body
        self.frames = frames
        self.status = status
        self.headers = headers

    @property
    def answer(self) -> LocalReply | None:
        """The whole answer; None for a stream. Raises UpstreamMalformed if the provider's bytes are none."""
        if self._answer is None and self._decode is not None and self.body is not None:
            self._answer = self._decode(self.body)
        return self._answer

    @property
    def streaming(self) -> bool:
        return self.frames is not None

    def again(self) -> Reply:
        """A whole answer once more, for somebody else who asked the same."""
        return Reply(
            wire=self.wire, answer=self._answer, body=self.body, decode=self._decode, status=self.status
        )

    def with_frames(self, frames: AsyncIterator[Frame]) -> Reply:
        """The same reply with other frames, to be encoded from their events."""
        return Reply(frames=frames, status=self.status, headers=self.headers)

    def with_answer(self, answer: LocalReply) -> Reply:
        """The same reply with another whole answer."""
        return Reply(answer=answer, status=self.status, headers=self.headers)


def whole(answer: LocalReply) -> Reply:
    """A reply that nobody upstream gave."""
    return Reply(answer=answer)
