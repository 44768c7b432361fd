"""The tools a conversation has used, for vendors that want them declared although they are not offered any more."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.core.messages import Message, Tool, ToolCall

__all__ = ["tools_used"]


def tools_used(messages: Sequence[Message]) -> list[Tool]:
    """A bare declaration per tool that was called, in the order of the first calls.

    OpenAI lets a last request go without `tools`; Claude and Bedrock answer 400 when the history has calls."""
    names = dict.fromkeys(
        part.name for message in messages for part in message.parts if isinstance(part, ToolCall)
    )
    return [Tool(name=name) for name in names]
