"""The server's own HTTP/1.1 connection, byte by byte, without a socket."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.aio import aio
from tests.support.raw_connection import RawConnection, echo

__all__: list[str] = []

GET = b"GET /a HTTP/1.1\r\nhost: h\r\n\r\n"


def post(body: bytes, *lines: bytes, target: bytes = b"/b") -> bytes:
    head = b"".join(line + b"\r\n" for line in lines)
    return b"POST %b HTTP/1.1\r\nhost: h\r\n%bcontent-length: %d\r\n\r\n%b" % (target, head, len(body), body)


def bodies(written: bytes) -> list[bytes]:
    """The bodies of all complete replies, by their content-length."""
    found = []
    while written:
        head, _, rest = written.partition(b"\r\n\r\n")
        length = next(
            int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        )
        found.append(rest[:length])
        written = rest[length:]
    return found


def refusal(written: bytes) -> tuple[int, str]:
    """Status and code of the last reply, which must say that the connection closes."""
    head, _, body = written[written.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    error = json.loads(body)["error"]
    assert error["message"]
    return int(head.split(b" ")[1]), error["code"]


class Held:
    """An app that answers when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.began = 0
        self.ended = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.began += 1
        await receive()
        await self.go.wait()
        await echo(scope, receive, send)
        self.ended += 1


@aio
async def test_a_request_is_answered_in_one_write() -> None:
    """Head and body leave together, with the standing headers of the server."""
    raw = RawConnection()
    written = await raw.say(post(b"hello"))
    assert written.startswith(b"HTTP/1.1 200 OK\r\ndate: now\r\n")
    assert bodies(written) == [b"POST /b hello"]
    assert raw.transport.writes == 1 and not raw.transport.closed
    assert raw.scopes[0]["client"] == ("192.0.2.7", 4711)
    assert (b"host", b"h") in raw.scopes[0]["headers"]


@given(size=st.integers(1, 40), body=st.binary(max_size=60))
@settings(max_examples=40, deadline=None)
def test_pieces_make_no_difference(size: int, body: bytes) -> None:
    """However the bytes are cut, three requests on one connection get three answers."""

    @aio
    async def check() -> None:
        raw = RawConnection()
        chunked = b"POST /c HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (
            max(len(body), 1),
            body or b"x",
        )
        written = b""
        for request in (GET, post(body), chunked):
            written += await raw.say(request, by=size)
        assert bodies(written) == [b"GET /a ", b"POST /b " + body, b"POST /c " + (body or b"x")]

    check()


@given(data=st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_garbage_never_breaks_the_connection(data: bytes) -> None:
    """Whatever comes: no exception, and either nothing yet, a whole answer, or a refusal and the end."""

    @aio
    async def check() -> None:
        raw = RawConnection()
        written = await raw.say(data)
        if written:
            assert written.startswith(b"HTTP/1.1 ") and bodies(written)
        raw.time.advance(1000)
        await raw.settle()
        assert raw.transport.closed and not raw.state.connections and not raw.state.tasks

    check()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.7\r\n\r\n",
        b"BREW /pot HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nname : value\r\n\r\n",
        b"GET / HTTP/1.1\r\nname: value\r\n folded\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: +3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\ncontent-length: 3, 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\ncontent-length: 99999999999999999999999\r\n\r\nabc",
        b"POST / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\nabc",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked, gzip\r\n\r\nabc",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        b"CONNECT elsewhere:443 HTTP/1.1\r\nhost: elsewhere\r\n\r\n",
    ],
    ids=lambda data: data[:60].decode("latin-1"),
)
@aio
async def test_what_is_not_plain_http_is_refused_and_never_runs(request_bytes: bytes) -> None:
    """400 in words, our side closed; nothing of it reaches the app, so nothing can be smuggled."""
    raw = RawConnection()
    written = await raw.say(request_bytes + GET)
    assert refusal(written)[0] == 400 and written.count(b"HTTP/1.1 ") == 1
    assert raw.scopes == []
    assert raw.transport.ended


@aio
async def test_garbage_behind_a_good_request_leaves_it_its_answer() -> None:
    """The good one is answered, as the last on this connection."""
    held = Held()
    raw = RawConnection(held)
    assert await raw.say(GET + b"\x00garbage\r\n\r\n") == b""
    held.go.set()
    await raw.settle()
    assert bodies(raw.transport.written) == [b"GET /a "] and raw.transport.closed
    assert b"connection: close" in raw.transport.written


@aio
async def test_a_refusal_is_never_the_answer_to_another_request() -> None:
    """A second request with too many headers does not give the first, still under way, a 431."""
    held = Held()
    raw = RawConnection(held, max_header_count=5)
    await raw.say(GET)
    await raw.say(b"GET /second HTTP/1.1\r\n" + b"a: b\r\n" * 9 + b"\r\n")
    assert raw.transport.written == b"" and not raw.transport.closed
    held.go.set()
    await raw.settle()
    assert bodies(raw.transport.written) == [b"GET /a "] and raw.transport.closed


