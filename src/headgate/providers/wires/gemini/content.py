"""Canonical messages written as Gemini's contents."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from typing import Any

import msgspec

from headgate.core.errors import UnsupportedRequest
from headgate.core.messages import File, Image, Message, Opaque, Text, Thinking, ToolCall, ToolResult
from headgate.providers.wires.gemini.models import MARK, SKIP, is_current

__all__ = ["WIRE", "contents_of", "refuse_opaque"]

WIRE = "gemini.generate"

Part = dict[str, Any] | msgspec.Raw

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_ROLES = {"user": "user", "assistant": "model"}


def contents_of(messages: Sequence[Message], model: str) -> list[dict[str, Any]]:
    """The conversation, neighbours of one role joined, empty turns left out.

    Raises UnsupportedRequest for content that would be lost."""
    names = {
        part.id: part.name for message in messages for part in message.parts if isinstance(part, ToolCall)
    }
    current = is_current(model)
    contents: list[dict[str, Any]] = []
    for number, message in enumerate(messages):
        writer = _PartWriter(names, f"messages[{number}]", current=current)
        parts = writer.write(message)
        if not parts:
            continue
        role = _ROLES[message.role]
        if contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += parts
        else:
            contents.append({"role": role, "parts": parts})
    return contents


def refuse_opaque(part: Opaque, where: str) -> msgspec.Raw:
    """The part's own JSON if it is ours; raises UnsupportedRequest if it is in another vendor's words."""
    if part.wire == WIRE:
        return part.raw
    raise UnsupportedRequest(
        f"A content part that only `{part.wire}` knows cannot be sent to Gemini; remove it or ask for a model of its "
        "own vendor",
        param=where,
    )


class _PartWriter:
    """Writes the parts of one message."""

    def __init__(self, names: dict[str, str], where: str, *, current: bool) -> None:
        self._names = names
        self._where = where
        self._current = current
        self._signature = ""

    def write(self, message: Message) -> list[Part]:
        parts: list[Part] = []
        signed = False
        for number, part in enumerate(message.parts):
            where = f"{self._where}.content[{number}]"
            if isinstance(part, Thinking):
                parts += self._thought(part)
            elif isinstance(part, ToolCall):
                parts.append(self._call(part, first=not signed))
                signed = True
            elif isinstance(part, ToolResult):
                parts += self._result(part, where)
            elif isinstance(part, Text):
                if part.text:
                    parts.append(self._signed({"text": part.text}))
            elif isinstance(part, Opaque):
                parts.append(refuse_opaque(part, where))
            else:
                parts.append(_blob(part, where))
        if self._signature:
            parts.append(self._signed({"text": ""}))
        return parts

    def _thought(self, part: Thinking) -> list[Part]:
        """Only thoughts of Gemini's own go back to it."""
        if not part.signature.startswith(MARK):
            return []
        self._signature = part.signature.removeprefix(MARK)
        return [{"text": part.text, "thought": True}] if part.text else []

    def _signed(self, part: dict[str, Any]) -> dict[str, Any]:
        if self._signature:
            part["thoughtSignature"] = self._signature
            self._signature = ""
        return part

    def _call(self, call: ToolCall, *, first: bool) -> dict[str, Any]:
        written = self._signed(
            {"functionCall": {"id": call.id, "name": call.name, "args": _object(call.arguments)}}
        )
        # Of parallel calls only the first is signed.
        if first and self._current and "thoughtSignature" not in written:
            written["thoughtSignature"] = SKIP
        return written

    def _result(self, result: ToolResult, where: str) -> list[Part]:
        name = result.name or self._names.get(result.call_id, "")
        if not name:
            raise UnsupportedRequest(
                f"Gemini wants the tool's name with its result, and no call `{result.call_id}` stands before it",
                param=where,
            )
        texts: list[str] = []
        blobs: list[Part] = []
        for part in result.content:
            if isinstance(part, Text):
                texts.append(part.text)
            else:
                blobs.append(refuse_opaque(part, where) if isinstance(part, Opaque) else _blob(part, where))
        written: dict[str, Any] = {
            "id": result.call_id,
            "name": name,
            "response": _response("".join(texts), error=result.is_error),
        }
        if blobs and self._current:
            written["parts"] = blobs
            blobs = []
        # Before version 3 a function's response is JSON only: pictures stand beside it.
        return [{"functionResponse": written}, *blobs]


def _object(arguments: str) -> msgspec.Raw | dict[str, str]:
    """Arguments as the JSON object the API wants; what is no object is kept under `_raw`."""
    if not arguments.strip():
        return {}
    try:
        _decode_object(arguments)
    except (msgspec.DecodeError, RecursionError):
        return {"_raw": arguments}
    return msgspec.Raw(arguments.encode())


def _response(text: str, *, error: bool) -> msgspec.Raw | dict[str, str]:
    if error:
        return {"error": text}
    try:
        _decode_object(text)
    except (msgspec.DecodeError, RecursionError):
        return {"output": text}
    return msgspec.Raw(text.encode())


def _blob(part: Image | File, where: str) -> dict[str, Any]:
    if part.data:
        kind = part.media_type or ("image/png" if isinstance(part, Image) else "application/pdf")
        return {"inlineData": {"mimeType": kind, "data": part.data}}
    if isinstance(part, File) and part.file_id:
        raise UnsupportedRequest(
            f"File `{part.file_id}` lies with another vendor; send its content instead of its id", param=where
        )
    written = {"fileUri": part.url}
    guessed = part.media_type or mimetypes.guess_type(part.url.partition("?")[0])[0]
    if guessed:
        written["mimeType"] = guessed
    return {"fileData": written}
