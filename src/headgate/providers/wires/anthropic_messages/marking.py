"""Where Anthropic is told that a beginning ends: `cache_control` on a block, at most four in a request; we set three at most.

It compares what it has kept with the prompt up to each mark and up to 20 blocks before it, in the order tools, system, messages.
Source: Anthropic's page on prompt caching and the types of its SDK 2.12.
"""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.providers.port import Marks
from headgate.providers.wires.claude import least_kept
from headgate.providers.wires.splicing import top_level

__all__ = ["marked"]

_MARKABLE = frozenset({"text", "image", "document", "tool_use", "tool_result", "search_result"})
"""Thinking cannot be marked, nor can an empty text."""
_FIVE_MINUTES = msgspec.Raw(b'{"type":"ephemeral"}')
_AN_HOUR = msgspec.Raw(b'{"type":"ephemeral","ttl":"1h"}')

_Fields = dict[str, Any]
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.encode


class _Head(msgspec.Struct, gc=False):
    """What a block or a message is."""

    type: str = ""
    role: str = ""
    text: str | None = None
    defer_loading: bool | None = None


_decode_head = msgspec.json.Decoder(_Head).decode


def marked(body: bytes, model: str, marks: Marks) -> bytes:
    """See `Marking.mark`."""
    least = least_kept(model)
    instructions = marks.instructions and marks.instructions_tokens >= least
    tools = marks.tools and marks.tools_tokens >= least
    history = marks.history and marks.history_tokens >= least
    conversation = marks.conversation and marks.tokens >= least
    if not (instructions or tools or history or conversation):
        return body
    control = _AN_HOUR if marks.long else _FIVE_MINUTES
    fields: _Fields = dict(top_level(body))
    set_some = False
    try:
        if instructions:
            set_some = _mark_system(fields, control) or _mark_tools(fields, control)
        elif tools:
            set_some = _mark_tools(fields, control)
        if history or conversation:
            set_some |= _mark_turns(fields, control, going_on=conversation)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body  # the provider says in its own words what is wrong
    return _encode(fields) if set_some else body


def _mark_system(fields: _Fields, control: msgspec.Raw) -> bool:
    system = fields.get("system")
    written = None if system is None else _content(system, control)
    if written is not None:
        fields["system"] = written
    return written is not None


def _mark_tools(fields: _Fields, control: msgspec.Raw) -> bool:
    """The last one that is told from the start: what is loaded later is no part of the beginning."""
    raw = fields.get("tools")
    if raw is None:
        return False
    tools: list[Any] = list(_decode_list(raw))
    for at in range(len(tools) - 1, -1, -1):
        if not _decode_head(tools[at]).defer_loading:
            tools[at] = _with(tools[at], control)
            fields["tools"] = tools
            return True
    return False


def _mark_turns(fields: _Fields, control: msgspec.Raw, *, going_on: bool) -> bool:
    """going_on: up to the end, and where the end was the last time, should more than 20 blocks have come since; else the model's
    last answer."""
    raw = fields.get("messages")
    if raw is None:
        return False
    turns: list[Any] = list(_decode_list(raw))
    last = len(turns) - 1
    answer = next(
        (at for at in range(last - 1, -1, -1) if _decode_head(turns[at]).role == "assistant"),
        -1,
    )
    wanted = [last, answer - 1] if going_on else [answer]
    set_some = False
    for at in wanted:
        if at < 0:
            continue
        turn: _Fields = dict(_decode_object(turns[at]))
        content = _content(turn.get("content", msgspec.Raw(b"null")), control)
        if content is not None:
            turn["content"] = content
            turns[at] = turn
            set_some = True
    if set_some:
        fields["messages"] = turns
    return set_some


def _content(raw: msgspec.Raw, control: msgspec.Raw) -> list[Any] | None:
    """A text or blocks, with the mark on the last one that can bear it; None: none can."""
    if bytes(raw).lstrip()[:1] == b'"':
        return (
            None
            if len(bytes(raw).strip()) == 2
            else [{"type": "text", "text": raw, "cache_control": control}]
        )
    if bytes(raw).lstrip()[:1] != b"[":
        return None
    blocks: list[Any] = list(_decode_list(raw))
    for at in range(len(blocks) - 1, -1, -1):
        head = _decode_head(blocks[at])
        if head.type in _MARKABLE and (head.type != "text" or head.text):
            blocks[at] = _with(blocks[at], control)
            return blocks
    return None


def _with(raw: msgspec.Raw, control: msgspec.Raw) -> _Fields:
    return {**_decode_object(raw), "cache_control": control}
