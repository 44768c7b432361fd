"""What a fault does to the bytes of an answer. Pure: who carries the reply waits, breaks off and hangs up."""

from __future__ import annotations

from typing import Literal

from headgate.providers.rehearsal.bodies import error_event
from headgate.providers.rehearsal.faults import Fault
from headgate.providers.rehearsal.pieces import ends_the_answer, spoilt

__all__ = ["Ending", "Spoiling"]

Ending = Literal["", "cut", "stall", "end"]
"""How it goes on after the last piece: "": more may come. cut: the connection breaks. stall: silence. end: that was all."""

_SINGLE_BYTES = 65_536
"""Of one piece that comes byte by byte, so many; the rest comes at once."""
_DRIPS = 16
"""A whole answer that drips comes in so many pieces."""
_BREAKS_OFF: dict[str, Ending] = {"cut": "cut", "stall": "stall", "error_in_stream": "end"}


class Spoiling:
    """One answer. Feed it the provider's pieces, or the whole body."""

    __slots__ = ("_counted", "_done", "_fault", "_mark", "_wire", "ending")

    def __init__(self, fault: Fault, wire: str, mark: str) -> None:
        """wire: in which an error inside the stream is told; mark: what that error begins with."""
        self._fault = fault
        self._wire = wire
        self._mark = mark
        self._counted = 0
        self._done = False
        self.ending: Ending = ""

    def piece(self, piece: bytes) -> list[bytes]:
        """What comes instead of the next piece of a stream. Ask no more once there is an `ending`."""
        name = self._fault.name
        if name in _BREAKS_OFF:
            # An answer that has fewer pieces breaks before its end all the same.
            if self._counted >= self._fault.count or ends_the_answer(piece):
                return self._break_off()
        elif name == "missing_terminator" and ends_the_answer(piece):
            return []
        elif name == "malformed_frame" and not self._done and _says_something(piece):
            self._done = self._counted >= self._fault.count or ends_the_answer(piece)
            piece = spoilt(piece) if self._done else piece
        self._counted += 1
        return _single_bytes(piece) if name == "one_byte" else [piece]

    def finish(self) -> list[bytes]:
        """What comes when the provider's stream has ended."""
        if self._fault.name in _BREAKS_OFF:
            return self._break_off()
        self.ending = "end"
        return []

    def whole(self, body: bytes) -> list[bytes]:
        """What comes instead of a whole answer."""
        name, half = self._fault.name, body[: len(body) // 2]
        self.ending = "end"
        if name in _BREAKS_OFF:
            return [*([half] if half and name != "error_in_stream" else []), *self._break_off()]
        if name == "malformed_frame":
            return [half or b"{"]
        if name == "missing_terminator":
            return [body[:-1] or b"{"]
        if name == "one_byte":
            return _single_bytes(body)
        if name == "slow_drip":
            size = len(body) // _DRIPS + 1
            return [body[at : at + size] for at in range(0, len(body), size)]
        return [body] if body else []

    def _break_off(self) -> list[bytes]:
        self.ending = _BREAKS_OFF[self._fault.name]
        if self.ending == "end":
            return [error_event(self._wire, f"{self._mark}: the provider failed")]
        return []


def _says_something(piece: bytes) -> bool:
    """Is it more than a comment or a ping, which nobody reads?"""
    return piece[:1] == b"\0" or (b"data:" in piece and b'"ping"' not in piece[:64])


def _single_bytes(data: bytes) -> list[bytes]:
    singles = [bytes([byte]) for byte in data[:_SINGLE_BYTES]]
    return [*singles, data[_SINGLE_BYTES:]] if len(data) > _SINGLE_BYTES else singles
