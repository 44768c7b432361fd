"""What the model is going to say, cut into tokens: decided first, then written in whichever wire was asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from headgate.core.usage import Usage

__all__ = ["PlannedCall", "PlannedChoice", "PlannedReply", "Stop"]

Stop = Literal["end", "max_tokens", "stop_sequence", "tool_use", "content_filter"]


@dataclass(slots=True)
class PlannedCall:
    """A tool call; `pieces` joined are its arguments' JSON."""

    id: str
    name: str
    pieces: list[str]


@dataclass(slots=True)
class PlannedChoice:
    """One of the answers: reasoning first, then text, then tool calls."""

    thinking: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    calls: list[PlannedCall] = field(default_factory=list)
    stop: Stop = "end"
    stop_sequence: str = ""

    @property
    def output_tokens(self) -> int:
        """Tokens without reasoning; a tool's name counts for five."""
        return len(self.text) + sum(len(call.pieces) + 5 for call in self.calls)


@dataclass(slots=True)
class PlannedReply:
    """A whole reply."""

    name: str
    """What ids are made of."""
    model: str
    created: int
    choices: list[PlannedChoice]
    usage: Usage
