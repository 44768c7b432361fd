"""Intervals: how far a mean of few may be from the mean of many."""

from __future__ import annotations

from math import isclose, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.quality.intervals import mean_interval, share_interval, t_quantile

__all__: list[str] = []


@pytest.mark.parametrize(
    ("share", "free", "expected"),
    [
        (0.975, 1, 12.7062),
        (0.975, 2, 4.30265),
        (0.975, 10, 2.22814),
        (0.975, 100, 1.98397),
        (0.995, 3, 5.84091),
        (0.95, 30, 1.69726),
        (0.975, 5000, 1.95996),
    ],
)
def test_quantiles_are_those_of_printed_tables(share: float, free: int, expected: float) -> None:
    """Student's t, to five digits."""
    assert isclose(t_quantile(share, free), expected, rel_tol=1e-5)


@given(st.integers(1, 10_000), st.integers(0, 10_000))
def test_a_share_lies_in_its_interval_and_that_within_0_and_1(count: int, yes: int) -> None:
    """Also where all or none said yes; and more of the same make it narrower."""
    yes = min(yes, count)
    low, high = share_interval(yes, count)
    assert 0 <= low <= yes / count <= high <= 1
    more = share_interval(4 * yes, 4 * count)
    assert more[1] - more[0] < high - low


def test_ten_of_ten_is_no_certainty() -> None:
    """Wilson's interval, as printed: 0.722 to 1."""
    low, high = share_interval(10, 10)
    assert isclose(low, 0.7225, abs_tol=1e-3) and high == 1.0


def test_one_number_tells_nothing_of_the_others() -> None:
    """No interval of one; with a usual spread there is a wide one."""
    assert mean_interval(1, 3.0, 9.0) is None
    found = mean_interval(1, 3.0, 9.0, prior=1.0, weight=2)
    assert found is not None and found[0] < 0 < 6 < found[1]


def test_intervals_hold_what_they_promise() -> None:
    """Of 2,000 samples of five, the interval of about 95 in 100 holds the true mean."""
    chance, held = Random(1), 0
    for _ in range(2000):
        sample = [chance.gauss(3, 2) for _ in range(5)]
        found = mean_interval(5, sum(sample), sum(each * each for each in sample))
        assert found is not None
        held += found[0] <= 3 <= found[1]
    assert abs(held / 2000 - 0.95) < 4 * sqrt(0.95 * 0.05 / 2000)
