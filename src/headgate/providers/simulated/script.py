"""A reply as a script: what arrives when, and how it ends. Who carries it out decides what a second is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from headgate.providers.port import Headers
from headgate.providers.simulated.faults import FaultOrder
from headgate.providers.simulated.speech import Mark, Piece

__all__ = ["Pace", "Script", "streamed", "whole"]

Ending = Literal["complete", "cut", "stall"]
Connection = Literal["", "refused", "connect_timeout", "reset", "silence"]

_ENDINGS: dict[str, Ending] = {"cut": "cut", "stall": "stall"}


@dataclass(slots=True)
class Script:
    """One reply."""

    status: int
    headers: Headers
    head_seconds: float = 0.0
    """From the request to the head; with `whole` to everything."""
    whole: bytes | None = None
    """The body, if it comes with the head."""
    pieces: Iterator[tuple[float, bytes]] = field(default_factory=lambda: iter(()))
    """Else what comes after: how many seconds after the piece before, and its bytes."""
    ending: Ending = "complete"
    connection: Connection = ""
    """Instead of any reply."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a model talks, in seconds."""

    first_token: float
    between_tokens: float

    def total(self, tokens: int) -> float:
        """Until the last of `tokens`."""
        return self.first_token + max(tokens - 1, 0) * self.between_tokens


def streamed(
    headers: Headers, pieces: Iterator[Piece], pace: Pace, fault: FaultOrder | None, error_event: bytes
) -> Script:
    """The script of a stream, spoilt by `fault` if it is of the kind that spoils answers."""
    name = fault.name if fault else ""
    # The head is sent when work begins, not with the first token.
    head, ending = pace.first_token * 0.25, _ENDINGS.get(name, "complete")
    rest = Pace(pace.first_token - head, pace.between_tokens)
    if fault:
        pieces = _spoilt(pieces, fault, error_event)
        if name == "slow_first_token":
            rest = Pace(fault.seconds or 0.0, pace.between_tokens)
        elif name == "slow_drip":
            rest = Pace(rest.first_token, fault.seconds or 0.0)
    return Script(200, headers, head, pieces=_timed(pieces, rest), ending=ending)


def whole(headers: Headers, body: bytes, tokens: int, pace: Pace, fault: FaultOrder | None) -> Script:
    """The script of a whole answer, spoilt likewise."""
    script = Script(200, headers, pace.total(tokens), body)
    name = fault.name if fault else ""
    if name in _ENDINGS:
        script.whole, script.ending = None, _ENDINGS[name]
        script.pieces = iter([(0.0, body[: len(body) // 2])])
    elif name == "malformed_frame":
        script.whole = body[: len(body) // 2]
    elif name == "missing_terminator":
        script.whole = body[:-1]
    elif fault and name == "slow_first_token":
        script.head_seconds += fault.seconds or 0.0
    elif fault and name == "slow_drip":
        size = len(body) // max(1, min(tokens, 64)) + 1
        parts = [body[place : place + size] for place in range(0, len(body), size)]
        script.whole, script.pieces = None, iter([(fault.seconds or 0.0, part) for part in parts])
    return script


def _timed(pieces: Iterator[Piece], pace: Pace) -> Iterator[tuple[float, bytes]]:
    seconds = pace.first_token
    for mark, data in pieces:
        if mark is Mark.TOKEN:
            yield seconds, data
            seconds = pace.between_tokens
        else:
            yield 0.0, data


def _spoilt(pieces: Iterator[Piece], fault: FaultOrder, error_event: bytes) -> Iterator[Piece]:
    if fault.name in {"cut", "stall"}:
        return _until(pieces, fault.count)
    if fault.name == "error_in_stream":
        return _then_error(pieces, fault.count, error_event)
    if fault.name == "malformed_frame":
        return _malformed(pieces, fault.count)
    if fault.name == "missing_terminator":
        missing = {Mark.DONE} if fault.argument == "done" else {Mark.FINISH, Mark.DONE}
        return (piece for piece in pieces if piece[0] not in missing)
    return pieces


def _until(pieces: Iterator[Piece], tokens: int) -> Iterator[Piece]:
    """So many tokens; if there are fewer, all, but never the end."""
    said = 0
    for piece in pieces:
        if piece[0] >= Mark.FINISH or (piece[0] is Mark.TOKEN and said >= tokens):
            return
        said += piece[0] is Mark.TOKEN
        yield piece


def _then_error(pieces: Iterator[Piece], tokens: int, error_event: bytes) -> Iterator[Piece]:
    yield from _until(pieces, tokens)
    yield Mark.FRAME, error_event


def _malformed(pieces: Iterator[Piece], tokens: int) -> Iterator[Piece]:
    """One frame loses its second half: the first token after so many, or the finish."""
    said, done = 0, False
    for mark, data in pieces:
        if not done and (mark is Mark.FINISH or (mark is Mark.TOKEN and said >= tokens)):
            done, data = True, data[: len(data) * 2 // 3] + b"\n\n"
        said += mark is Mark.TOKEN
        yield mark, data
