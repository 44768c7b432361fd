"""Reply bytes to head, body pieces and an end: httptools with limits, and without trust in what follows a message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import httptools

from headgate.core.errors import UpstreamMalformed
from headgate.providers.port import Headers
from headgate.providers.transport.decoding import Decoder, decoder_for
from headgate.providers.transport.lines import (
    CHUNKED,
    CODING,
    KEEP_ALIVE,
    LENGTH,
    TIMEOUT,
    line_of,
    status_of,
)

__all__ = ["HeadLimits", "ReplyParser", "one_chunk"]

_CRLF: Final = b"\r\n"
_LONGEST_SIZE: Final = 7
"""Digits of a chunk's size that are read here: 256 MB."""
_LAST_CHUNK: Final = b"0\r\n\r\n"


def one_chunk(data: bytes) -> bytes | None:
    """What is in `data`, if it is exactly one chunk of a chunked body; None: leave it to the parser.

    Servers that stream write an event as a chunk, and mostly it comes so: this costs a third of parsing."""
    size = at = 0
    length = len(data)
    while at < length and at < _LONGEST_SIZE:
        digit = data[at]
        if 48 <= digit <= 57:  # 0 to 9
            size = size * 16 + digit - 48
        elif 97 <= digit <= 102 or 65 <= digit <= 70:  # a to f, A to F
            size = size * 16 + (digit | 32) - 87
        else:
            break
        at += 1
    if not at or at + 4 + size != length or data[at : at + 2] != _CRLF or data[-2:] != _CRLF:
        return None
    return data[at + 2 : -2]


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """How much of a head is read before the peer is taken for broken or hostile. Bytes, bytes, lines."""

    head: int = 65_536
    line: int = 16_384
    count: int = 200


