"""What a rule may say, what it finds, and what is told of it."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from headgate.alerts.rules.judging import alert_of, found_state, judge
from headgate.alerts.rules.known import decode_rule, encode_rule, known_rules
from headgate.alerts.rules.metrics import DRIFTING, METRICS
from headgate.alerts.rules.preview import foresee
from headgate.alerts.rules.reading import Reader, Reading
from headgate.alerts.rules.settings import STANDARD, AlertRuleSettings, RuleOfSettings, WatchSettings
from headgate.alerts.rules.watching import RuleWatch
from headgate.control.drift_metrics import METRICS as QUALITY_METRICS
from headgate.core.section import Duration
from headgate.stores.alerts import Alert
from headgate.stores.backends.memory.rules import MemoryRules
from headgate.stores.rollups import DAY, HOUR, MINUTE, Gauge
from headgate.stores.rules import RuleRecord, Standing
from headgate.testing.clock import FakeClock
from tests.support.aio import aio
from tests.support.rolled import FakeRollups, FakeScores

__all__: list[str] = []

NOW = 1_790_000_040
SLOW = AlertRuleSettings(name="slow", metric="latency_p95", alert="8s", warning=4, least=10)
NEW = Standing(rule="rule:slow", subject="all")


def reader(rollups: FakeRollups, scores: FakeScores | None = None) -> Reader:
    return Reader(rollups, scores or FakeScores())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"metric": "latency_p59"}, "did you mean `latency_p99` or"),
        ({"name": "a b"}, "letters, digits"),
        ({"window": Duration(90)}, "whole minutes"),
        ({"window": Duration(60 * DAY)}, "`30d`"),
        ({"warning": "9s"}, "comes before"),
        ({"alert": "fast"}, "not a duration"),
        ({"error": "rate_limited"}, "go together"),
        ({"metric": "quality", "alert": 0.5, "warning": None}, "go together"),
        ({"metric": "error_rate", "alert": 5, "warning": None}, "a part of 1"),
        ({"metric": "in_flight", "alert": 5, "warning": None, "each": "feature"}, "a whole node"),
        ({"each": "feature", "of": RuleOfSettings(feature="x")}, "there is one of it"),
        ({"metric": "requests", "alert": 0, "warning": None}, "never be passed"),
        ({"metric": "quality", "score": "thumbs", "alert": 0.5, "warning": None}, "by the hour"),
        ({"against": Duration(60)}, "as long as `window`"),
        ({"metric": "drift", "series": "latncy", "each": "feature"}, "did you mean `latency`"),
        ({"metric": "drift", "series": "latency"}, "is of a feature"),
        ({"series": "latency"}, "go together"),
    ],
)
def test_nonsense_is_refused_in_words(wrong: dict[str, object], words: str) -> None:
    """What cannot work is refused with what would be right, wherever the rule was written down."""
    given = {"name": "slow", "metric": "latency_p95", "alert": "8s", "warning": 4} | wrong
    with pytest.raises(ValueError, match="`") as refused:
        AlertRuleSettings(**given)  # type: ignore[arg-type]
    assert words in str(refused.value)


def test_thresholds_may_be_written_as_people_do() -> None:
    """Durations, percent, dollars; or bare numbers."""
    assert (SLOW.alert_at, SLOW.warning_at) == (8.0, 4.0)
    assert AlertRuleSettings(name="a", metric="error_rate", alert="5 %").alert_at == 0.05
    assert AlertRuleSettings(name="a", metric="spend", alert="2.50 USD").alert_at == 2.5
    with pytest.raises(ValueError, match="write a number"):
        AlertRuleSettings(name="a", metric="requests", alert="2.50 USD")


def test_a_rule_comes_back_from_its_json() -> None:
    """As it is kept of one that was added; what it does not say is not written down."""
    rule = replace(SLOW, of=RuleOfSettings(model="m"), window=Duration(600), each="feature")
    assert decode_rule(encode_rule(rule)) == rule
    assert "looks" not in encode_rule(rule)
    for each in STANDARD:
        assert decode_rule(encode_rule(each)) == each


def test_the_configuration_has_the_last_word() -> None:
    """A rule of its own takes the place of a standard one, and that of one added under the same name; `without` takes away; what
    is paused is so wherever it stands."""
    own = replace(SLOW, name="errors")
    records = [
        RuleRecord(name="errors", created_ns=1, changed_ns=1, definition=encode_rule(SLOW)),
        RuleRecord(
            name="mine", created_ns=1, changed_ns=1, definition=encode_rule(replace(SLOW, name="mine"))
        ),
        RuleRecord(name="dearer", created_ns=1, changed_ns=1, paused=True),
        RuleRecord(
            name="odd", created_ns=1, changed_ns=1, definition='{"name": "odd", "metric": "tomorrow"}'
        ),
    ]
    found, unreadable = known_rules(WatchSettings(without=["slower"], rules=[own]), records)
    by_name = {each.name: each for each in found}
    assert by_name["errors"].source == "configuration" and by_name["errors"].settings == own
    assert by_name["mine"].source == "added" and not by_name["mine"].paused
    assert by_name["dearer"].source == "standard" and by_name["dearer"].paused
    assert "slower" not in by_name and unreadable == ["odd"]
    assert [each.name for each in known_rules(WatchSettings(standard=False), ())[0]] == []


def test_it_does_not_flap_about_its_threshold() -> None:
    """What has passed a threshold comes back below nine tenths of it only."""
    assert [found_state(SLOW, value, "ok") for value in (3.9, 4.1, 8.1)] == ["ok", "warning", "alert"]
    assert [found_state(SLOW, value, "alert") for value in (7.9, 7.1, 3.7, 3.5)] == [
        "alert",
        "warning",
        "warning",
        "ok",
    ]
    idle = AlertRuleSettings(name="idle", metric="requests", alert=10)
    assert [found_state(idle, value, "ok") for value in (10, 9)] == ["ok", "alert"]
    assert [found_state(idle, value, "alert") for value in (11, 12)] == ["alert", "ok"]


def test_without_data_a_rule_does_as_it_says() -> None:
    """keep: as it stood. ok: it is over. alert: that is told."""
    for no_data, states in {
        "keep": ("no data", "alert"),
        "ok": ("ok", "ok"),
        "alert": ("no data", "no data"),
    }.items():
        rule = replace(SLOW, no_data=no_data)
        assert (found_state(rule, None, "unknown"), found_state(rule, None, "alert")) == states
    rule = replace(SLOW, no_data="alert", looks=1)
    after = judge(rule, replace(NEW, state="ok", looked_ns=1), Reading("all", None, 0), 5)
    told = alert_of(rule, replace(NEW, state="ok"), after, Reading("all", None, 0))
    assert told is not None and "no data" in told.text and told.severity == "critical"


def test_a_transition_is_told_once_and_its_end_to_whoever_heard_of_it() -> None:
    """After so many looks; the first look that finds it well is told to nobody."""
    bad, good = Reading("all", 9.0, 30), Reading("all", 1.0, 30)
    well = judge(SLOW, NEW, good, 1)
    assert well.state == "ok" and alert_of(SLOW, NEW, well, good) is None
    once = judge(SLOW, well, bad, 2)
    assert once.state == "ok" and (once.toward, once.held) == ("alert", 1)
    assert judge(SLOW, once, good, 3).held == 0
    twice = judge(SLOW, once, bad, 3)
    told = alert_of(SLOW, once, twice, bad)
    assert twice.state == "alert" and twice.since_ns == 3 and told is not None
    assert told.event == "rule/slow/all/2/alert" and told.severity == "critical"
    assert told.text == (
        "`slow`: 95 % of answers took at most in the last 5 minutes: 9 s; more than 8 s is an alert."
    )
    assert alert_of(SLOW, twice, judge(SLOW, twice, bad, 4), bad) is None
    over = judge(SLOW, judge(SLOW, twice, good, 5), good, 6)
    ended = alert_of(SLOW, twice, over, good)
    assert ended is not None and ended.severity == "critical" and "well again" in ended.text


def test_an_alert_of_one_feature_names_it_to_its_receivers() -> None:
    """By subject and fact, whether the rule is of that feature or watches each."""
    bad = Reading("all", 9.0, 30)
    rule = replace(SLOW, of=RuleOfSettings(feature="shop"), looks=1)
    told = alert_of(rule, NEW, judge(rule, NEW, bad, 1), bad)
    assert told is not None and told.subject == "feature:shop" and told.facts["feature"] == "shop"
    each, before = replace(SLOW, each="feature", looks=1), replace(NEW, subject="feature:shop")
    told = alert_of(each, before, judge(each, before, bad, 1), bad)
    assert told is not None and told.subject == "feature:shop" and "(feature `shop`)" in told.text


@aio
async def test_every_metric_is_worked_out_from_rollups() -> None:
    """Nothing else is asked, and each gives the value that was put in."""
    rollups, scores = FakeRollups(), FakeScores()
    spread = {
        "total_us": 2e6,
        "first_content_us": 5e5,
        "overhead_us": 1e3,
        "queued_us": 2e3,
        "tokens_per_s": 40,
        "cost_nanos": 1e7,
        "output_tokens": 100,
    }
    sums = {"degraded": 4, "failovers": 5, "refusals": 8, "cached": 16, "cacheable": 64}
    rollups.happen(NOW, 80, spread, sums=sums)
    rollups.happen(NOW, 20, outcome="failed", error="rate_limited")
    rollups.happen(NOW, 25, outcome="refused")
    rollups.happen(NOW, 1000, {"total_us": 1e9}, purpose="shadow")
    scores.judge(NOW, 0.75, 40)
    for name in ("in_flight", "limit_waiting", "journal_bytes", "records_dropped", "cache_wrong_share"):
        rollups.kept_gauges += [
            Gauge(at=NOW // 60 * 60 - 60, name=name, node=node, value=3) for node in (1, 2)
        ]
    hourly = {
        "quality": {"score": "thumbs"},
        "error_class_rate": {"error": "rate_limited"},
        "drift": {"series": "latency", "of": RuleOfSettings(feature="shop")},
    }
    rules = [
        AlertRuleSettings(
            name=name,
            metric=name,
            alert=1,
            least=1,
            window=Duration(3600 if name in hourly else 300),
            **hourly.get(name, {}),  # type: ignore[arg-type]
        )
        for name in METRICS
    ]

    async def drift(feature: str, series: str, now: int) -> list[int]:
        assert (feature, series) == ("shop", "latency")
        return [now - 60, now - DAY]

    # What grows with time is of minutes that are over.
    found = await Reader(rollups, scores, drift).read(rules, NOW + MINUTE)  # type: ignore[arg-type]
    values = {name: readings[0].value for name, readings in found.items()}
    assert set(values) == set(METRICS)
    wanted = {
        "requests": 125,
        "error_rate": 0.2,
        "unanswered_rate": 0.36,
        "error_class_rate": 0.16,
        "latency_p50": 2,
        "latency_p95": 2,
        "latency_p99": 2,
        "first_token_p50": 0.5,
        "first_token_p95": 0.5,
        "first_token_p99": 0.5,
        "overhead_p95": 1e-3,
        "queued_p95": 2e-3,
        "tokens_per_second": 40,
        "spend": 0.8,
        "cost_per_request": 0.008,
        "cost_p50": 0.01,
        "cost_p95": 0.01,
        "answer_tokens_p50": 100,
        "degraded_rate": 0.05,
        "failover_rate": 0.05,
        "refusal_rate": 0.1,
        "cache_rate": 0.2,
        "cache_hit_rate": 0.25,
        "quality": 0.75,
        "drift": 1,
        "in_flight": 3,
        "queue_depth": 3,
        "journal_lag": 3,
        "cache_wrong_share": 3,
        "records_dropped": 6,
    }
    assert values == pytest.approx(wanted, rel=0.05)


@aio
async def test_rules_that_watch_the_same_time_ask_once() -> None:
    """However many they are; a comparison asks for the time before as well."""
    rollups = FakeRollups()
    rules = [replace(SLOW, name=f"r{n}", each="feature" if n % 2 else "") for n in range(10)]
    await reader(rollups).read(rules, NOW)
    assert len(rollups.asked) == 1
    await reader(rollups).read(
        [*rules, replace(SLOW, name="x", against=Duration(DAY), alert=2, warning=None)], NOW
    )
    assert len(rollups.asked) == 3


@aio
async def test_a_comparison_is_with_the_time_before_the_window() -> None:
    """Which is not in it; too little there is no data."""
    rollups = FakeRollups()
    rule = AlertRuleSettings(
        name="slower",
        metric="latency_p50",
        alert=2,
        each="feature",
        window=Duration(60),
        against=Duration(HOUR),
    )
    rollups.happen(NOW - 20 * MINUTE, 100, {"total_us": 1e6})
    rollups.happen(NOW, 30, {"total_us": 3e6})
    rollups.happen(NOW, 30, {"total_us": 3e6}, feature="new")
    found = {each.subject: each for each in (await reader(rollups).read([rule], NOW))["slower"]}
    assert found["feature:shop"].value == pytest.approx(3, rel=0.1)
    assert found["feature:new"].value is None


class Watched:
    """A watch over memory, with a clock that stands."""

    def __init__(self) -> None:
        self.rollups, self.scores, self.store = FakeRollups(), FakeScores(), MemoryRules()
        self.clock = FakeClock(wall_ns=NOW * 10**9)
        self.told: list[Alert] = []
        self.watches = [self.watch(), self.watch()]

    def watch(self) -> RuleWatch:
        return RuleWatch(self.store, reader(self.rollups, self.scores), self.tell, self.clock)

    async def tell(self, alert: Alert) -> None:
        if alert.event not in [each.event for each in self.told]:
            self.told.append(alert)

    @property
    def now(self) -> int:
        return self.clock.wall_ns() // 10**9

    async def pass_time(self, settings: WatchSettings, seconds: int, **traffic: float) -> None:
        for _ in range(seconds // 10):
            self.clock.advance(10)
            if traffic:
                self.rollups.happen(self.now, 10, traffic)
            for watch in self.watches:
                await watch.round(settings)


@aio
async def test_of_many_nodes_one_looks_and_one_tells() -> None:
    """Each round; and a regression of a feature is told within two minutes of its beginning."""
    watched = Watched()
    settings = WatchSettings()
    await watched.pass_time(settings, 1800, total_us=1e6, cost_nanos=1e6)
    assert watched.told == []
    asked = len(watched.rollups.asked)
    await watched.pass_time(settings, 60, total_us=1e6, cost_nanos=1e6)
    # Two looks a minute, of three lengths of windows, two of them compared; never twice that for two nodes.
    assert len(watched.rollups.asked) - asked <= 2 * 6
    await watched.pass_time(settings, 120, total_us=4e6, cost_nanos=4e6)
    assert {each.facts["rule"] for each in watched.told} >= {"slower", "dearer"}
    assert {each.subject for each in watched.told} == {"feature:shop"}


@aio
async def test_who_dies_before_it_is_written_down_tells_the_same_again() -> None:
    """Told first, kept then: the second telling has the name of the first."""
    watched = Watched()
    settings = WatchSettings(standard=False, rules=[replace(SLOW, looks=1)])
    stand = watched.store.stand

    async def gone(_: object) -> list[bool]:
        raise ConnectionError

    watched.store.stand = gone  # type: ignore[assignment, method-assign]
    watched.rollups.happen(NOW, 50, {"total_us": 9e6})
    with pytest.raises(ConnectionError):
        await watched.watches[0].round(settings)
    watched.store.stand = stand  # type: ignore[method-assign]
    await watched.pass_time(settings, 40)
    assert [each.event for each in watched.told] == ["rule/slow/all/1/alert"]


@aio
async def test_no_traffic_is_told_of_what_had_some() -> None:
    """For each feature that was seen; a paused rule is not looked at."""
    watched = Watched()
    idle = AlertRuleSettings(name="idle", metric="requests", alert=1, each="feature", window=Duration(60))
    settings = WatchSettings(standard=False, rules=[idle])
    await watched.pass_time(settings, 60, total_us=1e6)
    await watched.pass_time(settings, 240)
    assert [(each.subject, each.facts["state"]) for each in watched.told] == [("feature:shop", "alert")]
    await watched.store.put_rule(RuleRecord(name="idle", created_ns=1, changed_ns=1, paused=True))
    before = len(watched.rollups.asked)
    await watched.pass_time(settings, 60)
    assert len(watched.rollups.asked) == before


@aio
async def test_a_drop_is_told_by_what_was_added_to_the_count() -> None:
    """Drops from before the window are not told again; a node that was not there before counts from 0."""
    rollups = FakeRollups()
    rule = next(each for each in STANDARD if each.name == "records-dropped")
    start = NOW // 60 * 60
    rollups.kept_gauges = [
        Gauge(at=start - 900, name="records_dropped", node=1, value=5),
        Gauge(at=start - 60, name="records_dropped", node=1, value=5),
    ]
    [found] = (await reader(rollups).read([rule], NOW))["records-dropped"]
    assert found.value == 0 and found_state(rule, found.value, "unknown") == "ok"
    rollups.kept_gauges.append(Gauge(at=start - 60, name="records_dropped", node=2, value=1))
    [found] = (await reader(rollups).read([rule], NOW))["records-dropped"]
    assert found.value == 1 and found_state(rule, found.value, "ok") == "alert"


def test_a_rule_of_a_newer_headgate_is_not_understood() -> None:
    """It is refused whole, not read in part."""
    with pytest.raises(msgspec.ValidationError):
        decode_rule('{"name": "a", "metric": "latency_p95", "alert": 1, "moon": 1}')


def test_series_that_drift_are_those_that_quality_knows() -> None:
    """The rooms do not know each other; here they are compared."""
    assert set(DRIFTING) == set(QUALITY_METRICS)


@aio
async def test_a_lasting_change_is_told_once_while_it_is_in_the_window() -> None:
    """And a look back shows when."""
    rollups = FakeRollups()
    rollups.happen(NOW - HOUR, 10)

    async def drift(feature: str, _: str, now: int) -> list[int]:
        return [now - 5 * HOUR] if feature == "shop" else []

    rule = AlertRuleSettings(
        name="drift", metric="drift", series="latency", each="feature", window=Duration(DAY), alert=0, looks=1
    )
    there = Reader(rollups, FakeScores(), drift)  # type: ignore[arg-type]
    [found] = (await there.read([rule], NOW))["drift"]
    assert (found.subject, found.value) == ("feature:shop", 1) and rule.every_seconds == 3600
    assert found_state(rule, found.value, "ok") == "alert"
    seen_back = await foresee(there, rule, NOW - 2 * DAY, NOW)
    assert [(each.state, NOW - each.at < 6 * HOUR) for each in seen_back.fired] == [("alert", True)]


@aio
async def test_a_worse_prompt_is_told_by_the_thumbs_of_the_hour() -> None:
    """Against those of the days before; with a handful of them nothing is said."""
    rule = next(each for each in STANDARD if each.name == "worse")
    hour = NOW // HOUR * HOUR
    for mean, scores, state in (
        (0.6, 30, "alert"),
        (0.76, 30, "warning"),
        (0.9, 30, "ok"),
        (0.1, 5, "no data"),
    ):
        given = FakeScores()
        given.judge(hour - 5 * HOUR, 0.9, 100)
        given.judge(NOW, mean, scores)
        [found] = (await reader(FakeRollups(), given).read([rule], NOW))["worse"]
        assert found.subject == "feature:shop"
        assert found_state(rule, found.value, "unknown") == state
