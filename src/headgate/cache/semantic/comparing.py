"""Do two answers say the same? A quick and noisy judge: what it is wrong about is measured where one question is asked twice.

It looks for what answers to different questions differ in: a yes against a no, other numbers, another subject. It does not
understand them; two answers that say the same in other words and at other length may be taken for different.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from headgate.core.messages import Answer, Text, ToolCall

__all__ = ["LEAST_COSINE", "same_answer", "words_of"]

LEAST_COSINE = 0.80
"""Of the vectors of two answers that are about the same."""
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SPACE = re.compile(r"\W+")
_YES = frozenset({"yes", "yeah", "yep", "certainly", "ja", "oui", "si", "sí", "sim"})
_NO = frozenset({"no", "nope", "nein", "non", "nee", "não", "unfortunately", "leider"})
_LONGEST = 2_000
"""Characters of an answer that are compared."""

_EMBEDDED = 500
"""Characters of which vectors are made: the same thread reads the questions of requests, and a long text would keep them waiting."""

Cosine = Callable[[str, str], Awaitable[float | None]]
"""Of the vectors of two texts; None if they cannot be had."""


def words_of(answer: Answer) -> str | None:
    """The text of the first choice; None if the answer is not text alone."""
    if not answer.choices or any(isinstance(part, ToolCall) for part in answer.choices[0].parts):
        return None
    return "".join(part.text for part in answer.choices[0].parts if isinstance(part, Text))[:_LONGEST]


async def same_answer(one: str, other: str, cosine: Cosine) -> bool | None:
    """None: it cannot be told."""
    left, right = _plain(one), _plain(other)
    if left == right:
        return True
    if not left or not right:
        return False
    if _contradict(left, right) or _numbers(one) != _numbers(other):
        return False
    near = await cosine(one[:_EMBEDDED], other[:_EMBEDDED])
    return None if near is None else near >= LEAST_COSINE


def _plain(text: str) -> list[str]:
    return _SPACE.sub(" ", text.lower()).split()


def _contradict(left: list[str], right: list[str]) -> bool:
    return (left[0] in _YES and right[0] in _NO) or (left[0] in _NO and right[0] in _YES)


def _numbers(text: str) -> set[str]:
    # Numbers of a list's lines are its own affair.
    return {found for found in _NUMBER.findall(text) if len(found) > 1 or found not in "123456789"}
