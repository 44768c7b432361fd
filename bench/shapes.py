"""What goes over the wire in every scenario: request bodies, the whole reply, stream events, lanes."""

from __future__ import annotations

import json
from dataclasses import dataclass

__all__ = [
    "DONE_MARK",
    "LANES",
    "TOKEN_MARK",
    "UPSTREAM_MODEL",
    "Lane",
    "request_body",
    "stream_events",
    "whole_reply",
]

UPSTREAM_MODEL = "gpt-4o-mini"
# Both marks have six bytes, so that a client looking for them across read borders keeps one tail of five.
TOKEN_MARK = b" water"
DONE_MARK = b"[DONE]"

_SENTENCE = "The gate keeper measures the river twice a day and writes the level into the book. "
_ANSWER = "A headgate stands at the head of a canal and lets each field have its share. "


@dataclass(frozen=True, slots=True)
class Lane:
    """One shape of traffic. A contestant routes each lane to its own upstream address.

    upstream:   "static" is nginx answering one JSON text; "scripted" is `bench/upstream_server.py`.
    prefix:     path before /v1 at the upstream; for streams it tells the upstream what to send.
    body_bytes: size of the request body, in bytes.
    tokens:     content events of one reply; 0 for whole answers.
    cached:     who has a cache answers it from there.
    """

    name: str
    upstream: str
    prefix: str
    body_bytes: int
    tokens: int = 0
    cached: bool = False

    @property
    def streamed(self) -> bool:
        """Whether the reply is an event stream."""
        return self.tokens > 0


def _stream_lane(name: str, *, tokens: int, every_ms: int, per_write: int) -> Lane:
    return Lane(name, "scripted", f"/s/{tokens}/{every_ms}/{per_write}", 1_000, tokens)


LANES: dict[str, Lane] = {
    lane.name: lane
    for lane in (
        Lane("whole", "static", "", 1_000),
        Lane("hit", "static", "", 1_000, cached=True),
        Lane("large", "scripted", "/whole", 1_000_000),
        _stream_lane("burst", tokens=100, every_ms=0, per_write=25),
        _stream_lane("paced", tokens=100, every_ms=50, per_write=1),
        _stream_lane("slow", tokens=12, every_ms=2_000, per_write=1),
    )
}


def request_body(model: str, *, size: int, stream: bool) -> bytes:
    """A chat completion request of about `size` bytes, as an OpenAI SDK would send it."""
    document: dict[str, object] = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You are the keeper of a headgate. Answer shortly."},
            {"role": "user", "content": ""},
        ],
        "temperature": 0.2,
        "max_tokens": 256,
    }
    if stream:
        document["stream"] = True
    bare = len(json.dumps(document, separators=(",", ":")))
    fill = max(size - bare, 0)
    text = (_SENTENCE * (fill // len(_SENTENCE) + 1))[:fill]
    document["messages"] = [
        {"role": "system", "content": "You are the keeper of a headgate. Answer shortly."},
        {"role": "user", "content": text},
    ]
    return json.dumps(document, separators=(",", ":")).encode()


def whole_reply() -> bytes:
    """A whole chat completion of 0.9 kB."""
    return json.dumps(
        {
            "id": "chatcmpl-bench0000000000000000000000",
            "object": "chat.completion",
            "created": 1_760_000_000,
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": _ANSWER * 7, "refusal": None},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 190, "completion_tokens": 96, "total_tokens": 286},
            "system_fingerprint": "fp_bench",
        },
        separators=(",", ":"),
    ).encode()


def stream_events(tokens: int) -> list[bytes]:
    """The events of one streamed reply: a role, `tokens` pieces of content, a finish with usage, [DONE]."""
    opening = _event({"role": "assistant", "content": ""}, None)
    piece = _event({"content": TOKEN_MARK.decode()}, None)
    closing = _event({}, "stop")
    usage = _chunk([], {"prompt_tokens": 190, "completion_tokens": tokens, "total_tokens": 190 + tokens})
    return [opening, *([piece] * tokens), closing, usage, b"data: " + DONE_MARK + b"\n\n"]


def _event(delta: dict[str, str], finish_reason: str | None) -> bytes:
    return _chunk([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}], None)


def _chunk(choices: list[dict[str, object]], usage: dict[str, int] | None) -> bytes:
    document = {
        "id": "chatcmpl-bench0000000000000000000000",
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": "gpt-4o-mini-2024-07-18",
        "system_fingerprint": "fp_bench",
        "choices": choices,
    }
    if usage is not None:
        document["usage"] = usage
    return b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"
