"""A request of the responses API, read into the canonical conversation.

Items become parts of turns: neighbours of one side are joined, as a turn here is spread over several items. System
and developer messages move to `ChatRequest.system`. Items only this wire knows are Opaque in the turn they stand in.
"""

from __future__ import annotations

import msgspec

from headgate.core.errors import InvalidRequest
from headgate.core.messages import (
    ChatRequest,
    File,
    Image,
    Message,
    Opaque,
    Part,
    ResponseFormat,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from headgate.edge.dialects.openai_responses.marks import thinking_of
from headgate.edge.dialects.reading import (
    FLAG,
    LIMIT,
    NUMBER,
    OBJECT,
    TEXT,
    Fields,
    data_url,
    is_data_url,
    media_type_of,
)
from headgate.edge.dialects.sse import json_bytes

__all__ = ["NATIVE_ONLY", "needs_native", "read_responses"]

WIRE = "openai.responses"

NATIVE_ONLY = ("previous_response_id", "conversation", "prompt", "background")
"""Fields whose meaning is lost on any other wire: it lies in the vendor's storage, or is not answered at once."""

_CHOICE_WORDS = {"none": "none", "auto": "auto", "required": "any"}
_MEANINGLESS = (b"null", b"false")


def needs_native(request: ChatRequest) -> str | None:
    """The field because of which no other wire can carry the request; None if any can."""
    if request.extra_wire != WIRE:
        return None
    return next(
        (name for name in NATIVE_ONLY if bytes(request.extra.get(name, b"null")) not in _MEANINGLESS), None
    )


def read_responses(body: bytes) -> ChatRequest:
    """The request. Raises MalformedBody, InvalidRequest with `param`."""
    fields = Fields(body)
    request = ChatRequest(model=fields.need("model", TEXT), messages=[], extra_wire=WIRE)
    instructions = fields.text("instructions")
    if instructions:
        request.system.append(Text(text=instructions))
    if not fields.has("input") and not any(fields.has(name) for name in NATIVE_ONLY):
        fields.refuse("input", "is missing")
    if fields.is_text("input"):
        request.messages = [Message(role="user", parts=[Text(text=fields.text("input"))])]
    else:
        for at, raw in fields.items("input"):
            _add_item(request, Fields(raw, at), raw)
    request.max_tokens = fields.take("max_output_tokens", LIMIT)
    request.temperature = fields.take("temperature", NUMBER)
    request.top_p = fields.take("top_p", NUMBER)
    request.stream = fields.flag("stream")
    request.include_usage = True
    request.tools = [_tool(Fields(raw, at), raw) for at, raw in fields.items("tools")]
    _read_tool_choice(fields, request)
    _read_format(fields, request)
    reasoning = fields.object("reasoning")
    if reasoning is not None:
        request.effort = reasoning.text("effort")
        if request.effort == "none":
            request.thinking_budget = 0
        _keep_rest(fields, "reasoning", reasoning)
    request.metadata = fields.take("metadata", OBJECT) or {}
    request.user = fields.text("user")
    if not request.user and fields.is_text("safety_identifier"):
        request.user = Fields(body).text("safety_identifier")  # and it stays in `extra`
    request.extra = fields.left
    return request


def _keep_rest(fields: Fields, name: str, taken: Fields) -> None:
    """What has not been taken of the object `name` stays in `extra`; a wire adds what it says itself."""
    if taken.left:
        fields.left[name] = msgspec.Raw(json_bytes(taken.left))


def _add_item(request: ChatRequest, fields: Fields, raw: msgspec.Raw) -> None:
    kind = fields.text("type") or ("message" if "role" in fields.left else "item_reference")
    if kind == "message":
        _add_message(request, fields)
    elif kind == "function_call":
        call = ToolCall(
            id=fields.need("call_id", TEXT),
            name=fields.need("name", TEXT),
            arguments=fields.text("arguments"),
        )
        _add(request, "assistant", [call])
    elif kind == "function_call_output":
        content = [
            part for part in _content(fields, "output") if isinstance(part, Text | Image | File | Opaque)
        ]
        _add(request, "user", [ToolResult(call_id=fields.need("call_id", TEXT), content=content)])
    elif kind == "reasoning":
        texts = [Fields(part, at).text("text") for at, part in fields.items("summary")]
        thinking = thinking_of("\n\n".join(texts), fields.text("encrypted_content"))
        if fields.is_text("id"):
            thinking.extra = {"id": fields.left["id"]}
        _add(request, "assistant", [thinking])
    else:
        side: Role = "user" if kind.endswith(("_output", "_response", "_reference")) else "assistant"
        _add(request, side, [Opaque(wire=WIRE, raw=raw)])


def _add_message(request: ChatRequest, fields: Fields) -> None:
    role = fields.need("role", TEXT)
    parts = _content(fields, "content")
    if role in ("system", "developer"):
        request.system += [part for part in parts if isinstance(part, Text | Opaque)]
    elif role in ("user", "assistant"):
        _add(request, "user" if role == "user" else "assistant", parts)
    else:
        at = fields.path("role")
        raise InvalidRequest(
            f"`{at}` must be user, assistant, system or developer, not `{role[:40]}`.", param=at
        )


def _add(request: ChatRequest, role: Role, parts: list[Part]) -> None:
    messages = request.messages
    if messages and messages[-1].role == role:
        messages[-1].parts += parts
    else:
        messages.append(Message(role=role, parts=parts))


def _content(fields: Fields, name: str) -> list[Part]:
    if fields.is_text(name):
        return [Text(text=fields.text(name))]
    return [_part(Fields(raw, at), raw) for at, raw in fields.items(name)]


def _part(fields: Fields, raw: msgspec.Raw) -> Part:
    kind = fields.need("type", TEXT)
    if kind in ("input_text", "output_text", "text"):
        text = fields.need("text", TEXT)
        if kind == "output_text":
            # Sent back as they came, most often empty; no wire but this one has them.
            fields.left = {name: value for name, value in fields.left.items() if bytes(value) != b"[]"}
        return Text(text=text, extra=fields.left)
    if kind == "refusal":
        return Text(text=fields.need("refusal", TEXT))
    if kind == "input_image" and fields.is_text("image_url"):
        url, detail, at = fields.text("image_url"), fields.text("detail"), fields.path("image_url")
        if is_data_url(url):
            media_type, data = data_url(url, at)
            return Image(data=data, media_type=media_type, detail=detail, extra=fields.left)
        return Image(url=url, detail=detail, extra=fields.left)
    if kind == "input_file":
        return _file(fields)
    return Opaque(wire=WIRE, raw=raw)


def _file(fields: Fields) -> File:
    name, data, at = fields.text("filename"), fields.text("file_data"), fields.path("file_data")
    media_type = media_type_of(name, "application/pdf") if data else ""
    if is_data_url(data):
        media_type, data = data_url(data, at)
    return File(
        url=fields.text("file_url"),
        data=data,
        media_type=media_type,
        file_id=fields.text("file_id"),
        name=name,
        extra=fields.left,
    )


def _tool(fields: Fields, raw: msgspec.Raw) -> Tool:
    kind = fields.need("type", TEXT)
    if kind != "function":
        return Tool(name=kind, opaque=raw)
    return Tool(
        name=fields.need("name", TEXT),
        description=fields.text("description"),
        schema=fields.raw("parameters") or msgspec.Raw(b"{}"),
        strict=fields.take("strict", FLAG),
        extra=fields.left,
    )


def _read_tool_choice(fields: Fields, request: ChatRequest) -> None:
    choice: ToolChoice | None = None
    if fields.is_text("tool_choice"):
        word = fields.text("tool_choice")
        if word not in _CHOICE_WORDS:
            known = ", ".join(_CHOICE_WORDS)
            fields.refuse("tool_choice", f"must be one of {known} or an object, not `{word[:40]}`")
        choice = ToolChoice(mode=_CHOICE_WORDS[word])  # type: ignore[arg-type]
    elif (raw := fields.raw("tool_choice")) is not None:
        chosen = Fields(raw, "tool_choice")
        if chosen.text("type") != "function":
            # `allowed_tools`, built-in tools: only this wire knows them.
            fields.left["tool_choice"] = raw
            return
        choice = ToolChoice(mode="one", name=chosen.need("name", TEXT))
    if choice is not None or request.tools:
        parallel = fields.take("parallel_tool_calls", FLAG)
        if parallel is not None:
            choice = choice or ToolChoice(mode="auto")
            choice.parallel = parallel
    request.tool_choice = choice


def _read_format(fields: Fields, request: ChatRequest) -> None:
    text = fields.object("text")
    if text is None:
        return
    raw = text.raw("format")
    if raw is not None:
        wanted = Fields(raw, "text.format")
        kind = wanted.need("type", TEXT)
        if kind == "json_object":
            request.response_format = ResponseFormat()
        elif kind == "json_schema":
            request.response_format = ResponseFormat(
                schema=wanted.raw("schema") or msgspec.Raw(b""),
                name=wanted.text("name") or "answer",
                description=wanted.text("description"),
                strict=wanted.take("strict", FLAG),
            )
        elif kind != "text":
            text.left["format"] = raw
    _keep_rest(fields, "text", text)
