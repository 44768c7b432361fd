"""Learn the weights of the check from generated pairs: `python -m bench.cache.train`. Writes weights.json; the same seed, the same weights.

No published row is read here.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from dataclasses import replace

import numpy as np

from bench.cache.generate import generate
from bench.cache.places import CHECK
from bench.cache.rows import Pairs, cosines
from headgate.cache.semantic.check.features import FEATURES, look
from headgate.cache.semantic.check.lexicon import Lexicon, load_lexicon
from headgate.cache.semantic.check.reading import read

__all__ = ["fit", "main", "seen"]

SEED = 6
_ROUNDS = 12
_FORGOTTEN = 0.3
"""Share of the groups of words that is taken away for learning: questions of others use words that stand in no list of ours."""
_BEFORE = {
    "cosine": 6.0, "far": -6.0, "over_sum": -2.5, "over_most": -1.5, "swapped": -2.0, "added": -1.0, "same": -1.0, "near": -2.5, "spelling": -0.3,
    "family": -1.0, "few_words": 0.0, "asks_close": -1.0, "asks_differ": -3.0, "modal": -1.2, "tense": -1.2, "places": -0.4, "counts": -1.5, "light": -0.3,
    "inverted": -1.5, "weakly_apart": -2.0, "names": -2.0, "somebody": -1.5, "over_words": -0.5,
}  # fmt: skip
"""What is expected of each weight before anything is learned. Rare in generated pairs, or made too easy by them: then it stays."""
_KEPT = 0.3
"""Share of it that is kept, whatever is learned: generated pairs know few questions with the words turned, none with a typing slip that misleads."""
_FREE = frozenset(("few_words",))


def seen(pairs: Pairs, cosine: np.ndarray, lexicon: Lexicon) -> tuple[np.ndarray, np.ndarray]:
    """Values by pair and feature, and which pairs nothing forbids."""
    rows, open_ = [], []
    for asked, kept, near in zip(pairs.asked, pairs.kept, cosine, strict=True):
        left, right = read(asked, lexicon), read(kept, lexicon)
        found = look(left, right, float(near), lexicon)
        rows.append(found.values)
        open_.append(not found.why and left.plain != right.plain)
    return np.array(rows), np.array(open_)


def forgetful(lexicon: Lexicon, seed: int) -> Lexicon:
    """The same with a share of its groups gone."""
    chance = random.Random(seed)

    def without(table: dict[str, frozenset[int]]) -> dict[str, frozenset[int]]:
        groups = sorted({group for found in table.values() for group in found})
        gone = set(chance.sample(groups, int(_FORGOTTEN * len(groups))))
        return {word: found - gone for word, found in table.items()}

    return replace(lexicon, same=without(lexicon.same), near=without(lexicon.near))


def fit(
    values: np.ndarray, same: np.ndarray, *, ridge: float = 0.03, steps: int = 4000
) -> tuple[float, np.ndarray]:
    """Logistic regression whose weights keep the sign of what is expected of them, and are drawn to it; half of the weight is on each side."""
    scale, middle = values.std(axis=0) + 1e-3, values.mean(axis=0)
    x = (values - middle) / scale
    before = np.array([_BEFORE[name] for name in FEATURES]) * scale
    weight = np.where(same, 0.5 / max(1, same.sum()), 0.5 / max(1, (~same).sum()))
    signs = np.array([0 if name in _FREE else np.sign(_BEFORE[name]) for name in FEATURES])
    beta, base = before.copy(), 0.0
    momentum, momentum_base, rate = np.zeros_like(beta), 0.0, 0.5
    for _ in range(steps):
        ahead, ahead_base = beta + 0.9 * momentum, base + 0.9 * momentum_base
        error = weight * (1 / (1 + np.exp(-np.clip(x @ ahead + ahead_base, -50, 50))) - same)
        after = ahead - rate * (x.T @ error + ridge * (ahead - before))
        after = np.where(signs < 0, np.minimum(after, _KEPT * before), after)
        after = np.where(signs > 0, np.maximum(after, _KEPT * before), after)
        after_base = ahead_base - rate * error.sum()
        momentum, momentum_base = after - beta, after_base - base
        beta, base = after, after_base
    found = beta / scale
    return float(base - middle @ found), found


def _calibrated(sure: np.ndarray, same: np.ndarray) -> tuple[float, float]:
    """Slope and shift, so that the score is 0.5 where half of what scores so is right, and 0.95 where 99 of 100 are.

    Hits and traps counted alike; by isotonic regression. 99 for 95: generated pairs flatter whoever learned from their like."""
    order = np.argsort(sure)
    weights = np.where(same[order], 0.5 / same.sum(), 0.5 / (~same).sum())
    blocks: list[list[float]] = []
    for place, right, weight in zip(sure[order], same[order], weights, strict=True):
        blocks.append([float(place), float(right) * weight, weight])
        while len(blocks) > 1 and blocks[-2][1] / blocks[-2][2] >= blocks[-1][1] / blocks[-1][2]:
            _, right_sum, weight_sum = blocks.pop()
            blocks[-1][1] += right_sum
            blocks[-1][2] += weight_sum
    half, high = (
        next((place for place, right, weight in blocks if right / weight >= share), float(sure.max()))
        for share in (0.5, 0.99)
    )
    slope = math.log(0.95 / 0.05) / max(0.1, high - half)
    return slope, -slope * half


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--dry", action="store_true", help="do not write")
    chosen = parser.parse_args()
    base, weights, note = learned(chosen.seed)
    made = {
        "by": "python -m bench.cache.train",
        "seed": str(chosen.seed),
        "of": note,
        "text": "bench/cache/intents.txt and slots.py, written for this project",
    }
    for name, weight in zip(FEATURES, weights, strict=True):
        sys.stderr.write(f"{name:14} {weight:8.3f}\n")
    if not chosen.dry:
        found = {
            "made": made,
            "names": list(FEATURES),
            "base": round(base, 4),
            "weights": [round(float(one), 4) for one in weights],
        }
        (CHECK / "weights.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def learned(seed: int, part: str = "learn") -> tuple[float, np.ndarray, str]:
    """Base, weights, and of what."""
    pairs, _ = generate(seed, rounds=_ROUNDS, part=part)
    cosine = cosines(pairs.asked, pairs.kept)
    lexicon = load_lexicon()
    values, same = [], []
    for one in (forgetful(lexicon, seed), forgetful(lexicon, seed + 1), lexicon):
        found, open_ = seen(pairs, cosine, one)
        values.append(found[open_])
        same.append(pairs.same[open_])
    x, y = np.concatenate(values), np.concatenate(same)
    base, weights = fit(x, y)
    steep, shift = _calibrated(base + values[-1] @ weights, same[-1])
    base, weights = steep * base + shift, steep * weights
    return (
        base,
        weights,
        f"{len(pairs)} generated pairs, read with three lists of words; nothing forbade {len(y)}",
    )


if __name__ == "__main__":
    sys.exit(main())
