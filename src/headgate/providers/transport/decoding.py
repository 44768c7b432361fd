"""Undo gzip, deflate and br piece by piece, never making more than asked for at a time.

A few kilobytes can hold gigabytes of zeros. A decoder here gives at most `limit` bytes per call and remembers that
more is `pending`, so what a bomb costs is what its reader is willing to read.
"""

from __future__ import annotations

import zlib
from typing import Protocol

import brotli

from headgate.core.errors import UpstreamMalformed

__all__ = ["Decoder", "decoder_for"]

_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


class Decoder(Protocol):
    """One body's decoder."""

    pending: bool
    """More comes out without anything going in: call `decode(b"", limit)` before feeding on."""

    def decode(self, raw: bytes, limit: int) -> bytes:
        """The next decoded bytes, at most about `limit`. Raises UpstreamMalformed. While `pending`, raw is b""."""
        ...

    def finish(self) -> None:
        """The body has ended. Raises UpstreamMalformed if the compressed data has not."""
        ...


def decoder_for(content_encoding: bytes, peer: str) -> Decoder | None:
    """The decoder for a `content-encoding` value; None if there is nothing to undo.

    peer: host:port, for errors. Raises UpstreamMalformed for codings nobody asked for, and for several at once,
    which no provider was seen to send."""
    coding = content_encoding.strip().lower()
    if coding in (b"", b"identity"):
        return None
    if coding in (b"gzip", b"x-gzip", b"deflate"):
        return _Zlib(peer, deflate=coding == b"deflate")
    if coding == b"br":
        return _Brotli(peer)
    raise UpstreamMalformed(
        detail=f"{peer} sent content-encoding `{coding[:40].decode('latin-1')}`, not asked for"
    )


class _Zlib:
    """gzip (several members may follow one another) and deflate (zlib's frame, or bare as some servers send it)."""

    __slots__ = ("_deflate", "_fed", "_peer", "_stream", "_waiting", "pending")

    def __init__(self, peer: str, *, deflate: bool) -> None:
        self._peer = peer
        self._deflate = deflate
        self._stream = None if deflate else zlib.decompressobj(_GZIP)
        self._fed = False
        self._waiting = b""
        self.pending = False

    def decode(self, raw: bytes, limit: int) -> bytes:
        data = self._waiting + raw if self._waiting else raw
        if self._stream is None:
            # The frame is told from bare deflate by its first two bytes.
            if len(data) < 2:
                self._waiting = data
                return b""
            framed = data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
            self._stream = zlib.decompressobj(_ZLIB if framed else _RAW)
        self._fed = self._fed or bool(data)
        try:
            return self._inflate(self._stream, data, limit)
        except zlib.error as error:
            raise UpstreamMalformed(detail=f"{self._peer} sent broken compressed data ({error})") from None

    def _inflate(self, stream: zlib._Decompress, data: bytes, limit: int) -> bytes:
        if stream.eof and data:
            stream = self._stream = self._next_member()
        out = stream.decompress(data, limit)
        self._waiting = stream.unconsumed_tail or (stream.unused_data if stream.eof else b"")
        # A full piece may have left output inside zlib with no input left to show for it.
        self.pending = bool(self._waiting) or (len(out) >= limit and not stream.eof)
        return out

    def _next_member(self) -> zlib._Decompress:
        if self._deflate:
            raise UpstreamMalformed(detail=f"{self._peer} sent bytes after the end of the compressed data")
        return zlib.decompressobj(_GZIP)

    def finish(self) -> None:
        if (self._fed or self._waiting) and (self._stream is None or not self._stream.eof):
            raise UpstreamMalformed(detail=f"{self._peer} ended its body inside the compressed data")


class _Brotli:
    """br."""

    __slots__ = ("_fed", "_peer", "_stream", "pending")

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._stream = brotli.Decompressor()
        self._fed = False
        self.pending = False

    def decode(self, raw: bytes, limit: int) -> bytes:
        self._fed = self._fed or bool(raw)
        try:
            out: bytes = self._stream.process(raw, output_buffer_limit=limit)
        except brotli.error:
            raise UpstreamMalformed(detail=f"{self._peer} sent broken compressed data (br)") from None
        # It may have taken all its input and still hold output, so a full piece means more as well.
        self.pending = len(out) >= limit or not self._stream.can_accept_more_data()
        return out

    def finish(self) -> None:
        if self._fed and not self._stream.is_finished():
            raise UpstreamMalformed(detail=f"{self._peer} ended its body inside the compressed data")