@aio
async def test_requests_that_come_early_wait_and_are_answered_in_order() -> None:
    """Pipelining: one at a time, nothing read ahead without bound."""
    held = Held()
    raw = RawConnection(held)
    await raw.say(b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % number for number in range(5)))
    assert held.began == 1 and not raw.transport.reading
    held.go.set()
    await raw.settle()
    await raw.settle()
    assert bodies(raw.transport.written) == [b"GET /%d " % number for number in range(5)]
    assert raw.transport.reading and not raw.transport.closed


@aio
async def test_a_caller_who_leaves_takes_the_waiting_requests_along() -> None:
    """The app hears it at once, and what has not begun never does."""
    held = Held()
    raw = RawConnection(held)
    await raw.say(GET + GET)
    left: list[str] = []
    raw.connection.on_hangup = lambda: left.append("gone")
    raw.leave()
    held.go.set()
    await raw.settle()
    assert left == ["gone"] and held.began == 1
    assert not raw.state.connections and not raw.state.tasks and raw.time.waiting == 0


@aio
async def test_a_caller_who_leaves_is_noticed_also_after_a_large_body() -> None:
    """A body over the read-ahead pauses reading; once it is here whole, reading goes on, or nobody would see the end."""
    held = Held()
    raw = RawConnection(held)
    await raw.say(post(b"x" * 200_000))
    assert held.began == 1 and raw.transport.reading


