"""Which model a question is worth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.routing.learned.choosing import Aim, choose, confidence, tradeoff
from headgate.routing.learned.model import Expected

__all__: list[str] = []

USD = {"small": 0.001, "large": 0.010}


def expected(small: float, large: float, variance: float = 0.0) -> dict[str, Expected]:
    return {"small": Expected(small, variance), "large": Expected(large, variance)}


@pytest.mark.parametrize(
    ("small", "large", "price", "chosen"),
    [
        (0.7, 0.8, 0.0, "large"),
        (0.7, 0.8, 5.0, "large"),  # 0.1 better for 0.009 USD more: worth it up to 11.1
        (0.7, 0.8, 20.0, "small"),
        (0.8, 0.8, 0.0, "small"),  # of equals the cheaper
        (0.0, 1.0, math.inf, "small"),
    ],
)
def test_quality_is_weighed_against_money(small: float, large: float, price: float, chosen: str) -> None:
    """Quality minus price of money times USD; infinite means the cheapest, whatever it answers."""
    assert choose(expected(small, large), USD, price) == chosen


@pytest.mark.parametrize(
    ("small", "large", "variance", "low", "high"),
    [
        (0.7, 0.9, 0.0001, 0.0, 0.001),  # surely worse
        (0.9, 0.7, 0.0001, 0.999, 1.0),  # surely better
        (0.7, 0.72, 0.01, 0.45, 0.55),  # at the border of "as good"
        (0.7, 0.9, 0.25, 0.2, 0.45),  # worse, but who knows
    ],
)
def test_confidence_is_how_likely_the_choice_is_near_the_best(
    small: float, large: float, variance: float, low: float, high: float
) -> None:
    """Of `small`: by the distance of the expectations in units of their doubt."""
    assert low <= confidence(expected(small, large, variance), "small") <= high


def test_without_another_model_there_is_no_doubt() -> None:
    """One model is the best one there is."""
    assert confidence({"only": Expected(0.1, 9.0)}, "only") == 1.0


def sample(count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(3)
    quality = np.sort(chance.random((count, 3)), axis=1)
    usd = chance.random((count, 1)) * np.array([0.001, 0.004, 0.010])
    return quality, usd


def spent(quality: np.ndarray, usd: np.ndarray, price: float) -> tuple[float, float]:
    """Mean quality and mean cost of choosing at this price of money."""
    names = ("a", "b", "c")
    total = [0.0, 0.0]
    for some, costs in zip(quality, usd, strict=True):
        by_name = {name: Expected(float(one), 0.0) for name, one in zip(names, some, strict=True)}
        at = names.index(choose(by_name, dict(zip(names, map(float, costs), strict=True)), price))
        total[0] += float(some[at]) / len(quality)
        total[1] += float(costs[at]) / len(quality)
    return total[0], total[1]


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_a_sum_is_kept_to_and_used(share: float) -> None:
    """Never over it, and so near it that one question moved up would pass it."""
    quality, usd = sample()
    dearest = float(usd[:, 2].mean())
    price = tradeoff(quality, usd, Aim(usd_per_1000=1000 * share * dearest))
    cost = spent(quality, usd, price)[1]
    assert cost <= share * dearest * (1 + 1e-6)
    assert cost > share * dearest - float(usd.max()) / len(usd) - 1e-9


@pytest.mark.parametrize("goal", [0.5, 0.6, 0.7])
def test_a_quality_is_reached_as_cheaply_as_can_be(goal: float) -> None:
    """At least the goal; a slightly higher price of money would miss it."""
    quality, usd = sample()
    price = tradeoff(quality, usd, Aim(quality=goal))
    assert spent(quality, usd, price)[0] >= goal - 1e-9
    assert spent(quality, usd, price * (1 + 1e-6) + 1e-9)[0] < goal


def test_what_cannot_be_met_is_met_as_nearly_as_can_be() -> None:
    """A sum below the cheapest: the cheapest always. A quality above the best: the best always."""
    quality, usd = sample()
    assert tradeoff(quality, usd, Aim(usd_per_1000=0.0)) == math.inf
    assert tradeoff(quality, usd, Aim(quality=1.0)) == 0.0
    assert tradeoff(quality, usd, Aim(quality=0.0)) == math.inf


def test_without_an_aim_nearly_the_best_single_model_is_asked_for() -> None:
    """95 % of what the best one alone is expected to reach."""
    quality, usd = sample()
    best = float(quality.mean(0).max())
    assert spent(quality, usd, tradeoff(quality, usd, Aim()))[0] >= 0.95 * best - 1e-9


def test_with_both_aims_the_sum_holds() -> None:
    """Money that is not there cannot be spent."""
    quality, usd = sample()
    both = tradeoff(quality, usd, Aim(usd_per_1000=1.0, quality=0.99))
    assert both == tradeoff(quality, usd, Aim(usd_per_1000=1.0))


def test_without_questions_quality_comes_first() -> None:
    """Nothing to spread a sum over: no model is refused for money."""
    assert tradeoff(np.zeros((0, 2)), np.zeros((0, 2)), Aim(usd_per_1000=1.0)) == 0.0


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=6), st.floats(0, 1e6))
def test_more_love_of_money_never_costs_more(models: list[tuple[float, float]], price: float) -> None:
    """As the price of money rises, the chosen model's cost falls or stays."""
    options = {f"m{at}": Expected(quality, 0.0) for at, (quality, _) in enumerate(models)}
    usd = {f"m{at}": cost for at, (_, cost) in enumerate(models)}
    costs = [usd[choose(options, usd, one)] for one in (0.0, price, 2 * price, math.inf)]
    assert all(later <= earlier for earlier, later in itertools.pairwise(costs))
