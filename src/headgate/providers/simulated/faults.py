"""Every way the simulated provider can misbehave: one table, from which the manual is checked too."""

from __future__ import annotations

import math
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

__all__ = ["FAULTS", "FaultKind", "FaultOrder", "parse_fault", "parse_faults"]

Stage = Literal["connect", "head", "answer", "words"]


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One entry of the table."""

    name: str
    stage: Stage
    """connect: no reply comes; head: another reply comes instead; answer: the answer's bytes suffer; words: what it says."""
    argument: str
    """What may follow the colon; "" if nothing may."""
    default: str
    meaning: str


FAULTS: dict[str, FaultKind] = {
    kind.name: kind
    for kind in (
        FaultKind("refused", "connect", "", "", "Nobody listens: the connection is refused."),
        FaultKind(
            "connect_timeout", "connect", "", "", "Nobody answers the knock: no connection comes about."
        ),
        FaultKind(
            "reset", "connect", "", "", "The connection stands and is closed before any byte of a reply."
        ),
        FaultKind("silence", "connect", "", "", "The connection stands and no reply ever comes."),
        FaultKind(
            "rate_limit",
            "head",
            "seconds in retry-after, or `none` to leave it out",
            "1",
            "429: too many requests.",
        ),
        FaultKind(
            "quota",
            "head",
            "",
            "",
            "The account has no credit left (429 with OpenAI's code, 402 with Anthropic's).",
        ),
        FaultKind("auth_401", "head", "", "", "401: the credentials are refused."),
        FaultKind("model_unknown", "head", "", "", "404: no such model, or no access to it."),
        FaultKind("context_length", "head", "", "", "400: the prompt is longer than the model's context."),
        FaultKind(
            "content_filter",
            "head",
            "`stop` to begin an answer and break it off with that finish reason",
            "",
            "400: the content filter refuses the prompt.",
        ),
        FaultKind("error_500", "head", "", "", "500: the provider failed."),
        FaultKind("overloaded_503", "head", "seconds in retry-after", "", "503: overloaded."),
        FaultKind("overloaded_529", "head", "", "", "529: overloaded, as Anthropic says it."),
        FaultKind(
            "html",
            "head",
            "status",
            "200",
            "A page of HTML where JSON or a stream should be, as from a proxy.",
        ),
        FaultKind(
            "flapping",
            "head",
            "bad/good",
            "3/3",
            "So many requests of the model in a row fail with 503, then so many succeed, and again.",
        ),
        FaultKind(
            "slow_first_token", "answer", "seconds", "30", "The head comes; the first token waits so long."
        ),
        FaultKind("slow_drip", "answer", "seconds between tokens", "1", "Every token takes so long."),
        FaultKind(
            "cut", "answer", "tokens before it", "5", "The connection breaks in the middle of the answer."
        ),
        FaultKind(
            "stall", "answer", "tokens before it", "5", "Silence from there on, with the connection open."
        ),
        FaultKind(
            "malformed_frame",
            "answer",
            "tokens before it",
            "5",
            "JSON that breaks off, then the rest as if nothing was.",
        ),
        FaultKind(
            "missing_terminator",
            "answer",
            "`done` to leave out the very last mark only",
            "",
            "The body ends in good order, but the marks that the answer is complete never came.",
        ),
        FaultKind(
            "error_in_stream",
            "answer",
            "tokens before it",
            "5",
            "Status 200, some tokens, then an error event (whole: 500).",
        ),
        FaultKind("empty", "words", "", "", "A well-formed answer that says nothing."),
        FaultKind(
            "garbled",
            "words",
            "",
            "",
            "A well-formed answer that is nonsense, and no JSON where JSON was asked for.",
        ),
    )
}
"""By name, in the order of the manual."""

_SECONDS = frozenset({"rate_limit", "overloaded_503", "slow_first_token", "slow_drip"})
_WORDS = {"rate_limit": "none", "content_filter": "stop", "missing_terminator": "done"}


@dataclass(frozen=True, slots=True)
class FaultOrder:
    """A fault as ordered: `cut:20`, or for one model only `cut:20@sim-large`; `none` orders that nothing goes wrong."""

    name: str
    argument: str = ""
    model: str = ""

    @property
    def seconds(self) -> float | None:
        """The argument as a time; None if there is none."""
        return None if self.argument in {"", "none"} else float(self.argument)

    @property
    def count(self) -> int:
        """The argument as a number of tokens."""
        return int(self.argument)

    @property
    def pair(self) -> tuple[int, int]:
        """The argument of `flapping`."""
        bad, _, good = self.argument.partition("/")
        return int(bad), int(good)


def parse_fault(text: str) -> FaultOrder:
    """Read `name[:argument][@model]`. Raises ValueError, with the nearest name or what the argument should be."""
    order, _, model = text.strip().partition("@")
    name, colon, argument = order.partition(":")
    name = name.strip()
    if name == "none" and not colon:
        return FaultOrder("none", "", model.strip())
    kind = FAULTS.get(name)
    if kind is None:
        near = get_close_matches(name, FAULTS, 1)
        hint = f"; did you mean `{near[0]}`?" if near else f"; known are {', '.join(FAULTS)}"
        raise ValueError(f"no fault is called `{name}`{hint}")
    argument = argument.strip() or kind.default
    if not _fits(kind, argument):
        wanted = f"takes {kind.argument}" if kind.argument else "takes no argument"
        raise ValueError(f"fault `{name}` {wanted}, not `{argument}`")
    return FaultOrder(name, argument, model.strip())


def parse_faults(text: str) -> list[FaultOrder]:
    """Several, with commas between. Raises ValueError."""
    return [parse_fault(part) for part in text.split(",") if part.strip()]


def _fits(kind: FaultKind, argument: str) -> bool:
    if not argument or not kind.argument:
        return not argument
    if _WORDS.get(kind.name) == argument:
        return True
    if kind.name in _SECONDS:
        return _is_seconds(argument)
    if kind.name == "flapping":
        bad, _, good = argument.partition("/")
        return _is_count(bad) and _is_count(good) and int(bad) + int(good) > 0
    if kind.name == "html":
        return _is_count(argument) and 200 <= int(argument) <= 599
    return kind.name not in _WORDS and _is_count(argument)


def _is_seconds(text: str) -> bool:
    try:
        return 0 <= float(text) < math.inf
    except ValueError:
        return False


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9
