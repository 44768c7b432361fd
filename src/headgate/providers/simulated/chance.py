"""Chance that repeats: numbers drawn from a hash of who asks what, never from the machine.

Source: the step is SplitMix64 (Steele, Lea, Flood 2014), chosen because it is three lines and one integer of state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple, TypeVar

__all__ = ["Chance", "Draws", "draws"]

T = TypeVar("T")

_MASK = (1 << 64) - 1
_Z95 = 1.6448536269514722  # the standard normal's 95th percentile


class Chance:
    """A row of numbers fixed by where it starts."""

    __slots__ = ("_state",)

    def __init__(self, start: int) -> None:
        self._state = start & _MASK

    def bits(self) -> int:
        """The next 64 bits."""
        self._state = state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        return state ^ (state >> 31)

    def uniform(self) -> float:
        """At least 0, below 1."""
        return (self.bits() >> 11) * 2.0**-53

    def below(self, limit: int) -> int:
        """0 to limit - 1."""
        return self.bits() % limit

    def pick(self, items: Sequence[T]) -> T:
        """One of `items`, which must not be empty."""
        return items[self.bits() % len(items)]

    def lognormal(self, median: float, p95: float) -> float:
        """A duration as servers have them: half below `median`, one in twenty above `p95`; `median` if that is no spread."""
        if median <= 0 or p95 <= median:
            return median
        # Box and Muller; 1 - u keeps the logarithm away from zero.
        z = math.sqrt(-2 * math.log(1 - self.uniform())) * math.cos(math.tau * self.uniform())
        return median * math.exp(math.log(p95 / median) / _Z95 * z)


class Draws(NamedTuple):
    """Chance apart for each subject, so that drawing more for one never changes another."""

    answer: Chance
    quality: Chance
    fault: Chance
    latency: Chance
    name: str
    """16 hex digits: what ids are made of."""


def draws(seed: int, model: str, content: bytes, turn: int) -> Draws:
    """All the chance of one request.

    content:  what the answer may depend on.
    turn:     0, or how often this very request came before; it changes faults, latency and quality, never the words."""
    head = f"{seed}\0{model}\0".encode()
    said = blake2b(head + content, digest_size=24).digest()
    luck = said if not turn else blake2b(said + turn.to_bytes(8, "big"), digest_size=24).digest()
    number = int.from_bytes
    return Draws(
        answer=Chance(number(said[:8], "big")),
        quality=Chance(number(luck[8:16], "big")),
        fault=Chance(number(luck[16:], "big")),
        latency=Chance(number(luck[4:12], "big")),
        name=said[:8].hex(),
    )
