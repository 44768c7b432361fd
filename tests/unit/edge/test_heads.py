"""Requests that begin as the one before did are not parsed again: nobody can tell, whatever stands in them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headgate.edge.heads import Head
from tests.support.aio import aio
from tests.support.raw_connection import RawConnection

__all__: list[str] = []

HEAD = (
    b"POST /v1/a?b HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer k\r\nContent-Length: %b\r\nX-Last: 1\r\n\r\n"
)


def request(body: bytes, *, length: bytes = b"", head: bytes = HEAD) -> bytes:
    return head % (length or b"%d" % len(body)) + body


def seen(raw: RawConnection) -> list[Any]:
    """What the app was told of each request."""
    return [
        {name: value for name, value in scope.items() if not name.startswith("headgate.")}
        for scope in raw.scopes
    ]


def parsed(raw: RawConnection, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What goes to the parser from now on."""
    fed: list[bytes] = []
    parse = raw.connection._parse

    def noting(data: bytes, size: int) -> None:
        fed.append(data)
        parse(data, size)

    monkeypatch.setattr(raw.connection, "_parse", noting)
    return fed


@aio
async def test_the_same_head_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the body is of another length; each request has headers and body of its own."""
    raw = RawConnection()
    await raw.say(request(b"one"))
    fed = parsed(raw, monkeypatch)
    for body in (b"two", b"three", b"", b"x" * 12_345, b"one"):
        written = await raw.say(request(body))
        assert written.endswith(b"POST /v1/a " + body)
        assert (b"content-length", b"%d" % len(body)) in raw.scopes[-1]["headers"]
        assert raw.scopes[-1]["query_string"] == b"b"
    assert fed == []
    assert (b"content-length", b"3") in raw.scopes[0]["headers"]
    assert not raw.state.tasks and not raw.transport.closed


@aio
async def test_another_head_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that differs by a single byte, such as of the key."""
    raw = RawConnection()
    await raw.say(request(b"one"))
    fed = parsed(raw, monkeypatch)
    other = request(b"two", head=HEAD.replace(b"Bearer k", b"Bearer l"))
    await raw.say(other)
    assert fed == [other]
    assert (b"authorization", b"Bearer l") in raw.scopes[1]["headers"]


@aio
async def test_empty_lines_between_requests_do_not_add_up() -> None:
    """Old clients send one after each body; the bound is on the head of one request."""
    raw = RawConnection(max_headers=200)
    for _ in range(150):
        assert b" 200 " in await raw.say(request(b"one"))
        raw.feed(b"\r\n")
    assert not raw.transport.closed and not raw.transport.ended


@aio
async def test_who_never_says_the_same_twice_is_not_waited_for() -> None:
    """Nothing is remembered for them any more: it would be for nothing."""
    raw = RawConnection()
    for number in range(10):
        await raw.say(request(b"one", head=HEAD.replace(b"X-Last", b"X-%d" % number)))
    assert raw.connection._head is None or raw.connection._other_heads == 4
    assert len(raw.scopes) == 10
    raw.leave()
    await raw.settle()
    assert raw.connection._head is None


lengths = st.sampled_from(
    [
        *(
            b"3",
            b"03",
            b"4",
            b"2",
            b"0",
            b"+3",
            b"-3",
            b" 3",
            b"3 ",
            b"\t3",
            b"3\t",
            b"3, 3",
            b"0x3",
            b"",
            b"1e1",
        ),
        *(
            b"\xb2",
            b"3\r",
            b"3\n",
            b"3\r\nContent-Length: 3",
            b"3\r\nTransfer-Encoding: chunked",
            b"3\r\n\r\n",
        ),
        *(b"9" * 9, b"9" * 30, b"000000003", b"0000000003"),
    ]
)
edits = st.sampled_from(
    [
        (b"", b""),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"\r\n\r\n", b"\n\n"),
        (b"\r\n", b"\n"),
        (b"X-Last: 1", b"Connection: close"),
        (b"X-Last: 1", b"Connection: keep-alive"),
        (b"X-Last: 1", b"Transfer-Encoding: chunked"),
        (b"X-Last: 1", b"Expect: 100-continue"),
        (b"X-Last: 1", b"Connection: upgrade\r\nUpgrade: h2c"),
        (b"X-Last: 1", b"X-Last: a\r\n content-length: 9"),
        (b"X-Last: 1", b"X-Last: content-length: 9"),
        (b"Content-Length", b"content-length"),
        (b"Content-Length: %b", b"Content-Length:   %b"),
        (b"Content-Length: %b", b"Content-Length: %b  "),
        (b"Content-Length: %b\r\n", b"X-Not-Used: %b\r\n"),
        (b"POST", b"GET"),
        (b"POST", b"HEAD"),
        (b"POST", b"\r\nPOST"),
        (b"/v1/a", b"http://elsewhere/v1/a"),
    ]
)
pieces = st.lists(
    st.tuples(edits, lengths, st.sampled_from([b"one", b"", b"a\r\n\r\n", b"GET "])), max_size=3
)


@given(edit=edits, behind=st.sampled_from([b"", b"", b"GET /c HTTP/1.1\r\n\r\n", b"\r\n"]), others=pieces)
@example(edit=(b"", b""), behind=b"", others=[((b"", b""), b"3\r\nContent-Length: 3", b"one")])
@settings(max_examples=300, deadline=None)
def test_whatever_comes_next_it_is_taken_as_the_parser_takes_it(
    edit: tuple[bytes, bytes], behind: bytes, others: list[Any]
) -> None:
    """The same requests at once, where a head may be known, and in two pieces, where it never is: the same answers, the same
    refusals, the same requests seen."""
    head = HEAD.replace(*edit)
    coming = [request(b"one", head=head), request(b"two", head=head)]
    coming += [request(body, length=length, head=HEAD.replace(*change)) for change, length, body in others]
    coming += [request(body, length=length, head=head) for _, length, body in others]
    coming[-1] += behind

    @aio
    async def check() -> None:
        known, asked = RawConnection(), RawConnection()
        for data in coming:
            if not known.connection._deaf:
                await known.say(data)
            if not asked.connection._deaf:
                await asked.say(data, by=max(len(data) - 1, 1))
        assert known.transport.written == asked.transport.written
        assert seen(known) == seen(asked)
        assert known.transport.closed == asked.transport.closed

    check()


@pytest.mark.parametrize(
    "data",
    [
        b"POST / HTTP/1.1\ncontent-length: 7\n\nab\r\n\r\n1",
        b"POST / HTTP/1.1\r\ncontent-length: 7\n\nab\r\n\r\n1",
        b"\r\nPOST / HTTP/1.1\r\ncontent-length: 7\r\n\r\nab\r\n\r\n1",
        b"POST / HTTP/1.1\r\nx: a\rb\r\ncontent-length: 7\r\n\r\nabcdefg",
        b"POST / HTTP/1.1\r\ncontent-length: 7\r\n",
        b"POST / HTTP/1.1\r\nx: content-length: 8\r\n\r\nabcdefg",
        b"POST / HTTP/1.1\r\ncontent-length: 8\r\n\r\nabcdefg",
        b"POST / HTTP/1.1\r\ncontent-length: 7\r\nx: y\r\n\r\nabcdefg",
    ],
)
def test_only_a_head_that_is_surely_this_one_is_remembered(data: bytes) -> None:
    """However a parser of tomorrow may take single line breaks: where they stand, it is asked each time."""
    head = Head({"http_version": "1.1"}, [(b"content-length", b"7")], keep_alive=True)
    assert head.remember(data) is False
