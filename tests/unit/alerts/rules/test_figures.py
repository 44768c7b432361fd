"""What rules find is what happened: sums of just the window, comparisons that chance does not make, looks that nobody misses."""

from __future__ import annotations

import random
from math import exp

import pytest
from msgspec.structs import replace

from headgate.alerts.rules.judging import judge
from headgate.alerts.rules.metrics import shown
from headgate.alerts.rules.preview import foresee
from headgate.alerts.rules.reading import Reader, reading_of
from headgate.alerts.rules.settings import STANDARD, AlertRuleSettings, WatchSettings
from headgate.alerts.rules.tally import Tally
from headgate.alerts.rules.watching import RuleWatch
from headgate.core.section import Duration
from headgate.stores.alerts import Alert
from headgate.stores.backends.memory.rules import MemoryRules
from headgate.stores.rollups import DAY, HOUR, MINUTE, Gauge, Rolled
from headgate.stores.rules import RuleRecord, Standing
from headgate.testing.clock import FakeClock
from tests.support.aio import aio
from tests.support.rolled import FakeRollups, FakeScores

__all__: list[str] = []

NOW = 1_790_000_000 // DAY * DAY + 12 * HOUR + 50
SPENT = AlertRuleSettings(name="spent", metric="spend", alert=1.0, window=Duration(60))


def reader(rollups: FakeRollups, scores: FakeScores | None = None) -> Reader:
    async def drift(*_: object) -> list[int]:
        return [NOW - 60]

    return Reader(rollups, scores or FakeScores(), drift)  # type: ignore[arg-type]


def steady(rollups: FakeRollups, since: int, until: int, step: int = MINUTE) -> None:
    """Ten requests for a tenth of a dollar in each step."""
    for at in range(since, until, step):
        rollups.happen(at, 10, sums={"cost_nanos": 100_000_000})


@aio
async def test_a_sum_is_of_as_many_minutes_as_the_window_is_long() -> None:
    """Not of the one under way as well: a threshold is of one minute, or of five."""
    rollups = FakeRollups()
    steady(rollups, NOW - HOUR, NOW)
    for window, usd in ((60, 0.1), (300, 0.5)):
        rule = replace(SPENT, window=Duration(window))
        [found] = (await reader(rollups).read([rule], NOW))["spent"]
        assert found.value == pytest.approx(usd) and found.count == window // 6


@aio
async def test_a_sum_is_compared_with_as_much_time_as_the_window_is_long() -> None:
    """What is spent as ever is once as much, however long the time before is, and however short a thing has been there."""
    rule = replace(SPENT, window=Duration(HOUR), against=Duration(7 * DAY), alert=2, least=5)
    for since in (NOW - 8 * DAY, NOW - DAY, NOW - 5 * HOUR):
        rollups = FakeRollups()
        steady(rollups, since, NOW, 10 * MINUTE)
        [found] = (await reader(rollups).read([rule], NOW))["spent"]
        assert found.value is not None and 0.7 < found.value < 1.05
    for minutes in (60, 119, 130):
        fresh = FakeRollups()
        steady(fresh, NOW - minutes * MINUTE, NOW)
        [found] = (await reader(fresh).read([rule], NOW))["spent"]
        assert found.value is None or found.value < 1


@aio
async def test_a_look_back_over_long_steps_shows_sums_of_one_window() -> None:
    """A month is looked at in steps longer than a rule's window: thresholds are of the window all the same."""
    rollups = FakeRollups()
    steady(rollups, NOW - 8 * DAY, NOW)
    seen = await foresee(reader(rollups), replace(SPENT, window=Duration(300)), NOW - 7 * DAY, NOW)
    assert seen.step > 300 and not seen.fired
    values = [value for _, value in seen.series[0].values]
    assert values[1:] == pytest.approx([0.5] * (len(values) - 1))
    compared = replace(SPENT, window=Duration(HOUR), against=Duration(DAY), alert=2)
    seen = await foresee(reader(rollups), compared, NOW - 2 * DAY, NOW)
    assert {round(value or 0, 2) for _, value in seen.series[0].values} == {1.0}


