"""Embeddings without a model: words and letter pairs hashed into a vector, so that texts with words in common lie near."""

from __future__ import annotations

import base64
import math
import re
from array import array
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from zlib import crc32

__all__ = ["as_base64", "vector_of"]

_WORD = re.compile(r"\w+")
_PLACES = 6  # so many places per word: two words share all of theirs only by rare chance


def vector_of(text: str | Sequence[int], dimensions: int) -> list[float]:
    """A vector of length 1. The same text gives the same one on every machine; an empty text points along the first axis."""
    if isinstance(text, str):
        features = _features(text)
    else:
        features = {f"token {token}": float(count) for token, count in Counter(text).items()}
    vector = [0.0] * dimensions
    for feature, weight in features.items():
        state = crc32(feature.encode("utf-8", "surrogatepass"))
        for _ in range(_PLACES):
            # Constants of Numerical Recipes' generator: enough to scatter, and the same everywhere.
            state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
            vector[(state >> 8) % dimensions] += weight if state >> 31 else -weight
    length = math.sqrt(sum(value * value for value in vector))
    if not length:
        vector[0] = length = 1.0
    return [value / length for value in vector]


def as_base64(vector: Sequence[float]) -> str:
    """Little-endian 32-bit floats, as OpenAI sends them."""
    packed = array("f", vector)
    if packed.itemsize != 4:  # pragma: no cover
        raise OverflowError("this machine's C float is not 32 bits")
    if array("H", [1]).tobytes() != b"\x01\x00":  # pragma: no cover
        packed.byteswap()
    return base64.b64encode(packed.tobytes()).decode()


def _features(text: str) -> dict[str, float]:
    counts = Counter(_WORD.findall(text.lower()[:100_000]))
    features: dict[str, float] = {}
    for word, count in counts.items():
        # Small words say little; a repeated word says more, but not twice as much.
        weight = (0.25 if len(word) < 4 and word.isascii() else 1.0) * (1 + math.log(count))
        features[_stem(word)] = features.get(_stem(word), 0.0) + weight
        if not word.isascii():
            for one, two in pairwise(word):
                features[one + two] = features.get(one + two, 0.0) + 0.5 * weight
    return features


def _stem(word: str) -> str:
    for ending in ("ings", "ing", "ies", "ed", "es", "s"):
        if len(word) > len(ending) + 3 and word.endswith(ending):
            return word[: -len(ending)]
    return word
