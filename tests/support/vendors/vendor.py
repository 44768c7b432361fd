"""What is said and what is asked in nobody's wire format, and what every vendor here can do."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.support.recording_upstream import Answered, Handler, Received

__all__ = ["VECTORS", "Asked", "Said", "ToolUse", "Vendor", "any_word", "cut", "sse"]

VECTORS = [[0.5, -0.25, 1.0], [0.0, 2.0, -1.5]]
"""What every vendor here answers to two inputs; exact in 32 bits."""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call the model makes."""

    id: str
    name: str
    arguments: dict[str, Any]

    @property
    def text(self) -> str:
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer in nobody's wire format."""

    text: str = ""
    thinking: str = ""
    calls: tuple[ToolUse, ...] = ()
    prompt: int = 25
    """Tokens of the prompt, cached ones included."""
    cached: int = 10
    completion: int = 7
    """Tokens of the answer, reasoning included."""
    reasoning: int = 0


@dataclass(slots=True)
class Asked:
    """What a vendor would understand from a request."""

    model: str
    stream: bool
    system: str = ""
    texts: list[str] = field(default_factory=list)
    """The user's words, in order."""
    tools: list[str] = field(default_factory=list)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    """Earlier calls of the assistant: name and arguments."""
    results: list[tuple[str, str]] = field(default_factory=list)
    """Results of tools: id of the call and text."""
    schema: Any = None
    max_tokens: int | None = None
    images: int = 0
    stop: list[str] = field(default_factory=list)
    choice: str = ""
    """Must a tool be called? `any`, the name of one, or "" if that is the model's choice."""
    thoughts: list[tuple[str, str]] = field(default_factory=list)
    """Earlier reasoning of the assistant that came back: text and signature."""


def sse(*events: Any, named: bool = False, done: bool = False) -> list[bytes]:
    pieces = []
    for one in events:
        name = f"event: {one['type']}\n" if named else ""
        pieces.append(f"{name}data: {json.dumps(one, ensure_ascii=False)}\n\n".encode())
    return [*pieces, b"data: [DONE]\n\n"] if done else pieces


def cut(text: str, size: int = 5) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def any_word(word: str | None) -> str:
    """Every vendor has a word for "some tool"."""
    return "any" if word in ("any", "required", "ANY") else ""


class Vendor:
    """One provider of the gateway under test."""

    provider: ClassVar[str]
    model: ClassVar[str]
    thinks: ClassVar[bool] = False
    """Can it hand out its reasoning?"""
    counts: ClassVar[bool] = False
    """Does it count tokens?"""
    embeds: ClassVar[bool] = False
    overload: ClassVar[int] = 503
    """The status with which it says that it is overloaded."""
    chat_path: ClassVar[str]
    stream_path: ClassVar[str] = ""

    @property
    def name(self) -> str:
        """What a caller asks for."""
        return f"{self.provider}/{self.model}"

    def section(self, url: str) -> str:
        """The provider's part of the configuration."""
        raise NotImplementedError

    def whole(self, said: Said) -> bytes:
        raise NotImplementedError

    def pieces(self, said: Said) -> list[bytes]:
        """The same as a stream."""
        raise NotImplementedError

    def asked(self, received: Received) -> Asked:
        raise NotImplementedError

    def authenticated(self, received: Received) -> bool:
        """Did our own credentials come, and nobody else's?"""
        raise NotImplementedError

    def error(self, status: int, message: str) -> bytes:
        """The body of a refusal."""
        raise NotImplementedError

    def says(self, said: Said) -> Handler:
        """Answer every chat with `said`, whole or streamed as was asked."""

        def handler(received: Received) -> Answered:
            if self.asked(received).stream:
                return Answered(self.pieces(said), headers=self.stream_headers())
            return Answered(self.whole(said))

        return handler

    def refuses(self, status: int, message: str, *headers: tuple[str, str]) -> Handler:
        body = self.error(status, message)
        return lambda _received: Answered(body, status, [("content-type", "application/json"), *headers])

    def stream_headers(self) -> list[tuple[str, str]]:
        return [("content-type", "text/event-stream")]
