"""An OpenAI chat request, read into the canonical conversation.

System and developer messages move to `ChatRequest.system` in their order, wherever they stood: few vendors know them
in the middle. The old `function` style gets call ids of its own making, as it has none. What a crossing cannot say
(audio, custom tools) becomes Opaque; a refusal in the history is text the assistant said.
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
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from headgate.edge.dialects.reading import (
    FLAG,
    INTEGER,
    LIMIT,
    NUMBER,
    OBJECT,
    TEXT,
    TEXT_LIST,
    Fields,
    data_url,
    is_data_url,
    media_type_of,
)
from headgate.edge.dialects.sse import json_bytes

__all__ = ["read_chat"]

WIRE = "openai.chat"
_CHOICE_WORDS = {"none": "none", "auto": "auto", "required": "any"}
_NO_SCHEMA = msgspec.Raw(b"{}")


def read_chat(body: bytes) -> ChatRequest:
    """The request. Raises MalformedBody, InvalidRequest with `param`."""
    fields = Fields(body)
    request = ChatRequest(model=fields.need("model", TEXT), messages=[], extra_wire=WIRE)
    if not fields.has("messages"):
        fields.refuse("messages", "is missing")
    reader = _Conversation(request)
    for at, raw in fields.items("messages"):
        reader.add(Fields(raw, at))
    _read_limits(fields, request)
    _read_tools(fields, request)
    _read_format(fields, request)
    request.stream = fields.flag("stream")
    options = fields.object("stream_options")
    if options is not None:
        request.include_usage = options.flag("include_usage")
        if options.left:
            fields.left["stream_options"] = msgspec.Raw(json_bytes(options.left))
    request.metadata = fields.take("metadata", OBJECT) or {}
    request.user = fields.text("user")
    if not request.user and fields.is_text("safety_identifier"):
        request.user = Fields(body).text("safety_identifier")  # and it stays in `extra`
    request.extra = fields.left
    return request


def _read_limits(fields: Fields, request: ChatRequest) -> None:
    limit = fields.take("max_tokens", LIMIT)
    newer = fields.take("max_completion_tokens", LIMIT)
    limit = limit if newer is None else newer
    request.max_tokens = limit if limit is not None and limit >= 0 else None
    request.temperature = fields.take("temperature", NUMBER)
    request.top_p = fields.take("top_p", NUMBER)
    # Not OpenAI's, but every compatible server's.
    request.top_k = fields.take("top_k", INTEGER)
    request.seed = fields.take("seed", INTEGER)
    request.presence_penalty = fields.take("presence_penalty", NUMBER)
    request.frequency_penalty = fields.take("frequency_penalty", NUMBER)
    choices = fields.take("n", LIMIT)
    if choices is not None:
        if choices < 1:
            fields.refuse("n", "must be at least 1")
        request.choices = choices
    if fields.is_text("stop"):
        request.stop = [fields.text("stop")]
    else:
        request.stop = fields.take("stop", TEXT_LIST) or []
    request.effort = fields.text("reasoning_effort")
    if request.effort == "none":
        request.thinking_budget = 0


def _read_tools(fields: Fields, request: ChatRequest) -> None:
    request.tools = [_tool(Fields(raw, at), raw) for at, raw in fields.items("tools")]
    request.tools += [_function(Fields(raw, at)) for at, raw in fields.items("functions")]
    mode: ToolChoice | None = None
    for name in ("tool_choice", "function_call"):
        mode = _tool_choice(fields, name) or mode
    parallel = fields.left.get("parallel_tool_calls")
    if parallel is not None and "tool_choice" not in fields.left:
        said = fields.take("parallel_tool_calls", FLAG)
        if said is not None and (mode is not None or request.tools):
            mode = mode or ToolChoice(mode="auto")
            mode.parallel = said
    request.tool_choice = mode


def _tool(fields: Fields, raw: msgspec.Raw) -> Tool:
    kind = fields.need("type", TEXT)
    function = fields.object("function") if kind == "function" else None
    if function is None:
        if kind == "function":
            fields.refuse("function", "is missing")
        return Tool(name=kind, opaque=raw)
    tool = _function(function)
    tool.extra |= fields.left
    return tool


def _function(fields: Fields) -> Tool:
    return Tool(
        name=fields.need("name", TEXT),
        description=fields.text("description"),
        schema=fields.raw("parameters") or _NO_SCHEMA,
        strict=fields.take("strict", FLAG),
        extra=fields.left,
    )


def _tool_choice(fields: Fields, name: str) -> ToolChoice | None:
    if name not in fields.left:
        return None
    if fields.is_text(name):
        word = fields.text(name)
        if word not in _CHOICE_WORDS:
            fields.refuse(name, f"must be one of {', '.join(_CHOICE_WORDS)} or an object, not `{word[:40]}`")
        return ToolChoice(mode=_CHOICE_WORDS[word])  # type: ignore[arg-type]
    raw = fields.raw(name)
    if raw is None:
        return None
    chosen = Fields(raw, fields.path(name))
    kind = chosen.text("type") if name == "tool_choice" else "function_call"
    function = chosen.object("function") if kind == "function" else None
    if function is not None:
        return ToolChoice(mode="one", name=function.need("name", TEXT))
    if kind == "function_call":
        return ToolChoice(mode="one", name=chosen.need("name", TEXT))
    # `allowed_tools`, `custom`: only this wire knows them.
    fields.left[name] = raw
    return None


def _read_format(fields: Fields, request: ChatRequest) -> None:
    raw = fields.raw("response_format")
    if raw is None:
        return
    wanted = Fields(raw, "response_format")
    kind = wanted.need("type", TEXT)
    if kind == "json_object":
        request.response_format = ResponseFormat()
    elif kind == "json_schema":
        schema = wanted.object("json_schema")
        if schema is None:
            wanted.refuse("json_schema", "is missing")
        request.response_format = ResponseFormat(
            schema=schema.raw("schema") or msgspec.Raw(b""),
            name=schema.text("name") or "answer",
            description=schema.text("description"),
            strict=schema.take("strict", FLAG),
        )
    elif kind != "text":
        fields.left["response_format"] = raw


class _Conversation:
    """Adds messages to a request one after the other."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._old_calls = 0
        self._old_call_ids: dict[str, str] = {}
        """The latest call id made up for each function of the old style."""

    def add(self, fields: Fields) -> None:
        role = fields.need("role", TEXT)
        if role in ("system", "developer"):
            self._request.system += [part for part in _content(fields) if isinstance(part, Text | Opaque)]
        elif role == "user":
            parts = _content(fields)
            self._request.messages.append(Message(role="user", parts=parts, extra=fields.left))
        elif role == "assistant":
            self._add_assistant(fields)
        elif role == "tool":
            call_id = fields.need("tool_call_id", TEXT)
            self._add_result(fields, call_id, fields.text("name"))
        elif role == "function":
            name = fields.need("name", TEXT)
            self._add_result(fields, self._old_call_ids.get(name) or self._new_call_id(name), name)
        else:
            known = "system, developer, user, assistant, tool or function"
            at = fields.path("role")
            raise InvalidRequest(f"`{at}` must be {known}, not `{role[:40]}`.", param=at)

    def _add_assistant(self, fields: Fields) -> None:
        parts: list[Part] = []
        reasoning = fields.text("reasoning_content")
        if reasoning:
            parts.append(Thinking(text=reasoning))
        parts += _content(fields)
        refusal = fields.text("refusal")
        if refusal:
            parts.append(Text(text=refusal))
        for at, raw in fields.items("tool_calls"):
            parts.append(_tool_call(Fields(raw, at), raw))
        old = fields.object("function_call")
        if old is not None:
            name = old.need("name", TEXT)
            parts.append(ToolCall(id=self._new_call_id(name), name=name, arguments=old.text("arguments")))
        self._request.messages.append(Message(role="assistant", parts=parts, extra=fields.left))

    def _add_result(self, fields: Fields, call_id: str, name: str) -> None:
        content = [part for part in _content(fields) if isinstance(part, Text | Image | File | Opaque)]
        result = ToolResult(call_id=call_id, content=content, name=name, extra=fields.left)
        messages = self._request.messages
        last = messages[-1] if messages else None
        if last is not None and last.parts and isinstance(last.parts[-1], ToolResult):
            last.parts.append(result)  # answers to parallel calls are one turn
        else:
            messages.append(Message(role="user", parts=[result]))

    def _new_call_id(self, name: str) -> str:
        self._old_calls += 1
        self._old_call_ids[name] = f"call_function_{self._old_calls}"
        return self._old_call_ids[name]


