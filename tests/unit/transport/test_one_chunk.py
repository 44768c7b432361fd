"""A chunk read without the parser is read as the parser would have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.providers.transport.parsing import HeadLimits, ReplyParser, one_chunk

__all__: list[str] = []

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def parsed(*pieces: bytes) -> ReplyParser:
    parser = ReplyParser(HeadLimits(), "peer")
    parser.feed(HEAD)
    for piece in pieces:
        parser.feed(piece)
    return parser


@given(st.binary(min_size=1, max_size=5000), st.booleans())
def test_one_whole_chunk_is_what_the_parser_finds(body: bytes, upper: bool) -> None:
    """Whatever is in it, line breaks too, and however its size is written."""
    size = b"%X" % len(body) if upper else b"%x" % len(body)
    data = size + b"\r\n" + body + b"\r\n"
    assert one_chunk(data) == body == parsed(data).take()


@given(st.binary(max_size=60))
def test_what_is_read_without_the_parser_the_parser_reads_alike(data: bytes) -> None:
    """Any bytes: either they are left to the parser, or it would have found the same and stand between two chunks."""
    body = one_chunk(data)
    if body:
        parser = parsed(data)
        assert parser.take() == body and parser.between_chunks


@pytest.mark.parametrize(
    "data",
    [
        b"0\r\n\r\n",
        b"2\r\nab",
        b"2\r\nabc\r\n",
        b"1\r\na\r\n1\r\nb\r\n",
        b"2;x=y\r\nab\r\n",
        b"+2\r\nab\r\n",
        b"0_2\r\nab\r\n",
        b" 2\r\nab\r\n",
        b"zz\r\nab\r\n",
        b"\r\nab\r\n",
        b"",
    ],
)
def test_everything_else_is_left_to_the_parser(data: bytes) -> None:
    """The last chunk, parts of one, several, extensions, and what is no size."""
    assert not one_chunk(data)


def test_only_between_two_chunks_may_the_parser_be_passed_over() -> None:
    """Not before the first, not within one, not after the last."""
    parser = parsed()
    assert not parser.between_chunks
    parser.feed(b"2\r\nab\r\n")
    assert parser.between_chunks
    parser.feed(b"4\r\nab")
    assert not parser.between_chunks
    parser.feed(b"cd\r\n")
    assert parser.between_chunks
    parser.feed(b"0\r\n")
    assert not parser.between_chunks, "what comes now are trailers"
    parser.feed(b"x-trailer: 1\r\n")
    assert not parser.between_chunks
    parser.feed(b"\r\n")
    assert parser.complete and not parser.between_chunks


def test_inside_the_next_chunks_size_the_parser_must_not_be_passed_over() -> None:
    """Cut anywhere, in one piece before or byte by byte: what is left of a size line looks like a chunk of its own."""
    first, second = b"5\r\nhello\r\n", b"1a;q=1\r\n%b\r\n" % (b"x" * 26)
    body = first + second
    borders = (len(first), len(body))
    one_by_one = parsed()
    for at in range(1, len(body) + 1):
        one_by_one.feed(body[at - 1 : at])
        assert one_by_one.between_chunks == parsed(body[:at]).between_chunks == (at in borders), body[:at]
    cut = parsed(first + b"1")
    cut.feed(b"5\r\n" + b"x" * 21 + b"\r\n")
    assert cut.take() == b"hello" + b"x" * 21 and cut.between_chunks


def test_the_parser_goes_on_as_if_nothing_had_been_there() -> None:
    """Chunks it has not seen change nothing for those it sees."""
    parser = parsed(b"2\r\nab\r\n")
    assert one_chunk(b"3\r\nxyz\r\n") == b"xyz"
    parser.feed(b"2\r\ncd\r\n0\r\n\r\n")
    assert parser.take() == b"abcd" and parser.complete
