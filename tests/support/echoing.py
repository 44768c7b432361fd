"""A provider that repeats what it was told wherever a provider may: in answers, errors, pages of a proxy, streams that break off.

Its models are called after what they do: `echo`, `tools`, `refuse`, `filter`, `broken`, `page`, `shape`, `garbage`, `cut`, `late`, `slow`.
A callback, which names no model, is refused.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["CLOSED", "OPEN", "Echo", "echoing_provider"]

OPEN, CLOSED = "zqplanted-open", "zqplanted-closed"
"""It says of itself what it was told: whoever asks with one of these words is answered with it, first of all."""


class Echo:
    """Where it is, and what it has heard."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.heard: list[bytes] = []
        self.stopping = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    echo: Echo

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base's
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.echo.heard.append(body)
        asked = json.loads(body)
        with contextlib.suppress(OSError):
            mark = CLOSED if CLOSED.encode() in body else OPEN
            getattr(self, f"do_{asked.get('model', 'broken')}")(asked, f"{mark}-answer {body.decode()}")

    def send(self, status: int, body: Any, kind: str = "application/json") -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def events(self, *events: bytes, whole: bool = True) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for event in events:
            self.wfile.write(event)
            self.wfile.flush()
        self.close_connection = True
        if not whole:
            self.connection.shutdown(2)

    def wire(self) -> str:
        return self.path.rpartition("/v1/")[2]

    def do_echo(self, asked: dict[str, Any], words: str) -> None:
        if self.wire() == "embeddings":
            self.send(200, {"object": "list", "model": "echo", "data": [{"index": 0, "embedding": [0.1]}]})
        elif asked.get("stream"):
            self.events(*_stream(self.wire(), words), *_end(self.wire()))
        else:
            self.send(200, _whole(self.wire(), words))

    def do_tools(self, asked: dict[str, Any], words: str) -> None:
        call = {
            "id": "c1",
            "type": "function",
            "function": {"name": "f", "arguments": json.dumps({"q": words})},
        }
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        self.send(200, _chat(message, "tool_calls"))

    def do_refuse(self, asked: dict[str, Any], words: str) -> None:
        said = {"message": f"bad input: {words}", "type": "invalid_request_error", "param": words[:60]}
        self.send(400, {"type": "error", "error": said})

    def do_filter(self, asked: dict[str, Any], words: str) -> None:
        said = {"message": f"filtered: {words}", "type": "invalid_request_error", "code": "content_filter"}
        self.send(400, {"error": said})

    def do_broken(self, asked: dict[str, Any], words: str) -> None:
        self.send(
            500, {"error": {"message": f"it broke on {words}", "type": "server_error", "code": words[:40]}}
        )

    def do_page(self, asked: dict[str, Any], words: str) -> None:
        self.send(502, f"<html>{words}</html>".encode(), "text/html")

    def do_shape(self, asked: dict[str, Any], words: str) -> None:
        self.send(200, {words[:100]: 1, "said": words})

    def do_garbage(self, asked: dict[str, Any], words: str) -> None:
        if asked.get("stream"):
            self.events(b"data: %b\n\n" % words.encode())
        else:
            self.send(200, words.encode())

    def do_cut(self, asked: dict[str, Any], words: str) -> None:
        self.events(*_stream(self.wire(), words), b'data: {"half of it": "' + words.encode(), whole=False)

    def do_late(self, asked: dict[str, Any], words: str) -> None:
        error = {"error": {"message": f"it broke later on {words}", "type": "server_error"}}
        self.events(*_stream(self.wire(), words), b"data: %b\n\n" % json.dumps(error).encode())

    def do_slow(self, asked: dict[str, Any], words: str) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for event in _stream(self.wire(), words):
            self.wfile.write(event)
        self.wfile.flush()
        self.echo.stopping.wait(60)


def _chat(message: dict[str, Any], reason: str) -> dict[str, Any]:
    choice = {"index": 0, "message": message, "finish_reason": reason}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return {"id": "1", "object": "chat.completion", "model": "echo", "choices": [choice], "usage": usage}


def _whole(wire: str, words: str) -> dict[str, Any]:
    if wire == "messages":
        return {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "model": "echo",
            "content": [{"type": "text", "text": words}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 10, "output_tokens": 5},
        }
    if wire == "responses":
        part = {"type": "output_text", "text": words, "annotations": []}
        item = {"id": "i", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
        usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
        return {
            "id": "r",
            "object": "response",
            "created_at": 1,
            "status": "completed",
            "model": "echo",
            "output": [item],
            "usage": usage,
        }
    return _chat({"role": "assistant", "content": words}, "stop")


def _stream(wire: str, words: str) -> list[bytes]:
    if wire == "messages":
        start = {"id": "m", "type": "message", "role": "assistant", "model": "echo", "content": []}
        return [
            _event("message_start", message=start | {"usage": {"input_tokens": 10, "output_tokens": 1}}),
            _event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
            _event("content_block_delta", index=0, delta={"type": "text_delta", "text": words}),
        ]
    delta = {"index": 0, "delta": {"role": "assistant", "content": words}, "finish_reason": None}
    chunk = {"id": "1", "object": "chat.completion.chunk", "model": "echo", "choices": [delta]}
    return [b"data: %b\n\n" % json.dumps(chunk).encode()]


def _end(wire: str) -> list[bytes]:
    if wire == "messages":
        return [
            _event("content_block_stop", index=0),
            _event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 5}),
            _event("message_stop"),
        ]
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    chunk = {"id": "1", "object": "chat.completion.chunk", "model": "echo", "choices": [last]}
    return [b"data: %b\n\n" % json.dumps(chunk).encode(), b"data: [DONE]\n\n"]


def _event(name: str, **said: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), json.dumps({"type": name, **said}).encode())


@contextlib.contextmanager
def echoing_provider() -> Iterator[Echo]:
    """On a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    echo = Echo(f"http://127.0.0.1:{server.server_address[1]}")
    server.RequestHandlerClass = type("_Bound", (_Handler,), {"echo": echo})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield echo
    finally:
        echo.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
