"""Which word of one question stands for which of the other, and what is left over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from headgate.cache.semantic.check.lexicon import Lexicon
from headgate.cache.semantic.check.reading import Reading, Word
from headgate.cache.semantic.check.splitting import words_of

__all__ = ["Alignment", "Pair", "align"]

_MOST_OVER = 20
"""With more words that the other does not have, it is not the same question however they are matched."""
_ENDINGS = words_of(
    "s e y er or ion ation ition tion ment al ly ally ing ed ance ence able ible ness ity ive ful ability lation lable ry ery r d ies ous"
) | {""}
Fits = Callable[[Word, Word, Lexicon], bool]


class Pair(NamedTuple):
    """A word of each."""

    left: int
    right: int
    how: str
    """equal, same, near, spelling, family (another form of the word), joined."""


@dataclass(slots=True)
class Alignment:
    """Positions are those of `Reading.words`."""

    pairs: list[Pair] = field(default_factory=list)
    left_over: list[Word] = field(default_factory=list)
    right_over: list[Word] = field(default_factory=list)


def align(left: Reading, right: Reading, lexicon: Lexicon) -> Alignment:
    """Equal words first, then equal meaning, then spelling, then what is near: each word once."""
    rights = dict(enumerate(right.words))
    lefts = dict(enumerate(left.words))
    found = Alignment()
    _equal(lefts, rights, found)
    if lefts and rights and max(len(lefts), len(rights)) <= _MOST_OVER:
        _joined(lefts, rights, left.words, right.words, found)
        for how, fits in (("same", _same), ("spelling", _spelling), ("family", _family), ("near", _near)):
            _match(lefts, rights, found, how, fits, lexicon)
    found.left_over = list(lefts.values())
    found.right_over = list(rights.values())
    return found


def _equal(lefts: dict[int, Word], rights: dict[int, Word], found: Alignment) -> None:
    places: dict[str, list[int]] = {}
    for at, word in rights.items():
        places.setdefault(word.base, []).append(at)
    for at, word in list(lefts.items()):
        there = places.get(word.base)
        if there:
            other = there.pop(0)
            found.pairs.append(Pair(at, other, "equal"))
            del lefts[at], rights[other]


def _match(
    lefts: dict[int, Word], rights: dict[int, Word], found: Alignment, how: str, fits: Fits, lexicon: Lexicon
) -> None:
    for at, word in list(lefts.items()):
        for other, there in rights.items():
            if fits(word, there, lexicon):
                found.pairs.append(Pair(at, other, how))
                del lefts[at], rights[other]
                break


def _same(left: Word, right: Word, lexicon: Lexicon) -> bool:
    return lexicon.alike(left.base, right.base)


def _near(left: Word, right: Word, lexicon: Lexicon) -> bool:
    return lexicon.akin(left.base, right.base) and not lexicon.differ(left.base, right.base)


def _family(left: Word, right: Word, lexicon: Lexicon) -> bool:
    a, b = left.base, right.base
    shared = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        shared += 1
    return (
        shared >= 4
        and a[shared:] in _ENDINGS
        and b[shared:] in _ENDINGS
        and left.kind == right.kind == "content"
        and not lexicon.differ(left.base, right.base)
    )


def _spelling(left: Word, right: Word, lexicon: Lexicon) -> bool:
    """One of them is no word, and nearly the other. Two words are never taken for a slip: `affect` is not `effect`."""
    a, b = left.text, right.text
    if left.kind != "content" or right.kind != "content" or (left.common and right.common):
        return False
    if a[0] != b[0] or not a.isascii() or lexicon.differ(left.base, right.base):
        return False
    shortest = min(len(a), len(b))
    name = left.name or right.name
    if left.common != right.common:
        return shortest >= (5 if name else 3) and _distance(a, b) <= (1 if shortest < 6 or name else 2)
    # Neither is in the list: another letter may well make another word (chlorate, chlorite), a lost or turned one hardly.
    return (
        shortest >= 5
        and _distance(a, b) == 1
        and (sorted(a) == sorted(b) or (len(a) != len(b) and shortest >= 6))
    )


def _distance(a: str, b: str) -> int:
    """Letters left out, put in, exchanged or turned; 3 if more than 2."""
    if abs(len(a) - len(b)) > 2:
        return 3
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return min(last[-1], 3)


def _joined(
    lefts: dict[int, Word], rights: dict[int, Word], left: list[Word], right: list[Word], found: Alignment
) -> None:
    """`pass word` and `password`, `artificial intelligence` and `ai`."""
    for ones, others, turned, words in ((lefts, rights, False, right), (rights, lefts, True, left)):
        for at, word in list(ones.items()):
            run = _run_of(word.text, others, words)
            if run:
                for other in run:
                    found.pairs.append(Pair(other, at, "joined") if turned else Pair(at, other, "joined"))
                    del others[other]
                del ones[at]


def _run_of(text: str, others: dict[int, Word], words: list[Word]) -> range | None:
    for start in others:
        joined = ""
        initials = ""
        for end in range(start, min(start + 5, len(words))):
            if end not in others:
                break
            joined += words[end].text
            initials += words[end].text[0]
            if end > start and (joined == text or (len(text) > 1 and initials == text and len(text) < 6)):
                return range(start, end + 1)
    return None
