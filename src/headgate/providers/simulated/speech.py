"""What it takes to speak one wire as a provider: read the request, write the reply, say no."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, Protocol, TypeVar

import msgspec

from headgate.providers.simulated.plan import PlannedReply
from headgate.providers.simulated.prompt import BadRequest, Prompt

__all__ = ["Mark", "Piece", "Problem", "ProblemKind", "Speech", "read_json"]

T = TypeVar("T")

ProblemKind = Literal[
    "rate_limit",
    "quota",
    "auth",
    "model_unknown",
    "context_length",
    "content_filter",
    "server_error",
    "overloaded",
    "overloaded_529",
    "invalid",
    "path",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no answer."""

    kind: ProblemKind
    message: str
    param: str | None = None


class Mark(IntEnum):
    """What a piece of a stream is to whoever times it or breaks it."""

    FRAME = 0
    """Opens, closes or reports; takes no time."""
    TOKEN = 1
    """One token."""
    FINISH = 2
    """Says why the answer ended."""
    DONE = 3
    """The very last mark."""


Piece = tuple[Mark, bytes]
"""One or more whole events of a stream."""


class Speech(Protocol):
    """One wire, spoken by a provider. Pure and stateless."""

    wire: str

    def read(self, body: bytes) -> Prompt:
        """Raises BadRequest."""
        ...

    def whole(self, prompt: Prompt, reply: PlannedReply) -> bytes: ...

    def stream(self, prompt: Prompt, reply: PlannedReply) -> Iterator[Piece]: ...

    def problem(self, problem: Problem, name: str) -> tuple[int, bytes]:
        """Status and body of a refusal."""
        ...

    def error_event(self, problem: Problem) -> bytes:
        """The refusal as an event inside a stream."""
        ...


def read_json(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode or raise BadRequest."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as wrong:
        what, _, where = str(wrong).partition(" - at `$")
        raise BadRequest(f"Invalid request: {what}.", where.rstrip("`").removeprefix(".") or None) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("We could not parse the JSON body of your request.") from None
