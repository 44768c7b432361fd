"""Where Bedrock is told that a beginning ends: a `cachePoint` block behind it.

Only models that know them are told; others refuse the request. Source: Bedrock's guide on prompt caching, botocore's model.
"""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.providers.port import Marks
from headgate.providers.wires.claude import least_kept, version_of
from headgate.providers.wires.splicing import top_level

__all__ = ["marked"]

_POINT = msgspec.Raw(b'{"cachePoint":{"type":"default"}}')
_POINT_FOR_AN_HOUR = msgspec.Raw(b'{"cachePoint":{"type":"default","ttl":"1h"}}')
_LEAST_NOVA = 1024

_Fields = dict[str, Any]
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.encode


class _Turn(msgspec.Struct, gc=False):
    role: str = ""


_decode_turn = msgspec.json.Decoder(_Turn).decode


def marked(body: bytes, model: str, marks: Marks) -> bytes:
    """See `Marking.mark`."""
    claude, nova = _knows(model), "amazon.nova-" in model
    if not claude and not nova:
        return body
    least = least_kept(model) if claude else _LEAST_NOVA
    # Nova keeps no tools apart, and nothing for longer than five minutes.
    tools = claude and marks.tools and marks.tools_tokens >= least
    instructions = marks.instructions and marks.instructions_tokens >= least
    history = marks.history and marks.history_tokens >= least
    conversation = marks.conversation and marks.tokens >= least
    if not (instructions or tools or history or conversation):
        return body
    point = _POINT_FOR_AN_HOUR if marks.long and claude and version_of(model) >= (4, 5) else _POINT
    fields: _Fields = dict(top_level(body))
    set_some = False
    if instructions:
        set_some = _behind_system(fields, point) or (claude and _behind_tools(fields, point))
    elif tools:
        set_some = _behind_tools(fields, point)
    if history or conversation:
        set_some |= _in_turns(fields, point, going_on=conversation)
    return _encode(fields) if set_some else body


def _knows(model: str) -> bool:
    version = version_of(model)
    return "claude" in model and (version >= (3, 7) or (version == (3, 5) and "haiku" in model))


def _behind_system(fields: _Fields, point: msgspec.Raw) -> bool:
    raw = fields.get("system")
    if raw is None:
        return False
    fields["system"] = [*_decode_list(raw), point]
    return True


def _behind_tools(fields: _Fields, point: msgspec.Raw) -> bool:
    raw = fields.get("toolConfig")
    if raw is None:
        return False
    config: _Fields = dict(_decode_object(raw))
    config["tools"] = [*_decode_list(config["tools"]), point]
    fields["toolConfig"] = config
    return True


def _in_turns(fields: _Fields, point: msgspec.Raw, *, going_on: bool) -> bool:
    """As Anthropic's own marks: at the end and at the end of the last time, or behind the model's last answer."""
    turns: list[Any] = list(_decode_list(fields["messages"]))
    last = len(turns) - 1
    answer = next((at for at in range(last - 1, -1, -1) if _decode_turn(turns[at]).role == "assistant"), -1)
    wanted = [at for at in ([last, answer - 1] if going_on else [answer]) if at >= 0]
    for at in wanted:
        turn: _Fields = dict(_decode_object(turns[at]))
        turn["content"] = [*_decode_list(turn["content"]), point]
        turns[at] = turn
    if wanted:
        fields["messages"] = turns
    return bool(wanted)