def _tool_call(fields: Fields, raw: msgspec.Raw) -> ToolCall | Opaque:
    if (fields.text("type") or "function") != "function":
        return Opaque(wire=WIRE, raw=raw)
    function = fields.object("function")
    if function is None:
        fields.refuse("function", "is missing")
    return ToolCall(
        id=fields.need("id", TEXT),
        name=function.need("name", TEXT),
        arguments=function.text("arguments"),
        extra=fields.left,
    )


def _content(fields: Fields) -> list[Part]:
    if fields.is_text("content"):
        return [Text(text=fields.text("content"))]
    return [_part(Fields(raw, at), raw) for at, raw in fields.items("content")]


def _part(fields: Fields, raw: msgspec.Raw) -> Part:
    kind = fields.need("type", TEXT)
    if kind == "text":
        return Text(text=fields.need("text", TEXT), extra=fields.left)
    if kind == "refusal":
        return Text(text=fields.need("refusal", TEXT))
    if kind == "image_url":
        return _image(fields)
    if kind == "file":
        return _file(fields)
    return Opaque(wire=WIRE, raw=raw)


def _image(fields: Fields) -> Image:
    detail, at = "", fields.path("image_url")
    if fields.is_text("image_url"):  # what many callers send, and most servers take
        url = fields.text("image_url")
    else:
        source = fields.object("image_url")
        if source is None:
            fields.refuse("image_url", "is missing")
        url, detail, at = source.need("url", TEXT), source.text("detail"), source.path("url")
    if is_data_url(url):
        media_type, data = data_url(url, at)
        return Image(data=data, media_type=media_type, detail=detail, extra=fields.left)
    return Image(url=url, detail=detail, extra=fields.left)


def _file(fields: Fields) -> File:
    source = fields.object("file")
    if source is None:
        fields.refuse("file", "is missing")
    name, data = source.text("filename"), source.text("file_data")
    media_type = media_type_of(name, "application/pdf") if data else ""
    if is_data_url(data):
        media_type, data = data_url(data, source.path("file_data"))
    return File(
        data=data, media_type=media_type, file_id=source.text("file_id"), name=name, extra=fields.left
    )
