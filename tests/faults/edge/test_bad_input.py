"""Whatever strangers send to a started gateway: a clear answer in their dialect, and the next request is served.

The fixture checks after each test that the gateway serves, has closed every connection and logged no stack."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.support.gateway import RunningGateway
from tests.support.raw_client import RawCaller, RawReply, request_bytes

__all__: list[str] = []

CHAT, RESPONSES, MESSAGES, EMBEDDINGS = (
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1/embeddings",
)
COUNT = "/v1/messages/count_tokens"
PATHS = [CHAT, RESPONSES, MESSAGES, EMBEDDINGS, COUNT]
every_path = pytest.mark.parametrize("path", PATHS)
TURN = [{"role": "user", "content": "Hello?"}]
GOOD: dict[str, Any] = {
    CHAT: {"model": "small", "messages": TURN},
    RESPONSES: {"model": "small", "input": "Hello?"},
    MESSAGES: {"model": "small", "max_tokens": 20, "messages": TURN},
    EMBEDDINGS: {"model": "sim/sim-embed", "input": "Hello?"},
    COUNT: {"model": "small", "messages": TURN},
}


def error_of(path: str, reply: RawReply) -> dict[str, Any]:
    """The error, if the body is what this path's vendor writes."""
    assert reply.headers["content-type"] == "application/json"
    said: dict[str, Any] = reply.json
    error = said["error"]
    assert error["message"] and error["message"] == error["message"].strip()
    if path.startswith("/v1/messages"):
        assert said["type"] == "error" and reply.headers["request-id"].startswith("req_")
        if "details" not in error:
            return error  # the provider's own words, passed on
        assert said["request_id"] == reply.headers["request-id"]
        return {**error, "code": error["details"]["error_code"]}
    assert set(error) == {"message", "type", "param", "code"}
    assert reply.headers["x-request-id"].startswith("req_")
    return dict(error)


def ask(gateway: RunningGateway, path: str, body: bytes, *lines: str, method: str = "POST") -> RawReply:
    with RawCaller(gateway.url) as caller:
        caller.send(request_bytes(path, body, *lines, key=gateway.key, method=method))
        return caller.reply(method=method)


def refused(gateway: RunningGateway, path: str, body: bytes, status: int, code: str, *lines: str) -> str:
    reply = ask(gateway, path, body, *lines)
    error = error_of(path, reply)
    assert (reply.status, error["code"]) == (status, code), reply
    assert reply.headers["x-should-retry"] == "false"
    return str(error["message"])


@every_path
def test_the_good_requests_are_good(path: str, strict: RunningGateway) -> None:
    """Else the refusals below would prove nothing."""
    assert ask(strict, path, json.dumps(GOOD[path]).encode()).status == 200


@every_path
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"{",
        b'{"model":"small"',
        b'{"model":"small",}',
        b"not json",
        b"\x00\x00",
        b'{"model":"sma\xff\xfe","messages":[],"input":""}',
        b'\xef\xbb\xbf{"model":"small"}',
        b'{"model":"small","input":"\xed\xa0\x80"}',
    ],
    ids=["empty", "blank", "cut", "cut later", "comma", "words", "zeros", "no UTF-8", "BOM", "surrogate"],
)
def test_a_body_that_is_no_json_is_refused(path: str, body: bytes, strict: RunningGateway) -> None:
    """400 `malformed_body`, saying what is wrong with it."""
    refused(strict, path, body, 400, "malformed_body")


@every_path
@pytest.mark.parametrize("body", [b"[]", b'"small"', b"7", b"null", b"true", b"[{}]"])
def test_a_body_that_is_no_object_is_refused(path: str, body: bytes, strict: RunningGateway) -> None:
    """400, before anything is asked of anybody."""
    refused(strict, path, body, 400, "invalid_request")


