"""What the check knows about words, read from the text files beside it. English."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from typing import NamedTuple

from headgate.cache.semantic.check.splitting import split

__all__ = ["Lexicon", "Rewrite", "load_lexicon"]

_ENDINGS = (("sses", "ss"), ("ies", "y"), ("shes", "sh"), ("ches", "ch"), ("xes", "x"), ("zes", "z"))
_NOTHING: frozenset[int] = frozenset()
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_COMMON = 14
"""Band up to which a word is taken for what a slip was meant to be."""
UNKNOWN = 20
"""Band of a word that is in no list: once in a million."""


class Rewrite(NamedTuple):
    """`left` is read as `right`."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    begins: bool
    """Only where the question begins."""


@dataclass(slots=True)
class Lexicon:
    """Filled once, then only read."""

    known: dict[str, int] = field(default_factory=dict)
    """Common word -> how rare it is: -log2 of its share."""
    bases: dict[str, str] = field(default_factory=dict)
    rewrites: dict[str, list[Rewrite]] = field(default_factory=dict)
    """By first word, longest first."""
    gaps: dict[str, list[Rewrite]] = field(default_factory=dict)
    """Likewise, with a `*` in them; of whole questions."""
    same: dict[str, frozenset[int]] = field(default_factory=dict)
    near: dict[str, frozenset[int]] = field(default_factory=dict)
    apart: dict[str, dict[int, frozenset[str]]] = field(default_factory=dict)
    """Word -> family -> for which members of it the word stands: itself, or words that mean the same."""
    weak: dict[str, dict[int, frozenset[str]]] = field(default_factory=dict)
    phrases: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    """Phrases that stand in a group, as base forms: by first word, longest first."""

    def base(self, word: str) -> str:
        """The form a dictionary has, as far as endings tell: `cancels`, `canceling` -> `cancel`."""
        found = self.bases.get(word)
        if found is None:
            return self._without_ending(word)
        return found

    def rarity(self, word: str) -> int:
        """-log2 of its share of all words, or UNKNOWN."""
        return self.known.get(word, UNKNOWN)

    def slip(self, word: str) -> str:
        """The common word that `word`, which is none, was meant to be; `word` if there is none, or it is in doubt."""
        if len(word) < 5 or len(word) > 15 or not word.isascii() or self.base(word) in self.known:
            return word
        parts = [(word[:at], word[at:]) for at in range(1, len(word) + 1)]
        near = [head + tail[1:] for head, tail in parts if tail]
        near += [head + tail[1] + tail[0] + tail[2:] for head, tail in parts if len(tail) > 1]
        near += [head + letter + tail[1:] for head, tail in parts if tail for letter in _LETTERS]
        near += [head + letter + tail for head, tail in parts for letter in _LETTERS]
        found = [(self.known[one], one) for one in set(near) if self.known.get(one, UNKNOWN) <= _COMMON]
        return min(found)[1] if found else word

    def differ(self, left: str, right: str, *, weakly: bool = False) -> bool:
        """Does one of the two words exclude the other?"""
        table = self.weak if weakly else self.apart
        ones, others = table.get(left), table.get(right)
        if not ones or not others or self.alike(left, right):
            return False
        return any(family in others and ones[family].isdisjoint(others[family]) for family in ones)

    def alike(self, left: str, right: str) -> bool:
        """Do they mean the same, by the lists?"""
        return not self.same.get(left, _NOTHING).isdisjoint(self.same.get(right, _NOTHING))

    def akin(self, left: str, right: str) -> bool:
        """Do they nearly mean the same?"""
        return not self.near.get(left, _NOTHING).isdisjoint(self.near.get(right, _NOTHING))

    def _without_ending(self, word: str) -> str:
        if len(word) < 4 or not word.isascii():
            return word
        if word.endswith("s") and not word.endswith(("ss", "us", "is")):
            for ending, instead in _ENDINGS:
                if word.endswith(ending):
                    return word[: -len(ending)] + instead
            return word[:-1]
        for ending in ("ing", "ied", "ed"):
            if word.endswith(ending) and len(word) - len(ending) >= 2:
                return self._stem(word, ending)
        return word

    def _stem(self, word: str, ending: str) -> str:
        stem = word[: -len(ending)]
        if ending == "ied":
            return stem + "y"
        if not any(letter in "aeiouy" for letter in stem):
            return word
        whole = [stem + "e", stem]
        if len(stem) > 2 and stem[-1] == stem[-2]:
            whole.append(stem[:-1])
        here = [one for one in whole if one in self.known]
        if here:
            return min(here, key=lambda one: self.known[one])
        return word if word in self.known and ending == "ing" else stem


