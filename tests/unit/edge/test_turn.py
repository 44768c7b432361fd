"""How a reply is written: framing by the head, nothing out of order, no header that smuggles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.aio import aio
from tests.support.raw_connection import RawConnection

__all__: list[str] = []

Headers = Sequence[tuple[bytes, bytes]]


def app(headers: Headers, *pieces: bytes, last: bytes = b"") -> Any:
    """An app that sends these pieces, then `last`."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": last})

    return answer


async def written(
    answer: Any, *, method: bytes = b"GET", version: bytes = b"1.1", line: bytes = b""
) -> RawConnection:
    raw = RawConnection(answer)
    await raw.say(b"%b / HTTP/%b\r\n%b\r\n" % (method, version, line))
    return raw


@aio
async def test_a_stream_is_chunked_and_goes_on_at_once() -> None:
    """The head goes with the first piece, each further piece by itself, the mark of the end with the last."""
    raw = await written(app([], b"one", b"", b"three", last=b"end"))
    head, _, body = raw.transport.written.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert body == b"3\r\none\r\n5\r\nthree\r\n3\r\nend\r\n0\r\n\r\n"
    assert raw.transport.writes == 3 and not raw.transport.closed


@aio
async def test_a_caller_of_http_1_0_gets_a_stream_that_ends_with_the_connection() -> None:
    """It knows no chunks; and the end is an ordinary one."""
    raw = await written(app([], b"one", last=b"end"), version=b"1.0", line=b"connection: keep-alive\r\n")
    head, _, body = raw.transport.written.partition(b"\r\n\r\n")
    assert b"chunked" not in head and b"connection: close" in head
    assert body == b"oneend" and raw.transport.closed


@aio
async def test_a_caller_of_http_1_0_keeps_its_connection_if_it_asks() -> None:
    """With a length in the head, and told so, since 1.0 closes by default."""
    sized = app([(b"content-length", b"3")], last=b"end")
    raw = await written(sized, version=b"1.0", line=b"connection: keep-alive\r\n")
    assert b"connection: keep-alive" in raw.transport.written and not raw.transport.closed
    raw = await written(sized, version=b"1.0")
    assert b"connection: close" in raw.transport.written and raw.transport.closed


@aio
async def test_head_has_no_body() -> None:
    """Neither of a sized nor of a chunked reply."""
    for headers in ([(b"content-length", b"3")], []):
        raw = await written(app(headers, last=b"end"), method=b"HEAD")
        assert raw.transport.written.endswith(b"\r\n\r\n") and b"end" not in raw.transport.written
        assert not raw.transport.closed


@aio
async def test_connection_close_is_obeyed_both_ways() -> None:
    """Asked for by the caller or by the app; said once."""
    sized = (b"content-length", b"3")
    for raw in (
        await written(app([sized], last=b"end"), line=b"connection: close\r\n"),
        await written(app([sized, (b"connection", b"close")], last=b"end")),
    ):
        assert raw.transport.written.count(b"connection: close") == 1 and raw.transport.closed


