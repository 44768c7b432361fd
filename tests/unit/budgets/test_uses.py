"""What is known of sums, and who is told when a part of one is spent."""

from __future__ import annotations

import pytest

from headgate.core.errors import BudgetSpent
from headgate.stores.purses import Pot
from tests.support.aio import aio
from tests.support.budgeting import Budgeting, money

__all__: list[str] = []

USER = {"name": "user", "of": "user", "usd": 10, "per": "prepaid", "alert_at": [0.5, 0.8, 1.0], "wait": "0s"}


def told(bench: Budgeting) -> list[str]:
    return [alert.event for alert in bench.alerts.told]


@aio
async def test_each_threshold_is_told_once() -> None:
    """When it is passed, not while it is passed; for each subject."""
    bench = Budgeting(USER)
    await bench.spend(4)
    assert told(bench) == []
    for _ in range(2):
        await bench.spend(1)
    await bench.spend(5, user="grace")
    assert told(bench) == ["budget:user:ada:0:0.5:10", "budget:user:grace:0:0.5:10"]


@aio
async def test_of_several_at_once_the_highest_is_told() -> None:
    """Whoever hears 100 % need not hear 50 %."""
    bench = Budgeting(USER)
    await bench.spend(10)
    assert told(bench) == ["budget:user:ada:0:1:10"]


@aio
async def test_a_refusal_tells_that_it_is_spent() -> None:
    """A budget that refuses is never spent to the last cent: 100 % is when it pays no more."""
    bench = Budgeting(USER)
    await bench.spend(9)
    for _ in range(2):
        with pytest.raises(BudgetSpent):
            await bench.spend(2)
    assert told(bench) == ["budget:user:ada:0:0.8:10", "budget:user:ada:0:1:10"]


@aio
async def test_a_sum_that_has_grown_begins_anew() -> None:
    """After a deposit the same parts are others; what is spent already is not told again."""
    bench = Budgeting(USER)
    await bench.spend(9)
    bench.uses.deposits = {("user", "ada"): money(10)}
    await bench.spend("0.5")
    assert told(bench) == ["budget:user:ada:0:0.8:10"]
    await bench.spend("6.5")
    assert told(bench)[1:] == ["budget:user:ada:0:0.8:20"]


@aio
async def test_an_alert_says_whom_it_is_about_in_words_and_for_programs() -> None:
    """So that receivers can choose, and the user concerned can be told."""
    bench = Budgeting(USER | {"per": "month", "only": {"feature": ["support-chat"]}})
    await bench.spend(8)
    alert = bench.alerts.told[0]
    assert (alert.kind, alert.subject, alert.severity) == ("budget", "user:ada", "warning")
    assert alert.text.startswith(
        "Budget `user` (10 USD a month for each user) of user `ada` is spent to 80 %. 8 of 10 USD. It begins anew at 20"
    )
    assert alert.facts["spent"] == 8
    assert alert.facts["user"] == "ada"
    assert alert.facts["feature"] == "support-chat"


@aio
async def test_a_budget_of_all_is_about_all() -> None:
    """Also if it only watches: then nothing is refused."""
    bench = Budgeting({"name": "sum", "each": False, "usd": 1, "per": "day", "when_spent": "alert"})
    await bench.spend(3)
    alert = bench.alerts.told[0]
    assert (alert.subject, alert.severity) == ("all", "warning")
    assert "refused" not in alert.text


@aio
async def test_old_periods_are_forgotten_and_budgets_that_are_gone_tell_nothing() -> None:
    """A pot for each user and day may be many."""
    bench = Budgeting({"name": "day", "of": "user", "usd": 1, "per": "day"})
    for number in range(300):
        await bench.spend("0.1", user=f"user-{number}")
    assert len(list(bench.uses.now())) == 300
    bench.desk.clock.advance(2 * 86_400)
    assert list(bench.uses.now()) == []
    bench.uses.heard(Pot("gone", "x", 0, 0, 5), 5, 0)
    assert told(bench) == []
