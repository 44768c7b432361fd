"""Retries are a share of calls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from headgate.providers.health.retry_budget import RetryBudget

__all__: list[str] = []


def test_in_an_outage_retries_stay_a_tenth() -> None:
    """200 calls a second for a minute, all of which ask for three retries: a tenth more, and one in two seconds."""
    budget, first, retries = RetryBudget(0.1), 0, 0
    for number in range(200 * 60):
        now = number / 200
        first += 1
        budget.calls += 1
        for _ in range(3):
            if budget.take(now):
                retries += 1
                budget.calls += 1
    assert 0.099 * first <= retries <= 0.1 * first + 30 + 3


def test_a_quiet_service_may_retry() -> None:
    """A first call that fails gets its two retries; a busy loop of them does not."""
    budget = RetryBudget(0.1)
    assert [budget.take(1000.0) for _ in range(4)] == [True, True, True, False]
    assert not budget.take(1001.0)
    assert budget.take(1002.1)


def test_no_share_leaves_the_quiet_ones() -> None:
    """`retry_share = 0`: one in two seconds, however many calls."""
    budget = RetryBudget(0.0)
    budget.calls = 1_000_000
    assert sum(budget.take(1000.0) for _ in range(100)) == 3


def test_a_long_good_time_saves_up_a_burst_only() -> None:
    """A day of good calls does not pay for an hour of retries."""
    budget = RetryBudget(0.1)
    budget.calls = 10_000_000
    assert sum(budget.take(1000.0) for _ in range(100)) == 9 + 3


@given(some.lists(some.tuples(some.floats(0, 2), some.booleans()), max_size=300))
def test_no_order_of_calls_gets_more(steps: list[tuple[float, bool]]) -> None:
    """At most the share, and one in two seconds, and three to begin with."""
    budget, now, first, retries = RetryBudget(0.1), 50.0, 0, 0
    for step, retry in steps:
        now += step
        if not retry:
            first += 1
            budget.calls += 1
        elif budget.take(now):
            retries += 1
            budget.calls += 1
    assert retries <= 0.1 * first + (now - 50.0) / 2 + 3 + 1e-6