@pytest.mark.parametrize("length", [b"2", b"4"])
@aio
async def test_a_body_of_another_length_than_promised_never_looks_complete(
    length: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection ends, and the log says why."""
    raw = await written(app([(b"content-length", length)], last=b"end"))
    assert raw.transport.closed and b"end" not in raw.transport.written
    assert "not as long as its head says" in caplog.text


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\r\n\r\nHTTP/1.1 200 OK"])
@aio
async def test_a_line_break_in_a_header_is_not_sent(value: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """It could be a header or a whole reply of somebody else's making."""
    raw = await written(app([(b"content-length", b"3"), (b"x-name", value)], last=b"end"))
    assert raw.transport.written.startswith(b"HTTP/1.1 500 ") and b"x-name" not in raw.transport.written
    assert "line break" in caplog.text


@aio
async def test_messages_out_of_order_are_bugs(caplog: pytest.LogCaptureFixture) -> None:
    """Two heads, a body without one, a body after the end."""

    async def twice(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def headless(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.body", "body": b"x"})

    async def late(scope: Any, receive: Any, send: Any) -> None:
        await app([], last=b"x")(scope, receive, send)
        await send({"type": "http.response.body", "body": b"more"})

    for answer in (twice, headless, late):
        caplog.clear()
        raw = await written(answer)
        assert b"more" not in raw.transport.written
        assert "RuntimeError" in caplog.text


@aio
async def test_after_the_answer_the_app_hears_that_it_is_over() -> None:
    """`receive` does not wait for a next request."""
    heard: list[str] = []

    async def asking(scope: Any, receive: Any, send: Any) -> None:
        await app([], last=b"x")(scope, receive, send)
        heard.append((await receive())["type"])

    await written(asking)
    assert heard == ["http.disconnect"]


def pushing(*pieces: bytes, headers: Headers = (), many: bool = False) -> Any:
    """An app that sends a first piece and pushes the rest. many: as who has many to push."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        push = scope["headgate.turn"].pusher() if many else scope["headgate.turn"].push
        for piece in pieces:
            scope["said"] = push(piece)
        await send({"type": "http.response.body", "body": b"end"})

    return answer


@pytest.mark.parametrize("many", [False, True])
@aio
async def test_pushed_pieces_are_chunks_like_all_others(many: bool) -> None:
    """An empty one is none: it would be the mark of the end."""
    raw = await written(pushing(b"two", b"", b"three", many=many))
    body = raw.transport.written.partition(b"\r\n\r\n")[2]
    assert body == b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n3\r\nend\r\n0\r\n\r\n"
    assert raw.scopes[0]["said"] is True
    raw = await written(pushing(b"two", b"", b"three", many=many), version=b"1.0")
    assert raw.transport.written.endswith(b"\r\n\r\nonetwothreeend") and raw.transport.closed


@pytest.mark.parametrize("size", [1, 15, 16, 2047, 2048, 70_000])
@aio
async def test_a_chunk_says_how_long_it_is(size: int) -> None:
    """Short ones from a table, long ones worked out."""
    raw = await written(pushing(b"x" * size, many=True))
    assert b"\r\n%x\r\n%b\r\n3\r\nend" % (size, b"x" * size) in raw.transport.written


@aio
async def test_pushing_says_when_the_caller_does_not_read() -> None:
    """What was pushed is not lost; whoever pushed goes on by waiting."""
    told: list[bool] = []

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        scope["headgate.connection"].pause_writing()
        told.append(scope["headgate.turn"].push(b"two"))
        scope["headgate.connection"].resume_writing()
        told.append(scope["headgate.turn"].push(b"three"))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    raw = await written(answer)
    assert told == [False, True]
    assert raw.transport.written.endswith(b"3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n")


@aio
async def test_nothing_is_pushed_out_of_order(caplog: pytest.LogCaptureFixture) -> None:
    """Before the head is out, after the end, or into a body whose length was promised."""

    async def early(scope: Any, receive: Any, send: Any) -> None:
        scope["headgate.turn"].push(b"x")

    async def unsent(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        scope["headgate.turn"].push(b"x")

    async def late(scope: Any, receive: Any, send: Any) -> None:
        await pushing()(scope, receive, send)
        scope["headgate.turn"].push(b"x")

    for answer in (early, unsent, late, pushing(b"x", headers=[(b"content-length", b"7")])):
        caplog.clear()
        raw = await written(answer)
        assert not raw.transport.written.endswith(b"x")
        assert "RuntimeError" in caplog.text


@aio
async def test_pushing_to_a_caller_who_has_left_goes_nowhere() -> None:
    """And does not hold up whoever drains the provider."""
    told: list[bool] = []

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        scope["headgate.connection"].connection_lost(None)
        told.append(scope["headgate.turn"].push(b"two"))

    raw = await written(answer)
    assert told == [True] and not raw.transport.written.endswith(b"two\r\n")


def ending(last: bytes, *, headers: Headers = (), first: bytes = b"one") -> Any:
    """An app that begins with a first piece, and ends without waiting if it may."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        turn = scope["headgate.turn"]
        if headers:
            await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
            await send({"type": "http.response.body", "body": first, "more_body": True})
        else:
            turn.begin(200, [], first)
        scope["said"] = turn.end(last)
        if not scope["said"]:
            await send({"type": "http.response.body", "body": last})

    return answer


@pytest.mark.parametrize("last", [b"", b"end"])
@aio
async def test_the_last_piece_goes_with_the_mark_of_the_end(last: bytes) -> None:
    """In one write; and the next request is answered on the same connection."""
    raw = await written(ending(last))
    chunk = b"3\r\nend\r\n" if last else b""
    assert raw.transport.written.endswith(b"\r\n\r\n3\r\none\r\n" + chunk + b"0\r\n\r\n")
    assert raw.scopes[0]["said"] is True and raw.transport.writes == 2
    assert not raw.transport.closed and raw.state.total_requests == 1
    assert (await raw.say(b"GET / HTTP/1.1\r\n\r\n")).endswith(b"0\r\n\r\n")
    assert raw.state.total_requests == 2


@aio
async def test_only_chunks_are_ended_without_waiting() -> None:
    """A body of a length that was promised, and one that the connection's end will end, go by `send`, which counts and closes."""
    raw = await written(ending(b"end", headers=[(b"content-length", b"6")]))
    assert raw.scopes[0]["said"] is False
    assert raw.transport.written.endswith(b"\r\n\r\noneend") and not raw.transport.closed
    raw = await written(ending(b"end"), version=b"1.0")
    assert raw.scopes[0]["said"] is False
    assert raw.transport.written.endswith(b"\r\n\r\noneend") and raw.transport.closed


@aio
async def test_before_the_head_is_out_nothing_is_ended() -> None:
    """Neither before it is begun nor while it waits for the first piece."""
    told: list[bool] = []

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        told.append(scope["headgate.turn"].end(b"x"))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        told.append(scope["headgate.turn"].end(b"x"))
        await send({"type": "http.response.body", "body": b"end"})

    raw = await written(answer)
    assert told == [False, False]
    assert raw.transport.written.endswith(b"\r\n\r\n3\r\nend\r\n0\r\n\r\n")


@aio
async def test_the_end_waits_for_whoever_reads_slowly() -> None:
    """Nothing is written, and nothing lost: `send` waits."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        scope["headgate.turn"].begin(200, [], b"one")
        scope["headgate.connection"].pause_writing()
        await ending_only(scope, send)

    async def ending_only(scope: Any, send: Any) -> None:
        scope["said"] = scope["headgate.turn"].end(b"end")
        await send({"type": "http.response.body", "body": b"end"})

    raw = await written(answer)
    assert raw.scopes[0]["said"] is False and raw.transport.written.endswith(b"3\r\none\r\n")
    raw.connection.resume_writing()
    await raw.settle()
    assert raw.transport.written.endswith(b"3\r\none\r\n3\r\nend\r\n0\r\n\r\n")


@aio
async def test_a_reply_ends_once(caplog: pytest.LogCaptureFixture) -> None:
    """Twice is a bug, and nothing more leaves: the next reply's bytes would follow."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await ending(b"end")(scope, receive, send)
        scope["headgate.turn"].end(b"x")

    raw = await written(answer)
    assert raw.transport.written.endswith(b"3\r\nend\r\n0\r\n\r\n") and raw.state.total_requests == 1
    assert "RuntimeError" in caplog.text


@aio
async def test_the_end_for_a_caller_who_has_left_goes_nowhere() -> None:
    """Neither it nor the `send` that follows."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        scope["headgate.turn"].begin(200, [], b"one")
        scope["headgate.connection"].connection_lost(None)
        scope["said"] = scope["headgate.turn"].end(b"end")
        await send({"type": "http.response.body", "body": b"end"})

    raw = await written(answer)
    assert raw.scopes[0]["said"] is False and raw.transport.written.endswith(b"3\r\none\r\n")


@aio
async def test_the_end_of_a_reply_that_did_not_wait_for_the_request_closes() -> None:
    """What follows could not be told from a request; and the head says so."""
    raw = RawConnection(ending(b"end"))
    await raw.say(b"POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n")
    assert b"connection: close\r\n" in raw.transport.written and raw.transport.ended
    assert raw.transport.written.endswith(b"3\r\nend\r\n0\r\n\r\n")


def at_once(body: bytes, *headers: tuple[bytes, bytes]) -> Any:
    """An app that takes the request and answers it without ASGI's messages, as far as that goes."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        turn = scope["headgate.turn"]
        scope["asked"] = turn.whole_body()
        scope["said"] = turn.whole(200, list(headers), body)

    return answer


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@aio
async def test_a_whole_reply_is_the_same_in_one_piece_and_in_messages(method: bytes, version: bytes) -> None:
    """Only that nobody waits between head and body."""
    sized = app([(b"x-name", b"a"), (b"content-length", b"3")], last=b"end")
    by_messages = await written(sized, method=method, version=version)
    raw = await written(at_once(b"end", (b"x-name", b"a")), method=method, version=version)
    assert raw.transport.written == by_messages.transport.written
    assert raw.transport.closed == by_messages.transport.closed and raw.transport.writes == 1
    assert raw.scopes[0]["said"] is True


@aio
async def test_a_whole_reply_closes_when_it_is_to() -> None:
    """Said once, as with messages."""
    raw = await written(at_once(b"end", (b"connection", b"close")))
    assert raw.transport.written.count(b"connection: close") == 1 and raw.transport.closed


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb"])
@aio
async def test_a_whole_reply_smuggles_nothing(value: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A line break in a header, and nothing of it is sent."""
    raw = await written(at_once(b"end", (b"x-name", value)))
    assert raw.transport.written.startswith(b"HTTP/1.1 500 ") and "line break" in caplog.text


@aio
async def test_a_whole_reply_waits_for_whoever_reads_slowly() -> None:
    """It is not begun: whoever answers goes on by messages, which wait."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        scope["headgate.connection"].pause_writing()
        scope["said"] = scope["headgate.turn"].whole(200, [], b"end")
        scope["headgate.connection"].resume_writing()
        await app([(b"content-length", b"3")], last=b"new")(scope, receive, send)

    raw = await written(answer)
    assert raw.scopes[0]["said"] is False
    assert raw.transport.written.endswith(b"\r\n\r\nnew") and b"end" not in raw.transport.written


@aio
async def test_only_a_body_that_is_here_is_taken_whole() -> None:
    """Who waits for leave to send it has not sent it, and is given leave by `receive`."""
    whole = RawConnection(at_once(b"x"))
    await whole.say(b"POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc")
    assert whole.scopes[0]["asked"] == b"abc"
    waiting = RawConnection(at_once(b"x"))
    await waiting.say(b"POST / HTTP/1.1\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n")
    assert waiting.scopes[0]["asked"] is None
