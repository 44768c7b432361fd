"""Two texts word by word: what stayed, what went, what came. Bounded in time for texts of any length. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Literal

import msgspec

__all__ = ["Piece", "TextDiff", "text_diff"]

_WORD = re.compile(r"\w+\s*|[^\w\s]\s*|\s+")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_MOST_CHARS = 100_000
"""Of each text; the rest is compared only for being the same."""
_MOST_WORK = 16_000_000
"""Pairs of words (then of lines) that are worth comparing: some 50 ms."""


class Piece(msgspec.Struct, frozen=True):
    """A run of text."""

    kind: Literal["same", "del", "ins"]
    """same: in both. del: only in the first. ins: only in the second."""
    text: str


class TextDiff(msgspec.Struct, frozen=True, kw_only=True):
    """Two texts, compared."""

    identical: bool
    similarity: float
    """From 0 to 1: the part of both texts' characters that stands in runs they share."""
    pieces: list[Piece]
    unit: Literal["word", "line", "whole"] = "word"
    """What was compared as one: long texts are compared line by line, or not at all."""
    cut: bool = False
    """Were the ends of the texts left out?"""


def text_diff(before: str, after: str) -> TextDiff:
    """What is different."""
    if before == after:
        return TextDiff(
            identical=True,
            similarity=1.0,
            pieces=[Piece("same", before[:_MOST_CHARS])] if before else [],
            cut=len(before) > _MOST_CHARS,
        )
    cut = max(len(before), len(after)) > _MOST_CHARS
    first, second = before[:_MOST_CHARS], after[:_MOST_CHARS]
    for unit, pattern in (("word", _WORD), ("line", _LINE)):
        a, b = pattern.findall(first), pattern.findall(second)
        head = _common(a, b)
        tail = _common(a[head:][::-1], b[head:][::-1])
        middle_a, middle_b = a[head : len(a) - tail], b[head : len(b) - tail]
        if len(middle_a) * len(middle_b) <= _MOST_WORK:
            pieces = [Piece("same", "".join(a[:head]))]
            pieces += _middle(middle_a, middle_b)
            pieces.append(Piece("same", "".join(a[len(a) - tail :])))
            return _told(_joined(pieces), before, after, unit, cut=cut)
    return _told([Piece("del", first), Piece("ins", second)], before, after, "whole", cut=cut)


def _told(pieces: list[Piece], before: str, after: str, unit: str, *, cut: bool) -> TextDiff:
    shared = sum(len(piece.text) for piece in pieces if piece.kind == "same")
    compared = min(len(before), _MOST_CHARS) + min(len(after), _MOST_CHARS)
    return TextDiff(
        identical=False,
        similarity=round(2 * shared / compared, 4) if compared else 1.0,
        pieces=pieces,
        unit=unit,  # type: ignore[arg-type]
        cut=cut,
    )


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    count = 0
    for one, other in zip(a, b, strict=False):
        if one != other:
            break
        count += 1
    return count


def _middle(a: list[str], b: list[str]) -> list[Piece]:
    found: list[Piece] = []
    for kind, a1, a2, b1, b2 in SequenceMatcher(None, a, b, autojunk=len(b) > 1_500).get_opcodes():
        if kind == "equal":
            found.append(Piece("same", "".join(a[a1:a2])))
            continue
        found += [Piece("del", "".join(a[a1:a2])), Piece("ins", "".join(b[b1:b2]))]
    return found


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    found: list[Piece] = []
    for piece in pieces:
        if not piece.text:
            continue
        if found and found[-1].kind == piece.kind:
            found[-1] = Piece(piece.kind, found[-1].text + piece.text)
        else:
            found.append(piece)
    return found
