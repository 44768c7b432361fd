"""A canonical request written as a chat-completions body, and a caller's own body adapted in place.

What chat completions cannot say, and what is done about it:
- A tool result holds text only. Pictures and files in it follow in a user message that names the call.
- A tool result cannot be marked as failed: its text is led by `Error: `.
- Reasoning of earlier turns is dropped, unless the server is known to read `reasoning_content`.
- A file by URL, and a file id of another vendor: refused, because the model would answer without it.
- Several system prompts become one message, a blank line between them: many servers take a single one, first.
"""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.errors import MalformedBody, UnsupportedRequest
from headgate.core.messages import (
    ChatRequest,
    Extra,
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
from headgate.providers.wires.splicing import add_field, top_level

__all__ = ["NAME", "ChatBody", "ask_for_usage"]

NAME = "openai.chat"

_USAGE_WANTED = b'{"include_usage":true}'
_MODES = {"auto": "auto", "none": "none", "any": "required"}


class ChatBody:
    """Writes one request. The keywords are those of `OpenAIChat`."""

    def __init__(
        self,
        request: ChatRequest,
        model: str,
        *,
        max_tokens_field: str,
        ask_usage: bool,
        send_reasoning: bool,
        send_top_k: bool,
    ) -> None:
        self._request = request
        self._model = model
        self._max_tokens_field = max_tokens_field
        self._ask_usage = ask_usage
        self._own = request.extra_wire == NAME
        # What a caller of this very dialect sent goes on, as it does when the body passes untouched.
        self._send_reasoning = send_reasoning or self._own
        self._send_top_k = send_top_k or self._own

    def fields(self) -> dict[str, Any]:
        """The body's fields, in the order they are sent."""
        request = self._request
        fields: dict[str, Any] = {"model": self._model, "messages": self._messages()}
        said = {
            self._max_tokens_field: request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "top_k": request.top_k if self._send_top_k else None,
            "stop": request.stop or None,
            "seed": request.seed,
            "presence_penalty": request.presence_penalty,
            "frequency_penalty": request.frequency_penalty,
            "n": request.choices if request.choices != 1 else None,
            "reasoning_effort": effort_of(request) or None,
            "response_format": _response_format(request.response_format),
            "user": request.user or None,
            "metadata": metadata_of(request) or None,
        }
        fields.update((name, value) for name, value in said.items() if value is not None)
        self._add_tools(fields)
        if self._own:
            for name, raw in request.extra.items():
                fields.setdefault(name, raw)
        if request.stream:
            self._add_stream(fields)
        return fields

    def _add_tools(self, fields: dict[str, Any]) -> None:
        request = self._request
        if request.tools:
            fields["tools"] = [self._tool(tool) for tool in request.tools]
        choice = request.tool_choice
        if choice is not None and request.tools:
            fields["tool_choice"] = _tool_choice(choice)
            if choice.parallel is not None:
                fields["parallel_tool_calls"] = choice.parallel

    def _add_stream(self, fields: dict[str, Any]) -> None:
        fields["stream"] = True
        if self._ask_usage:
            fields["stream_options"] = _with_usage(fields.get("stream_options"))

    def _tool(self, tool: Tool) -> Any:
        if bytes(tool.opaque):
            if not self._own:
                raise UnsupportedRequest(
                    f"The tool `{tool.name}` is one only its own vendor runs; leave it out or ask for that vendor's model",
                    param="tools",
                )
            return tool.opaque
        function: dict[str, Any] = {"name": tool.name}
        if tool.description:
            function["description"] = tool.description
        function["parameters"] = parameters_of(tool)
        if tool.strict is not None:
            function["strict"] = tool.strict
        self._add_extra(function, tool.extra)
        return {"type": "function", "function": function}

    def _messages(self) -> list[Any]:
        messages: list[Any] = []
        system = self._content(list(self._request.system), separator="\n\n")
        if system is not None:
            messages.append({"role": "system", "content": system})
        for at, message in enumerate(self._request.messages):
            if message.role == "assistant":
                messages.append(self._assistant(message, at))
            else:
                messages += self._user(message, at)
        return messages

    def _user(self, message: Message, at: int) -> list[Any]:
        """Tool results first, as each must follow the turn that called the tool; then what the user said."""
        written: list[Any] = []
        beside: list[Part] = []
        said: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                written.append(self._result(part, beside))
            elif isinstance(part, ToolCall):
                raise UnsupportedRequest(
                    "A tool call stands in a user's turn; it belongs to the assistant",
                    param=f"messages[{at}]",
                )
            elif not isinstance(part, Thinking):
                said.append(part)
        content = self._content([*beside, *said])
        if content is not None or not written:
            user = {"role": "user", "content": content or ""}
            self._add_extra(user, message.extra)
            written.append(user)
        return written

    def _result(self, result: ToolResult, beside: list[Part]) -> dict[str, Any]:
        texts: list[Part] = []
        others: list[Part] = []
        for part in result.content:
            text = inline_text(part) if isinstance(part, File) else None
            if text is not None:
                texts.append(Text(text=text))
            elif isinstance(part, Image | File):
                others.append(part)
            else:
                texts.append(part)
        if others:
            beside += [Text(text=f"From the result of tool call {result.call_id}:"), *others]
        content = self._content(texts, separator="\n") or ("(in the next message)" if others else "")
        if result.is_error:
            content = f"Error: {content}" if isinstance(content, str) else [_text("Error: "), *content]
        message = {"role": "tool", "tool_call_id": result.call_id, "content": content}
        self._add_extra(message, result.extra)
        return message

    def _assistant(self, message: Message, at: int) -> dict[str, Any]:
        said: list[Part] = []
        calls: list[Any] = []
        reasoning = []
        for part in message.parts:
            if isinstance(part, ToolCall):
                calls.append(self._call(part))
            elif isinstance(part, Thinking):
                reasoning.append(part.text)
            elif isinstance(part, Text):
                said.append(part)
            elif isinstance(part, Opaque):
                raw = own_opaque(part, NAME)
                if _is_call(raw):
                    calls.append(raw)
                else:
                    said.append(part)
            else:
                kind = type(part).__name__.lower()
                raise UnsupportedRequest(
                    f"An assistant's turn holds a {kind}, which chat completions cannot say",
                    param=f"messages[{at}]",
                )
        content = self._content(said, separator="")
        written: dict[str, Any] = {
            "role": "assistant",
            "content": content if content is not None or calls else "",
        }
        if self._send_reasoning and any(reasoning):
            written["reasoning_content"] = "".join(reasoning)
        if calls:
            written["tool_calls"] = calls
        self._add_extra(written, message.extra)
        return written

    def _call(self, call: ToolCall) -> dict[str, Any]:
        function = {"name": call.name, "arguments": call.arguments or "{}"}
        written = {"id": call.id, "type": "function", "function": function}
        self._add_extra(written, call.extra)
        return written

    def _content(self, parts: list[Part], separator: str | None = None) -> Any:
        """Parts as `content`: one text as a string, several joined by `separator` or, without one, as a list of parts."""
        if not parts:
            return None
        plain = [part.text for part in parts if isinstance(part, Text) and not (self._own and part.extra)]
        if len(plain) == len(parts) and (len(plain) == 1 or separator is not None):
            return (separator or "").join(plain)
        return [self._part(part) for part in parts]

    def _part(self, part: Part) -> Any:
        if isinstance(part, Opaque):
            return own_opaque(part, NAME)
        if isinstance(part, Text):
            written = _text(part.text)
        elif isinstance(part, Image):
            source = {"url": data_url(part)}
            if part.detail:
                source["detail"] = part.detail
            written = {"type": "image_url", "image_url": source}
        elif isinstance(part, File):
            written = self._file(part)
        else:
            raise UnsupportedRequest(f"Chat completions have no place for a {type(part).__name__} here")
        self._add_extra(written, part.extra)
        return written

    def _file(self, file: File) -> dict[str, Any]:
        text = inline_text(file)
        if text is not None:
            return _text(text)
        if file.data:
            url = f"data:{file.media_type or 'application/pdf'};base64,{file.data}"
            return {"type": "file", "file": {"filename": file.name or "document.pdf", "file_data": url}}
        if file.file_id and same_family(self._request):
            return {"type": "file", "file": {"file_id": file.file_id}}
        what = "a file by URL" if file.url else "another vendor's file id"
        raise UnsupportedRequest(f"Chat completions cannot be given {what}; send the file's content")

    def _add_extra(self, written: dict[str, Any], extra: Extra) -> None:
        if self._own:
            for name, raw in extra.items():
                written.setdefault(name, raw)


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _is_call(raw: msgspec.Raw) -> bool:
    """Is this part, which only our wire knows, a tool call (a custom tool's) and not content?"""
    return "custom" in top_level(bytes(raw))


def _tool_choice(choice: ToolChoice) -> Any:
    if choice.mode == "one":
        return {"type": "function", "function": {"name": choice.name}}
    return _MODES[choice.mode]


def _response_format(wanted: ResponseFormat | None) -> dict[str, Any] | None:
    if wanted is None:
        return None
    if not bytes(wanted.schema):
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": json_schema(wanted)}


def _with_usage(options: msgspec.Raw | None) -> Any:
    said = bytes(options) if options is not None else b"null"
    fields: dict[str, Any] = {} if said.strip() == b"null" else dict(top_level(said))
    fields["include_usage"] = True
    return fields


class _Streaming(msgspec.Struct):
    stream: bool | None = None
    stream_options: msgspec.Raw = msgspec.Raw()


class _Options(msgspec.Struct):
    include_usage: bool | None = None


_STREAMING = msgspec.json.Decoder(_Streaming)
_OPTIONS = msgspec.json.Decoder(_Options | None)


def ask_for_usage(body: bytes) -> bytes:
    """A caller's own body, in which usage is asked for if it streams and does not say so itself.

    Raises MalformedBody when `body` is no JSON object or `stream_options` is none."""
    try:
        said = _STREAMING.decode(body)
        options = bytes(said.stream_options)
        if not said.stream or (options and (wanted := _OPTIONS.decode(options)) and wanted.include_usage):
            return body
    except ValueError as error:
        raise MalformedBody(f"The body is not a chat request: {error}") from None
    if not options:
        return add_field(body, "stream_options", _USAGE_WANTED)
    fields: dict[str, Any] = dict(top_level(body))
    fields["stream_options"] = _with_usage(said.stream_options)
    return msgspec.json.encode(fields)
