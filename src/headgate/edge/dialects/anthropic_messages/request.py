"""An Anthropic messages request, read into the canonical conversation.

System messages in the middle move to `ChatRequest.system` behind the leading ones. `thinking` in a mode the canonical
request has no word for (`adaptive`, `between_tools`) stays in `extra`. Server tools, search results and their parts
are Opaque. The structured output is read from `output_config.format`, and from `output_format`, its beta name.
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
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from headgate.edge.dialects.reading import FLAG, INTEGER, LIMIT, NUMBER, OBJECT, TEXT, TEXT_LIST, Fields
from headgate.edge.dialects.sse import json_bytes

__all__ = ["read_messages"]

WIRE = "anthropic.messages"
_CHOICES = {"auto": "auto", "any": "any", "none": "none", "tool": "one"}


def read_messages(body: bytes) -> ChatRequest:
    """The request. Raises MalformedBody, InvalidRequest with `param`."""
    fields = Fields(body)
    request = ChatRequest(model=fields.need("model", TEXT), messages=[], extra_wire=WIRE)
    if not fields.has("messages"):
        fields.refuse("messages", "is missing")
    request.system = _system(fields, "system")
    for at, raw in fields.items("messages"):
        _add(request, Fields(raw, at))
    request.max_tokens = fields.take("max_tokens", LIMIT)
    request.temperature = fields.take("temperature", NUMBER)
    request.top_p = fields.take("top_p", NUMBER)
    request.top_k = fields.take("top_k", INTEGER)
    request.stop = fields.take("stop_sequences", TEXT_LIST) or []
    request.stream = fields.flag("stream")
    request.include_usage = True
    request.tools = [_tool(Fields(raw, at), raw) for at, raw in fields.items("tools")]
    request.tool_choice = _tool_choice(fields.object("tool_choice"))
    _read_thinking(fields, request)
    _read_output(fields, request)
    request.metadata = fields.take("metadata", OBJECT) or {}
    user = request.metadata.get("user_id") or ""
    if not isinstance(user, str):
        raise InvalidRequest("`metadata.user_id` must be a string.", param="metadata.user_id")
    request.user = user
    request.extra = fields.left
    return request


def _system(fields: Fields, name: str) -> list[Text | Opaque]:
    return [part for part in _content(fields, name) if isinstance(part, Text | Opaque)]


def _add(request: ChatRequest, fields: Fields) -> None:
    role = fields.need("role", TEXT)
    if not fields.has("content"):
        fields.refuse("content", "is missing")
    if role == "system":
        request.system += _system(fields, "content")
        return
    if role not in ("user", "assistant"):
        at = fields.path("role")
        raise InvalidRequest(f"`{at}` must be user, assistant or system, not `{role[:40]}`.", param=at)
    side: Role = "user" if role == "user" else "assistant"
    parts = _content(fields, "content")
    request.messages.append(Message(role=side, parts=parts, extra=fields.left))


def _content(fields: Fields, name: str) -> list[Part]:
    if fields.is_text(name):
        return [Text(text=fields.text(name))]
    return [_part(Fields(raw, at), raw) for at, raw in fields.items(name)]


def _part(fields: Fields, raw: msgspec.Raw) -> Part:
    kind = fields.need("type", TEXT)
    if kind == "text":
        return Text(text=fields.need("text", TEXT), extra=fields.left)
    if kind == "image":
        return _image(fields, raw)
    if kind == "document":
        return _document(fields, raw)
    if kind == "tool_use":
        arguments = fields.raw("input")
        return ToolCall(
            id=fields.need("id", TEXT),
            name=fields.need("name", TEXT),
            arguments=bytes(arguments).decode() if arguments is not None else "{}",
            extra=fields.left,
        )
    if kind == "tool_result":
        content = [
            part for part in _content(fields, "content") if isinstance(part, Text | Image | File | Opaque)
        ]
        return ToolResult(
            call_id=fields.need("tool_use_id", TEXT),
            content=content,
            is_error=fields.flag("is_error"),
            extra=fields.left,
        )
    if kind == "thinking":
        text, signature = fields.text("thinking"), fields.text("signature")
        return Thinking(text=text, signature=signature, extra=fields.left)
    if kind == "redacted_thinking":
        return Thinking(redacted=fields.need("data", TEXT), extra=fields.left)
    return Opaque(wire=WIRE, raw=raw)


def _image(fields: Fields, raw: msgspec.Raw) -> Image | Opaque:
    source = fields.object("source")
    if source is None:
        fields.refuse("source", "is missing")
    kind = source.need("type", TEXT)
    if kind == "base64":
        data, media_type = source.need("data", TEXT), source.need("media_type", TEXT)
        return Image(data=data, media_type=media_type, extra=fields.left)
    if kind == "url":
        return Image(url=source.need("url", TEXT), extra=fields.left)
    return Opaque(wire=WIRE, raw=raw)  # a file uploaded to this vendor


def _document(fields: Fields, raw: msgspec.Raw) -> File | Opaque:
    source = fields.object("source")
    if source is None:
        fields.refuse("source", "is missing")
    kind = source.need("type", TEXT)
    if kind == "content":
        return Opaque(wire=WIRE, raw=raw)
    file = File(name=fields.text("title"), extra=fields.left)
    if kind == "base64":
        file.data, file.media_type = source.need("data", TEXT), source.need("media_type", TEXT)
    elif kind == "text":
        # Plain text, which the canonical File holds like any other content: in base64.
        file.data = json_bytes(source.need("data", TEXT).encode())[1:-1].decode()
        file.media_type = source.text("media_type") or "text/plain"
    elif kind == "url":
        file.url = source.need("url", TEXT)
    elif kind == "file":
        file.file_id = source.need("file_id", TEXT)
    else:
        return Opaque(wire=WIRE, raw=raw)
    return file


def _tool(fields: Fields, raw: msgspec.Raw) -> Tool:
    kind = fields.text("type") or "custom"
    if kind != "custom":
        return Tool(name=kind, opaque=raw)
    return Tool(
        name=fields.need("name", TEXT),
        description=fields.text("description"),
        schema=fields.raw("input_schema") or msgspec.Raw(b"{}"),
        strict=fields.take("strict", FLAG),
        extra=fields.left,
    )


def _tool_choice(fields: Fields | None) -> ToolChoice | None:
    if fields is None:
        return None
    kind = fields.need("type", TEXT)
    mode = _CHOICES.get(kind)
    if mode is None:
        fields.refuse("type", f"must be one of {', '.join(_CHOICES)}, not `{kind[:40]}`")
    alone = fields.take("disable_parallel_tool_use", FLAG)
    return ToolChoice(
        mode=mode,  # type: ignore[arg-type]
        name=fields.need("name", TEXT) if mode == "one" else "",
        parallel=None if alone is None else not alone,
    )


def _read_thinking(fields: Fields, request: ChatRequest) -> None:
    raw = fields.raw("thinking")
    if raw is None:
        return
    thinking = Fields(raw, "thinking")
    kind = thinking.need("type", TEXT)
    if kind == "disabled":
        request.thinking_budget = 0
    elif kind == "enabled":
        request.thinking_budget = thinking.need("budget_tokens", LIMIT)
    if kind not in ("disabled", "enabled") or thinking.left:
        fields.left["thinking"] = raw


def _read_output(fields: Fields, request: ChatRequest) -> None:
    config = fields.object("output_config")
    wanted = None
    if config is not None:
        request.effort = config.text("effort")
        wanted = config.object("format")
        if config.left:
            fields.left["output_config"] = msgspec.Raw(json_bytes(config.left))
    older = fields.object("output_format")
    wanted = wanted or older
    if wanted is None:
        return
    kind = wanted.need("type", TEXT)
    if kind != "json_schema":
        wanted.refuse("type", f"must be json_schema, not `{kind[:40]}`")
    request.response_format = ResponseFormat(schema=wanted.raw("schema") or msgspec.Raw(b""), strict=True)
