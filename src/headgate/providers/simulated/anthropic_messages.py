"""Anthropic's messages and token counts, spoken by the provider.

Source: https://docs.anthropic.com/en/api/messages and /messages-streaming; error types as in /errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from headgate.core.usage import Usage
from headgate.providers.simulated.openai_family import EFFORT_TOKENS
from headgate.providers.simulated.plan import PlannedChoice, PlannedReply, Stop
from headgate.providers.simulated.prompt import BadRequest, Passage, Prompt, ToolOffer
from headgate.providers.simulated.speech import Mark, Piece, Problem, ProblemKind, read_json

__all__ = ["CountSpeech", "MessagesSpeech"]

_STOP: Mapping[Stop, str] = {
    "end": "end_turn",
    "stop_sequence": "stop_sequence",
    "max_tokens": "max_tokens",
    "tool_use": "tool_use",
    "content_filter": "refusal",
}
_ERRORS: Mapping[ProblemKind, tuple[int, str]] = {
    "rate_limit": (429, "rate_limit_error"),
    "quota": (402, "billing_error"),
    "auth": (401, "authentication_error"),
    "model_unknown": (404, "not_found_error"),
    "context_length": (400, "invalid_request_error"),
    "content_filter": (400, "invalid_request_error"),
    "server_error": (500, "api_error"),
    "overloaded": (503, "overloaded_error"),
    "overloaded_529": (529, "overloaded_error"),
    "invalid": (400, "invalid_request_error"),
    "path": (404, "not_found_error"),
}
_WORDS: Mapping[ProblemKind, str] = {
    "quota": "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to purchase credits.",
    "content_filter": "Output blocked by content filtering policy",
}
_Blocks = str | list[dict[str, Any]] | None


class _Message(msgspec.Struct):
    role: str
    content: str | list[dict[str, Any]]


class _Request(msgspec.Struct):
    model: str
    messages: list[_Message]
    max_tokens: int | None = None
    system: str | list[dict[str, Any]] | None = None
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None
    output_config: dict[str, Any] | None = None


_REQUEST = msgspec.json.Decoder(_Request)
_json = msgspec.json.Encoder().encode


class MessagesSpeech:
    """`anthropic.messages`."""

    wire = "anthropic.messages"

    def read(self, body: bytes) -> Prompt:
        """Raises BadRequest."""
        request = read_json(_REQUEST, body)
        if request.max_tokens is None:
            raise BadRequest("max_tokens: Field required", "max_tokens")
        if request.max_tokens < 1:
            raise BadRequest("max_tokens: must be at least 1", "max_tokens")
        return _prompt(request)

    def whole(self, prompt: Prompt, reply: PlannedReply) -> bytes:
        """The message object."""
        del prompt
        choice = reply.choices[0]
        content = [_whole_block(kind, block) for kind, block in _blocks(choice, reply.name)]
        usage = _usage(reply.usage) | {"output_tokens": reply.usage.completion}
        return _json(_message(reply, content) | _ending(choice) | {"usage": usage})

    def stream(self, prompt: Prompt, reply: PlannedReply) -> Iterator[Piece]:
        """message_start, the content blocks one after another, message_delta, message_stop."""
        del prompt
        choice = reply.choices[0]
        nothing_yet = {
            "stop_reason": None,
            "stop_sequence": None,
            "usage": _usage(reply.usage) | {"output_tokens": 1},
        }
        yield Mark.FRAME, _event("message_start", {"message": _message(reply, []) | nothing_yet})
        yield Mark.FRAME, b'event: ping\ndata: {"type":"ping"}\n\n'
        for index, (kind, block) in enumerate(_blocks(choice, reply.name)):
            yield from _block_events(index, kind, block)
        usage = _usage(reply.usage) | {"output_tokens": reply.usage.completion}
        yield Mark.FINISH, _event("message_delta", {"delta": _ending(choice), "usage": usage})
        yield Mark.DONE, b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

    def problem(self, problem: Problem, name: str) -> tuple[int, bytes]:
        """Status and body."""
        body = {"type": "error", "error": _error(problem), "request_id": f"req_{name}"}
        return _ERRORS[problem.kind][0], _json(body)

    def error_event(self, problem: Problem) -> bytes:
        """An `error` event."""
        return _event("error", {"error": _error(problem)})


class CountSpeech(MessagesSpeech):
    """`anthropic.count_tokens`: the same request without a limit; the answer is a number."""

    wire = "anthropic.count_tokens"

    def read(self, body: bytes) -> Prompt:
        """Raises BadRequest."""
        return _prompt(read_json(_REQUEST, body))

    def whole(self, prompt: Prompt, reply: PlannedReply) -> bytes:
        """The count."""
        del prompt
        return b'{"input_tokens":%d}' % reply.usage.prompt


def _prompt(request: _Request) -> Prompt:
    prompt = Prompt(
        model=request.model,
        passages=[],
        stream=bool(request.stream),
        max_tokens=request.max_tokens,
        stop=request.stop_sequences or [],
        cached_passages=0,
    )
    if not request.messages:
        raise BadRequest("messages: at least one message is required", "messages")
    _add(prompt, "system", request.system)
    for number, message in enumerate(request.messages):
        if message.role not in {"user", "assistant", "system"}:
            raise BadRequest(
                f'messages.{number}.role: Input should be "user" or "assistant"', f"messages.{number}.role"
            )
        _add(prompt, message.role, message.content)
    _read_rare(prompt, request)
    return prompt


def _add(prompt: Prompt, role: str, content: _Blocks) -> None:
    """Take in a turn's blocks; what stands up to a `cache_control` mark is cached."""
    if not content:
        return
    if isinstance(content, str):
        prompt.passages.append(Passage(role, content))
        return
    for block in content:
        kind = block.get("type")
        if kind == "tool_result":
            prompt.passages.append(Passage("tool", _inner_text(block.get("content"))))
        elif isinstance(text := block.get("text"), str):
            prompt.passages.append(Passage(role, text))
        elif kind == "tool_use":
            prompt.passages.append(Passage(role, str(block.get("name", ""))))
        prompt.images += kind == "image"
        prompt.files += kind == "document"
        if "cache_control" in block:
            prompt.cached_passages = len(prompt.passages)


