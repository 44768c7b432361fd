"""Canonical parts written as Anthropic's content blocks."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from headgate.core.errors import UnsupportedRequest
from headgate.core.messages import File, Image, Message, Opaque, Part, Text, Thinking, ToolCall, ToolResult

__all__ = ["WIRE", "arguments_object", "blocks_of", "messages_of", "refuse_opaque"]

WIRE = "anthropic.messages"

Block = dict[str, Any] | msgspec.Raw

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_NO_ID = re.compile(r"[^A-Za-z0-9_-]")


def messages_of(messages: Sequence[Message], *, native: bool) -> list[dict[str, Any]]:
    """The conversation, neighbours of one role joined, empty turns left out.

    Tool results come first in their turn: the API refuses text between a tool call and its result.
    native: the caller spoke this wire, so fields only it knows are sent along."""
    turns: list[dict[str, Any]] = []
    for number, message in enumerate(messages):
        blocks = list(blocks_of(message.parts, message.role, f"messages[{number}]", native=native))
        if not blocks:
            continue
        if turns and turns[-1]["role"] == message.role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": message.role, "content": blocks})
    for turn in turns:
        blocks = turn["content"]
        if len(blocks) == 1 and _is_plain_text(blocks[0]):
            turn["content"] = blocks[0]["text"]
        elif turn["role"] == "user":
            blocks.sort(key=_is_no_result)
    return turns


def _is_no_result(block: Block) -> bool:
    return not (isinstance(block, dict) and block["type"] == "tool_result")


def _is_plain_text(block: Block) -> bool:
    return isinstance(block, dict) and block["type"] == "text" and len(block) == 2


def blocks_of(parts: Iterable[Part], role: str, where: str, *, native: bool) -> Iterable[Block]:
    """Each part's block. Raises UnsupportedRequest for content that would be lost."""
    for number, part in enumerate(parts):
        if isinstance(part, Opaque):
            refuse_opaque(part, where)
            yield part.raw
            continue
        block = _block(part, role, f"{where}.content[{number}]", native=native)
        if block is None:
            continue
        if native and part.extra:
            block |= part.extra
        yield block


def refuse_opaque(part: Opaque, where: str) -> None:
    """Raises UnsupportedRequest for a part in another vendor's words."""
    if part.wire != WIRE:
        raise UnsupportedRequest(
            f"A content part that only `{part.wire}` knows cannot be sent to Anthropic; remove it or ask for a model "
            "of its own vendor",
            param=where,
        )


def _block(part: Part, role: str, where: str, *, native: bool) -> dict[str, Any] | None:
    if isinstance(part, Text):
        # The API refuses empty text blocks; other vendors' callers send them.
        return {"type": "text", "text": part.text} if part.text or native else None
    if isinstance(part, ToolCall):
        return {
            "type": "tool_use",
            "id": _NO_ID.sub("_", part.id),
            "name": part.name,
            "input": arguments_object(part.arguments),
        }
    if isinstance(part, ToolResult):
        return _tool_result(part, where, native=native)
    if isinstance(part, Thinking):
        return _thinking(part)
    if role == "assistant":
        raise UnsupportedRequest(
            "Anthropic takes images and documents in user messages only; move it to the user's turn",
            param=where,
        )
    if isinstance(part, Image):
        return {"type": "image", "source": _image_source(part)}
    return _document(part, where, native=native)  # type: ignore[arg-type]


def _thinking(part: Thinking) -> dict[str, Any] | None:
    if part.redacted:
        return {"type": "redacted_thinking", "data": part.redacted}
    # Without its signature, or with one that another wire has marked as its own (`gemini:…`), reasoning is refused.
    if not part.signature or ":" in part.signature:
        return None
    return {"type": "thinking", "thinking": part.text, "signature": part.signature}


def _tool_result(part: ToolResult, where: str, *, native: bool) -> dict[str, Any]:
    blocks = list(blocks_of(part.content, "user", where, native=native))
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": _NO_ID.sub("_", part.call_id)}
    if len(blocks) == 1 and _is_plain_text(blocks[0]):
        block["content"] = blocks[0]["text"]  # type: ignore[call-overload]
    elif blocks:
        block["content"] = blocks
    if part.is_error:
        block["is_error"] = True
    return block


def _image_source(image: Image) -> dict[str, str]:
    if image.data:
        return {"type": "base64", "media_type": image.media_type or "image/png", "data": image.data}
    return {"type": "url", "url": image.url}


def _document(file: File, where: str, *, native: bool) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "document", "source": _file_source(file, where, native=native)}
    if file.name:
        block["title"] = file.name
    return block


def _file_source(file: File, where: str, *, native: bool) -> dict[str, str]:
    if file.file_id:
        if not native:
            raise UnsupportedRequest(
                f"File `{file.file_id}` lies with another vendor; send its content instead of its id",
                param=where,
            )
        return {"type": "file", "file_id": file.file_id}
    if file.url:
        return {"type": "url", "url": file.url}
    kind = file.media_type.partition(";")[0]
    if kind in ("", "application/pdf"):
        return {"type": "base64", "media_type": "application/pdf", "data": file.data}
    if kind.startswith("text/"):
        try:
            text = base64.b64decode(file.data).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise UnsupportedRequest(f"The {kind} file is not base64 of UTF-8 text", param=where) from None
        return {"type": "text", "media_type": "text/plain", "data": text}
    raise UnsupportedRequest(f"Anthropic reads PDF and text documents, not {kind}", param=where)


def arguments_object(arguments: str) -> msgspec.Raw | dict[str, str]:
    """A call's arguments as the JSON object the API wants; what is no object is kept under `_raw`."""
    if not arguments.strip():
        return {}
    try:
        _decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return {"_raw": arguments}
    return msgspec.Raw(arguments.encode())
