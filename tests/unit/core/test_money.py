"""Money: whole nano-dollars, exact both ways."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.money import NANOS_PER_USD, nanos, usd

__all__: list[str] = []


@given(st.integers(-(10**18), 10**18))
def test_nanos_are_dollars_and_back(amount: int) -> None:
    """Without loss."""
    assert nanos(usd(amount)) == amount
    assert usd(amount) * NANOS_PER_USD == amount


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_sums_are_exact(one: int, other: int) -> None:
    """As floats would not be."""
    assert usd(one) + usd(other) == usd(one + other)


@pytest.mark.parametrize(
    ("amount", "whole"),
    [
        ("0.0000000005", 0),
        ("0.0000000015", 2),
        ("0.0000000025", 2),
        ("-0.0000000015", -2),
        ("1.1", 1_100_000_000),
    ],
)
def test_below_a_nano_dollar_the_even_one_is_taken(amount: str, whole: int) -> None:
    """Halves in both directions, so that many roundings do not drift."""
    assert nanos(Decimal(amount)) == whole
