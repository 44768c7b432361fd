"""Pairs of questions with the same answer, and traps: made from `intents.txt` and the lists below, by chance from a seed.

python -m bench.cache.generate              some of them, to look at
python -m bench.cache.generate --json       all, a line each
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.cache.rows import Pairs
from bench.cache.slots import SLOTS

__all__ = ["Intent", "generate", "main", "read_intents"]

_SLOT = re.compile(r"\{(\w+?)\}(s?)")


@dataclass
class Intent:
    """One thing people ask."""

    trade: str
    ways: list[str] = field(default_factory=list)
    traps: list[tuple[str, str]] = field(default_factory=list)
    """(kind, question)."""


@dataclass(frozen=True)
class Made:
    """A pair."""

    asked: str
    kept: str
    same: bool
    kind: str
    intent: int


def read_intents() -> list[Intent]:
    """From `intents.txt` beside this file."""
    found: list[Intent] = []
    trade, begins = "", True
    for line in (Path(__file__).parent / "intents.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("@"):
            trade = line[1:].strip()
        elif line.startswith("="):
            if not found or found[-1].traps or found[-1].trade != trade or begins:
                found.append(Intent(trade))
            found[-1].ways.append(line[1:].strip())
        elif line.startswith("!"):
            kind, _, text = line[1:].partition(" ")
            found[-1].traps.append((kind, text.strip()))
        begins = not line.strip() or line.startswith("@")
    return found


def generate(seed: int, *, rounds: int = 6, part: str = "all") -> tuple[Pairs, np.ndarray]:
    """rounds: pairs of each sort per intent. part: `learn`, `ask` (every fourth intent, never learned from) or `all`.
    Also says of each pair which intent it is of."""
    made: list[Made] = []
    for number, intent in enumerate(read_intents()):
        if part != "all" and (number % 4 == 3) != (part == "ask"):
            continue
        chance = random.Random(f"{seed} {number}")
        for _ in range(rounds):
            made.extend(_of_intent(intent, number, chance))
    unique = list(dict.fromkeys(one for one in made if one.asked != one.kept))
    pairs = Pairs(
        "generated",
        [one.asked for one in unique],
        [one.kept for one in unique],
        np.array([one.same for one in unique]),
        [one.kind for one in unique],
    )
    return pairs, np.array([one.intent for one in unique])


def _of_intent(intent: Intent, number: int, chance: random.Random) -> list[Made]:
    values = _values(chance)
    one, other = chance.sample(intent.ways, 2)
    kept = _filled(one, values)
    found = [
        Made(_filled(other, values), kept, True, "paraphrase", number),
        Made(_sloppy(_filled(other, values), chance), kept, True, "paraphrase", number),
        Made(_sloppy(kept, chance), kept, True, "near_repeat", number),
        Made(_sloppy(kept, chance), kept, True, "near_repeat", number),
    ]
    kind, trap = chance.choice(intent.traps)
    found.append(
        Made(_filled(trap, values), _filled(chance.choice(intent.ways), values), False, kind, number)
    )
    kind, trap = chance.choice(intent.traps)
    found.append(
        Made(
            _sloppy(_filled(trap, values), chance),
            _filled(chance.choice(intent.ways), values),
            False,
            kind,
            number,
        )
    )
    found.append(Made(kept, _filled(chance.choice(intent.traps)[1], values), False, kind, number))
    for edit in (_other_slot, _negated, _narrowed, _renumbered):
        text = edit(one, chance.choice(intent.ways), values, chance)
        if text and text[0] != text[1]:
            found.append(Made(text[0], text[1], False, edit.__name__.strip("_"), number))
    return found


def _values(chance: random.Random) -> dict[str, str]:
    found = {name: chance.choice(words) for name, words in SLOTS.items()}
    for name in [name for name in SLOTS if name.endswith("2")]:
        while found[name] == found[name[:-1]]:
            found[name] = chance.choice(SLOTS[name])
    return found


def _filled(text: str, values: dict[str, str]) -> str:
    return _SLOT.sub(
        lambda found: values.get(found[1], values.get(found[1].rstrip("s"), "")) + found[2], text
    )


def _other_slot(
    text: str, other: str, values: dict[str, str], chance: random.Random
) -> tuple[str, str] | None:
    slots = [name for name, _ in _SLOT.findall(text) if name in SLOTS]
    if not slots:
        return None
    name = chance.choice(slots)
    changed = values | {name: chance.choice([word for word in SLOTS[name] if word != values[name]])}
    return _filled(chance.choice((text, other)), changed), _filled(text, values)


_AUX = re.compile(
    r"\b(do|does|can|is|are|should|will|did|would)\b( (?:i|you|we|they|it|there|students|my \w+|the \w+))?",
    re.IGNORECASE,
)


def _negated(text: str, other: str, values: dict[str, str], chance: random.Random) -> tuple[str, str] | None:
    text = chance.choice((text, other))
    found = _AUX.search(text)
    if not found:
        return None
    if found[2]:
        changed = text[: found.end()] + " not" + text[found.end() :]
    else:
        changed = text[: found.end()] + " not" + text[found.end() :]
    if chance.random() < 0.3:
        changed = re.sub(r"\b(do|does|is|are|should|did|would) not\b", r"\1n't", changed)
    return _filled(changed, values), _filled(text, values)


_NARROWER = (
    "for children",
    "for a business",
    "without a receipt",
    "in winter",
    "on weekends",
    "for free",
    "at night",
    "on my phone",
    "abroad",
    "for beginners",
    "for seniors",
    "in the EU",
    "as a student",
    "before the deadline",
    "twice",
    "in advance",
    "without an account",
    "in person",
    "by mail",
    "on a tablet",
    "as a gift",
    "with a broken screen",
    "over the phone",
    "if I am under 18",
    "after a divorce",
    "in an emergency",
    "for my mother",
    "with kids",
    "without paying",
    "in bulk",
    "during the holidays",
    "only once",
    "at home",
    "in public",
    "for a large group",
    "on a budget",
    "after midnight",
    "if it rains",
    "except on Sundays",
    "for the first time",
    "next year",
    "last year",
    "at the moment of death",
    "for all users",
    "in the new version",
    "without permission",
    "with no experience",
)
_ADJECTIVES = (
    "first",
    "second",
    "old",
    "new",
    "cheapest",
    "best",
    "other",
    "main",
    "largest",
    "average",
    "typical",
    "former",
    "minimum",
    "maximum",
    "last",
)


def _narrowed(text: str, other: str, values: dict[str, str], chance: random.Random) -> tuple[str, str] | None:
    kept = _filled(chance.choice((text, other)), values)
    text = _filled(text, values)
    if chance.random() < 0.25:
        found = [match.end() for match in re.finditer(r"\b(the|my|your|a) ", text)]
        if found:
            at = chance.choice(found)
            return text[:at] + chance.choice(_ADJECTIVES) + " " + text[at:], kept
    more = chance.choice(_NARROWER)
    return text.rstrip("?") + " " + more + ("?" if text.endswith("?") else ""), kept


def _renumbered(
    text: str, other: str, values: dict[str, str], chance: random.Random
) -> tuple[str, str] | None:
    more = chance.choice(_WITH_NUMBER)
    ones = chance.sample(_DIGITS, 2)
    ones = [chance.choice((one, _SPELLED.get(one, one))) for one in ones]
    kept = _filled(chance.choice((text, other)), values)
    text = _filled(text, values)
    end = "?" if text.endswith("?") else ""
    asked, was = (
        f"{one.rstrip('?')} {more.format(n)}{end}" for one, n in zip((text, kept), ones, strict=True)
    )
    return asked, was


_WITH_NUMBER = (
    "in {}",
    "after {} days",
    "for {} people",
    "within {} weeks",
    "under {} dollars",
    "over {} kg",
    "on floor {}",
    "since {}",
    "by {} percent",
)
_DIGITS = (
    "2",
    "3",
    "5",
    "7",
    "10",
    "12",
    "15",
    "20",
    "24",
    "30",
    "50",
    "100",
    "200",
    "2019",
    "2021",
    "2023",
    "2024",
)
_SPELLED = {"2": "two", "3": "three", "7": "seven", "10": "ten", "20": "twenty", "100": "a hundred"}

_POLITE_BEFORE = (
    "Hi, ",
    "Hello! ",
    "Hey, ",
    "Please tell me: ",
    "Quick question: ",
    "I was wondering, ",
    "Could you tell me ",
    "Can you please tell me ",
    "Hi there, ",
    "Do you know ",
    "I'd like to know ",
    "Excuse me, ",
    "Good morning, ",
    "Just wondering, ",
    "hey there, ",
    "Hi team, ",
    "I have a question. ",
    "So, ",
)
_POLITE_AFTER = (
    " Thanks!",
    " please?",
    " Thank you.",
    " thanks",
    ", please",
    " Thanks in advance!",
    " pls",
    " Many thanks",
    " Cheers",
)
_KEYS = dict(zip("abcdefghijklmnopqrstuvwxyz", "snvfrdghujklmnioqwertyucxstx", strict=False))


def _sloppy(text: str, chance: random.Random) -> str:
    """As people write it who are in a hurry, or polite."""
    for change in chance.sample(_CHANGES, chance.choice((1, 1, 2, 3))):
        text = change(text, chance)
    return text


def _typo(text: str, chance: random.Random) -> str:
    words = list(re.finditer(r"[a-z]{5,}", text))
    if not words:
        return text
    word = chance.choice(words)
    at = chance.randrange(word.start() + 1, word.end() - 1)
    return chance.choice(
        (
            text[:at] + text[at + 1 :],
            text[:at] + text[at] + text[at:],
            text[:at] + text[at + 1] + text[at] + text[at + 2 :],
            text[:at] + _KEYS[text[at]] + text[at + 1 :],
        )
    )


def _contracted(text: str, chance: random.Random) -> str:
    if chance.random() < 0.5:
        return (
            text.replace("What is", "What's")
            .replace("I would", "I'd")
            .replace("cannot", "can't")
            .replace("Who is", "Who's")
        )
    return (
        text.replace("What's", "What is")
        .replace("I'd", "I would")
        .replace("can't", "cannot")
        .replace("don't", "do not")
    )


_CHANGES: tuple[Callable[[str, random.Random], str], ...] = (
    lambda text, chance: text.lower(),
    lambda text, chance: text.upper() if chance.random() < 0.2 else text.lower().rstrip("?"),
    lambda text, chance: text.rstrip("?."),
    lambda text, chance: text.rstrip("?.") + chance.choice(("??", "?!", " ?", ".", "...")),
    lambda text, chance: chance.choice(_POLITE_BEFORE) + text[0].lower() + text[1:],
    lambda text, chance: text + chance.choice(_POLITE_AFTER),
    _typo,
    _typo,
    _contracted,
    lambda text, chance: text.replace(
        "How do I", chance.choice(("How can I", "How to", "how would I", "how do you"))
    ),
    lambda text, chance: text.replace("'", ""),
    lambda text, chance: re.sub(r"\b(the|a) ", "", text, count=1),
)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    pairs, _ = generate(chosen.seed)
    rows = list(zip(pairs.asked, pairs.kept, pairs.same.tolist(), pairs.kinds, strict=True))
    if not chosen.json:
        rows = random.Random(chosen.seed).sample(rows, 40)
    for asked, kept, same, kind in rows:
        if chosen.json:
            print(json.dumps({"asked": asked, "kept": kept, "same": same, "kind": kind}))
        else:
            print(f"{'same ' if same else 'trap '} {kind:12} {kept}  |  {asked}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
