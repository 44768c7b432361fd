"""How often each detector of `headgate.cache.detect` speaks against answering from memory, on other people's questions.

    python -m bench.cache.detectors            counts, by set
    python -m bench.cache.detectors --json     for scripts

Two questions are put. How often does a detector fire on questions that anybody may ask (a hit given away)? And how many of the
personal data that somebody has marked in a text does it find (a leak kept)? The sets are other people's, see the data's own
README; texts are counted, never printed. Needs the data folder (`HEADGATE_DATA`, else `shared/data` beside the repository).
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from bench.cache.places import folder
from headgate.cache.detect.dates import names_a_date
from headgate.cache.detect.names import names_a_person
from headgate.cache.detect.personal import data_in
from headgate.cache.detect.reasons import DETECTORS

__all__ = ["main"]

QUESTIONS: tuple[tuple[str, str, Callable[[dict[str, Any]], list[str]]], ...] = (
    ("cache-fow-pairs", "questions to help desks, in pairs", lambda row: [row["a"], row["b"]]),
    ("injection-dolly-benign", "instructions that people wrote", lambda row: [row["text"]]),
    ("injection-cyberseceval-frr-benign", "requests about programs and security", lambda row: [row["text"]]),
    ("injection-wildguard-benign", "requests, many with a long story", lambda row: [row["text"]]),
    ("injection-notinject", "short requests, several languages", lambda row: [row["text"]]),
    ("routing-routellm-gsm8k", "sums for school children", lambda row: [_question(row)]),
)
MARKED = ("pii-presidio-synth-v2", "pii-presidio-generated-large")
KINDS: dict[str, Callable[[str], bool]] = {
    "EMAIL_ADDRESS": lambda text: bool(data_in(text)),
    "PHONE_NUMBER": lambda text: bool(data_in(text)),
    "CREDIT_CARD": lambda text: bool(data_in(text)),
    "IBAN_CODE": lambda text: bool(data_in(text)),
    "US_SSN": lambda text: bool(data_in(text)),
    "STREET_ADDRESS": lambda text: bool(data_in(text)),
    "ADDRESS": lambda text: bool(data_in(text)),
    "PERSON": names_a_person,
    "DATE_TIME": names_a_date,
}


def main(arguments: list[str]) -> int:
    """Exit code: 0, or 1 if a set is not there."""
    try:
        fired = {name: _fired(name, texts) for name, _, texts in QUESTIONS}
        found = {name: _found(name) for name in MARKED}
    except FileNotFoundError as missing:
        print(
            f"{missing.filename} is not there; set HEADGATE_DATA to the folder that holds it", file=sys.stderr
        )
        return 1
    if "--json" in arguments:
        print(json.dumps({"fired": fired, "found": found}, indent=2))
        return 0
    reasons = (*DETECTORS, "any")
    print("Share of questions that each detector speaks against, %:\n")
    print(f"{'set':36}{'texts':>7}" + "".join(f"{each:>10}" for each in reasons))
    for name, counts in fired.items():
        total = counts["texts"]
        print(
            f"{name:36}{total:>7}"
            + "".join(f"{100 * counts.get(each, 0) / total:>10.1f}" for each in reasons)
        )
    print("\nTexts with marked data of a kind in which its detector fires, %:\n")
    for name, kinds in found.items():
        print(
            f"{name}: "
            + ", ".join(f"{kind} {100 * hit / total:.0f} of {total}" for kind, (hit, total) in kinds.items())
        )
    return 0


def _fired(name: str, texts: Callable[[dict[str, Any]], list[str]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in _rows(name):
        for text in texts(row):
            reasons = [reason for reason, (speaks_against, _) in DETECTORS.items() if speaks_against(text)]
            counts.update(reasons)
            counts["any"] += bool(reasons)
            counts["texts"] += 1
    return dict(counts)


def _found(name: str) -> dict[str, tuple[int, int]]:
    hit: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for row in _rows(name):
        for kind in {span[2] for span in row["spans"]} & KINDS.keys():
            total[kind] += 1
            hit[kind] += KINDS[kind](row["text"])
    return {kind: (hit[kind], total[kind]) for kind in KINDS if total[kind]}


def _rows(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(folder() / name / "dev.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _question(row: dict[str, Any]) -> str:
    return str(row.get("question") or row.get("prompt") or row.get("text") or "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