class ReplyParser:
    """Parses the replies of one connection, one after the other; `expect` before each."""

    __slots__ = (
        "_barren",
        "_codings",
        "_end",
        "_extra",
        "_fields",
        "_fresh",
        "_head_bytes",
        "_limits",
        "_no_body",
        "_parser",
        "_peer",
        "_quick",
        "between_chunks",
        "complete",
        "ends_with_connection",
        "headers",
        "keep",
        "keepalive_seconds",
        "on_body",
        "pieces",
        "status",
    )

    def __init__(self, limits: HeadLimits, peer: str) -> None:
        self._limits = limits
        self._peer = peer
        self._quick = min(limits.line, limits.head) - 4
        """Bytes of a head in which nothing can be too long."""
        self.pieces: list[bytes] = []
        """Of the body, parsed and not taken yet."""
        self.on_body = self.pieces.append  # called by httptools without a Python frame in between
        self._fields = self.headers = Headers()
        self._parser = httptools.HttpResponseParser(self)
        self.keepalive_seconds: float | None = None
        self.expect(no_body=False)
        self.keep = True

    def expect(self, *, no_body: bool) -> None:
        """The next bytes start a reply; with no_body (to HEAD) it ends with its head."""
        self._no_body = no_body
        self._fresh = True
        """Has nothing of this reply come yet?"""
        self.status = 0
        if self._fields:
            self._fields = Headers()  # trailers of the reply before
        self.complete = False
        self.between_chunks = False
        """Has everything been parsed up to the end of a chunk? Then what comes next may be read without the parser, if it is
        whole chunks: it will find the next one as if nothing had been there."""
        self.keep = True
        self.ends_with_connection = False
        self._codings: bytes | None = None
        self._barren = self._head_bytes = 0
        self._end = 0
        self._extra = False

    def feed(self, data: bytes) -> None:
        """Parse what came. Afterwards `status`, `complete` and `pieces` say how far it got; UpstreamMalformed."""
        if self._fresh:
            self._fresh = False
            if not self._no_body and self._came_at_once(data):
                return
        self._head_bytes = self._barren + len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise UpstreamMalformed(detail=f"{self._peer} changed the protocol, unasked") from None
        except httptools.HttpParserError as error:
            if not self.complete:
                raise self._malformed(error) from None
            self._extra = True
        if self.between_chunks and not data.endswith(b"\n"):
            self.between_chunks = False  # inside the next one's size
        if self.complete:
            if self._extra:
                # The bytes behind a complete reply belong to nobody; neither does what else this peer says.
                self.keep = False
                del self.pieces[self._end :]
        elif not self.pieces:
            self._no_progress(len(data))
        elif self._barren:
            self._barren = 0

    def _came_at_once(self, data: bytes) -> bool:
        """Read a reply that is here from its first byte to its last, as most whole answers are. False: it is none, or not written
        as nearly all of them are; then nothing has happened, and the parser has the word."""
        head, _, body = data.partition(b"\r\n\r\n")
        if not body or len(head) > self._quick:
            return False
        lines = head.split(b"\r\n")
        status = status_of(lines[0])
        if not status or len(lines) > self._limits.count:
            return False
        fields: list[Any] = []
        codings: bytes | None = None
        length = keepalive = -2
        chunked = False
        for at in range(1, len(lines)):
            line = line_of(lines[at])
            if line is None:
                return False
            fields.append(line.pair)
            kind = line.kind
            if kind == LENGTH:
                if length != -2:
                    return False
                length = line.number
            elif kind == CHUNKED:
                if chunked:
                    return False
                chunked = True
            elif kind == CODING:
                codings = line.pair[1]
            elif kind == KEEP_ALIVE:
                keepalive = line.number
        if chunked:
            only = one_chunk(body[: -len(_LAST_CHUNK)]) if body.endswith(_LAST_CHUNK) else None
            if not only or length != -2:
                return False
            body = only
        elif length != len(body):
            return False
        self.status = status
        self.headers = Headers(fields)
        self._codings = codings
        if keepalive != -2:
            # A second less than promised: its clock started earlier than ours.
            self.keepalive_seconds = max(0.0, keepalive - 1.0) if keepalive != -1 else None
        self.pieces.append(body)
        self._complete(keep=True)
        return True

    def take(self) -> bytes:
        """The body bytes parsed since the last call."""
        pieces = self.pieces
        if not pieces:
            return b""
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return data

    def decoder(self) -> Decoder | None:
        """The decoder this body needs, after the head. What it undoes is taken out of the headers: the length and
        the coding they tell are those of bytes that nobody will see. Raises UpstreamMalformed."""
        if self._codings is None or self._no_body or self.status in (204, 304):
            return None
        codings = [value for name, value in self.headers if name == b"content-encoding"]
        decoder = decoder_for(b", ".join(codings), self._peer)
        if decoder is not None:
            hidden = (b"content-encoding", b"content-length")
            self.headers[:] = [field for field in self.headers if field[0] not in hidden]
        return decoder

    # What httptools calls

    def on_message_begin(self) -> None:
        if self.complete:
            self._extra = True

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        fields = self._fields
        # What follows are trailers, or a second head nobody asked for: neither may reach the reply.
        self._fields = Headers()
        status = self._parser.get_status_code()
        if status < 200:
            return
        self.status = status
        self.headers = fields
        known = dict(fields)
        coding = known.get(b"transfer-encoding")
        self.ends_with_connection = coding is None and b"content-length" not in known
        self._codings = known.get(b"content-encoding")
        if b"keep-alive" in known:
            found = TIMEOUT.search(known[b"keep-alive"])
            # A second less than promised: its clock started earlier than ours.
            self.keepalive_seconds = max(0.0, int(found[1]) - 1.0) if found else None
        if coding is not None and coding.strip().lower() != b"chunked":
            raise ValueError(f"transfer-encoding `{coding[:40].decode('latin-1')}` is not supported")
        self._check_head(fields)
        if self._no_body:
            self._complete(keep=False)

    def on_chunk_header(self) -> None:
        self.between_chunks = False

    def on_chunk_complete(self) -> None:
        self.between_chunks = True

    def on_message_complete(self) -> None:
        if self.status and not self.complete:
            self._complete(keep=self._parser.should_keep_alive())

    # How

    def _complete(self, *, keep: bool) -> None:
        self.complete = True
        self.between_chunks = False
        self.keep = keep
        self._end = len(self.pieces)

    def _check_head(self, fields: Headers) -> None:
        if len(fields) > self._limits.count:
            raise ValueError(f"more than {self._limits.count} header lines")
        if self._head_bytes <= self._limits.line:
            return  # the usual case: all there is, body included, is less than one line may be
        sizes = [len(name) + len(value) + 4 for name, value in fields]
        if sizes and (max(sizes) > self._limits.line or sum(sizes) > self._limits.head):
            raise ValueError(
                f"a header line over {self._limits.line} or a head over {self._limits.head} bytes"
            )

    def _no_progress(self, size: int) -> None:
        """Bytes that bring no body are an unfinished head, trailers or chunk extensions; none of them may be endless."""
        self._barren += size
        if self._barren > self._limits.head:
            raise UpstreamMalformed(
                detail=f"{self._peer} sent over {self._limits.head} bytes of head or trailers"
            )

    def _malformed(self, error: Exception) -> UpstreamMalformed:
        cause = error.__context__ if isinstance(error.__context__, ValueError) else error
        return UpstreamMalformed(detail=f"{self._peer}: {cause}"[:300])
