"""Canonical messages written as Converse's messages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2s
from typing import Any

import msgspec

from headgate.core.errors import UnsupportedRequest
from headgate.core.messages import File, Image, Message, Opaque, Part, Text, Thinking, ToolCall, ToolResult

__all__ = ["WIRE", "cache_point", "messages_of", "refuse_opaque"]

WIRE = "bedrock.converse"

Block = dict[str, Any] | msgspec.Raw

_IMAGES = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}

_DOCUMENTS = {
    "": "pdf",
    "application/pdf": "pdf",
    "text/csv": "csv",
    "text/html": "html",
    "text/markdown": "md",
    "text/plain": "txt",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_NO_ID = re.compile(r"[^A-Za-z0-9_-]")
_NO_NAME = re.compile(r"[^A-Za-z0-9()\[\]-]+")
_LONGEST_ID = 64


class _CacheControl(msgspec.Struct):
    type: str = ""
    ttl: str = ""


_decode_cache_control = msgspec.json.Decoder(_CacheControl).decode


def messages_of(messages: Sequence[Message], *, caching: bool) -> list[dict[str, Any]]:
    """The conversation, neighbours of one role joined, empty turns left out, tool results first in their turn.

    caching: turn Anthropic's `cache_control` into cache points. Raises UnsupportedRequest for content that would be lost."""
    turns: list[dict[str, Any]] = []
    documents = 0
    for number, message in enumerate(messages):
        blocks: list[Block] = []
        for at, part in enumerate(message.parts):
            documents += isinstance(part, File)
            block = _block(part, f"messages[{number}].content[{at}]", documents)
            if block is not None:
                blocks.append(block)
                blocks += cache_point(part, wanted=caching)
        if not blocks:
            continue
        if turns and turns[-1]["role"] == message.role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": message.role, "content": blocks})
    for turn in turns:
        if turn["role"] == "user":
            turn["content"] = _results_first(turn["content"])
    return turns


def _results_first(blocks: list[Block]) -> list[Block]:
    """Stable, and a cache point stays behind the block it follows."""
    first: list[Block] = []
    rest: list[Block] = []
    place = rest
    for block in blocks:
        if not (isinstance(block, dict) and "cachePoint" in block):
            place = first if isinstance(block, dict) and "toolResult" in block else rest
        place.append(block)
    return first + rest


def cache_point(part: Text | Part, *, wanted: bool) -> list[Block]:
    """The cache point that says what Anthropic's `cache_control` on `part` says; none if there is none."""
    raw = part.extra.get("cache_control") if wanted else None
    if raw is None:
        return []
    try:
        control = _decode_cache_control(raw)
    except msgspec.DecodeError:
        return []
    if control.type != "ephemeral":
        return []
    return [{"cachePoint": {"type": "default", "ttl": "1h"} if control.ttl == "1h" else {"type": "default"}}]


def refuse_opaque(part: Opaque, where: str) -> msgspec.Raw:
    """The part's own JSON if it is ours; raises UnsupportedRequest if it is in another vendor's words."""
    if part.wire == WIRE:
        return part.raw
    raise UnsupportedRequest(
        f"A content part that only `{part.wire}` knows cannot be sent to Bedrock; remove it or ask for a model of its "
        "own vendor",
        param=where,
    )


def _block(part: Part, where: str, documents: int) -> Block | None:
    if isinstance(part, Text):
        return {"text": part.text} if part.text else None
    if isinstance(part, ToolCall):
        return {
            "toolUse": {"toolUseId": _tool_id(part.id), "name": part.name, "input": _object(part.arguments)}
        }
    if isinstance(part, ToolResult):
        return {"toolResult": _result(part, where, documents)}
    if isinstance(part, Thinking):
        return _reasoning(part)
    return _blob(part, where, documents)


def _blob(part: Image | File | Opaque, where: str, documents: int) -> Block:
    if isinstance(part, Opaque):
        return refuse_opaque(part, where)
    if isinstance(part, Image):
        return {"image": {"format": _format(part, _IMAGES, where), "source": _source(part, where)}}
    document: dict[str, Any] = {"format": _format(part, _DOCUMENTS, where)}
    # Required, and of few characters; the API advises against meaningful names, as models read them as instructions.
    document["name"] = _NO_NAME.sub(" ", part.name).strip()[:200] or f"document {documents}"
    document["source"] = _source(part, where)
    return {"document": document}


def _format(part: Image | File, table: dict[str, str], where: str) -> str:
    kind = part.media_type.partition(";")[0].strip().lower()
    if not kind and isinstance(part, Image):
        kind = f"image/{part.url.rpartition('.')[2].lower()}" if part.url else "image/png"
    found = table.get(kind)
    if found is None:
        raise UnsupportedRequest(f"Bedrock does not read {kind or 'this kind of file'}", param=where)
    return found


def _source(part: Image | File, where: str) -> dict[str, Any]:
    if part.data:
        return {"bytes": part.data}
    if part.url.startswith("s3://"):
        return {"s3Location": {"uri": part.url}}
    raise UnsupportedRequest(
        "Bedrock fetches nothing but s3:// addresses; send the content itself (base64) instead of its address or id",
        param=where,
    )


def _result(result: ToolResult, where: str, documents: int) -> dict[str, Any]:
    content: list[Block] = [
        {"text": part.text} if isinstance(part, Text) else _blob(part, where, documents)
        for part in result.content
    ]
    written: dict[str, Any] = {"toolUseId": _tool_id(result.call_id), "content": content or [{"text": ""}]}
    if result.is_error:
        written["status"] = "error"
    return written


def _reasoning(part: Thinking) -> Block | None:
    if part.redacted:
        return {"reasoningContent": {"redactedContent": part.redacted}}
    # Unsigned, or marked by another wire as its own (`gemini:…`): the model would refuse it.
    if not part.signature or ":" in part.signature:
        return None
    return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.signature}}}


def _tool_id(call_id: str) -> str:
    clean = _NO_ID.sub("_", call_id)
    if len(clean) <= _LONGEST_ID:
        return clean
    return clean[:31] + "_" + blake2s(clean.encode(), digest_size=16).hexdigest()


def _object(arguments: str) -> msgspec.Raw | dict[str, str]:
    """Arguments as the JSON object the API wants; what is no object is kept under `_raw`."""
    if not arguments.strip():
        return {}
    try:
        _decode_object(arguments)
    except (msgspec.DecodeError, RecursionError):
        return {"_raw": arguments}
    return msgspec.Raw(arguments.encode())
