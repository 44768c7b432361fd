"""Numbers, however they are written: `two weeks` and `14 days`, `5 pm` and `17:00`, `1,000` and `1k` are the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from headgate.cache.semantic.check.splitting import words_of

__all__ = ["Amount", "amount_at"]

_SMALL = {
    name: value
    for value, name in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
} | {
    name: 10 * value
    for value, name in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2
    )
}
_LARGE = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_SHORT = {"k": 1_000, "m": 1_000_000, "bn": 1_000_000_000}
_TIMES = {
    "second": ("s", 1),
    "minute": ("s", 60),
    "min": ("s", 60),
    "hour": ("s", 3600),
    "h": ("s", 3600),
    "day": ("s", 86_400),
    "week": ("s", 604_800),
    "month": ("mo", 1),
    "year": ("mo", 12),
    "decade": ("mo", 120),
    "century": ("mo", 1200),
}
_WITHIN = words_of("within after under over than")
_ORDINALS = frozenset(("st", "nd", "rd", "th"))


class Amount(NamedTuple):
    """A number of something."""

    key: str
    """Equal if and only if the amounts are."""
    words: int
    """How many words it takes."""


def amount_at(words: Sequence[str], bases: Sequence[str], at: int) -> Amount | None:
    """The amount that begins at word `at`, or None."""
    word = words[at]
    if not (word[0].isdigit() or (word[0] == "-" and len(word) > 1) or word in _SMALL or word in ("a", "an")):
        return None
    after = words[at + 1] if at + 1 < len(words) else ""
    unit = bases[at + 1] if at + 1 < len(bases) else ""
    if word in ("a", "an"):
        if unit in _TIMES and at and words[at - 1] in _WITHIN:
            return _with_unit(1.0, unit, 2)
        return None
    if word == "one" and unit not in _TIMES and after not in _LARGE:
        return None
    value, taken = _value(words, at)
    if value is None:
        return _clock(word) if ":" in word else Amount(word, 1)
    return _finished(words, bases, at, value, taken)


def _finished(words: Sequence[str], bases: Sequence[str], at: int, value: float, taken: int) -> Amount:
    after = words[at + taken] if at + taken < len(words) else ""
    unit = bases[at + taken] if at + taken < len(bases) else ""
    if after in ("am", "pm"):
        hours = value % 12 + (12 if after == "pm" else 0)
        return Amount(f"clock {hours * 60:g}", taken + 1)
    if after in _SHORT and words[at][0].isdigit():
        value, taken = value * _SHORT[after], taken + 1
    elif after in _ORDINALS:
        taken += 1
    elif unit in _TIMES:
        return _with_unit(value, unit, taken + 1)
    return Amount(f"{value:g}" if abs(value) < 1e15 else words[at], taken)


def _clock(word: str) -> Amount:
    hours, _, minutes = word.partition(":")
    return Amount(f"clock {int(hours) * 60 + int(minutes)}", 1)


def _with_unit(value: float, unit: str, taken: int) -> Amount:
    dimension, factor = _TIMES[unit]
    return Amount(f"{dimension} {value * factor:g}", taken)


def _value(words: Sequence[str], at: int) -> tuple[float | None, int]:
    word = words[at]
    if word not in _SMALL:
        return _digits(words, at)
    total, current, taken = 0.0, float(_SMALL[word]), 1
    while at + taken < len(words):
        word = words[at + taken]
        if word in _LARGE:
            current *= _LARGE[word]
            if _LARGE[word] >= 1000:
                total, current = total + current, 0.0
        elif word in _SMALL and (
            (current >= 20 and current % 10 == 0 and _SMALL[word] < 10) or current % 100 == 0
        ):
            current += _SMALL[word]
        else:
            break
        taken += 1
    return total + current, taken


def _digits(words: Sequence[str], at: int) -> tuple[float | None, int]:
    word = words[at]
    if ":" in word:
        hours, _, minutes = word.partition(":")
        after = words[at + 1] if at + 1 < len(words) else ""
        if after in ("am", "pm"):
            return int(hours) + int(minutes) / 60, 1
        return None, 1
    try:
        value = float(word.replace(",", ""))
    except ValueError:
        return None, 1
    if at + 1 < len(words) and words[at + 1] in _LARGE:
        return value * _LARGE[words[at + 1]], 2
    return value, 1