def load_lexicon() -> Lexicon:
    """Takes some 30 ms; the files come with the package."""
    lexicon = Lexicon()
    for line in _lines("known.txt"):
        band, _, words = line.partition(" ")
        lexicon.known.update(dict.fromkeys(words.split(), int(band)))
    lexicon.known.update(
        dict.fromkeys(_LETTERS, 10), **dict.fromkeys(("thanks", "please", "cheers", "hello", "hey"), 10)
    )
    for line in _lines("irregular.txt"):
        base, *others = line.split()
        lexicon.bases[base] = base
        for other in others:
            lexicon.bases.setdefault(other, base)
    _read_rewrites(lexicon)
    joined: set[tuple[str, ...]] = set()
    _read_groups(lexicon, list(_lines("same.txt")), lexicon.same, joined)
    _read_groups(lexicon, list(_lines("near.txt")), lexicon.near, joined)
    lines = list(_lines("apart.txt"))
    for table, kept in (
        (lexicon.apart, [one for one in lines if one[0] != "~"]),
        (lexicon.weak, [one[1:] for one in lines if one[0] == "~"]),
    ):
        members: dict[str, frozenset[int]] = {}
        _read_groups(lexicon, kept, members, joined)
        table.update({word: dict.fromkeys(groups, frozenset((word,))) for word, groups in members.items()})
    _spread(lexicon)
    for phrase in sorted(joined, key=len, reverse=True):
        lexicon.phrases.setdefault(phrase[0], []).append(phrase)
    return lexicon


def _spread(lexicon: Lexicon) -> None:
    """What has no opposite of its own has those of the words that mean the same: `turn on` those of `enable`."""
    members: dict[int, list[str]] = {}
    for word, groups in lexicon.same.items():
        for group in groups:
            members.setdefault(group, []).append(word)
    found: dict[str, dict[int, frozenset[str]]] = {}
    for word, groups in lexicon.same.items():
        if word in lexicon.apart:
            continue
        stands: dict[int, frozenset[str]] = {}
        for other in {other for group in groups for other in members[group]}:
            for family, names in lexicon.apart.get(other, {}).items():
                stands[family] = stands.get(family, frozenset()) | names
        # Of several members of a family it can be the opposite of none.
        stands = {family: names for family, names in stands.items() if len(names) == 1}
        if stands:
            found[word] = stands
    lexicon.apart.update(found)


def _lines(name: str) -> Iterator[str]:
    text = (files(__package__) / "words" / name).read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip()


def _read_groups(
    lexicon: Lexicon, lines: list[str], target: dict[str, frozenset[int]], joined: set[tuple[str, ...]]
) -> None:
    collected: dict[str, set[int]] = {}
    for number, line in enumerate(lines):
        for member in line.split(","):
            words = tuple(lexicon.base(one) for one in _rewritten(lexicon, split(member)))
            if len(words) > 1:
                joined.add(words)
            if words:
                collected.setdefault("_".join(words), set()).add(number)
    target.update({word: frozenset(groups) for word, groups in collected.items()})


def _rewritten(lexicon: Lexicon, words: list[str]) -> list[str]:
    """As questions say it after rewriting: `color` for `colour`; nothing for what is put in several words (`unsafe`)."""
    if len(words) != 1:
        return words
    for one in lexicon.rewrites.get(words[0], ()):
        if one.left == tuple(words) and not one.begins:
            return list(one.right) if len(one.right) == 1 else []
    return words


def _read_rewrites(lexicon: Lexicon) -> None:
    for line in _lines("phrases.txt"):
        lefts, _, right = line.rpartition(">")
        for left in lefts.split(","):
            left = left.strip()
            begins, words = left.startswith("^"), tuple(_words(left.lstrip("^")))
            if not words:
                continue
            rewrite = Rewrite(words, tuple(right.split()), begins)
            where = lexicon.gaps if "*" in words else lexicon.rewrites
            where.setdefault(words[0], []).append(rewrite)
    for table in (lexicon.rewrites, lexicon.gaps):
        for found in table.values():
            found.sort(key=lambda one: len(one.left), reverse=True)


def _words(phrase: str) -> list[str]:
    return [part for word in phrase.split() for part in ([word] if word == "*" else split(word))]
