"""Cut a stream of server-sent events into events, however the bytes come in pieces.

The rules are those of the HTML standard (section "Server-sent events"), with two leniencies that real servers need:
the byte order mark may stand before any event, and a body that plainly is no event stream (it begins like JSON) is
kept apart in `plain`, so that its error can be read. A lone carriage return ends no line here: no model server was
seen to write one.
"""

from __future__ import annotations

import re
from typing import Final

from headgate.core.errors import UpstreamMalformed

__all__ = ["MAX_EVENT_BYTES", "SseSplitter", "sse_blocks", "sse_event"]

MAX_EVENT_BYTES: Final = 8 * 1024 * 1024
"""The longest event held while its end has not come."""

_BLANK_LINE: Final = re.compile(rb"\n\r?\n")
_BOM: Final = b"\xef\xbb\xbf"


class SseSplitter:
    """Splits one stream. After each `feed`, `taken` holds the exact bytes that the returned events were cut from."""

    __slots__ = ("_begun", "_held_bytes", "_tail", "held", "plain", "taken")

    def __init__(self) -> None:
        self.held: list[bytes] = []
        """Pieces of an event whose end has not come."""
        self._held_bytes = 0
        self._tail = b""
        self._begun = False
        self.taken = b""
        """Every block completed by the last `feed`, byte for byte, comments and pings too; b"" if there was none."""
        self.plain = False
        """The body is no event stream but begins like JSON; all of it is held, and `rest` returns it."""

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """The events completed by `data`, each as (name, data); the name is b"" if the event has none.

        Raises UpstreamMalformed for an event over MAX_EVENT_BYTES, and for HTML."""
        if self._begun and not self.held:
            event = _plain_event(data)
            if event is not None:
                self.taken = data
                return [event]
        if self.held:
            # An event in many pieces is joined only when its end has come, or each piece would copy all before it.
            if self._begun and (self.plain or _BLANK_LINE.search(self._tail + data) is None):
                self._hold(data)
                self.taken = b""
                return []
            data = self.rest() + data
        if not self._begun:
            self._sniff(data)
        end = 0 if self.plain else _end_of_last_block(data)
        self.taken = taken = data[:end]
        if end < len(data):
            self._hold(data[end:])
        return [event for block in sse_blocks(taken) if (event := sse_event(block)) is not None]

    def rest(self) -> bytes:
        """What is held after the last complete event, and let go of. To be asked at the end of the body."""
        rest = b"".join(self.held)
        self.held, self._held_bytes, self._tail = [], 0, b""
        return rest

    def _hold(self, data: bytes) -> None:
        self.held.append(data)
        self._held_bytes += len(data)
        self._tail = (self._tail + data[-2:])[-2:]
        if self._held_bytes > MAX_EVENT_BYTES:
            self.held = []
            raise UpstreamMalformed(detail=f"an event of the stream is over {MAX_EVENT_BYTES} bytes")

    def _sniff(self, data: bytes) -> None:
        if data[:6] == b"data: ":
            self._begun = True
            return
        start = data.removeprefix(_BOM).lstrip()[:1]
        if not start or _BOM.startswith(data):
            return
        self._begun = True
        if start == b"<":
            raise UpstreamMalformed(detail=f"HTML instead of an event stream: {data[:120]!r}")
        self.plain = start in b"{["


def _end_of_last_block(data: bytes) -> int:
    """Up to where `data` is complete blocks. Line feeds right after a blank line belong to what precedes them."""
    if data[-2:] == b"\n\n":
        return len(data)
    at = data.rfind(b"\n\n")
    end = at + 2 if at >= 0 else 0
    if b"\r" in data:
        for found in _BLANK_LINE.finditer(data, max(0, end - 1)):
            end = found.end()
    return end


def sse_blocks(data: bytes) -> list[bytes]:
    """The blocks of `data`, each with its line ends: joined again they are `data`."""
    blocks: list[bytes] = []
    start = 0
    if b"\r" not in data:
        # Line by line: `find` of one byte is many times quicker than of two.
        at = data.find(b"\n")
        while at >= 0:
            if data[at + 1 : at + 2] == b"\n":
                at += 2
                blocks.append(data[start:at])
                start = at
            else:
                at += 1
            at = data.find(b"\n", at)
        if start < len(data):
            blocks.append(data[start:])
        return blocks
    for found in _BLANK_LINE.finditer(data):
        blocks.append(data[start : found.end()])
        start = found.end()
    if start < len(data):
        blocks.append(data[start:])
    return blocks


def sse_event(block: bytes) -> tuple[bytes, bytes] | None:
    """Name and data of one block; None if it has no data (a comment, a ping, a bare `event:`)."""
    plain = _plain_event(block)
    if plain is not None:
        return plain
    name = b""
    lines = []
    for line in block.removeprefix(_BOM).split(b"\n"):
        field, _, value = line.removesuffix(b"\r").partition(b":")
        if field == b"data":
            lines.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return (name, b"\n".join(lines)) if lines else None


def _plain_event(block: bytes) -> tuple[bytes, bytes] | None:
    """The event of a block as nearly all are written: one line of data (OpenAI's chat wire), or with its name in the line
    before (Anthropic's); Google ends lines with CR LF. None: it has to be read line by line."""
    blank = 2 if block[-2:] == b"\n\n" else 3 if block[-3:] == b"\n\r\n" else 0
    if not blank:
        return None
    at = block.find(b"\n") + 1 if block[:7] == b"event: " else 0
    if block[at : at + 6] != b"data: " or block.find(b"\n", at) != len(block) - blank:
        return None
    end = len(block) - blank
    if block[end - 1 : end] == b"\r":
        end -= 1
    name = block[7 : at - 1].removesuffix(b"\r") if at else b""
    return name, block[at + 6 : end]