@every_path
@pytest.mark.parametrize("opening", [b"[", b'{"a":'], ids=["arrays", "objects"])
def test_nesting_without_end_is_refused(path: str, opening: bytes, strict: RunningGateway) -> None:
    """100,000 levels, closed or not, in a known and in an unknown field."""
    deep = opening * 100_000
    closed = deep + (b"]" if opening == b"[" else b"1" + b"}") * (100_000 if opening == b"[" else 1)
    for field in (b"messages", b"input", b"tools", b"whatever"):
        for value in (deep, closed):
            reply = ask(strict, path, b'{"model":"small","%b":%b}' % (field, value))
            assert reply.status == 400 and error_of(path, reply)["code"] == "malformed_body"


def closed_nesting(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES])
def test_deep_but_well_formed_extras_never_break_the_gateway(path: str, strict: RunningGateway) -> None:
    """A field of 20,000 closed levels: an answer or a refusal, in words either way."""
    body = json.dumps(GOOD[path]).encode()[:-1] + b',"whatever":' + closed_nesting(20_000) + b"}"
    reply = ask(strict, path, body)
    assert reply.status in (200, 400)
    if reply.status == 400:
        assert error_of(path, reply)["code"] in ("malformed_body", "invalid_request")


WRONG = [7, -1, 1e400, "text", True, None, [], {}, [None], [7], [[]], [{}], {"role": 7}, "\u0000", "x" * 5000]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (path, field)
        for path, fields in {
            CHAT: "model messages stream max_tokens temperature tools tool_choice response_format stop n metadata "
            "stream_options user",
            RESPONSES: "model input stream max_output_tokens instructions tools text reasoning metadata",
            MESSAGES: "model messages stream max_tokens system tools tool_choice thinking metadata stop_sequences",
            EMBEDDINGS: "model input encoding_format dimensions",
            COUNT: "model messages system tools",
        }.items()
        for field in fields.split()
    ],
)
def test_values_of_wrong_types_are_an_answer_or_a_400(path: str, field: str, strict: RunningGateway) -> None:
    """Each field in turn: never a 500, and a refusal is in the caller's dialect and names a field or the body."""
    with RawCaller(strict.url) as caller:
        for value in WRONG:
            said = json.dumps({**GOOD[path], field: value}).replace("Infinity", "1e400")
            caller.send(request_bytes(path, said.encode(), key=strict.key))
            reply = caller.reply()
            assert reply.status in (200, 400, 404), (value, reply)
            if reply.status != 200:
                assert error_of(path, reply)["message"]


@every_path
def test_an_unknown_model_is_told_its_near_names(path: str, strict: RunningGateway) -> None:
    """404, and what may have been meant."""
    body = json.dumps({**GOOD[path], "model": "suport-chat"}).encode()
    assert "`support-chat`" in refused(strict, path, body, 404, "model_not_found")
    for name in ("no\nbody", "x" * 100_000, "sim/", "/"):
        said = refused(
            strict, path, json.dumps({**GOOD[path], "model": name}).encode(), 404, "model_not_found"
        )
        assert len(said) < 1000


