"""OpenAI's chat completions, spoken by the provider.

Source: https://platform.openai.com/docs/api-reference/chat (request, object, chunk object). Reasoning is shown as
`reasoning_content`, which OpenAI itself keeps to itself and OpenAI-compatible servers send."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from headgate.core.usage import Usage
from headgate.providers.simulated.openai_family import (
    EFFORT_TOKENS,
    error_body,
    error_of,
    text_and_media,
    tool_offer,
)
from headgate.providers.simulated.plan import PlannedChoice, PlannedReply, Stop
from headgate.providers.simulated.prompt import BadRequest, Passage, Prompt
from headgate.providers.simulated.speech import Mark, Piece, Problem, read_json

__all__ = ["ChatSpeech"]

_FINISH: dict[Stop, str] = {
    "end": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "content_filter": "content_filter",
}
_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


class _Message(msgspec.Struct):
    role: str
    content: str | list[dict[str, Any]] | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _ResponseFormat(msgspec.Struct):
    type: str
    json_schema: dict[str, Any] | None = None


class _Request(msgspec.Struct):
    model: str
    messages: list[_Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: str | list[str] | None = None
    n: int | None = None
    seed: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: _ResponseFormat | None = None
    reasoning_effort: str | None = None


_REQUEST = msgspec.json.Decoder(_Request)
_json = msgspec.json.Encoder().encode


class ChatSpeech:
    """`openai.chat`."""

    wire = "openai.chat"
    problem = staticmethod(error_body)

    def read(self, body: bytes) -> Prompt:
        """Raises BadRequest."""
        request = read_json(_REQUEST, body)
        prompt = Prompt(
            model=request.model,
            passages=[],
            stream=bool(request.stream),
            max_tokens=request.max_tokens if (most := request.max_completion_tokens) is None else most,
            stop=[request.stop] if isinstance(request.stop, str) else request.stop or [],
            choices=1 if request.n is None else request.n,
            seed=request.seed,
            parallel=request.parallel_tool_calls is not False,
        )
        if not request.messages:
            raise BadRequest("Invalid 'messages': empty array. Expected at least one message.", "messages")
        if not 1 <= prompt.choices <= 128:
            raise BadRequest("Invalid 'n': expected 1 to 128.", "n")
        if prompt.max_tokens is not None and prompt.max_tokens < 1:
            raise BadRequest("Invalid 'max_tokens': expected at least 1.", "max_tokens")
        for number, message in enumerate(request.messages):
            _add_message(prompt, message, number)
        prompt.include_usage = bool(request.stream_options and request.stream_options.include_usage)
        _read_rare(prompt, request)
        return prompt

    def whole(self, prompt: Prompt, reply: PlannedReply) -> bytes:
        """The chat completion object."""
        del prompt
        return _json(
            {
                "id": f"chatcmpl-{reply.name}",
                "object": "chat.completion",
                "created": reply.created,
                "model": reply.model,
                "choices": [_whole_choice(number, choice) for number, choice in enumerate(reply.choices)],
                "usage": _usage(reply.usage),
                "system_fingerprint": "fp_simulated",
            }
        )

    def stream(self, prompt: Prompt, reply: PlannedReply) -> Iterator[Piece]:
        """Chunks: per choice the role, the deltas and the reason it ended; usage if it was asked for; `[DONE]`."""
        head = _json(
            {
                "id": f"chatcmpl-{reply.name}",
                "object": "chat.completion.chunk",
                "created": reply.created,
                "model": reply.model,
                "system_fingerprint": "fp_simulated",
            }
        )
        head = b"data: " + head[:-1] + (b',"usage":null' if prompt.include_usage else b"") + b',"choices":['
        for number, choice in enumerate(reply.choices):
            yield from _choice_chunks(head, number, choice)
        if prompt.include_usage:
            usage = b'],"usage":' + _json(_usage(reply.usage)) + b"}\n\n"
            yield Mark.FRAME, head.replace(b',"usage":null', b"") + usage
        yield Mark.DONE, b"data: [DONE]\n\n"

    def error_event(self, problem: Problem) -> bytes:
        """OpenAI-compatible servers say it as an ordinary data line with an error object."""
        return b"data: " + _json({"error": error_of(problem)}) + b"\n\n"


def _add_message(prompt: Prompt, message: _Message, number: int) -> None:
    role = _ROLES.get(message.role)
    if role is None:
        raise BadRequest(f"Invalid value: '{message.role}' is no role.", f"messages[{number}].role")
    text, images, files = text_and_media(message.content)
    prompt.images += images
    prompt.files += files
    prompt.passages.append(Passage(role, text))


def _read_rare(prompt: Prompt, request: _Request) -> None:
    if request.tools:
        prompt.tools = [
            tool_offer(tool.get("function") or {}) for tool in request.tools if tool.get("type") == "function"
        ]
    choice = request.tool_choice
    if choice == "none":
        prompt.tool_mode = "none"
    elif choice == "required":
        prompt.tool_mode = "any"
    elif isinstance(choice, dict):
        prompt.tool_mode, prompt.tool_name = "one", str((choice.get("function") or {}).get("name", ""))
    if request.response_format is not None and request.response_format.type != "text":
        prompt.json_only = True
        schema = (request.response_format.json_schema or {}).get("schema")
        prompt.json_schema = schema if isinstance(schema, dict) else None
    if request.reasoning_effort is not None:
        prompt.thinking = EFFORT_TOKENS.get(request.reasoning_effort, 80)


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _whole_choice(number: int, choice: PlannedChoice) -> dict[str, Any]:
    text = "".join(choice.text)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if choice.calls and not text else text,
        "refusal": None,
    }
    if choice.thinking:
        message["reasoning_content"] = "".join(choice.thinking)
    if choice.calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": "".join(call.pieces)},
            }
            for call in choice.calls
        ]
    return {"index": number, "message": message, "logprobs": None, "finish_reason": _FINISH[choice.stop]}


def _choice_chunks(head: bytes, number: int, choice: PlannedChoice) -> Iterator[Piece]:
    front = head + b'{"index":%d,"delta":' % number
    back = b',"logprobs":null,"finish_reason":null}]}\n\n'
    yield Mark.FRAME, front + b'{"role":"assistant","content":"","refusal":null}' + back
    for piece in choice.thinking:
        yield Mark.TOKEN, front + b'{"reasoning_content":' + _json(piece) + b"}" + back
    for piece in choice.text:
        yield Mark.TOKEN, front + b'{"content":' + _json(piece) + b"}" + back
    for index, call in enumerate(choice.calls):
        begin = {
            "index": index,
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": ""},
        }
        yield Mark.TOKEN, front + b'{"tool_calls":[' + _json(begin) + b"]}" + back
        for piece in call.pieces:
            delta = b'{"tool_calls":[{"index":%d,"function":{"arguments":' % index + _json(piece) + b"}}]}"
            yield Mark.TOKEN, front + delta + back
    finish = b'{},"logprobs":null,"finish_reason":"' + _FINISH[choice.stop].encode() + b'"}]}\n\n'
    yield Mark.FINISH, front + finish
