"""gzip, deflate and br, cut anywhere, bounded, and never quietly incomplete."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import UpstreamMalformed
from headgate.providers.transport.decoding import Decoder, decoder_for


def bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "gzip": (b"gzip", gzip.compress),
    "x-gzip": (b"X-GZIP", gzip.compress),
    "two members": (b"gzip", lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:])),
    "deflate": (b"deflate", zlib.compress),
    "bare deflate": (b"deflate", bare_deflate),
    "br": (b"br", lambda data: brotli.compress(data, quality=1)),
}
every_coding = pytest.mark.parametrize("name", PACKERS)


def made(coding: bytes) -> Decoder:
    decoder = decoder_for(coding, "host:1")
    assert decoder is not None
    return decoder


def undo(decoder: Decoder, pieces: list[bytes], limit: int = 1 << 16) -> bytes:
    out = b""
    for piece in pieces:
        got = decoder.decode(piece, limit)
        out += got
        while decoder.pending:
            got = decoder.decode(b"", limit)
            out += got
    decoder.finish()
    return out


@every_coding
@given(
    data=st.binary(max_size=2000), cuts=st.lists(st.integers(0, 3000), max_size=5), limit=st.integers(1, 300)
)
def test_what_was_packed_comes_out(name: str, data: bytes, cuts: list[int], limit: int) -> None:
    """However the bytes are cut, and however little is taken at a time."""
    coding, pack = PACKERS[name]
    packed = pack(data)
    borders = [0, *sorted(min(cut, len(packed)) for cut in cuts), len(packed)]
    pieces = [packed[a:b] for a, b in pairwise(borders)]
    assert undo(made(coding), [piece for piece in pieces if piece], limit) == data


@every_coding
def test_byte_by_byte_gives_the_same(name: str) -> None:
    """The smallest pieces there are."""
    coding, pack = PACKERS[name]
    data = b"some words, some words, and some more words"
    assert undo(made(coding), [bytes((byte,)) for byte in pack(data)]) == data


@every_coding
def test_a_cut_is_never_a_clean_end(name: str) -> None:
    """At every border but the last, and but the one between two members, which nothing can tell from an end."""
    coding, pack = PACKERS[name]
    packed = pack(b"some words, some words, and some more words")
    ends = {len(packed), len(gzip.compress(b"some wo")) if name == "two members" else 0}
    for cut in set(range(1, len(packed))) - ends:
        with pytest.raises(UpstreamMalformed):
            undo(made(coding), [packed[:cut]])


@every_coding
def test_an_empty_body_is_empty(name: str) -> None:
    """Servers say `content-encoding` on bodies of no bytes at all."""
    made(PACKERS[name][0]).finish()


@pytest.mark.parametrize("name", ["gzip", "deflate", "br"])
def test_a_bomb_comes_out_in_pieces(name: str) -> None:
    """50 MB of zeros: no call gives more than it was asked for, but for brotli's rounding up."""
    coding, pack = PACKERS[name]
    decoder = made(coding)
    sizes = [len(decoder.decode(pack(bytes(50_000_000)), 100_000))]
    while decoder.pending:
        sizes.append(len(decoder.decode(b"", 100_000)))
        assert sizes[-1] <= 400_000
    assert sum(sizes) == 50_000_000
    decoder.finish()


@every_coding
@given(junk=st.binary(min_size=1, max_size=200))
def test_junk_is_refused_or_decoded_but_never_crashes(name: str, junk: bytes) -> None:
    """Random bytes end in UpstreamMalformed, unless by chance they mean something."""
    with suppress(UpstreamMalformed):
        undo(made(PACKERS[name][0]), [junk])


@pytest.mark.parametrize("name", ["gzip", "deflate", "br"])
def test_bytes_behind_the_end_are_refused(name: str) -> None:
    """Nothing may hide behind the compressed data."""
    coding, pack = PACKERS[name]
    for pieces in ([pack(b"data") + b"more"], [pack(b"data"), b"more"]):
        with pytest.raises(UpstreamMalformed):
            undo(made(coding), pieces)


def test_what_was_not_asked_for_is_refused() -> None:
    """Unknown codings, and several at once; `identity` and nothing need no decoder."""
    for coding in (b"zstd", b"gzip, br", b"compress"):
        with pytest.raises(UpstreamMalformed, match="not asked for"):
            decoder_for(coding, "host:1")
    assert decoder_for(b" Identity ", "host:1") is decoder_for(b"", "host:1") is None