@aio
async def test_a_large_body_is_not_read_ahead_of_the_app() -> None:
    """An app that does not ask stops the caller at some 64 kB."""

    async def idle(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    raw = RawConnection(idle)
    await raw.say(post(b"x" * 500_000)[:100_000])
    assert not raw.transport.reading
    raw.leave()
    for task in list(raw.state.tasks):
        task.cancel()
    await raw.settle()


@pytest.mark.parametrize("by", [0, 1000, 65_536], ids=["at once", "in small pieces", "in large pieces"])
@pytest.mark.parametrize("kind", ["many", "one line", "target"])
@aio
async def test_a_head_over_the_bound_is_refused_however_it_comes(kind: str, by: int) -> None:
    """Also one that is complete in the very packet in which it becomes too long."""
    raw = RawConnection()
    if kind == "many":
        head = (
            b"GET / HTTP/1.1\r\n" + b"".join(b"x-%d: %b\r\n" % (n, b"v" * 600) for n in range(150)) + b"\r\n"
        )
    elif kind == "one line":
        head = b"GET / HTTP/1.1\r\nx: " + b"v" * 90_000 + b"\r\n\r\n"
    else:
        head = b"GET /" + b"v" * 90_000 + b" HTTP/1.1\r\n\r\n"
    assert refusal(await raw.say(head, by=by)) == (431, "headers_too_large")
    assert raw.scopes == []


@aio
async def test_a_head_within_the_bound_passes_beside_a_large_body() -> None:
    """The body does not count."""
    raw = RawConnection()
    assert len(bodies(await raw.say(post(b"x" * 300_000)))[0]) == 300_008
    assert len(bodies(await raw.say(post(b"x" * 300_000), by=70_000))[0]) == 300_008


@aio
async def test_too_many_headers_are_refused() -> None:
    """200, unless the operator says otherwise."""
    raw = RawConnection()
    assert refusal(await raw.say(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 201 + b"\r\n"))[0] == 431
    assert bodies(await RawConnection().say(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n"))


@aio
async def test_trailers_are_no_headers() -> None:
    """What comes behind the body cannot say who is asking."""
    raw = RawConnection()
    await raw.say(
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nx-headgate-user: root\r\n\r\n"
    )
    assert [name for name, _ in raw.scopes[0]["headers"]] == [b"transfer-encoding"]


@pytest.mark.parametrize("flood", [b"a: b\r\n", b"a"], ids=["many trailers", "one huge trailer"])
@aio
async def test_trailers_have_a_bound(flood: bytes) -> None:
    """A flood of them is refused like one of headers."""
    raw = RawConnection(echo)
    await raw.say(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n")
    for _ in range(40):
        await raw.say(flood * (2_000 // len(flood)))
    assert refusal(raw.transport.written) == (431, "headers_too_large")


@aio
async def test_a_slow_head_is_refused() -> None:
    """`server.request_time` counts from the first byte."""
    raw = RawConnection(request_time=10.0)
    raw.feed(b"GET / HTTP/1.1\r\n")
    for _ in range(9):
        raw.time.advance(1)
        raw.feed(b"x: y\r\n")
    assert raw.transport.written == b""
    raw.time.advance(12)
    assert refusal(raw.transport.written) == (408, "request_too_slow") and raw.transport.ended


@aio
async def test_a_slow_body_is_refused_and_its_app_told() -> None:
    """Also when the app has begun to read."""
    ended: list[str] = []

    async def reading(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            pass
        ended.append(message["type"])

    raw = RawConnection(reading, request_time=10.0)
    await raw.say(post(b"x" * 300_000)[:100_000])
    raw.time.advance(25)
    await raw.settle()
    assert refusal(raw.transport.written) == (408, "request_too_slow")
    assert ended == ["http.disconnect"] and not raw.state.tasks


@aio
async def test_a_slow_second_request_does_not_end_the_first() -> None:
    """And afterwards a caller who does not read is still noticed."""
    held = Held()
    raw = RawConnection(held, request_time=10.0, write_stall=10.0)
    await raw.say(GET + b"GET /slow")
    raw.time.advance(30)
    await raw.settle()
    assert raw.transport.written == b"" and not raw.transport.closed
    raw.connection.pause_writing()
    raw.time.advance(25)
    assert raw.transport.aborted
    held.go.set()
    await raw.settle()


@aio
async def test_an_idle_connection_is_closed() -> None:
    """After `keep_alive`; one that never said anything after `request_time`."""
    raw = RawConnection(keep_alive=20.0, request_time=5.0)
    await raw.say(GET)
    raw.time.advance(19)
    assert not raw.transport.closed
    raw.time.advance(7)
    assert raw.transport.closed
    silent = RawConnection(request_time=5.0)
    silent.time.advance(6)
    assert silent.transport.closed and silent.transport.written == b""
    await raw.settle()


@aio
async def test_an_answer_may_take_as_long_as_it_takes() -> None:
    """No deadline of the connection counts while the app works."""
    held = Held()
    raw = RawConnection(held, keep_alive=1.0, request_time=1.0, write_stall=1.0)
    await raw.say(GET)
    raw.time.advance(500)
    assert not raw.transport.closed
    held.go.set()
    await raw.settle()
    assert bodies(raw.transport.written)


@aio
async def test_a_connection_that_idles_after_a_slow_read_is_closed() -> None:
    """A reply that was stuck for a while does not take the deadline of what follows with it."""

    async def large(scope: Any, receive: Any, send: Any) -> None:
        write = raw.transport.write
        raw.transport.write = lambda data: (write(data), raw.connection.pause_writing())[0]  # type: ignore[method-assign,func-returns-value]
        await echo(scope, receive, send)

    raw = RawConnection(large, keep_alive=20.0, write_stall=30.0)
    await raw.say(GET)
    raw.connection.resume_writing()
    raw.time.advance(100)
    assert raw.transport.closed
    await raw.settle()


@aio
async def test_a_caller_who_does_not_read_is_cut_off() -> None:
    """After `write_stall`, and the app is told."""

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        gone: list[bool] = []
        scope["headgate.connection"].on_hangup = lambda: gone.append(True)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not gone:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await asyncio.sleep(0)

    raw = RawConnection(endless, write_stall=10.0)
    await raw.say(GET)
    raw.connection.pause_writing()
    await raw.settle()
    written = len(raw.transport.written)
    await raw.settle()
    assert len(raw.transport.written) == written > 0, "written while the caller does not read"
    raw.time.advance(21)
    await raw.settle()
    assert raw.transport.aborted and not raw.state.tasks and not raw.state.connections


@aio
async def test_a_goodbye_that_is_not_taken_is_cut_off() -> None:
    """A caller who reads nothing cannot keep a closing connection forever."""
    raw = RawConnection(write_stall=10.0)
    raw.transport.stuck = True
    await raw.say(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n")
    assert raw.transport.closed and not raw.transport.aborted
    raw.time.advance(11)
    assert raw.transport.aborted
    await raw.settle()


@aio
async def test_a_refused_sender_can_read_why() -> None:
    """Our side ends, the rest of what was sent is read and thrown away, and after a while it is over."""
    raw = RawConnection()
    await raw.say(b"nonsense\r\n\r\n")
    assert raw.transport.ended and not raw.transport.closed and raw.transport.reading
    raw.feed(b"x" * 100_000)
    raw.time.advance(6)
    await raw.settle()
    assert raw.transport.closed and not raw.state.connections


@aio
async def test_an_early_answer_closes_the_connection_and_says_so() -> None:
    """With part of a body unread, what follows cannot be told from a request."""

    async def early(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"no"})

    raw = RawConnection(early)
    written = await raw.say(post(b"x" * 500_000)[:100_000])
    assert b"connection: close" in written and raw.transport.ended
    raw.feed(b"x" * 100_000 + GET)
    await raw.settle()
    assert len(raw.scopes) == 1


@aio
async def test_expect_continue_is_answered_when_the_app_reads() -> None:
    """Not before: an app that refuses by the head never asks for the body."""
    raw = RawConnection()
    head, _, body = post(b"hello", b"expect: 100-continue").partition(b"\r\n\r\n")
    assert await raw.say(head + b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert bodies(await raw.say(body)) == [b"POST /b hello"]

    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    raw = RawConnection(refusing)
    assert (await raw.say(head + b"\r\n\r\n")).startswith(b"HTTP/1.1 413 ")
    assert raw.transport.ended


@pytest.mark.parametrize("by", [0, 7])
@aio
async def test_a_wish_for_another_protocol_is_not_granted_and_does_no_harm(by: int) -> None:
    """Java's client asks for h2c with every request: its body arrives all the same."""
    lines = b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c", b"http2-settings: AAMAAABk"
    raw = RawConnection()
    written = await raw.say(post(b"hello", *lines), by=by)
    assert bodies(written) == [b"POST /b hello"]
    assert len(raw.scopes) == 1 and raw.transport.closed
    raw = RawConnection()
    websocket = (
        b"GET /a HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n\r\n"
    )
    assert bodies(await raw.say(websocket + b"\x81\x05hello")) == [b"GET /a "]


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/v1/chat%2fx?a=b%20c", "/v1/chat/x", b"a=b%20c"),
        (b"/%E6%B0%B4", "/水", b""),
        (b"/%ff%00", "/\ufffd\x00", b""),
        (b"http://elsewhere/v1/models?x", "/v1/models", b"x"),
        (b"http://elsewhere", "/", b""),
        (b"*", "*", b""),
    ],
)
@aio
async def test_targets_are_taken_apart(target: bytes, path: str, query: bytes) -> None:
    """Origin form, absolute form and `*`; twice, for the second comes from memory."""
    raw = RawConnection()
    for _ in range(2):
        await raw.say(b"OPTIONS %b HTTP/1.1\r\n\r\n" % target)
    assert [(scope["path"], scope["query_string"], scope["raw_path"]) for scope in raw.scopes] == [
        (path, query, target)
    ] * 2


@aio
async def test_paths_of_strangers_do_not_fill_memory() -> None:
    """What is remembered is bounded in number and in length."""
    raw = RawConnection()
    for number in range(400):
        await raw.say(b"GET /%d HTTP/1.1\r\n\r\n" % number)
    assert len(raw.connection._entrance.paths) == 256
    raw = RawConnection()
    await raw.say(b"GET /%b HTTP/1.1\r\n\r\n" % (b"x" * 5000))
    assert raw.connection._entrance.paths == {}


@aio
async def test_stopping_closes_what_idles_and_lets_the_rest_end() -> None:
    """The answer under way says that it is the last."""
    idle = RawConnection()
    await idle.say(GET)
    idle.connection.shutdown()
    assert idle.transport.closed
    held = Held()
    busy = RawConnection(held)
    await busy.say(GET)
    busy.connection.shutdown()
    assert not busy.transport.closed
    held.go.set()
    await busy.settle()
    assert b"connection: close" in busy.transport.written and busy.transport.closed
    arriving = RawConnection()
    arriving.feed(post(b"hello")[:-2])
    arriving.connection.shutdown()
    assert not arriving.transport.closed
    assert bodies(await arriving.say(b"lo")) == [b"POST /b hello"]
    assert arriving.transport.closed


@aio
async def test_an_app_that_breaks_gives_a_clear_answer(caplog: pytest.LogCaptureFixture) -> None:
    """500 if nothing has left yet; otherwise the connection ends, which no client takes for success."""

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("a bug")

    raw = RawConnection(broken)
    assert refusal(await raw.say(GET)) == (500, "internal_error")
    assert raw.transport.closed

    async def half(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"some", "more_body": True})
        raise LookupError("a bug")

    raw = RawConnection(half)
    written = await raw.say(GET)
    assert written.endswith(b"4\r\nsome\r\n") and raw.transport.closed
    assert caplog.text.count("a request failed outside the journey") == 2


@aio
async def test_half_a_body_is_no_body() -> None:
    """An app that is still reading when the caller leaves hears of that, and not of an end."""
    heard: list[Any] = []

    async def reading(scope: Any, receive: Any, send: Any) -> None:
        while True:
            heard.append(await receive())
            if heard[-1]["type"] == "http.disconnect":
                return

    raw = RawConnection(reading)
    raw.feed(post(b"x" * 300_000)[:100_000])
    await raw.settle()
    raw.leave()
    await raw.settle()
    assert heard[-1]["type"] == "http.disconnect"
    assert all(message["more_body"] for message in heard[:-1])
