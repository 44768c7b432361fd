"""Which model a question is worth: expected quality minus what money is worth here. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headgate.routing.learned.model import Expected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Aim", "choose", "confidence", "tradeoff"]

_CLOSE = 0.02
"""Quality: a model this near to the best is as good."""
_ROUNDS = 60
_MOST = 1e15
"""Quality for a USD: beyond it every cent decides."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What routing is for: keep to a sum, or reach a quality. With both, the sum holds."""

    usd_per_1000: float | None = None
    """Mean cost of 1,000 requests that shall not be passed."""
    quality: float | None = None
    """Mean expected quality, 0 to 1, that shall be reached as cheaply as can be."""
    share_of_best: float = 0.95
    """With neither of them: this share of what the best single model is expected to reach."""


def choose(expected: Mapping[str, Expected], usd: Mapping[str, float], price_of_money: float) -> str:
    """The model with the greatest quality - price_of_money * USD; of equals the cheaper, then the first named.

    price_of_money: quality given up for one USD saved; infinite: the cheapest, whatever it answers."""

    def worth(name: str) -> tuple[float, float]:
        if math.isinf(price_of_money):
            return (-usd[name], expected[name].quality)
        return (expected[name].quality - price_of_money * usd[name], -usd[name])

    return max(expected, key=worth)


def confidence(expected: Mapping[str, Expected], chosen: str) -> float:
    """How likely `chosen` is within 0.02 of the best, by the heads' own doubt; 1.0 if there is no other.

    The least over the others, their errors taken as independent: they mostly agree, so this errs to the low side."""
    own = expected[chosen]
    least = 1.0
    for name, other in expected.items():
        if name == chosen:
            continue
        ahead = own.quality - other.quality + _CLOSE
        doubt = math.sqrt(own.variance + other.variance) or 1e-9
        least = min(least, 0.5 * math.erfc(-ahead / doubt / math.sqrt(2)))
    return least


def tradeoff(quality: Floats, usd: Floats, aim: Aim) -> float:
    """The price of money at which choosing for these questions meets the aim: the least that keeps to a sum, the
    greatest that reaches a quality.

    quality, usd: expected quality and cost by question (rows) and model (columns). What cannot be met is met as
    nearly as can be: infinite for a sum too small, 0.0 for a quality too high."""
    if not len(quality):
        return 0.0
    if aim.usd_per_1000 is not None:
        allowed = aim.usd_per_1000 / 1000 * (1 + 1e-9)
        return _border(lambda price: _mean(usd, quality, usd, price) <= allowed)[1]
    goal = aim.quality if aim.quality is not None else aim.share_of_best * float(quality.mean(0).max())
    return _border(lambda price: _mean(quality, quality, usd, price) < goal - 1e-9)[0]


def _mean(what: Floats, quality: Floats, usd: Floats, price: float) -> float:
    worth = quality - price * usd
    # Of equals the cheaper, exactly as `choose` has it: at the border everything hangs on ties.
    chosen = np.where(worth == worth.max(1, keepdims=True), -usd, -np.inf).argmax(1)
    return float(what[np.arange(len(what)), chosen].mean())


def _border(turned: Callable[[float], bool]) -> tuple[float, float]:
    """The last price at which `turned` is false and the first at which it is true; it must turn once, if at all.

    (0, 0) if it is true from the start, (inf, inf) if it never is."""
    if turned(0.0):
        return 0.0, 0.0
    low, high = 0.0, 1e-6
    while not turned(high):
        low, high = high, high * 4
        if high > _MOST:
            return math.inf, math.inf
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        low, high = (low, middle) if turned(middle) else (middle, high)
    return low, high
