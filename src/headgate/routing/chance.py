"""Chance without a source of chance: numbers drawn from a request's id, so that a decision can be told again later."""

from __future__ import annotations

import math
from hashlib import blake2b

__all__ = ["STIR", "WORD", "draw", "log_draw", "log_draws", "salt", "unit"]

WORD = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
STIR = 0xD1342543DE82EF95  # Steele and Vigna, 2021: good spectra modulo 2**64
_UNIT = 2.0**-53


def draw(seed: int, number: int = 0) -> int:
    """The `number`-th of the 64-bit numbers that belong to `seed`. Neighbouring seeds give unrelated numbers.

    Source: the output step of SplitMix64 (Steele, Lea and Flood, 2014); ids are time-ordered, their low bits need mixing."""
    z = (seed + (number + 1) * _STEP) & WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


def log_draw(drawn: int) -> float:
    """Exponentially distributed, mean 1: divided by weights, the least of several is each with its weight's share."""
    return -math.log(((drawn >> 11) + 0.5) * _UNIT)


def log_draws(seed: int, count: int) -> list[float]:
    """`count` such numbers, for less than a draw each: one draw, stirred on by a linear congruential generator."""
    state = draw(seed)
    found = []
    for _ in range(count):
        state = (state * STIR + 1) & WORD
        found.append(-math.log(((state >> 11) + 0.5) * _UNIT))
    return found


def unit(drawn: int) -> float:
    """A draw as a number from 0 to 1."""
    return (drawn >> 11) * _UNIT


def salt(text: str) -> int:
    """A number for a text, the same in every process."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
