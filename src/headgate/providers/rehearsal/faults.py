"""Every fault that can be rehearsed: one table, from which `headgate chaos faults` and the manual are checked.

Names are those of the simulated provider where the fault is the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Literal

__all__ = ["FAULTS", "Fault", "FaultKind", "parse_fault"]

Stage = Literal["connect", "head", "answer"]


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One entry of the table."""

    name: str
    stage: Stage
    """connect: the provider is not called and no reply comes; head: it is not called, another reply comes; answer: it is
    called, and what it answers suffers."""
    argument: str
    """What may follow the colon; "" if nothing may."""
    default: str
    meaning: str


_SECONDS, _PIECES = "seconds", "pieces before it"

FAULTS: MappingProxyType[str, FaultKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            FaultKind("latency", "answer", _SECONDS, "2", "The request leaves so much later."),
            FaultKind(
                "slow_first_token", "answer", _SECONDS, "30", "The head comes; the first token waits so long."
            ),
            FaultKind("slow_drip", "answer", "seconds between pieces", "1", "Every piece takes so long."),
            FaultKind("error", "head", "an HTTP status from 400 to 599", "500", "The provider says no."),
            FaultKind(
                "rate_limit",
                "head",
                "seconds in retry-after, or `none` to leave it out",
                "1",
                "429: too many requests.",
            ),
            FaultKind(
                "html", "head", "an HTTP status", "200", "A page of HTML where JSON or a stream should be."
            ),
            FaultKind(
                "flapping",
                "head",
                "bad/good",
                "3/3",
                "So many calls in a row fail with 503, then so many are left alone, and again.",
            ),
            FaultKind("refused", "connect", "", "", "Nobody listens: the connection is refused."),
            FaultKind(
                "connect_timeout", "connect", "", "", "Nobody answers the knock: no connection comes about."
            ),
            FaultKind("reset", "connect", "", "", "The connection is closed before any byte of a reply."),
            FaultKind("silence", "connect", "", "", "The connection stands and no reply ever comes."),
            FaultKind("cut", "answer", _PIECES, "5", "The connection breaks in the middle of the answer."),
            FaultKind("stall", "answer", _PIECES, "5", "Silence from there on, with the connection open."),
            FaultKind(
                "malformed_frame",
                "answer",
                _PIECES,
                "5",
                "A piece that breaks off, then the rest as if nothing was.",
            ),
            FaultKind(
                "missing_terminator",
                "answer",
                "",
                "",
                "The body ends in good order, but the marks that the answer is complete never came.",
            ),
            FaultKind(
                "error_in_stream",
                "answer",
                _PIECES,
                "5",
                "Status 200, some pieces, then an error event (whole: 500).",
            ),
            FaultKind("one_byte", "answer", "", "", "The answer comes whole, but byte by byte."),
        )
    }
)
"""By name, in the order of the manual."""

_ALSO = MappingProxyType(
    {
        "connect_refused": "refused",
        "malformed": "malformed_frame",
        "error_500": "error:500",
        "auth_401": "error:401",
        "overloaded_503": "error:503",
        "overloaded_529": "error:529",
    }
)
"""Other names of the same, most of them the simulated provider's."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault as ordered, such as `cut:20`."""

    name: str
    argument: str = ""

    @property
    def text(self) -> str:
        """As it is ordered."""
        return f"{self.name}:{self.argument}" if self.argument else self.name

    @property
    def seconds(self) -> float | None:
        """The argument as a time; None for `none`."""
        return None if self.argument == "none" else float(self.argument)

    @property
    def count(self) -> int:
        """The argument as a number: of pieces, or a status."""
        return int(self.argument)

    @property
    def pair(self) -> tuple[int, int]:
        """The argument of `flapping`."""
        bad, _, good = self.argument.partition("/")
        return int(bad), int(good)


def parse_fault(text: str) -> Fault:
    """Read `name` or `name:argument`. Raises ValueError, with the nearest name or what the argument should be."""
    name, colon, argument = text.strip().partition(":")
    name = name.strip().replace("-", "_")
    if name in _ALSO:
        name, _, fixed = _ALSO[name].partition(":")
        if fixed and colon:
            raise ValueError(f"`{text.strip()}`: write `{name}:{argument.strip() or fixed}`")
        argument = argument or fixed
    kind = FAULTS.get(name)
    if kind is None:
        near = get_close_matches(name, [*FAULTS, *_ALSO], 1)
        hint = f"; did you mean `{near[0]}`?" if near else f"; known are {', '.join(FAULTS)}"
        raise ValueError(f"no fault is called `{name}`{hint}")
    argument = argument.strip() or kind.default
    if not _fits(kind, argument):
        wanted = f"takes {kind.argument}" if kind.argument else "takes no argument"
        raise ValueError(f"fault `{name}` {wanted}, not `{argument}`")
    return Fault(name, argument)


def _fits(kind: FaultKind, argument: str) -> bool:
    if not kind.argument:
        return not argument
    if kind.name == "rate_limit":
        return argument == "none" or _is_seconds(argument)
    if kind.name == "flapping":
        bad, _, good = argument.partition("/")
        return _is_count(bad) and _is_count(good) and int(bad) > 0
    if kind.name == "error":
        return _is_count(argument) and 400 <= int(argument) <= 599
    if kind.name == "html":
        return _is_count(argument) and 200 <= int(argument) <= 599
    return _is_count(argument) if kind.argument == _PIECES else _is_seconds(argument)


def _is_seconds(text: str) -> bool:
    try:
        return 0 <= float(text) < math.inf
    except ValueError:
        return False


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9
