"""Do two answers say the same? A quick and noisy judge: what it is wrong about is measured where one question is asked twice.

It looks for what answers to different questions differ in: a yes against a no, other numbers, one word in place of another,
another subject. It does not understand them; two answers that say the same in other words and at other length may be taken
for different. How often it errs either way is on the page of the cache's benchmark.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from headgate.core.messages import Answer, Text, ToolCall

__all__ = ["EMBEDDED", "LEAST_COSINE", "same_answer", "words_of"]


def _some(words: str) -> tuple[str, ...]:
    return tuple(words.split())


LEAST_COSINE = 0.80
"""Of the vectors of two answers that are about the same."""
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_ITEM = re.compile(r"(?:^|(?<=\.))[ \t]*\(?\d{1,2}[.)](?=[ \t]+\S)", re.MULTILINE)
"""Before a line of a list, or a sentence that is one: the line's own number."""
_UNITS = _some(
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen"""
)
_TENS = _some("twenty thirty forty fifty sixty seventy eighty ninety")
_SPELLED = {name: value for value, name in enumerate(_UNITS) if name != "one"} | {
    name: 10 * value for value, name in enumerate(_TENS, 2)
}
"""`one` is hardly ever a number."""
_DIGITS = {name: value for value, name in enumerate(_UNITS[:10]) if value}
"""What may follow tens."""
_CURRENCIES = frozenset("$€£¥₹")
_SIGN = re.compile(r"-(?<![\w.,)\]]-)(?=\d)|c\+\+|c#")
"""Signs that, as a currency does, make another thing of what they stand at: what is below zero, a language of programs."""
_WORD = re.compile(r"\w+")
_YES = frozenset({"yes", "yeah", "yep", "certainly", "ja", "oui", "si", "sí", "sim"})
_NO = frozenset({"no", "nope", "nein", "non", "nee", "não", "unfortunately", "leider"})
# `don't` is read as `don` and `t`, `it's` as `it` and `s`.
_NOT = frozenset(
    _some(
        """not no never none nor neither cannot without nothing nobody t nicht kein keine keinen nie ohne pas jamais
        sans sin nunca nada niet geen zonder nem sem"""
    )
)
_LIGHT = frozenset(
    _some(
        """a an the is are was were be been it its s d ll m re ve this that these those there so too also very just of and as
        will would can could may do does did has have you we i they he she your our their my me us them"""
    )
)
"""Words that say little by themselves."""
_FEW = 4
"""Words that are not in the other answer, added up over both: so few that they are what the two differ in."""
_STEM, _ENDING = 4, 3
"""Letters: `opens` and `opened` are one word."""
_LONGEST = 2_000
"""Characters of an answer that are compared."""

EMBEDDED = 500
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
    this, that = _read(one), _read(other)
    if this.signs != that.signs or this.numbers != that.numbers:
        return False
    left, right = this.words, that.words
    if left == right:
        return True
    if not left or not right or _contradict(left, right) or _exchanged(left, right):
        return False
    near = await cosine(one[:EMBEDDED], other[:EMBEDDED])
    return None if near is None else near >= LEAST_COSINE


class _Read(NamedTuple):
    """A text, as far as it is compared."""

    words: list[str]
    """In small letters, numbers as digits, without the marks of a list's lines."""
    numbers: set[str]
    signs: set[str]


def _read(text: str) -> _Read:
    text = _ITEM.sub(" ", text.lower().replace("\u2212", "-"))
    words: list[str] = []
    spelled: list[str] = []
    tens = 0
    for word in _WORD.findall(text):
        value = _SPELLED.get(word)
        if tens and word in _DIGITS:
            words.pop()
            spelled.pop()
            value = tens + _DIGITS[word]
        tens = value if value is not None and word in _TENS else 0
        words.append(word if value is None else str(value))
        if value is not None:
            spelled.append(words[-1])
    numbers = {*_NUMBER.findall(text), *spelled}
    return _Read(words, numbers, {*_CURRENCIES.intersection(text), *_SIGN.findall(text)})


def _contradict(left: list[str], right: list[str]) -> bool:
    return (left[0] in _YES and right[0] in _NO) or (left[0] in _NO and right[0] in _YES)


def _exchanged(left: Sequence[str], right: Sequence[str]) -> bool:
    """Is all the same but for a few words, and do those say something else? `debit` for `credit`, a `not`, the same words in another order."""
    if abs(len(left) - len(right)) > _FEW:
        return False
    over, under = Counter(left) - Counter(right), Counter(right) - Counter(left)
    if over.total() + under.total() > _FEW:
        return False
    lefts, rights = list(over.elements()), list(under.elements())
    if not lefts and not rights:
        return True
    if _nots(lefts) != _nots(rights):
        return True
    for word in list(lefts):
        form = next((each for each in rights if _one_word(word, each)), None)
        if form is not None:
            lefts.remove(word)
            rights.remove(form)
    return not _LIGHT.issuperset(lefts) and not _LIGHT.issuperset(rights)


def _nots(words: Sequence[str]) -> int:
    return sum(word in _NOT for word in words)


def _one_word(one: str, other: str) -> bool:
    shared = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        shared += 1
    return shared >= _STEM and max(len(one), len(other)) - shared <= _ENDING
