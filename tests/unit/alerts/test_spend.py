"""When spending is far above its usual, and when it no longer is."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.alerts.settings import SpendRateSettings
from headgate.alerts.spend import HOUR_NS, HOURS, by_subject, judge, usual
from headgate.alerts.watch import SpendWatch
from headgate.core.ids import oldest_id
from headgate.stores.alerts import Alert
from headgate.stores.backends.memory import MemorySpans
from headgate.stores.backends.memory.alerts import MemoryAlerts
from headgate.stores.sink import Batch, Position
from headgate.testing.clock import FakeClock
from tests.support.aio import aio
from tests.support.cost_rows import request

__all__: list[str] = []

USD = 1_000_000_000
DEFAULT = SpendRateSettings()
NOON = HOURS - 1 - 12, HOURS - 1 - 11


def week(**spent: list[int]) -> list[Mapping[str, int]]:
    """A week of hours; each subject's list is its latest hours, before them nothing."""
    hours: list[dict[str, int]] = [{} for _ in range(HOURS)]
    for subject, amounts in spent.items():
        for hour, amount in zip(hours[HOURS - len(amounts) :], amounts, strict=True):
            hour[subject] = amount
    return list(hours)


def told(
    last: int, normal: float, *, high: bool = False, settings: SpendRateSettings = DEFAULT
) -> list[Alert]:
    """What is told of a subject that was high, or was not."""
    before = {}
    if high:
        before = {alert.subject: alert for alert in judge(0, {"all": 10**15}, {"all": 1.0}, {}, DEFAULT)}
    return list(judge(1, {"all": last}, {"all": normal}, before, settings))


def test_who_has_spent_for_less_than_a_day_has_no_usual() -> None:
    """A new feature is not unusual because it is new."""
    assert usual("all", week(all=[5] * 23), NOON) is None
    assert usual("all", week(), NOON) is None
    assert usual("all", week(all=[5] * 24), NOON) == 5


def test_the_usual_is_the_mean_or_what_the_hour_of_the_day_mostly_has() -> None:
    """The larger of the two: a busy noon each day is usual at noon, one busy noon is not."""
    days = [[1] * 11 + [100] + [1] * 12 for _ in range(7)]
    every = week(all=[amount for day in days for amount in day])
    noon = HOURS - 24 + 11
    assert usual("all", every, (noon, noon)) == 100
    assert usual("all", every, (noon + 3, noon + 3)) == (7 * 123) / HOURS
    once = [[1] * 24 for _ in range(7)]
    once[3][11] = 10_000
    found = usual("all", week(all=[amount for day in once for amount in day]), (noon, noon))
    assert found == (10_000 + HOURS - 1) / HOURS


@given(
    st.lists(st.integers(0, 10**12), min_size=HOURS, max_size=HOURS), st.integers(0, 23), st.integers(0, 23)
)
def test_the_usual_is_within_what_was_spent(amounts: list[int], first: int, second: int) -> None:
    """Whatever the week was like."""
    found = usual("all", week(all=amounts), (HOURS - 24 + first, HOURS - 24 + second))
    if found is not None:
        assert 0 <= found <= max(amounts)


