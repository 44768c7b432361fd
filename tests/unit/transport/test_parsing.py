"""Replies parsed the same however their bytes are cut; broken ones never as complete."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import UpstreamMalformed
from headgate.providers.transport.parsing import HeadLimits, ReplyParser

LIMITS = HeadLimits()
LENGTH = (
    b"HTTP/1.1 200 OK\r\nServer: x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 11\r\n\r\nhello world"
)
CHUNKED = (
    b"HTTP/1.1 100 Continue\r\nx: y\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;q=1\r\n \r\n5\r\nworld\r\n0\r\nt: v\r\n\r\n"
)


def fed(*pieces: bytes, parser: ReplyParser | None = None) -> tuple[ReplyParser, bytes]:
    parser = parser or ReplyParser(LIMITS, "host:1")
    parser.expect(no_body=False)
    body = b""
    for piece in pieces:
        parser.feed(piece)
        body += parser.take()
    return parser, body


def told(parser: ReplyParser) -> tuple[object, ...]:
    return parser.status, list(parser.headers), parser.complete, parser.keep


@pytest.mark.parametrize("reply", [LENGTH, CHUNKED])
def test_cut_anywhere_it_is_the_same_reply(reply: bytes) -> None:
    """In two at every border, and byte by byte, also as the second reply of a connection."""
    whole, body = fed(reply)
    assert body == b"hello world"
    assert whole.complete and whole.keep
    for cut in range(1, len(reply)):
        parser, got = fed(reply[:cut], reply[cut:])
        assert (told(parser), got) == (told(whole), body), cut
    for _ in range(2):
        parser, got = fed(*(reply[at : at + 1] for at in range(len(reply))), parser=whole)
        assert got == body
        assert parser.complete and parser.keep


@pytest.mark.parametrize("reply", [LENGTH, CHUNKED])
def test_no_beginning_of_a_reply_is_complete(reply: bytes) -> None:
    """Every proper prefix still waits for more."""
    for cut in range(len(reply)):
        parser, _ = fed(reply[:cut])
        assert not parser.complete, cut
        assert not parser.ends_with_connection


@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_at_all_are_parsed_or_refused(data: bytes) -> None:
    """Whole and byte by byte come to the same end."""

    def outcome(*pieces: bytes) -> object:
        try:
            parser, body = fed(*pieces)
        except UpstreamMalformed:
            return "refused"
        return told(parser), body

    assert outcome(data) == outcome(*(data[at : at + 1] for at in range(len(data))))


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    st.integers(0, 400),
    st.sampled_from([b"", b"X", b"\r\n", b"0\r\n\r\n", b"\xff\xff"]),
)
def test_a_tampered_chunked_body_is_never_more_than_was_sent(
    pieces: list[bytes], at: int, put: bytes
) -> None:
    """Bytes thrown into the framing: the parser refuses, waits, or has exactly the bytes of the frames it accepted."""
    frames = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    at %= len(frames) + 1
    tampered = frames[:at] + put + frames[at:]
    try:
        parser, body = fed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", tampered)
    except UpstreamMalformed:
        return
    if parser.complete:
        assert len(body) <= len(tampered)
        if not put:
            assert body == b"".join(pieces)


@pytest.mark.parametrize("behind", [LENGTH, b"junk", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_bytes_behind_a_complete_reply_cost_the_connection(behind: bytes) -> None:
    """They are in neither the body nor the headers, and `keep` is off."""
    parser, body = fed(LENGTH + behind)
    assert body == b"hello world"
    assert len(parser.headers) == 4
    assert parser.complete
    assert not parser.keep


def test_names_are_in_lower_case_and_values_untouched() -> None:
    """In the order they came, doubles included."""
    parser, _ = fed(LENGTH)
    assert parser.headers == [
        (b"server", b"x"),
        (b"set-cookie", b"a"),
        (b"set-cookie", b"b"),
        (b"content-length", b"11"),
    ]


def test_an_offer_to_upgrade_is_not_an_upgrade() -> None:
    """Some servers announce other protocols on ordinary replies."""
    parser, body = fed(LENGTH.replace(b"Server: x", b"Connection: Upgrade\r\nUpgrade: h2c"))
    assert (parser.status, body, parser.complete) == (200, b"hello world", True)


def test_a_coding_that_changes_nothing_leaves_the_headers_alone() -> None:
    """And two codings, in one line or two, are refused."""
    start = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n"
    parser, _ = fed(start + b"content-encoding: identity\r\n\r\n")
    assert parser.decoder() is None
    assert len(parser.headers) == 2
    parser, _ = fed(start + b"content-encoding: gzip\r\n\r\n")
    assert parser.decoder() is not None
    assert parser.headers == []
    parser, _ = fed(start + b"content-encoding: gzip\r\ncontent-encoding: br\r\n\r\n")
    with pytest.raises(UpstreamMalformed):
        parser.decoder()


def test_a_promise_of_keep_alive_is_heard() -> None:
    """A second less than promised; nonsense is no promise."""
    for text, seconds in ((b"timeout=5, max=100", 4.0), (b"Timeout = 0", 0.0), (b"max=3", None)):
        parser, _ = fed(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nkeep-alive: %b\r\n\r\n" % text)
        assert parser.keepalive_seconds == seconds


def test_a_head_at_the_limits_passes_and_one_over_does_not() -> None:
    """Lines, number of lines, and all of it together, also when it comes in one piece."""
    limits = HeadLimits(head=2000, line=1000, count=10)
    start, end = b"HTTP/1.1 200 OK\r\n", b"content-length: 0\r\n\r\n"
    cases = [
        (b"x: " + b"a" * 995 + b"\r\n", True),
        (b"x: " + b"a" * 996 + b"\r\n", False),
        (b"x: y\r\n" * 9, True),
        (b"x: y\r\n" * 10, False),
        ((b"x: " + b"a" * 900 + b"\r\n") * 3, False),
    ]
    for lines, passes in cases:
        parser = ReplyParser(limits, "host:1")
        if passes:
            parser.feed(start + lines + end)
            assert parser.complete
        else:
            with pytest.raises(UpstreamMalformed, match="head"):
                parser.feed(start + lines + end)


def outcome(*pieces: bytes) -> tuple[object, ...]:
    parser = ReplyParser(LIMITS, "host:1")
    try:
        parser, body = fed(*pieces, parser=parser)
        coded = parser.decoder() is not None if parser.status else False
    except UpstreamMalformed:
        return ("malformed",)
    told_of_end = (parser.ends_with_connection, parser.keepalive_seconds, coded)
    # With bytes behind it a reply costs its connection; where they were cut off, they have not come yet.
    return parser.status, list(parser.headers), body, parser.complete, parser.keep, told_of_end


STATUS_LINES = ["HTTP/1.1 200 OK"] * 6 + [
    "HTTP/1.1 503 Service Unavailable",
    "HTTP/1.1 204 No Content",
    "HTTP/1.1 304 Not Modified",
    "HTTP/1.0 200 OK",
    "HTTP/1.1 200",
    "HTTP/1.1  200 OK",
    "HTTP/1.1 999 Odd",
    "http/1.1 200 OK",
]
SIZES = (
    ["Content-Length: 5"] * 4
    + ["Transfer-Encoding: chunked"] * 4
    + [
        "content-length: 4",
        "Content-Length:5",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length : 5",
        "Transfer-Encoding: Chunked ",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity",
        "X-None: 1",
    ]
)
OTHERS = st.sampled_from(
    [
        "Date: Sun, 22 Nov 2026 10:00:00 GMT",
        "Connection: keep-alive",
        "Connection: close",
        "Connection: Keep-Alive, x",
        "Keep-Alive: timeout=5, max=100",
        "Keep-Alive: max=100",
        "Content-Encoding: gzip",
        "Content-Encoding: identity",
        "Upgrade: h2c",
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
        "X-Spaces:  a \t b ",
        "X-Empty:",
        "X-Empty: ",
        "X-High: \xe9\xff",
        "X-Zero: a\0b",
        "X-Return: a\rb",
        "X-Feed: a\nb",
        " folded: x",
        "no colon",
        "X Name: y",
        ": nameless",
        "",
    ]
)
BODIES = (
    ["hello"] * 4
    + ["5\r\nhello\r\n0\r\n\r\n"] * 4
    + [
        "",
        "hell",
        "hello!",
        "005\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nx: y\r\n\r\n",
        "5;x=y\r\nhello\r\n0\r\n\r\n",
        "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        "0\r\n\r\n",
        "0\r\n\r\n0\r\n\r\n",
        "4\r\nhello\r\n0\r\n\r\n",
        "1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
    ]
)


@given(
    st.sampled_from(STATUS_LINES),
    st.lists(OTHERS, max_size=3),
    st.sampled_from(SIZES),
    st.lists(OTHERS, max_size=2),
    st.sampled_from(BODIES),
)
def test_a_reply_in_one_piece_is_what_it_is_in_two(
    status: str, before: list[str], size: str, after: list[str], body: str
) -> None:
    """What comes at once may be read in a quicker way; that changes nothing, down to what is refused."""
    head = "\r\n".join([status, *before, size, *after, "", ""])
    reply = (head + body).encode("latin-1")
    assert outcome(reply) == outcome(reply[:1], reply[1:])
