"""The shape of a chunk of a streamed chat completion, as far as it is read. What is made of it: `stream.py`."""

from __future__ import annotations

from typing import Annotated

import msgspec

from headgate.providers.wires.openai_chat.calls import CallDelta, FunctionDelta
from headgate.providers.wires.openai_chat.reply import Timings, UsageReply
from headgate.providers.wires.openai_usage import UnixTime

__all__ = ["UNSAID", "Chunk", "ChunkChoice", "ChunkHead", "Delta", "read_chunk", "read_head"]

UNSAID = msgspec.Raw()
"""Of a field that is not there."""


class Delta(msgspec.Struct, gc=False):
    """What a choice says more."""

    content: str | list[msgspec.Raw] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[CallDelta] | None = None
    function_call: FunctionDelta | None = None


# A wild number would be a wild amount of memory where answers are put together.
_ChoiceNumber = Annotated[int, msgspec.Meta(ge=0, lt=1024)]


class ChunkChoice(msgspec.Struct, gc=False):
    """One choice in a chunk."""

    index: _ChoiceNumber = 0
    delta: Delta | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None


class Chunk(msgspec.Struct, gc=False):
    """What is read of every chunk; the rest is skipped unread."""

    choices: list[ChunkChoice] | None = None
    usage: UsageReply | None = None
    timings: Timings | None = None
    error: msgspec.Raw = UNSAID


class ChunkHead(msgspec.Struct, gc=False):
    """What is read of the first chunk, once."""

    id: str | None = None
    model: str | None = None
    created: UnixTime | None = None
    system_fingerprint: msgspec.Raw = UNSAID


read_chunk = msgspec.json.Decoder(Chunk).decode
"""Raises ValueError or RecursionError for what is none."""

read_head = msgspec.json.Decoder(ChunkHead).decode
"""The same."""
