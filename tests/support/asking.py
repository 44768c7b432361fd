"""A caller of any dialect who reads every byte: what came, what it says, and whether it says that it is complete."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.support.gateway import RunningGateway

__all__ = ["DIALECTS", "Got", "ask", "events_of", "request_body"]

DIALECTS = {
    "chat": ("openai.chat", "/v1/chat/completions"),
    "responses": ("openai.responses", "/v1/responses"),
    "messages": ("anthropic.messages", "/v1/messages"),
}
"""Short name -> name in records, path."""
_QUESTION = "How high is the water?"
_WHOLE_ENDS = ("stop", "completed", "end_turn")


@dataclass(frozen=True, slots=True)
class Got:
    """A reply, read to its end."""

    dialect: str
    status: int
    headers: dict[str, str]
    body: bytes
    cut: bool
    """Did the connection end before the body did?"""

    @property
    def stream(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def request_id(self) -> str:
        return self.headers["x-request-id"]

    @property
    def text(self) -> str:
        """The answer's words, as far as they came."""
        if self.stream:
            return "".join(map(self._words, events_of(self.body)))
        said = json.loads(self.body)
        if self.dialect == "chat":
            return str(said["choices"][0]["message"]["content"])
        blocks = said["content"] if self.dialect == "messages" else said["output"][0]["content"]
        return "".join(block["text"] for block in blocks)

    @property
    def complete(self) -> bool:
        """Does it say, in the words of its dialect, that this is the whole answer?"""
        if self.status != 200:
            return False
        if not self.stream:
            said = json.loads(self.body)
            ends = said["choices"][0]["finish_reason"] if "choices" in said else ""
            return (ends or said.get("stop_reason") or said.get("status")) in _WHOLE_ENDS
        if self.dialect == "chat":
            return b"\ndata: [DONE]\n" in self.body
        last = {"responses": "response.completed", "messages": "message_stop"}[self.dialect]
        return any(event["type"] == last for event in events_of(self.body))

    @property
    def error(self) -> str:
        """Our code of the error it ends with, as far as the dialect has a place for it, else its message; "" if none."""
        if not self.stream:
            return self._code(json.loads(self.body)) if self.status != 200 else ""
        last = events_of(self.body)[-1:] or [{}]
        if last[0].get("type") == "response.failed":
            return str(last[0]["response"]["error"]["message"])
        return self._code(last[0]) if "error" in last[0] else ""

    @property
    def usage(self) -> tuple[int, int]:
        """Tokens in and out, as the caller was told."""
        found: dict[str, int] = {}
        for said in events_of(self.body) if self.stream else [json.loads(self.body)]:
            for place in (said, said.get("message") or {}, said.get("response") or {}):
                found |= place.get("usage") or {}
        return (
            found.get("prompt_tokens", found.get("input_tokens", 0)),
            found.get("completion_tokens", found.get("output_tokens", 0)),
        )

    def _words(self, event: dict[str, Any]) -> str:
        if self.dialect == "chat":
            return "".join(one["delta"].get("content") or "" for one in event.get("choices", ()))
        delta = event.get("delta", "")
        if self.dialect == "responses":
            return str(delta) if event["type"] == "response.output_text.delta" else ""
        return str(delta.get("text", "")) if event["type"] == "content_block_delta" else ""

    def _code(self, said: dict[str, Any]) -> str:
        error = said["error"]
        if self.dialect == "messages" and "details" in error:
            return str(error["details"]["error_code"])
        return str(error.get("code") or error["message"])


def events_of(body: bytes) -> list[dict[str, Any]]:
    """The JSON of all events of a stream, in order."""
    events = []
    for line in body.split(b"\n"):
        if line.startswith(b"data: {"):
            events.append(json.loads(line[6:]))
    return events


def request_body(dialect: str, model: str, *, stream: bool, **more: Any) -> bytes:
    """A plain question."""
    body: dict[str, Any] = {"model": model, "stream": stream, **more}
    if dialect == "responses":
        body["input"] = _QUESTION
    else:
        body["messages"] = [{"role": "user", "content": _QUESTION}]
    if dialect == "messages":
        body["max_tokens"] = 50
    if dialect == "chat" and stream:
        body["stream_options"] = {"include_usage": True}
    return json.dumps(body).encode()


def ask(
    gateway: RunningGateway,
    dialect: str,
    model: str,
    *,
    stream: bool,
    seen: Callable[[], None] | None = None,
    seconds: float = 10.0,
    **more: Any,
) -> Got:
    """Ask, and read to the end. seen: called when the first word is there. seconds: of silence until TimeoutError.

    more: further fields of the request."""
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=seconds)
    headers = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}
    if dialect == "messages":
        headers["anthropic-version"] = "2023-06-01"
    try:
        connection.request(
            "POST", DIALECTS[dialect][1], request_body(dialect, model, stream=stream, **more), headers
        )
        reply = connection.getresponse()
        body, cut = b"", False
        try:
            while data := reply.read1(65536):
                body += data
                if seen is not None and stream and reply.status == 200 and b"one" in body:
                    seen()
                    seen = None
        except (http.client.IncompleteRead, ConnectionError):
            cut = True
        return Got(
            dialect, reply.status, {name.lower(): value for name, value in reply.getheaders()}, body, cut
        )
    finally:
        connection.close()
