"""The grader that needs no learning: signals anybody can follow, each with a weight, added up. About 40 µs for 1 kB.

A signal's strength is between 0 and 1; strength times weight is its part of the score, and the score, cut to 0..1, is the
difficulty. Weights were set by hand and corrected once: a first run on the benchmark's rows showed that length tells more,
and mathematics less, than was thought. How well it does is in docs/reference/routing-benchmark.md: on examination questions,
where hardly a word tells anything, below length alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from headgate.routing.difficulty import words
from headgate.routing.difficulty.port import Grade, Question, Tier

__all__ = ["COMPLEX_FROM", "MEDIUM_FROM", "Signal", "Signals", "score", "signals", "tier_of"]

MEDIUM_FROM = 0.25
COMPLEX_FROM = 0.5
"""Scores from which on a request counts as medium, as complex."""

_SHORT, _LONG = 20, 8_000
"""Tokens up to which length counts nothing, and from which on it counts in full."""
_UNSURE = 0.1
"""Within this distance of a border the tier is no longer quite sure; at the border it is as likely wrong as right."""
_PUNCTUATION = {ord(mark): " " for mark in ".,;:!?\"'()[]{}<>*`/\\…„“”«»¿¡"}
_CALCULATION = re.compile(r"\d\s?[-+*/^=×÷%]\s?\d|\d+(?:\.\d+)?%")
_NUMBERS = re.compile(r"\d+")
_ALL_BYTES = bytes(range(256))
_NOT_DIGITS = _ALL_BYTES.translate(None, b"0123456789")
_NOT_OF_CODE = _ALL_BYTES.translate(None, b"`(){}=<>;#*_")
"""Deleting all other bytes tells in a microsecond whether looking closer is worth while."""
_ENGLISH = frozenset(
    {"the", "a", "an", "is", "are", "of", "to", "in", "and", "for", "on", "what", "how", "i", "you", "my"}
)


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing that was seen."""

    name: str
    strength: float
    """0 to 1."""
    weight: float
    """Of the score; negative for what makes a request easier."""
    words: str
    """What was seen, such as `3 tools`."""

    @property
    def part(self) -> float:
        """Of the score."""
        return self.strength * self.weight


def signals(question: Question) -> list[Signal]:
    """All that were seen in a question, the weightiest first."""
    found = [*_of_text(question.text), *_of_shape(question)]
    return sorted((each for each in found if each.strength > 0), key=lambda each: -abs(each.part))


def score(question: Question) -> float:
    """How hard it is, 0 to 1."""
    return _total(signals(question))


def tier_of(value: float) -> Tier:
    """The tier of a score."""
    return "complex" if value >= COMPLEX_FROM else "medium" if value >= MEDIUM_FROM else "simple"


class Signals:
    """The grader. Fulfils `difficulty.port.Grader`."""

    async def grade(self, question: Question, models: Mapping[Tier, str]) -> Grade:  # noqa: ARG002 - the port's
        """The tier by the score; the models do not matter to it."""
        return graded(question)


def graded(question: Question) -> Grade:
    """As `Signals.grade`, without waiting."""
    found = signals(question)
    value = _total(found)
    distance = min(abs(value - MEDIUM_FROM), abs(value - COMPLEX_FROM))
    confidence = 0.5 + 0.5 * min(distance / _UNSURE, 1.0)
    reasons = (f"score {value:.2f}", *(each.words for each in found))
    return Grade(tier_of(value), confidence, reasons)


def _total(found: list[Signal]) -> float:
    return min(max(sum(each.part for each in found), 0.0), 1.0)


def _of_text(text: str) -> Iterator[Signal]:
    lower = text.lower()
    data = text.encode("utf-8", "surrogatepass")
    digits = len(data.translate(None, _NOT_DIGITS))
    said = set(lower.translate(_PUNCTUATION).split())
    reasoning = len(said & words.REASONING_WORDS) + sum(phrase in lower for phrase in words.REASONING_PHRASES)
    unspaced = 0
    if not text.isascii():
        unspaced = sum(word in text for word in words.REASONING_UNSPACED)
    if reasoning or unspaced:
        named = [*sorted(said & words.REASONING_WORDS), *(p for p in words.REASONING_PHRASES if p in lower)]
        named += [word for word in words.REASONING_UNSPACED if word in text] if unspaced else []
        strength = min((reasoning + unspaced) / 3, 1.0)
        yield Signal("reasoning", strength, 0.55, f"asks to reason ({', '.join(named[:3])})")
    code = (
        len([mark for mark in words.CODE_MARKS if mark in text]) if data.translate(None, _NOT_OF_CODE) else 0
    )
    if code >= 2 or "```" in text:
        yield Signal("code", min(0.4 + code / 8, 1.0), 0.25, "code")
    math_ = len(said & words.MATH_WORDS) + len([mark for mark in words.MATH_MARKS if mark in lower])
    if digits > 1 and _CALCULATION.search(text):
        math_ += 1
    if math_ and digits > 2 and len(_NUMBERS.findall(text, 0, 2000)) >= 3:
        math_ += 1
    if math_:
        yield Signal("math", min(math_ / 4, 1.0), 0.1, "mathematics")
    parts = sum([min(text.count(mark), 3) for mark in words.ASKING if mark in text])
    if parts > 1:
        yield Signal("parts", min((parts - 1) / 6, 1.0), 0.15, "several questions or steps")
    easy = len(said & words.EASY_WORDS) + sum(phrase in lower for phrase in words.EASY_PHRASES)
    if easy:
        yield Signal("routine", min(easy / 2, 1.0), -0.15, "a routine task")
    if len(said) > 8 and not said & _ENGLISH:
        yield Signal("language", 1.0, 0.05, "not English")
    elif (
        text
        and not text.isascii()
        and sum(ord(mark) > 0x2FF for mark in text[:200]) > min(len(text), 200) / 3
    ):
        yield Signal("language", 1.0, 0.05, "another script than Latin")


def _of_shape(question: Question) -> Iterator[Signal]:
    tokens = question.tokens
    if tokens > _SHORT:
        # Each doubling counts the same.
        strength = min(math.log(tokens / _SHORT) / math.log(_LONG / _SHORT), 1.0)
        yield Signal("length", strength, 0.5, f"{tokens:,} tokens")
    if question.tools:
        count = question.tools
        yield Signal("tools", min(0.3 + count / 10, 1.0), 0.25, f"{count} tool{'s' if count > 1 else ''}")
    if question.images:
        count = question.images
        yield Signal("images", min(0.5 + count / 8, 1.0), 0.2, f"{count} picture{'s' if count > 1 else ''}")
    if question.files:
        count = question.files
        yield Signal("files", min(0.7 + count / 10, 1.0), 0.25, f"{count} document{'s' if count > 1 else ''}")
    if question.turns > 2:
        yield Signal("history", min((question.turns - 2) / 10, 1.0), 0.1, f"{question.turns} turns")
    if question.json_schema:
        yield Signal("schema", 1.0, 0.08, "JSON wanted")
    if question.thinking:
        yield Signal("thinking", 1.0, 0.5, "the caller asked for reasoning")
    if question.system_tokens > 800:
        yield Signal("instructions", min(question.system_tokens / 4_000, 1.0), 0.1, "long instructions")