@every_path
@pytest.mark.parametrize("chunked", [False, True], ids=["by its length", "growing"])
def test_a_body_over_the_bound_is_refused_readably(path: str, chunked: bool, strict: RunningGateway) -> None:
    """413, also for a caller who is still sending; then the connection closes."""
    with RawCaller(strict.url) as caller:
        if chunked:
            caller.send(request_bytes(path, b"", "transfer-encoding: chunked", key=strict.key, length=False))
            for _ in range(50):
                caller.send(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        else:
            caller.send(request_bytes(path, b"x" * 6_000_000, key=strict.key))
        reply = caller.reply()
        assert (reply.status, error_of(path, reply)["code"]) == (413, "body_too_large")
        assert reply.closes and caller.closed()


def test_a_refused_upload_is_not_asked_to_go_on(strict: RunningGateway) -> None:
    """`Expect: 100-continue` with a body over the bound gets 413 at once; within it, 100 and then the answer."""
    body = json.dumps(GOOD[CHAT]).encode()
    large = "expect: 100-continue", "content-length: 3000000"
    with RawCaller(strict.url) as caller:
        caller.send(request_bytes(CHAT, b"", *large, key=strict.key, length=False))
        assert caller.reply().status == 413
    with RawCaller(strict.url) as caller:
        head = request_bytes(CHAT, body, "expect: 100-continue", key=strict.key)[: -len(body)]
        caller.send(head)
        assert caller.reply().status == 100
        caller.send(body)
        assert caller.reply().status == 200


@every_path
def test_a_compressed_body_is_refused(path: str, strict: RunningGateway) -> None:
    """In words, instead of as broken JSON."""
    said = refused(strict, path, b"\x1f\x8b\x08\x00", 400, "invalid_request", "content-encoding: gzip")
    assert "content-encoding" in said


@pytest.mark.parametrize(
    "lines",
    [
        [f"x-{n}: {'v' * 600}" for n in range(150)],
        ["a: b"] * 201,
        ["x: " + "v" * 90_000],
        ["x: " + "v" * 900_000],
    ],
    ids=["90 kB", "201 headers", "one line", "one huge line"],
)
def test_a_flood_of_headers_is_refused(lines: list[str], strict: RunningGateway) -> None:
    """431 in a body that both families' SDKs read."""
    with RawCaller(strict.url) as caller:
        caller.send(request_bytes(CHAT, b"{}", *lines, key=strict.key))
        reply = caller.reply()
        assert (reply.status, reply.json["type"], reply.json["error"]["code"]) == (
            431,
            "error",
            "headers_too_large",
        )
        assert reply.closes and caller.closed()


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 300,
        b"\x00" * 70_000,
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\ncontent-length: -5\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\ncontent-length: many\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
        b"POST /v1/messages HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v1/messages HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcdefgh\r\n0\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\ntransfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    ],
    ids=lambda data: data[:50].decode("latin-1").encode("unicode_escape").decode(),
)
def test_what_is_no_http_is_refused_and_smuggles_nothing(data: bytes, strict: RunningGateway) -> None:
    """One 400, whatever follows on the connection."""
    with RawCaller(strict.url) as caller:
        caller.send(data + request_bytes("/v1/models", key=strict.key, method="GET"))
        reply = caller.reply()
        assert (reply.status, reply.json["error"]["code"]) == (400, "invalid_request")
        assert reply.closes and caller.closed()


def test_garbage_at_random_is_survived(strict: RunningGateway) -> None:
    """200 connections of seeded noise, some of it beginning like a request."""
    noise = random.Random(20)
    for number in range(200):
        with RawCaller(strict.url) as caller:
            start = b"POST /v1/messages HTTP/1.1\r\n" if number % 2 else b""
            caller.send(start + noise.randbytes(noise.randrange(1, 400)))


@pytest.mark.parametrize(
    "part",
    [
        b"POST /v1/chat/completions HTTP/1.1\r\nx: ",
        request_bytes(CHAT, b"", "content-length: 1000", length=False) + b"{",
        request_bytes(CHAT, b"", "transfer-encoding: chunked", length=False) + b"500\r\nab",
    ],
    ids=["head", "body", "chunk"],
)
def test_slow_senders_are_refused(part: bytes, strict: RunningGateway) -> None:
    """408 after `server.request_time`, however regularly another byte comes."""
    with RawCaller(strict.url) as caller:
        caller.send(part)
        caller.socket.settimeout(0.2)
        for _ in range(40):
            try:
                data = caller.more()
                break
            except TimeoutError:
                caller.send(b"x")
        else:
            raise AssertionError("a slow sender was waited for")
        assert data.startswith(b"HTTP/1.1 408 ") and b"request_too_slow" in data


def test_connections_that_say_nothing_are_closed(strict: RunningGateway) -> None:
    """Without a word, since nothing was asked."""
    with RawCaller(strict.url) as caller:
        assert caller.closed()


@pytest.mark.parametrize("kind", ["half-closed", "reset"])
@pytest.mark.parametrize("part", [0.3, 0.9, 1.0])
def test_callers_who_leave_in_their_request_leave_nothing(
    kind: str, part: float, strict: RunningGateway
) -> None:
    """Who closes its side, politely or not, has left."""
    data = request_bytes(CHAT, json.dumps(GOOD[CHAT]).encode(), key=strict.key)
    with RawCaller(strict.url) as caller:
        caller.send(data[: int(len(data) * part)])
        if kind == "reset":
            caller.reset()
        else:
            caller.socket.shutdown(1)
            caller.rest()