def requests(chance: random.Random, count: int, *, sigma: float, factor: float = 1.0) -> Tally:
    """Answers as slow as they come: half of them within two seconds."""
    rollups = FakeRollups()
    for _ in range(count):
        rollups.happen(NOW, 1, {"total_us": factor * 2e6 * exp(sigma * chance.gauss(0, 1))})
    whole = Tally()
    for _, row in rollups.rows:
        whole.add(Tally.of_requests("ok", row))
    return whole


@pytest.mark.parametrize("name", ["slower", "worse"])
def test_steady_traffic_raises_no_alarm(name: str) -> None:
    """Twenty answers of a wide spread are not all alike: what comes with Headgate is silent over a thousand looks, and not at what is
    really worse."""
    rule, chance = next(each for each in STANDARD if each.name == name), random.Random(7)
    if name == "slower":
        usual = requests(chance, 3000, sigma=1.0)
        windows = [requests(chance, 22, sigma=1.0) for _ in range(1000)]
        bad = requests(chance, 40, sigma=1.0, factor=6)
    else:
        usual = Tally.of_scores(2700, 3000, 2700)
        windows = [
            Tally.of_scores(up, 22, up)
            for up in (sum(chance.random() < 0.9 for _ in range(22)) for _ in range(1000))
        ]
        bad = Tally.of_scores(20, 40, 20)
    standing, told = Standing(rule=name, subject="all"), 0
    for number, window in enumerate(windows):
        after = judge(rule, standing, reading_of(rule, "all", window, usual), number)
        told += after.state in ("warning", "alert")
        standing = after
    assert told == 0
    for number in range(rule.looks):
        standing = judge(rule, standing, reading_of(rule, "all", bad, usual), 1000 + number)
    assert standing.state == "alert"


@pytest.mark.parametrize(
    ("a_minute", "share", "told"), [(0.3, 1.0, True), (5, 0.4, True), (5, 0.01, False), (0.3, 0.01, False)]
)
def test_an_outage_is_told_also_of_what_is_hardly_ever_asked_for(
    a_minute: float, share: float, told: bool
) -> None:
    """Errors of a feature with twenty requests an hour are; one of a hundred, as ever, is not, over twelve hours."""
    chance, found = random.Random(3), set()
    for rule in STANDARD:
        if rule.metric != "error_rate":
            continue
        standing, window = Standing(rule=rule.name, subject="all"), int(rule.window) // MINUTE
        minutes = []
        for minute in range(720):
            # As many as there are on average: a part of one now and then.
            count = int(a_minute) + (chance.random() < a_minute % 1)
            failed = sum(chance.random() < share for _ in range(count))
            minutes.append((count - failed, failed))
            tally = Tally()
            for good, bad in minutes[-window:]:
                tally.add(Tally.of_requests("ok", Rolled(requests=good)))
                tally.add(Tally.of_requests("failed", Rolled(requests=bad)))
            standing = judge(rule, standing, reading_of(rule, "all", tally, None), minute)
            found.add(standing.state)
    assert bool(found & {"warning", "alert"}) == told
    assert ("alert" in found) == told


def test_shares_are_of_what_they_are_a_part_of() -> None:
    """An answer that a filter stopped is a refusal and no answer; what left in the middle costs nothing of the answers' mean."""
    tally = Tally.of_requests("ok", Rolled(requests=8, refusals=1, degraded=2, cost_nanos=8_000))
    tally.add(Tally.of_requests("failed", Rolled(requests=2, refusals=2)))
    tally.add(Tally.of_requests("hung_up", Rolled(requests=5, degraded=5, cost_nanos=90_000)))
    watched = {
        name: AlertRuleSettings(name="a", metric=name, alert=0.5, least=1).watched.of(tally)
        for name in ("refusal_rate", "degraded_rate", "cost_per_request")
    }
    assert watched["refusal_rate"] == (0.3, 10)
    assert watched["degraded_rate"] == (0.25, 8)
    assert watched["cost_per_request"][0] == pytest.approx(8e-7)


