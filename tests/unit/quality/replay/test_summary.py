"""Pairs summed up: intervals against textbook values, and flips by McNemar's exact test."""

from __future__ import annotations

import random
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.quality.replay.summary import Pair, mcnemar, summary, t_quantile

__all__: list[str] = []


def pair(before: float, after: float, **more: object) -> Pair:
    told: dict[str, object] = {
        "ok_before": True,
        "ok_after": True,
        "total_ms": (before, after),
        "first_content_ms": (before, after),
        "output_tokens": (10, 20),
        "input_tokens": (5, 5),
        "cost_nanos": (100, 250),
        "stream": (True, True),
        "identical": False,
        "similarity": 0.5,
    }
    return Pair(**{**told, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("df", "t"),
    [(1, 12.7062), (2, 4.3027), (5, 2.5706), (10, 2.2281), (30, 2.0423), (120, 1.9799), (10**5, 1.95999)],
)
def test_students_t_is_as_in_tables(df: int, t: float) -> None:
    """Of 97.5 %."""
    assert isclose(t_quantile(0.975, df), t, abs_tol=2e-4)


@pytest.mark.parametrize(
    ("lost", "gained", "p"),
    [(0, 5, 0.0625), (10, 2, 0.03857421875), (3, 3, 1.0), (0, 1, 1.0), (1, 9, 0.021484375)],
)
def test_mcnemar_is_exact(lost: int, gained: int, p: float) -> None:
    """Twice the tail of a fair coin."""
    assert mcnemar(lost, gained) == p == mcnemar(gained, lost)
    assert mcnemar(0, 0) is None


def test_a_mean_difference_has_its_paired_interval() -> None:
    """Against one reckoned by hand: differences 1, 2, 3 have mean 2, standard error 1/sqrt(3), t(2) = 4.3027."""
    found = summary([pair(10, 11), pair(100, 102), pair(1000, 1003)])
    latency = found.metrics[0]
    assert (latency.name, latency.pairs, latency.mean_difference) == ("latency", 3, 2.0)
    assert latency.low is not None and latency.high is not None
    assert isclose(latency.high - 2, 4.3027 / 3**0.5, abs_tol=1e-3) and isclose(latency.low + latency.high, 4)
    assert (latency.median_before, latency.median_after) == (100, 102)


def test_one_pair_has_no_interval() -> None:
    """Nothing is known of how far others lie."""
    assert summary([pair(1, 2)]).metrics[0].low is None
    assert summary([]).metrics == [] and summary([]).flips.p is None


def test_only_pairs_that_have_a_figure_on_both_sides_count_for_it() -> None:
    """Failures have no latency worth comparing, whole answers no first token, unknown prices no cost."""
    found = summary(
        [
            pair(1, 2),
            pair(1, 2, ok_after=False, identical=None, similarity=None),
            pair(1, 2, ok_before=False),
            pair(1, 2, stream=(False, False)),
            pair(1, 2, cost_nanos=(100, None), identical=True, similarity=1.0),
            pair(1, 2, similarity=0.9),
        ]
    )
    counts = {metric.name: metric.pairs for metric in found.metrics}
    assert counts == {"latency": 4, "first token": 3, "prompt tokens": 4, "answer tokens": 4, "cost": 3}
    flips = found.flips
    assert (flips.both, flips.lost, flips.gained, flips.neither, flips.p) == (4, 1, 1, 0, 1.0)
    assert (found.compared, found.identical, found.similar) == (5, 1, 1)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_every_pair_is_in_one_corner(ends: list[tuple[bool, bool]]) -> None:
    """Of the table of who succeeded."""
    flips = summary([pair(1, 1, ok_before=before, ok_after=after) for before, after in ends]).flips
    assert flips.both + flips.neither + flips.lost + flips.gained == len(ends)
    assert flips.neither >= 0


def test_the_interval_covers_as_often_as_it_says() -> None:
    """95 of 100 times, over normal differences with a true mean of 3 and 12 pairs: within three standard errors of that."""
    draw = random.Random(5)
    times, covered = 400, 0
    for _ in range(times):
        found = summary([pair(0.0, draw.gauss(3, 10)) for _ in range(12)]).metrics[0]
        assert found.low is not None and found.high is not None
        covered += found.low <= 3 <= found.high
    assert 0.917 <= covered / times <= 0.983
