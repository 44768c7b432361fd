"""What a grader may look at, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

__all__ = ["TIERS", "Grade", "Grader", "Question", "Tier"]

Tier = Literal["simple", "medium", "complex"]
TIERS: tuple[Tier, ...] = ("simple", "medium", "complex")
"""From easy to hard."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request as graders see it; made once, from the canonical form."""

    text: str
    """The last user message, at most 8,000 characters."""
    tokens: int
    """Estimate of the whole prompt."""
    system_tokens: int = 0
    turns: int = 1
    tools: int = 0
    images: int = 0
    files: int = 0
    json_schema: bool = False
    thinking: bool = False
    """The caller asked for reasoning."""


@dataclass(frozen=True, slots=True)
class Grade:
    """How hard, how sure, and why."""

    tier: Tier
    confidence: float
    """0 to 1: how likely it is that the tier is right."""
    reasons: tuple[str, ...]
    """In words, the weightiest first."""
    quality: Mapping[str, float] = field(default_factory=dict)
    """What a learned grader expects of each model, 0 to 1, by its name; empty if it does not know."""
    vector: Any = field(default=None, compare=False, repr=False)
    """The question as a learned grader read it, so that whoever teaches it need not read again; None if it did not."""


class Grader(Protocol):
    """Grades questions. Never raises for what a question says."""

    async def grade(self, question: Question, models: Mapping[Tier, str]) -> Grade:
        """models: which model serves each tier; some may be the same."""
        ...
