"""A canonical request written as a responses body.

What the responses API cannot say, and what is done about it:
- Stop sequences and more than one answer: refused, because the answer would be another one.
- Seed, penalties and `top_k`: left out, they only nudge.
- Reasoning of earlier turns goes back only where this API wrote it and sealed it (`encrypted_content`).
- A tool result cannot be marked as failed: its text is led by `Error: `.
"""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.errors import UnsupportedRequest
from headgate.core.messages import (
    ChatRequest,
    Extra,
    File,
    Image,
    Message,
    Opaque,
    Part,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from headgate.providers.wires.openai_values import (
    data_url,
    effort_of,
    inline_text,
    json_schema,
    metadata_of,
    own_opaque,
    parameters_of,
    same_family,
)
from headgate.providers.wires.splicing import top_level

__all__ = ["MARK", "NAME", "response_fields"]

NAME = "openai.responses"

MARK = "openai:"
"""Leads the signature of reasoning that this API has sealed, as every vendor refuses what another has."""

_MODES = {"auto": "auto", "none": "none", "any": "required"}
_CONTENT_KINDS = ("input_", "output_", "refusal", "reasoning_text", "summary_text")
"""How the types of parts begin that stand inside a message; all others are items of their own."""


def response_fields(request: ChatRequest, model: str) -> dict[str, Any]:
    """The body's fields, in the order they are sent."""
    own = request.extra_wire == NAME
    _refuse_unsayable(request)
    fields: dict[str, Any] = {"model": model}
    instructions = [part.text for part in request.system if isinstance(part, Text)]
    if instructions:
        fields["instructions"] = "\n\n".join(instructions)
    items = [own_opaque(part, NAME) for part in request.system if isinstance(part, Opaque)]
    fields["input"] = [*items, *_Items(request, own=own).written()]
    said = {
        "max_output_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "user": request.user or None,
        "metadata": metadata_of(request) or None,
    }
    fields.update((name, value) for name, value in said.items() if value is not None)
    if request.tools:
        fields["tools"] = [_tool(tool, own=own) for tool in request.tools]
    _add_choice(fields, request)
    extra: Extra = request.extra if own else {}
    effort = effort_of(request)
    if effort:
        fields["reasoning"] = _merged(extra.get("reasoning"), {"effort": effort})
    if request.response_format is not None:
        wanted = request.response_format
        kind: dict[str, Any] = (
            {"type": "json_schema", **json_schema(wanted)}
            if bytes(wanted.schema)
            else {"type": "json_object"}
        )
        fields["text"] = _merged(extra.get("text"), {"format": kind})
    for name, raw in extra.items():
        fields.setdefault(name, raw)
    if request.stream:
        fields["stream"] = True
    return fields


def _refuse_unsayable(request: ChatRequest) -> None:
    if request.choices != 1:
        raise UnsupportedRequest(
            "The responses API gives one answer; ask for one, or call several times", param="n"
        )
    if request.stop:
        raise UnsupportedRequest("The responses API knows no stop sequences; leave `stop` out", param="stop")


def _merged(said: msgspec.Raw | None, fields: dict[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    if said is not None and bytes(said).strip() != b"null":
        known.update(top_level(bytes(said)))
    return known | fields


def _add_choice(fields: dict[str, Any], request: ChatRequest) -> None:
    choice = request.tool_choice
    if choice is None or not request.tools:
        return
    fields["tool_choice"] = _tool_choice(choice)
    if choice.parallel is not None:
        fields["parallel_tool_calls"] = choice.parallel


def _tool_choice(choice: ToolChoice) -> Any:
    return {"type": "function", "name": choice.name} if choice.mode == "one" else _MODES[choice.mode]


def _tool(tool: Tool, *, own: bool) -> Any:
    if bytes(tool.opaque):
        if not own:
            raise UnsupportedRequest(
                f"The tool `{tool.name}` is one only its own vendor runs; leave it out or ask for that vendor's model",
                param="tools",
            )
        return tool.opaque
    written: dict[str, Any] = {"type": "function", "name": tool.name}
    if tool.description:
        written["description"] = tool.description
    written["parameters"] = parameters_of(tool)
    # Unsaid means strict here and not strict everywhere else.
    if tool.strict is not None or not own:
        written["strict"] = bool(tool.strict)
    if own:
        for name, raw in tool.extra.items():
            written.setdefault(name, raw)
    return written


class _Items:
    """Writes the turns as input items: what a turn says becomes messages, calls and results stand between them."""

    def __init__(self, request: ChatRequest, *, own: bool) -> None:
        self._request = request
        self._own = own
        self._items: list[Any] = []

    def written(self) -> list[Any]:
        for message in self._request.messages:
            self._turn(message)
        return self._items

    def _turn(self, message: Message) -> None:
        said: list[Any] = []
        for part in message.parts:
            item = self._item(part)
            if item is None:
                content = self._content(part, message.role)
                if content is not None:
                    said.append(content)
                continue
            self._say(said, message)
            said = []
            self._items.append(item)
        self._say(said, message)

    def _say(self, content: list[Any], message: Message) -> None:
        if not content:
            return
        said: Any = content
        if len(content) == 1 and isinstance(content[0], dict) and content[0].keys() == {"type", "text"}:
            said = content[0]["text"]
        written = {"role": message.role, "content": said}
        self._add_extra(written, message.extra)
        self._items.append(written)

    def _item(self, part: Part) -> Any:
        """The part as an item of its own; None if it stands inside a message."""
        if isinstance(part, ToolCall):
            written: dict[str, Any] = {
                "type": "function_call",
                "call_id": part.id,
                "name": part.name,
                "arguments": part.arguments or "{}",
            }
        elif isinstance(part, ToolResult):
            written = {"type": "function_call_output", "call_id": part.call_id, "output": self._output(part)}
        elif isinstance(part, Thinking):
            if not part.signature.startswith(MARK):
                return None
            summary = [{"type": "summary_text", "text": part.text}] if part.text else []
            sealed = part.signature.removeprefix(MARK)
            written = {"type": "reasoning", "summary": summary, "encrypted_content": sealed}
        elif isinstance(part, Opaque):
            raw = own_opaque(part, NAME)
            return None if _stands_inside(raw) else raw
        else:
            return None
        self._add_extra(written, part.extra)
        return written

    def _output(self, result: ToolResult) -> Any:
        content = [self._content(part, "user") for part in result.content]
        if result.is_error:
            content.insert(0, {"type": "input_text", "text": "Error: "})
        if all(isinstance(part, dict) and part.keys() == {"type", "text"} for part in content):
            return ("" if result.is_error else "\n").join(part["text"] for part in content)
        return content

    def _content(self, part: Part, role: str) -> Any:
        """The part inside a message; None for reasoning, which is not sent."""
        if isinstance(part, Opaque):
            return own_opaque(part, NAME)
        if isinstance(part, Thinking):
            return None
        written: dict[str, Any]
        if isinstance(part, Text):
            written = {"type": "input_text" if role == "user" else "output_text", "text": part.text}
        elif isinstance(part, Image):
            written = {"type": "input_image", "image_url": data_url(part), "detail": part.detail or "auto"}
        elif isinstance(part, File):
            written = self._file(part)
        else:
            raise UnsupportedRequest(f"The responses API has no place for a {type(part).__name__} here")
        self._add_extra(written, part.extra)
        return written

    def _file(self, file: File) -> dict[str, Any]:
        text = inline_text(file)
        if text is not None:
            return {"type": "input_text", "text": text}
        if file.data:
            url = f"data:{file.media_type or 'application/pdf'};base64,{file.data}"
            return {"type": "input_file", "filename": file.name or "document.pdf", "file_data": url}
        if file.url:
            return {"type": "input_file", "file_url": file.url}
        if same_family(self._request):
            return {"type": "input_file", "file_id": file.file_id}
        raise UnsupportedRequest("OpenAI cannot read another vendor's file id; send the file's content")

    def _add_extra(self, written: dict[str, Any], extra: Extra) -> None:
        if self._own:
            for name, raw in extra.items():
                written.setdefault(name, raw)


class _Kind(msgspec.Struct):
    type: str = ""


_KIND = msgspec.json.Decoder(_Kind)


def _stands_inside(raw: msgspec.Raw) -> bool:
    try:
        return _KIND.decode(raw).type.startswith(_CONTENT_KINDS)
    except ValueError:
        return False
