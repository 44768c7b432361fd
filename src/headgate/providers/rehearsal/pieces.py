"""A body cut into the pieces a fault is counted in: events of a stream, messages of a binary one."""

from __future__ import annotations

import re

from headgate.providers.port import Headers
from headgate.providers.wires.sse import sse_blocks

__all__ = ["Pieces", "ends_the_answer", "is_stream", "spoilt"]

_BINARY = b"application/vnd.amazon.eventstream"

_TERMINAL = re.compile(
    # Quotes inside a text are escaped, so that a text that talks about these names is not taken for them.
    rb"^data: ?\[DONE\]"
    rb'|"(?:finish|stop)_reason" ?: ?"'
    rb'|"finishReason" ?: ?"'
    rb'|"type" ?: ?"(?:message_stop|response\.(?:completed|incomplete|failed))"',
    re.MULTILINE,
)
_TERMINAL_BINARY = re.compile(rb":event-type\x07\x00.(?:messageStop|metadata)", re.DOTALL)


def is_stream(headers: Headers) -> bool:
    """Does the head announce pieces?"""
    return (headers.first(b"content-type") or b"").lower().startswith((b"text/event-stream", _BINARY))


def ends_the_answer(piece: bytes) -> bool:
    """Is it one of the marks by which a vendor says that the answer is complete?"""
    return bool((_TERMINAL_BINARY if piece[:1] == b"\0" else _TERMINAL).search(piece))


def spoilt(piece: bytes) -> bytes:
    """The piece as it comes when something in between breaks it: its end is missing."""
    if piece[:1] == b"\0":
        # As long as it says, so that what follows is still found; the checksum tells.
        return piece[:-1] + bytes([piece[-1] ^ 0xFF])
    return piece[: len(piece) * 2 // 3].rstrip() + b"\n\n"


class Pieces:
    """Cuts one stream. Bytes of a piece that is not complete are kept until it is."""

    def __init__(self, headers: Headers) -> None:
        self._binary = (headers.first(b"content-type") or b"").lower().startswith(_BINARY)
        self._held = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces completed by `data`; joined with `rest` at the end they are what was fed."""
        data = self._held + data
        pieces = _messages(data) if self._binary else sse_blocks(data)
        whole = self._binary or not pieces or pieces[-1].endswith((b"\n\n", b"\n\r\n"))
        if not whole:
            pieces.pop()
        self._held = data[sum(map(len, pieces)) :]
        return pieces

    def rest(self) -> bytes:
        """What is left when the body has ended."""
        rest, self._held = self._held, b""
        return rest


def _messages(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at + 4 <= len(data):
        # Never less than it takes to get on, whatever the provider says.
        length = max(int.from_bytes(data[at : at + 4], "big"), 16)
        if at + length > len(data):
            break
        found.append(data[at : at + length])
        at += length
    return found