def _inner_text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(block.get("text", "")) for block in content if isinstance(block, dict))
    return content if isinstance(content, str) else ""


def _read_rare(prompt: Prompt, request: _Request) -> None:
    for tool in request.tools or ():
        if isinstance(schema := tool.get("input_schema"), dict):
            prompt.tools.append(
                ToolOffer(str(tool.get("name", "")), str(tool.get("description") or ""), schema)
            )
    if choice := request.tool_choice:
        prompt.parallel = not choice.get("disable_parallel_tool_use")
        kind = choice.get("type")
        if kind in {"none", "any"}:
            prompt.tool_mode = kind
        elif kind == "tool":
            prompt.tool_mode, prompt.tool_name = "one", str(choice.get("name", ""))
    output = request.output_config or {}
    if isinstance(form := output.get("format"), dict):
        prompt.json_only = True
        prompt.json_schema = form.get("schema") if isinstance(form.get("schema"), dict) else None
    # This vendor shows reasoning only when asked for it.
    thinking = request.thinking or {"type": "disabled"}
    if thinking.get("type") == "disabled":
        prompt.thinking = 0
    elif isinstance(budget := thinking.get("budget_tokens"), int):
        prompt.thinking = budget
    else:
        prompt.thinking = EFFORT_TOKENS.get(str(output.get("effort") or "medium"), 80)


def _error(problem: Problem) -> dict[str, str]:
    return {"type": _ERRORS[problem.kind][1], "message": _WORDS.get(problem.kind, problem.message)}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
    }


def _message(reply: PlannedReply, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"msg_{reply.name}",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": content,
    }


def _ending(choice: PlannedChoice) -> dict[str, Any]:
    return {"stop_reason": _STOP[choice.stop], "stop_sequence": choice.stop_sequence or None}


_Block = tuple[dict[str, Any], list[str]]


def _blocks(choice: PlannedChoice, name: str) -> Iterator[tuple[str, _Block]]:
    """Kind, the block before it is filled, and what fills it."""
    if choice.thinking:
        yield "thinking", ({"type": "thinking", "thinking": "", "signature": f"sim_{name}"}, choice.thinking)
    if choice.text:
        yield "text", ({"type": "text", "text": ""}, choice.text)
    for call in choice.calls:
        # Identifiers have this vendor's prefix; the rest of the text stays.
        made = {
            "type": "tool_use",
            "id": f"toolu_{call.id.removeprefix('call_')}",
            "name": call.name,
            "input": {},
        }
        yield "tool_use", (made, call.pieces)


def _whole_block(kind: str, block: _Block) -> dict[str, Any]:
    made, pieces = block
    text = "".join(pieces)
    if kind == "tool_use":
        return made | {"input": msgspec.Raw(text.encode()) if _is_object(text) else {}}
    return made | {kind: text}


def _is_object(text: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except msgspec.DecodeError:
        return False


_DELTA = {
    "thinking": b'{"type":"thinking_delta","thinking":',
    "text": b'{"type":"text_delta","text":',
    "tool_use": b'{"type":"input_json_delta","partial_json":',
}


def _block_events(index: int, kind: str, block: _Block) -> Iterator[Piece]:
    made, pieces = block
    start = made | {"signature": ""} if kind == "thinking" else made
    yield Mark.FRAME, _event("content_block_start", {"index": index, "content_block": start})
    front = (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":' % index
        + _DELTA[kind]
    )
    for piece in pieces:
        yield Mark.TOKEN, front + _json(piece) + b"}}\n\n"
    if kind == "thinking":
        signature = {"type": "signature_delta", "signature": made["signature"]}
        yield Mark.FRAME, _event("content_block_delta", {"index": index, "delta": signature})
    yield Mark.FRAME, _event("content_block_stop", {"index": index})


def _event(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _json({"type": name} | data))
