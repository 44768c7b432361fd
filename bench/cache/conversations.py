"""Conversations: what our rule does (all earlier messages equal), and what looking at the last message alone would do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.cache.measures import Point, Scored, at_threshold
from bench.cache.rows import cosines, load_conversations
from headgate.cache.semantic.port import Check

__all__ = ["Conversations", "conversations"]


@dataclass(frozen=True)
class Conversations:
    """Served and wrong, by rule."""

    hits: int
    traps: int
    sha256: str
    equal_before: int
    """Pairs whose messages before the last are equal: the only ones our rule looks at."""
    rules: dict[str, Point]


def conversations(check: Check) -> Conversations:
    """Raises DataMissing, EmbedderMissing."""
    rows, sha256 = load_conversations()
    same = np.array([row["same_answer"] for row in rows])
    kinds = np.array([row["subtype"] for row in rows])
    asked, kept = ([row[side][-1]["content"] for row in rows] for side in "ba")
    cosine = cosines(asked, kept)
    checked = np.array([check(a, b, float(c)).score for a, b, c in zip(asked, kept, cosine, strict=True)])
    # What the gateway's identity does: a neighbour has the same hash of all that came before the last message.
    before = np.array([row["a"][:-1] == row["b"][:-1] for row in rows])
    rules = {
        "ours: everything before equal, then the check at 0.95": (checked * before, 0.95),
        "last message alone, cosine at 0.90": (cosine, 0.90),
        "last message alone, the check at 0.95": (checked, 0.95),
    }
    return Conversations(
        int(same.sum()),
        int((~same).sum()),
        sha256,
        int(before.sum()),
        {
            name: at_threshold(Scored(scores, same, kinds), threshold)
            for name, (scores, threshold) in rules.items()
        },
    )
