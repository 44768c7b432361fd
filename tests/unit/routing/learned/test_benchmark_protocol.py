"""The benchmark's figures are RouteLLM's, checked on curves that can be drawn by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bench.routing.protocol import bootstrap, curve, figures

__all__: list[str] = []

# A hundred questions; only the strong model answers 20, only the weak 5, both 50, nobody 25.
STRONG = np.r_[np.ones(20), np.zeros(5), np.ones(50), np.zeros(25)]
WEAK = np.r_[np.zeros(20), np.ones(5), np.ones(50), np.zeros(25)]


def test_the_curve_runs_from_the_weak_model_to_the_strong_one() -> None:
    """Eleven points, a tenth of the questions apart."""
    shares, accuracy = curve(np.arange(100.0), STRONG, WEAK)
    assert len(shares) == 11
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert (accuracy[0], accuracy[-1]) == (pytest.approx(0.55), pytest.approx(0.70))


def test_a_router_that_knows_spends_where_it_helps() -> None:
    """By hand: 0.55, 0.65, 0.75 six times, and down to 0.70 in the last tenth; the area above 0.55 over 0.15."""
    best = STRONG - WEAK + 1e-6 * np.arange(100)[::-1]
    found = figures(best, STRONG, WEAK)
    _, accuracy = curve(best, STRONG, WEAK)
    by_hand = sum((a + b) / 2 - 0.55 for a, b in itertools.pairwise(accuracy)) * 0.1 / 0.15
    assert found.apgr == pytest.approx(by_hand, abs=0.02)
    assert found.apgr > 1.1
    assert found.cpt50 == pytest.approx(100 * 0.075 / 1.0, abs=1.0)


def test_chance_recovers_half_of_the_gap() -> None:
    """Over many draws; and so does a router that says the same of everything."""
    chance = np.random.default_rng(0)
    drawn = [figures(chance.random(100), STRONG, WEAK).apgr for _ in range(300)]
    assert np.mean(drawn) == pytest.approx(0.5, abs=0.03)
    assert figures(np.ones(100), STRONG, WEAK).apgr == pytest.approx(0.5)


def test_a_router_that_is_wrong_is_worse_than_chance() -> None:
    """Best turned around."""
    assert figures(WEAK - STRONG + 1e-6 * np.arange(100), STRONG, WEAK).apgr < 0.1


def test_an_interval_holds_its_figure() -> None:
    """And is as wide as a hundred questions make it."""
    scores = STRONG - WEAK + np.random.default_rng(0).normal(size=100)
    low, high = bootstrap(scores, STRONG, WEAK, rounds=200)
    assert low < figures(scores, STRONG, WEAK).apgr < high
    assert high - low > 0.1
