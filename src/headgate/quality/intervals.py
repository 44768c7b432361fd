"""How far a mean of few may be from the mean of many. Pure; small sizes are what it is for."""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, log, sqrt
from statistics import NormalDist

__all__ = ["Interval", "mean_interval", "share_interval", "t_quantile"]

LEVEL = 0.95
"""How sure an interval is."""
Interval = tuple[float, float]


def share_interval(yes: float, count: int, level: float = LEVEL) -> Interval:
    """Between what a share lies of which `yes` of `count` were seen. Wilson's score interval: right also near 0 and 1 and for
    few; (0, 1) for none. Source: E. B. Wilson, JASA 22 (1927)."""
    if count <= 0:
        return 0.0, 1.0
    z = _z(level)
    share = yes / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    # At the very ends rounding may step over what was seen.
    return max(min(middle - half, share), 0.0), min(max(middle + half, share), 1.0)


def mean_interval(
    count: int, total: float, squares: float, level: float = LEVEL, *, prior: float = 0.0, weight: int = 0
) -> Interval | None:
    """Between what a mean lies, by Student's t. None for fewer than two without a prior.

    squares: the sum of the squares. prior: the variance that is usual elsewhere, which counts like that of `weight` more values: one
    value alone, or five that happen to be the same, are then no certainty."""
    free = count - 1 + weight
    if count < 1 or free < 1:
        return None
    mean = total / count
    spread = max(squares - total * mean, 0.0) + prior * weight
    half = t_quantile(0.5 + level / 2, free) * sqrt(spread / free / count)
    return mean - half, mean + half


@lru_cache(maxsize=4096)
def t_quantile(share: float, free: int) -> float:
    """The number that Student's t with so many degrees of freedom stays below with this probability (0.5 to 1)."""
    if free > 1000:
        return _z(2 * share - 1)
    low, high = 0.0, 1.0
    while _below(high, free) < share:
        low, high = high, high * 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _below(middle, free) < share else (low, middle)
    return high


@lru_cache(maxsize=64)
def _z(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2)


def _below(t: float, free: int) -> float:
    """How probable it is that Student's t is below `t`, which is at least 0."""
    return 1 - _incomplete_beta(free / (free + t * t), free / 2, 0.5) / 2


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1 - x)) / a
    return front * _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """Its continued fraction, evaluated from the front (W. J. Lentz, Applied Optics 15 (1976))."""
    tiny = 1e-300
    upper, lower = 1.0, 1 / _off_zero(1 - (a + b) * x / (a + 1), tiny)
    value = lower
    for step in range(1, 300):
        twice = a + 2 * step
        for part in (
            step * (b - step) * x / ((twice - 1) * twice),
            -(a + step) * (a + b + step) * x / (twice * (twice + 1)),
        ):
            lower = 1 / _off_zero(1 + part * lower, tiny)
            upper = _off_zero(1 + part / upper, tiny)
            value *= upper * lower
        if abs(upper * lower - 1) < 1e-14:
            break
    return value


def _off_zero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny
