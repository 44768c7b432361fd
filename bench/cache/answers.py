"""Pairs of answers that say the same, and pairs that do not: what the judge of answers is measured on."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cache.rows import load_conversations, load_pairs, load_rows

__all__ = ["AnswerPair", "AnswerSet", "answer_sets", "written"]

FILE = Path(__file__).parent / "answers.txt"
_WORD = re.compile(r"\w+")
_MINIMAL = 3
"""Words in which two claims may differ, added up over both, to be called minimal."""


@dataclass(frozen=True, slots=True)
class AnswerPair:
    """Two answers; of one group are those that are not independent of each other."""

    one: str
    other: str
    group: str


@dataclass(frozen=True, slots=True)
class AnswerSet:
    """Pairs of one source that are all the same, or all different."""

    name: str
    same: bool
    pairs: list[AnswerPair]
    note: str = ""


def answer_sets() -> list[AnswerSet]:
    """All of them. Raises DataMissing."""
    return [*written(), *_conversations(), *_claims(), *_made_up(), *_questions()]


def written(file: Path = FILE) -> list[AnswerSet]:
    """Those of `answers.txt`: to each question two answers that say the same, and answers to questions that look alike."""
    same: list[AnswerPair] = []
    traps: dict[str, list[AnswerPair]] = {}
    for question, answers, others in _blocks(file):
        same += [AnswerPair(*pair, question) for pair in itertools.combinations(answers, 2)]
        for kind, text in others:
            traps.setdefault(kind, []).extend(AnswerPair(answer, text, question) for answer in answers)
    everything = [pair for some in traps.values() for pair in some]
    return [
        AnswerSet("written", True, same),
        AnswerSet("written", False, everything),
        *(AnswerSet(f"written, {kind}", False, some) for kind, some in sorted(traps.items())),
    ]


def _blocks(file: Path) -> list[tuple[str, list[str], list[tuple[str, str]]]]:
    found: list[tuple[str, list[str], list[tuple[str, str]]]] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        sign, _, text = line.partition(" ")
        text = text.strip().replace(" / ", "\n")
        if sign == "?":
            found.append((text, [], []))
        elif sign == "=":
            found[-1][1].append(text)
        elif sign == "!":
            kind, _, answer = text.partition(": ")
            found[-1][2].append((kind, answer))
    return found


def _conversations() -> list[AnswerSet]:
    """What the assistant says at the same place of two conversations. Long ones are left out: their turns do not stand side by side."""
    turns: dict[str, list[AnswerPair]] = {}
    for row in load_conversations()[0]:
        left, right = row["a"], row["b"]
        if row["part"] != "conv-parts" or [one["role"] for one in left] != [one["role"] for one in right]:
            continue
        for one, other in zip(left, right, strict=True):
            if one["role"] == "assistant" and one["content"] != other["content"]:
                turns.setdefault(row["subtype"], []).append(
                    AnswerPair(one["content"], other["content"], row["id"])
                )
    return [
        AnswerSet("conversations, reworded", True, turns.get("same_context_reworded", [])),
        AnswerSet(
            "conversations, a detail or the aim differs",
            False,
            turns.get("detail_swap", []) + turns.get("intent_flip", []),
        ),
        AnswerSet("conversations, about something else", False, turns.get("context_swap", [])),
    ]


def _claims() -> list[AnswerSet]:
    """Two claims of which the same paper supports one and contradicts the other: they cannot say the same."""
    by_paper: dict[tuple[int, ...], list[tuple[str, str]]] = {}
    for row in load_rows("retrieval-scifact-claims")[0]:
        labels = {each["label"] for each in row["evidence"]}
        if len(labels) == 1:
            papers = tuple(sorted({each["doc_id"] for each in row["evidence"]}))
            by_paper.setdefault(papers, []).append((row["claim"], labels.pop()))
    pairs = [
        AnswerPair(one, other, str(papers))
        for papers, claims in by_paper.items()
        for (one, label), (other, contrary) in itertools.combinations(claims, 2)
        if label != contrary
    ]
    minimal = [pair for pair in pairs if _apart(pair.one, pair.other) <= _MINIMAL]
    return [
        AnswerSet("claims, one true and one not", False, pairs),
        AnswerSet("claims, of these a word or two apart", False, minimal),
    ]


def _apart(one: str, other: str) -> int:
    return len(set(_WORD.findall(one.lower())) ^ set(_WORD.findall(other.lower())))


def _made_up() -> list[AnswerSet]:
    pairs = [
        AnswerPair(str(row["right_answer"]), str(row[name]), str(row["question"]))
        for row in load_rows("grounding-halueval-qa")[0]
        for name in ("hallucinated_answer_1", "hallucinated_answer_2")
    ]
    return [AnswerSet("true and made up", False, pairs)]


def _questions() -> list[AnswerSet]:
    pairs = load_pairs()
    rows: list[tuple[Any, AnswerPair]] = [
        (same, AnswerPair(asked, kept, str(number)))
        for number, (same, asked, kept) in enumerate(zip(pairs.same, pairs.asked, pairs.kept, strict=True))
    ]
    return [
        AnswerSet("questions, read as if they were answers", same, [pair for it, pair in rows if it == same])
        for same in (True, False)
    ]
