"""One answer, "one two", on the three wires that callers and providers speak: whole, in pieces, and as refusals."""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple

__all__ = ["COMPLETION", "PROMPT", "TEXT", "VECTOR", "WIRES", "Problem", "ThreeWires", "WholeAnswers", "sse"]

PROMPT, COMPLETION = 11, 7
"""Tokens that every answer reports."""
TEXT = "one two"
VECTOR = [0.25, -0.5]
"""The answer to whoever asks for embeddings."""
Problem = Literal[
    "rate limit", "quota", "key", "failed", "overloaded", "context", "filter", "invalid", "no prefill"
]

_CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
_ITEM = {"id": "msg_1", "type": "message", "role": "assistant"}
_AT = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
_PART = {"type": "output_text", "annotations": [], "logprobs": []}
_OPENAI: dict[Problem, tuple[int, str, str | None, str]] = {
    "rate limit": (429, "requests", "rate_limit_exceeded", "Rate limit reached."),
    "quota": (429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota."),
    "key": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    "failed": (500, "server_error", None, "The server had an error."),
    "overloaded": (503, "server_error", None, "The engine is currently overloaded."),
    "context": (
        400,
        "invalid_request_error",
        "context_length_exceeded",
        "This model's maximum context length is 9 tokens.",
    ),
    "filter": (
        400,
        "invalid_request_error",
        "content_filter",
        "The prompt was refused by the content filter.",
    ),
    "invalid": (400, "invalid_request_error", None, "temperature must be at most 2."),
    "no prefill": (400, "invalid_request_error", None, "The last message must not be the assistant's."),
}
_ANTHROPIC: dict[Problem, tuple[int, str, str]] = {
    "rate limit": (429, "rate_limit_error", "This request would exceed your rate limit."),
    "quota": (402, "billing_error", "Your credit balance is too low."),
    "key": (401, "authentication_error", "invalid x-api-key"),
    "failed": (500, "api_error", "Internal server error"),
    "overloaded": (529, "overloaded_error", "Overloaded"),
    "context": (400, "invalid_request_error", "prompt is too long: 12 tokens > 9 maximum"),
    "filter": (400, "invalid_request_error", "Output blocked by content filtering policy"),
    "invalid": (400, "invalid_request_error", "temperature: must be at most 1"),
    "no prefill": (400, "invalid_request_error", "This model does not support assistant message prefill."),
}


class Refusal(NamedTuple):
    """A provider's no."""

    status: int
    body: bytes


def sse(event: dict[str, Any], *, named: bool = True) -> bytes:
    """One server-sent event."""
    name = f"event: {event['type']}\n" if named else ""
    return f"{name}data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


class ThreeWires:
    """What a provider of one wire puts into its bodies. `opening`, some `words` and `ending` make up a stream."""

    def __init__(self, name: str) -> None:
        """name: `chat`, `responses` or `messages`."""
        self.name = name

    def opening(self) -> bytes:
        """All that comes before the first word, and commits to nothing: roles, starts, pings."""
        if self.name == "chat":
            return self._chunk({"role": "assistant", "content": ""})
        if self.name == "messages":
            usage = {"input_tokens": PROMPT, "output_tokens": 1}
            block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
            start = {"type": "message_start", "message": _message([], usage, None)}
            return sse(start) + sse({"type": "ping"}) + sse(block)
        blank = self._response([], "in_progress")
        return (
            sse({"type": "response.created", "sequence_number": 0, "response": blank})
            + sse({"type": "response.in_progress", "sequence_number": 1, "response": blank})
            + sse(
                {
                    "type": "response.output_item.added",
                    "sequence_number": 2,
                    "output_index": 0,
                    "item": _ITEM | {"status": "in_progress", "content": []},
                }
            )
            + sse(
                {
                    "type": "response.content_part.added",
                    "sequence_number": 3,
                    **_AT,
                    "part": _PART | {"text": ""},
                }
            )
        )

    def words(self, text: str) -> bytes:
        """A piece of the answer."""
        if self.name == "chat":
            return self._chunk({"content": text})
        if self.name == "messages":
            delta = {"type": "text_delta", "text": text}
            return sse({"type": "content_block_delta", "index": 0, "delta": delta})
        return sse(
            {
                "type": "response.output_text.delta",
                "sequence_number": 4,
                **_AT,
                "delta": text,
                "logprobs": [],
            }
        )

    def ending(self, text: str = TEXT) -> bytes:
        """Why it stopped, the usage, and the terminal mark."""
        if self.name == "chat":
            usage = {"choices": [], "usage": _openai_usage()}
            return self._chunk({}, "stop") + sse(_CHUNK | usage, named=False) + b"data: [DONE]\n\n"
        if self.name == "messages":
            stop = {"stop_reason": "end_turn", "stop_sequence": None}
            return (
                sse({"type": "content_block_stop", "index": 0})
                + sse({"type": "message_delta", "delta": stop, "usage": {"output_tokens": COMPLETION}})
                + sse({"type": "message_stop"})
            )
        part = _PART | {"text": text}
        item = _ITEM | {"status": "completed", "content": [part]}
        return (
            sse(
                {
                    "type": "response.output_text.done",
                    "sequence_number": 5,
                    **_AT,
                    "text": text,
                    "logprobs": [],
                }
            )
            + sse({"type": "response.content_part.done", "sequence_number": 6, **_AT, "part": part})
            + sse(
                {"type": "response.output_item.done", "sequence_number": 7, "output_index": 0, "item": item}
            )
            + sse(
                {
                    "type": "response.completed",
                    "sequence_number": 8,
                    "response": self._response([item], "completed"),
                }
            )
        )

    def stream(self, text: str = TEXT) -> bytes:
        """A complete stream."""
        return self.opening() + self.words(text) + self.ending(text)

    def whole(self, text: str = TEXT) -> bytes:
        """A complete answer."""
        if self.name == "chat":
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            body = _CHUNK | {"object": "chat.completion", "choices": [choice], "usage": _openai_usage()}
        elif self.name == "messages":
            usage = {"input_tokens": PROMPT, "output_tokens": COMPLETION}
            body = _message([{"type": "text", "text": text}], usage, "end_turn")
        else:
            item = _ITEM | {"status": "completed", "content": [_PART | {"text": text}]}
            body = self._response([item], "completed")
        return json.dumps(body, ensure_ascii=False).encode()

    def refusal(self, problem: Problem) -> Refusal:
        """Status and body with which it says no."""
        if self.name == "messages":
            status, kind, words = _ANTHROPIC[problem]
            error: dict[str, Any] = {"type": "error", "error": {"type": kind, "message": words}}
        else:
            status, kind, code, words = _OPENAI[problem]
            error = {"error": {"message": words, "type": kind, "param": None, "code": code}}
        return Refusal(status, json.dumps(error).encode())

    def error_event(self, problem: Problem = "failed") -> bytes:
        """The same inside a stream."""
        body = self.refusal(problem).body
        if self.name == "responses":
            said = json.loads(body)["error"]
            failed = self._response([], "failed") | {
                "error": {"code": said["code"] or said["type"], "message": said["message"]}
            }
            return sse({"type": "response.failed", "sequence_number": 5, "response": failed})
        return (b"event: error\n" if self.name == "messages" else b"") + b"data: " + body + b"\n\n"

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return sse(_CHUNK | {"choices": [choice]}, named=False)

    def _response(self, output: list[Any], status: str) -> dict[str, Any]:
        usage = {
            "input_tokens": PROMPT,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": COMPLETION,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": PROMPT + COMPLETION,
        }
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": 1,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "model": "m",
            "output": output,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": usage if status == "completed" else None,
        }


class WholeAnswers(ThreeWires):
    """A path of one of the wires' vendors that answers whole and in its own shape, and refuses as that wire does."""

    def __init__(self, name: str, body: dict[str, Any]) -> None:
        """name: of the wire whose refusals it shares. body: its answer."""
        super().__init__(name)
        self._body = body

    def whole(self, text: str = TEXT) -> bytes:
        """A complete answer."""
        return json.dumps(self._body).encode()


WIRES = {name: ThreeWires(name) for name in ("chat", "responses", "messages")} | {
    "embeddings": WholeAnswers(
        "chat",
        {
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": VECTOR}],
            "model": "m",
            "usage": {"prompt_tokens": PROMPT, "total_tokens": PROMPT},
        },
    ),
    "count": WholeAnswers("messages", {"input_tokens": PROMPT}),
}


def _message(content: list[Any], usage: dict[str, int], stop: str | None) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }


def _openai_usage() -> dict[str, int]:
    return {
        "prompt_tokens": PROMPT,
        "completion_tokens": COMPLETION,
        "total_tokens": PROMPT + COMPLETION,
    }
