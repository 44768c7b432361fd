"""What a caller asks for, the same whichever wire it came in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["BadRequest", "Passage", "Prompt", "ToolOffer", "tokens_in"]


class BadRequest(Exception):
    """The body is no valid request of its wire; the provider answers 400 with this message."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


@dataclass(frozen=True, slots=True)
class Passage:
    """Text of one turn, and whose it is: system, user, assistant or tool."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class ToolOffer:
    """A function the model may call; `schema` is the JSON Schema of its arguments."""

    name: str
    description: str
    schema: dict[str, Any]


@dataclass(slots=True)
class Prompt:
    """One request, read."""

    model: str
    passages: list[Passage]
    stream: bool = False
    include_usage: bool = False
    max_tokens: int | None = None
    stop: list[str] = field(default_factory=list)
    choices: int = 1
    seed: int | None = None
    images: int = 0
    files: int = 0
    tools: list[ToolOffer] = field(default_factory=list)
    tool_mode: Literal["auto", "none", "any", "one"] = "auto"
    tool_name: str = ""
    parallel: bool = True
    json_only: bool = False
    """The answer must be JSON; of the shape `json_schema` if that is given."""
    json_schema: dict[str, Any] | None = None
    thinking: int | None = None
    """Tokens of reasoning asked for; 0: none wanted; None: not said, the model does as it is used to."""
    cached_passages: int | None = None
    """How many leading passages the caller marked for the prompt cache; None: the provider caches by itself."""

    @property
    def question(self) -> str:
        """What the user said last."""
        for passage in reversed(self.passages):
            if passage.role == "user" and passage.text:
                return passage.text
        return ""

    @property
    def begun(self) -> str:
        """The beginning of the answer, if the caller gave it: whatever the assistant said last."""
        return "".join([passage.text for passage in self.passages[len(self.asked) :]])

    @property
    def asked(self) -> list[Passage]:
        """All passages but the beginning of the answer."""
        end = len(self.passages)
        while end and self.passages[end - 1].role == "assistant":
            end -= 1
        return self.passages[:end]

    @property
    def tool_results(self) -> list[str]:
        """What tools answered since the model spoke last."""
        found: list[str] = []
        for passage in reversed(self.passages):
            if passage.role == "assistant":
                break
            if passage.role == "tool":
                found.append(passage.text)
        return found[::-1]


def tokens_in(text: str) -> int:
    """How many tokens `text` is worth: four bytes each in plain English, three elsewhere; at least 1 unless empty."""
    if text.isascii():
        return (len(text) + 3) // 4
    return (len(text.encode("utf-8", "surrogatepass")) + 2) // 3