class Watched:
    """A watch over memory, with a clock that stands."""

    def __init__(self, rollups: FakeRollups) -> None:
        self.store, self.clock = MemoryRules(), FakeClock(wall_ns=NOW * 10**9)
        self.told: list[str] = []
        self.watch = RuleWatch(self.store, reader(rollups), self.tell, self.clock)

    async def tell(self, alert: Alert) -> None:
        """As alerts are kept: each event once."""
        if alert.event not in self.told:
            self.told.append(alert.event)

    async def look(self, settings: WatchSettings, seconds: int) -> None:
        for _ in range(seconds // 10):
            self.clock.advance(10)
            await self.watch.round(settings)


@aio
async def test_rules_of_one_window_and_two_paces_do_not_take_each_others_rounds() -> None:
    """What drifts is looked at once an hour, beside rules that are looked at twice a minute."""
    rollups = FakeRollups()
    rollups.happen(NOW, 10)
    drift = AlertRuleSettings(
        name="drifts", metric="drift", series="latency", each="feature", alert=0, window=Duration(DAY)
    )
    slow = AlertRuleSettings(name="slow", metric="latency_p95", alert=8, window=Duration(DAY))
    watched = Watched(rollups)
    await watched.look(WatchSettings(standard=False, rules=[slow, replace(drift, looks=1)]), 2 * HOUR)
    assert "rule/drifts/feature:shop/1/alert" in watched.told


@aio
async def test_a_rule_that_was_removed_and_added_again_is_told_again() -> None:
    """Alerts of the one that was there before have other names."""
    rollups = FakeRollups()
    for at in range(NOW, NOW + HOUR, MINUTE):
        rollups.happen(at, 30, {"total_us": 9e6})
    watched = Watched(rollups)
    definition = '{"name": "slow", "metric": "latency_p95", "alert": 1}'
    for created in (NOW, NOW + 1):
        at = created * 10**9
        await watched.store.put_rule(
            RuleRecord(name="slow", created_ns=at, changed_ns=at, definition=definition)
        )
        await watched.look(WatchSettings(standard=False), 120)
        await watched.store.remove_rule("slow")
    assert len(watched.told) == 2


@aio
async def test_a_clock_that_is_set_back_stops_nobody_from_looking() -> None:
    """Rounds of the future are not waited for; another node's clock that is a little behind claims none twice."""
    store, hour = MemoryRules(), 3600 * 10**9
    assert await store.claim_round("a", NOW * 10**9, 30 * 10**9)
    assert not await store.claim_round("a", (NOW - 60) * 10**9, 30 * 10**9)
    assert await store.claim_round("a", NOW * 10**9 - 24 * hour, 30 * 10**9)


@aio
async def test_drops_after_a_restart_are_drops() -> None:
    """A gateway that is started again counts from 0: three are three, though it had five before."""
    rule = next(each for each in STANDARD if each.name == "records-dropped")
    rollups, start = FakeRollups(), NOW // 60 * 60
    for ago, value in ((900, 5), (240, 5), (180, 0), (120, 3), (60, 3)):
        rollups.kept_gauges.append(Gauge(at=start - ago, name="records_dropped", node=1, value=value))
    [found] = (await reader(rollups).read([rule], NOW))["records-dropped"]
    assert found.value == 3


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (1234.0, "s", "1,234 s"),
        (0.00000012, "USD", "0.00000012 USD"),
        (0.0, "USD", "0 USD"),
        (1234567.891, "USD", "1,234,567.89 USD"),
        (15_000.0, "tokens/s", "15,000 tokens/s"),
        (999.6, "score", "999.6"),
        (0.123456, "share", "12.3 %"),
        (None, "s", "nothing"),
    ],
)
def test_no_number_is_written_as_a_power_of_ten(value: float | None, unit: str, words: str) -> None:
    """People read alerts."""
    assert shown(value, unit) == words  # type: ignore[arg-type]