def test_three_times_the_usual_and_a_dollar_are_told() -> None:
    """Both: a feature that costs a cent an hour may cost three."""
    assert told(3 * USD - 1, USD) == [] == told(USD - 1, 1.0)
    (alert,) = told(3 * USD, USD)
    assert (alert.kind, alert.subject, alert.severity, alert.event) == (
        "spend_rate",
        "all",
        "warning",
        "spend_rate/all/1",
    )
    assert alert.text == (
        "All requests together have spent 3.00 USD in the last hour, 3 times as much: 1.00 USD an hour is usual."
    )
    assert alert.facts == {"state": "high", "number": 1, "spent_usd": 3.0, "usual_usd": 1.0}
    wary = SpendRateSettings(factor=Decimal("1.5"), least=Decimal("0.01"))
    assert told(USD // 50, USD / 100, settings=wary) and not told(USD // 100, USD / 100, settings=wary)


def test_it_is_told_once_and_its_end_too() -> None:
    """Not while it goes on; the end when it is well below, so that it does not begin and end every minute."""
    assert told(10 * USD, USD, high=True) == []
    assert told(2 * USD + 1, USD, high=True) == []
    (end,) = told(2 * USD, USD, high=True)
    assert end.event == "spend_rate/all/2" and end.facts["state"] == "usual" and end.severity == "warning"
    assert (
        end.text
        == "All requests together have come back to 2.00 USD in the last hour; 1.00 USD an hour is usual."
    )


def test_what_is_spent_all_the_time_becomes_the_usual() -> None:
    """Then it is over, although it is as much as before."""
    (end,) = told(10 * USD, 6 * USD, high=True)
    assert end.facts["state"] == "usual"


def test_a_feature_is_called_by_its_name_and_requests_of_none_count_for_all() -> None:
    """The sum is of everything."""
    assert by_subject({"": 1, "shop": 2}) == {"all": 3, "feature:shop": 2}
    (alert,) = judge(0, {"feature:shop": 9 * USD}, {"feature:shop": 0.0}, {}, DEFAULT)
    assert alert.facts["feature"] == "shop"
    assert alert.text == "Feature `shop` has spent 9.00 USD in the last hour: 0.00 USD an hour is usual."


# From the records


class Life:
    """A store of requests that cost something, and a watch over it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.spans, self.alerts = MemorySpans(), MemoryAlerts()
        self.told: list[Alert] = []
        self.number = 0
        self.watches = [SpendWatch(self.spans, self.alerts, self.told.append, self.clock) for _ in range(2)]

    def spend(self, hours_ago: float, usd: float, **given: Any) -> None:
        at = self.clock.wall_ns() - int(hours_ago * HOUR_NS)
        self.number += 1
        row = request(
            oldest_id(at + 60 * 10**9) + self.number,
            started_ns=at,
            cost_nanos=int(usd * USD),
            cost_label="exact",
            **given,
        )
        self.spans.write(Batch(journal="j", position=Position(1, self.number), requests=[row]))

    async def look(self) -> list[str]:
        """What both nodes come to together, kept as the alerting keeps it."""
        for watch in self.watches:
            while not await watch.look(DEFAULT):
                pass
        kept = [alert for alert in self.told if await self.alerts.add(alert, [], 0)]
        self.told.clear()
        return [f"{alert.subject} {alert.facts['state']}" for alert in kept]


def test_a_jump_is_noticed_from_the_records_and_its_end_too() -> None:
    """Once, although two nodes look; a node that was restarted in between does not tell again."""

    @aio
    async def run() -> None:
        life = Life()
        for hour in range(2, 100):
            life.spend(hour, 1.0, feature="shop")
        assert await life.look() == []
        for minute in range(20):
            life.spend(minute / 60, 0.5, feature="shop")
        assert sorted(await life.look()) == ["all high", "feature:shop high"]
        assert await life.look() == []
        life.watches[0] = SpendWatch(life.spans, life.alerts, life.told.append, life.clock)
        assert await life.look() == []
        life.clock.advance(2 * 3600)
        assert sorted(await life.look()) == ["all usual", "feature:shop usual"]
        assert await life.look() == []

    run()


def test_features_that_cannot_be_unusual_are_not_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers name them, thousands of them, and working out what is usual takes a while for each: only those are looked into
    that have spent enough, and those that were told of."""
    looked: list[str] = []

    def counted(subject: str, *rest: Any) -> float | None:
        looked.append(subject)
        return usual(subject, *rest)

    monkeypatch.setattr("headgate.alerts.watch.usual", counted)

    @aio
    async def run() -> None:
        life = Life()
        for feature in ("shop", "calm"):
            for hour in range(2, 100):
                life.spend(hour, 0.1, feature=feature)
        for number in range(50):
            life.spend(0.5, 0.001, feature=f"made up {number}")
        life.spend(0.5, 5.0, feature="shop")
        assert sorted(await life.look()) == ["all high", "feature:shop high"]
        assert set(looked) == {"all", "feature:shop"}
        looked.clear()
        life.clock.advance(3600)
        assert sorted(await life.look()) == ["all usual", "feature:shop usual"]
        assert set(looked) == {"all", "feature:shop"}

    run()


def test_the_week_is_added_up_in_pieces() -> None:
    """A gateway that has just started does not ask for all of it at once; an hour is asked for once."""

    @aio
    async def run() -> None:
        life = Life()
        asked: list[object] = []
        totals = life.spans.totals

        async def counted(by: Any, which: Any) -> Any:
            asked.append(which)
            return await totals(by, which)

        life.spans.totals = counted  # type: ignore[method-assign]
        (watch, _) = life.watches
        looks = 1
        while not await watch.look(DEFAULT):
            looks += 1
        assert looks == 7 and len(asked) == HOURS + 1
        life.clock.advance(60)
        await watch.look(DEFAULT)
        assert len(asked) == HOURS + 2
        life.clock.advance(3600)
        await watch.look(DEFAULT)
        assert len(asked) == HOURS + 4

    run()
