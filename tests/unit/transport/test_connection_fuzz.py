"""A connection fed by hand: whatever the provider's bytes and their borders, it ends, and tells the truth."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.errors import TransportFault, UpstreamCut
from headgate.providers.transport.connection import Stage
from tests.support.fake_wire import begin, wired


async def exchange(pieces: list[bytes], *, ends: bool) -> tuple[Any, ...]:
    """One exchange whose reply is `pieces`, then, if asked, the end: (status, headers, body, fault, kept)."""
    connection, wire, lane = await wired()
    answer = begin(connection)
    await asyncio.sleep(0)
    for piece in pieces:
        if not wire.over:
            connection.data_received(piece)
    if ends and not wire.over:
        connection.eof_received()
    status, headers, body = 0, None, b""
    fault: type[BaseException] | None = None
    try:
        async with asyncio.timeout(5):
            if not ends and not answer.done():
                return ("no head yet",)
            reply = await answer
            status, headers = reply.status, list(reply.headers)
            if reply.whole is not None:
                body = reply.whole
            elif ends or connection.stage is Stage.IDLE or wire.over:
                while data := await reply.chunk():
                    body += data
    except TransportFault as error:
        fault = type(error)
    kept = connection.stage is Stage.IDLE
    assert lane.open == (0 if wire.over else 1)
    connection.close()
    assert lane.open == 0
    return status, headers, body, fault, kept


def run(pieces: list[bytes], *, ends: bool = True) -> tuple[Any, ...]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(exchange(pieces, ends=ends))


def frames(pieces: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


HEAD = b"HTTP/1.1 200 OK\r\n"
replies = st.one_of(
    st.binary(max_size=60).map(lambda body: HEAD + b"content-length: %d\r\n\r\n" % len(body) + body),
    st.lists(st.binary(min_size=1, max_size=20), max_size=4).map(
        lambda pieces: HEAD + b"transfer-encoding: chunked\r\n\r\n" + frames(pieces)
    ),
)


def cut(data: bytes, borders: list[int]) -> list[bytes]:
    marks = [0, *sorted({border % (len(data) + 1) for border in borders}), len(data)]
    return [data[a:b] for a, b in pairwise(marks) if a < b]


@settings(max_examples=150, deadline=None)
@given(replies, st.lists(st.integers(0, 500), max_size=6))
def test_borders_change_nothing(reply: bytes, borders: list[int]) -> None:
    """Cut at random, or byte by byte, the reply is the one that came whole."""
    whole = run([reply], ends=False)
    assert whole[3] is None and whole[4]
    assert run(cut(reply, borders), ends=False) == whole
    assert run([bytes((byte,)) for byte in reply], ends=False) == whole


@settings(max_examples=200, deadline=None)
@given(replies, st.integers(0, 500), st.lists(st.integers(0, 500), max_size=3))
def test_a_reply_that_breaks_off_is_a_fault(reply: bytes, at: int, borders: list[int]) -> None:
    """Any proper beginning, however cut, followed by the end: never a clean reply."""
    status, _, _, fault, kept = run(cut(reply[: at % len(reply)], borders))
    assert fault is not None and not kept
    assert (fault is UpstreamCut) == (status != 0)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(
        [b"", HEAD, HEAD + b"transfer-encoding: chunked\r\n\r\n", HEAD + b"content-length: 9\r\n\r\n"]
    ),
    st.lists(
        st.one_of(
            st.binary(max_size=12),
            st.sampled_from(
                [b"\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n", b"ffffffffffffffff\r\n", b"-1\r\n", HEAD]
            ),
        ),
        max_size=6,
    ),
)
def test_no_bytes_make_it_hang_or_crash(start: bytes, pieces: list[bytes]) -> None:
    """Broken chunking, stray heads, noise: it ends with a reply or a fault, and the slot is free."""
    run([start, *pieces])
