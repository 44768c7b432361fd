"""Limits the operator sets."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as some

from headgate.providers.health.rates import Limits, Rates

__all__: list[str] = []

NOW = 1000.0


def test_a_sixth_of_a_minute_may_come_at_once() -> None:
    """60 a minute: ten at once, then one a second."""
    rates = Rates(Limits(requests_per_minute=60))
    at_once = 0
    while not rates.wait(NOW, 0):
        rates.take(NOW, 0)
        at_once += 1
    assert at_once == 10
    assert math.isclose(rates.wait(NOW, 0), 1.0)
    assert not rates.wait(NOW + 1, 0)
    assert rates.why(NOW, 0) == "its limit of 60 requests a minute is reached"


def test_a_limit_of_one_a_minute_lets_one_through() -> None:
    """Rarer than the burst is long: still one at a time, not none."""
    rates = Rates(Limits(requests_per_minute=1))
    assert not rates.wait(NOW, 0)
    rates.take(NOW, 0)
    assert math.isclose(rates.wait(NOW, 0), 60.0)


def test_a_call_larger_than_the_bucket_goes_when_it_is_full() -> None:
    """And is paid off afterwards, so that the rate holds."""
    rates = Rates(Limits(tokens_per_minute=6000))
    assert not rates.wait(NOW, 0, tokens=5000)
    rates.take(NOW, 5000)
    assert math.isclose(rates.wait(NOW, 0, tokens=5000), 50.0)
    assert math.isclose(rates.wait(NOW, 0, tokens=1), 40.01)
    assert rates.why(NOW, 0) == "its limit of 6,000 tokens a minute is reached"


def test_calls_at_a_time_are_counted_by_who_asks() -> None:
    """At the limit there is a wait of a moment, below none."""
    rates = Rates(Limits(concurrency=2))
    assert not rates.wait(NOW, 1)
    assert rates.wait(NOW, 2) > 0
    assert rates.why(NOW, 2) == "2 calls are under way, its limit is 2"
    assert rates.why(NOW, 1) == ""


@given(
    some.lists(some.tuples(some.floats(0, 5), some.integers(1, 4000)), max_size=200),
    some.integers(1, 500),
    some.integers(100, 20_000),
)
def test_no_order_of_calls_exceeds_the_rate(
    calls: list[tuple[float, int]], requests: int, tokens: int
) -> None:
    """In any time t at most t's share, the burst, and one call that was larger than it."""
    rates, now, taken = Rates(Limits(0, requests, tokens)), NOW, []
    for step, amount in calls:
        now += step
        if not rates.wait(now, 0, amount):
            rates.take(now, amount)
            taken.append(amount)
    minutes = (now - NOW + max(10.0, 60 / requests)) / 60
    assert len(taken) <= requests * minutes + 1e-6
    assert sum(taken) <= tokens * (now - NOW + max(10.0, 60 / tokens)) / 60 + max(taken, default=0) + 1e-6