def test_pipelined_requests_are_answered_in_order(strict: RunningGateway) -> None:
    """Ten at once, of several kinds."""
    kinds = [(CHAT, 200), ("/v1/nothing", 404), ("/v1/models", 405), (MESSAGES, 200), (RESPONSES, 200)] * 2
    with RawCaller(strict.url) as caller:
        caller.send(
            b"".join(
                request_bytes(path, json.dumps(GOOD.get(path, {})).encode(), key=strict.key)
                for path, _ in kinds
            )
        )
        assert [caller.reply().status for _ in kinds] == [status for _, status in kinds]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"])
@every_path
def test_other_methods_are_refused(path: str, method: str, strict: RunningGateway) -> None:
    """405 in the caller's dialect."""
    reply = ask(strict, path, b"", "anthropic-version: 2023-06-01", method=method)
    assert reply.status == 405
    if method != "HEAD":
        assert reply.json["error"]["message"] == f"{path} does not take {method}"


@pytest.mark.parametrize(
    "path", ["/v1/", "/v1/nothing", "/v1/../v1/models", "/v1//models", "/v1/" + "x" * 5000]
)
def test_an_unknown_path_lists_the_known_ones(path: str, strict: RunningGateway) -> None:
    """404 in the dialect the headers hint at."""
    reply = ask(strict, path, b"{}")
    assert (reply.status, reply.json["error"]["code"]) == (404, "unknown_path")
    assert CHAT in reply.json["error"]["message"] and len(reply.body) < 1500
    reply = ask(strict, path, b"{}", "anthropic-version: 2023-06-01")
    assert (reply.status, reply.json["type"]) == (404, "error")
    assert reply.json["error"]["type"] == "not_found_error"


@pytest.mark.parametrize(
    "target", ["/v1/%63hat/completions", "http://gateway/v1/chat/completions", CHAT + "?a=b"]
)
def test_other_spellings_of_a_path_are_understood(target: str, strict: RunningGateway) -> None:
    """Escaped, absolute, with a query."""
    assert ask(strict, target, json.dumps(GOOD[CHAT]).encode()).status == 200


def test_a_wish_for_another_protocol_is_overlooked(strict: RunningGateway) -> None:
    """h2c with a body is served as HTTP/1.1; a websocket finds nothing there."""
    lines = "connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAoAAAAAIAAAAA"
    assert ask(strict, CHAT, json.dumps(GOOD[CHAT]).encode(), *lines).status == 200
    websocket = (
        "connection: Upgrade",
        "upgrade: websocket",
        "sec-websocket-key: eA==",
        "sec-websocket-version: 13",
    )
    assert ask(strict, "/v1/realtime", b"", *websocket, method="GET").status == 404


@pytest.mark.parametrize("stream", [False, True])
def test_http_1_0_is_served(stream: bool, strict: RunningGateway) -> None:
    """Without chunks; a stream ends with the connection, and its end is there."""
    body = json.dumps({**GOOD[CHAT], "stream": stream}).encode()
    with RawCaller(strict.url) as caller:
        caller.send(request_bytes(CHAT, body, key=strict.key).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        reply = caller.reply()
        assert reply.status == 200 and "transfer-encoding" not in reply.headers
        assert b"data: [DONE]\n\n" in reply.body if stream else reply.json["choices"]
        assert caller.closed()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "authorization: Bearer",
        "authorization: Bearer wrong",
        "authorization: Basic eA==",
        "x-api-key: \xff\xfe",
    ],
)
@every_path
def test_strangers_are_refused_in_their_dialect(path: str, line: str, strict: RunningGateway) -> None:
    """401; the message tells how a key is sent or where to look, and repeats none."""
    with RawCaller(strict.url) as caller:
        caller.send(request_bytes(path, json.dumps(GOOD[path]).encode(), *([line] if line else [])))
        reply = caller.reply()
        error = error_of(path, reply)
        assert (reply.status, error["code"]) == (401, "invalid_api_key")
        assert "wrong" not in error["message"]
