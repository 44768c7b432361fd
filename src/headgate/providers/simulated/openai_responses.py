"""OpenAI's responses, spoken by the provider. Source: https://platform.openai.com/docs/api-reference/responses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from headgate.core.usage import Usage
from headgate.providers.simulated.openai_family import EFFORT_TOKENS, error_body, text_and_media, tool_offer
from headgate.providers.simulated.plan import PlannedReply
from headgate.providers.simulated.prompt import BadRequest, Passage, Prompt
from headgate.providers.simulated.speech import Mark, Piece, Problem, read_json

__all__ = ["ResponsesSpeech"]

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


class _Request(msgspec.Struct):
    model: str
    input: str | list[dict[str, Any]] = ""
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: dict[str, Any] | None = None
    reasoning: dict[str, Any] | None = None


_REQUEST = msgspec.json.Decoder(_Request)
_json = msgspec.json.Encoder().encode


class ResponsesSpeech:
    """`openai.responses`. Nothing is stored: `previous_response_id` is not understood."""

    wire = "openai.responses"
    problem = staticmethod(error_body)

    def read(self, body: bytes) -> Prompt:
        """Raises BadRequest."""
        request = read_json(_REQUEST, body)
        prompt = Prompt(
            model=request.model,
            passages=[],
            stream=bool(request.stream),
            max_tokens=request.max_output_tokens,
            parallel=request.parallel_tool_calls is not False,
        )
        if not request.input:
            raise BadRequest("Missing required parameter: 'input'.", "input")
        if request.max_output_tokens is not None and request.max_output_tokens < 1:
            raise BadRequest("Invalid 'max_output_tokens': expected at least 1.", "max_output_tokens")
        if request.instructions:
            prompt.passages.append(Passage("system", request.instructions))
        if isinstance(request.input, str):
            prompt.passages.append(Passage("user", request.input))
        else:
            for number, item in enumerate(request.input):
                _add_item(prompt, item, number)
        _read_rare(prompt, request)
        return prompt

    def whole(self, prompt: Prompt, reply: PlannedReply) -> bytes:
        """The response object."""
        return _json(_response(prompt, reply, [_done(item) for item in _items(reply)], ended=True))

    def stream(self, prompt: Prompt, reply: PlannedReply) -> Iterator[Piece]:
        """created, in_progress, every output item with its parts and deltas, completed or incomplete."""
        for number, (mark, data) in enumerate(_events(prompt, reply)):
            data["sequence_number"] = number
            yield mark, b"event: %b\ndata: %b\n\n" % (data["type"].encode(), _json(data))

    def error_event(self, problem: Problem) -> bytes:
        """An `error` event."""
        error = {
            "type": "error",
            "code": "server_error",
            "message": problem.message,
            "param": None,
            "sequence_number": 0,
        }
        return b"event: error\ndata: " + _json(error) + b"\n\n"


def _add_item(prompt: Prompt, item: dict[str, Any], number: int) -> None:
    kind = item.get("type", "message")
    if kind == "message":
        role = _ROLES.get(str(item.get("role")))
        content = item.get("content")
        if role is None or not isinstance(content, str | list):
            raise BadRequest("Invalid value: a message has a role and content.", f"input[{number}]")
        text, images, files = text_and_media(content)
        prompt.images += images
        prompt.files += files
        prompt.passages.append(Passage(role, text))
    elif kind == "function_call_output":
        output = item.get("output")
        prompt.passages.append(Passage("tool", output if isinstance(output, str) else _json(output).decode()))
    elif kind == "function_call":
        prompt.passages.append(Passage("assistant", str(item.get("name", ""))))


def _read_rare(prompt: Prompt, request: _Request) -> None:
    prompt.tools = [tool_offer(tool) for tool in request.tools or () if tool.get("type") == "function"]
    choice = request.tool_choice
    if choice == "none":
        prompt.tool_mode = "none"
    elif choice == "required":
        prompt.tool_mode = "any"
    elif isinstance(choice, dict) and choice.get("type") == "function":
        prompt.tool_mode, prompt.tool_name = "one", str(choice.get("name", ""))
    form = (request.text or {}).get("format")
    if isinstance(form, dict) and form.get("type") != "text":
        prompt.json_only = True
        prompt.json_schema = form.get("schema") if isinstance(form.get("schema"), dict) else None
    if effort := (request.reasoning or {}).get("effort"):
        prompt.thinking = EFFORT_TOKENS.get(str(effort), 80)


class _Item(msgspec.Struct):
    """One output item, and the pieces of what fills it."""

    kind: str
    base: dict[str, Any]
    pieces: list[str]


def _items(reply: PlannedReply) -> list[_Item]:
    choice, items = reply.choices[0], []
    if choice.thinking:
        items.append(_Item("reasoning", {"id": f"rs_{reply.name}", "type": "reasoning"}, choice.thinking))
    if choice.text or not choice.calls:
        base = {"id": f"msg_{reply.name}", "type": "message", "role": "assistant"}
        items.append(_Item("message", base, choice.text))
    for number, call in enumerate(choice.calls):
        base = {
            "id": f"fc_{reply.name}{number}",
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
        }
        items.append(_Item("function_call", base, call.pieces))
    return items


def _part(item: _Item, text: str) -> dict[str, Any]:
    if item.kind == "reasoning":
        return {"type": "summary_text", "text": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _done(item: _Item) -> dict[str, Any]:
    text = "".join(item.pieces)
    if item.kind == "function_call":
        return item.base | {"arguments": text, "status": "completed"}
    field = "summary" if item.kind == "reasoning" else "content"
    return item.base | {field: [_part(item, text)], "status": "completed"}


def _begun(item: _Item) -> dict[str, Any]:
    empty: dict[str, dict[str, Any]] = {
        "message": {"content": []},
        "reasoning": {"summary": []},
        "function_call": {"arguments": ""},
    }
    return item.base | empty[item.kind] | {"status": "in_progress"}


def _response(
    prompt: Prompt, reply: PlannedReply, output: list[dict[str, Any]], *, ended: bool
) -> dict[str, Any]:
    stop = reply.choices[0].stop
    reason = {"max_tokens": "max_output_tokens", "content_filter": "content_filter"}.get(stop)
    status = "in_progress" if not ended else "incomplete" if reason else "completed"
    return {
        "id": f"resp_{reply.name}",
        "object": "response",
        "created_at": reply.created,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": reason} if ended and reason else None,
        "instructions": None,
        "max_output_tokens": prompt.max_tokens,
        "model": reply.model,
        "output": output,
        "parallel_tool_calls": prompt.parallel,
        "previous_response_id": None,
        "store": False,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "metadata": {},
        "usage": _usage(reply.usage) if ended else None,
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }


def _events(prompt: Prompt, reply: PlannedReply) -> Iterator[tuple[Mark, dict[str, Any]]]:
    open_response = _response(prompt, reply, [], ended=False)
    yield Mark.FRAME, {"type": "response.created", "response": open_response}
    yield Mark.FRAME, {"type": "response.in_progress", "response": open_response}
    items = _items(reply)
    for index, item in enumerate(items):
        yield Mark.FRAME, {"type": "response.output_item.added", "output_index": index, "item": _begun(item)}
        yield from _fillings(index, item)
        yield Mark.FRAME, {"type": "response.output_item.done", "output_index": index, "item": _done(item)}
    response = _response(prompt, reply, [_done(item) for item in items], ended=True)
    yield Mark.FINISH, {"type": f"response.{response['status']}", "response": response}


_PARTS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    # kind: the part's events, the text's events, how the place is called, more fields of the text's events
    "message": ("response.content_part", "response.output_text", "content_index", {"logprobs": []}),
    "reasoning": ("response.reasoning_summary_part", "response.reasoning_summary_text", "summary_index", {}),
}


def _fillings(index: int, item: _Item) -> Iterator[tuple[Mark, dict[str, Any]]]:
    place: dict[str, Any] = {"item_id": item.base["id"], "output_index": index}
    text = "".join(item.pieces)
    if item.kind == "function_call":
        event = "response.function_call_arguments"
        for piece in item.pieces:
            yield Mark.TOKEN, {"type": f"{event}.delta", **place, "delta": piece}
        yield Mark.FRAME, {"type": f"{event}.done", **place, "name": item.base["name"], "arguments": text}
        return
    part_event, text_event, place_name, more = _PARTS[item.kind]
    place[place_name] = 0
    yield Mark.FRAME, {"type": f"{part_event}.added", **place, "part": _part(item, "")}
    for piece in item.pieces:
        yield Mark.TOKEN, {"type": f"{text_event}.delta", **place, "delta": piece, **more}
    yield Mark.FRAME, {"type": f"{text_event}.done", **place, "text": text, **more}
    yield Mark.FRAME, {"type": f"{part_event}.done", **place, "part": _part(item, text)}
