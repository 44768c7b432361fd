"""What a contract may promise, how it is measured, and when somebody is told."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from headgate.core.section import Duration
from headgate.quality.contracts.assessing import Assessor
from headgate.quality.contracts.burn import PACES, Counted, burn_rate, burning, rate_of
from headgate.quality.contracts.judging import Kept, Report, alert_of, report, shown, worst
from headgate.quality.contracts.measuring import Measured, counted
from headgate.quality.contracts.settings import ContractSettings, promises
from headgate.quality.contracts.watching import ContractWatch
from headgate.stores.alerts import Alert
from headgate.stores.backends.memory.rules import MemoryRules
from headgate.stores.rollups import DAY, HOUR, Rolled
from headgate.stores.rules import Standing
from headgate.testing.clock import FakeClock
from tests.support.aio import aio
from tests.support.rolled import FakeRollups, FakeScores

__all__: list[str] = []

NOW = 1_790_000_040
MONTH = 30 * DAY
CONTRACT = ContractSettings(
    availability=0.99,
    first_token_p95=Duration(1.5),
    latency_p95=Duration(8),
    cost_p95=Decimal("0.01"),
    quality={"thumbs": 0.8},
)
GOOD = {"total_us": 2e6, "first_content_us": 5e5, "cost_nanos": 1e6}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, "promises nothing"),
        ({"latency_p95": Duration(0)}, "more than 0"),
        (
            {"latency_p50": Duration(9), "latency_p99": Duration(8)},
            "`latency_p50` is more than `latency_p99`",
        ),
        ({"cost_p95": Decimal(-1)}, "more than 0"),
        ({"availability": 0.9, "window": Duration(90)}, "whole hours"),
        ({"availability": 0.9, "window": Duration(365 * DAY)}, "`90d`"),
        ({"quality": {"thumbs": 0.0}}, "above 0"),
        ({"quality": {"a b": 0.5}}, "no name of a score"),
    ],
)
def test_nonsense_is_refused_in_words(wrong: dict[str, object], words: str) -> None:
    """What could not be kept, or could not be missed, is no promise."""
    with pytest.raises(ValueError, match=r"promises|`") as refused:
        ContractSettings(**wrong)  # type: ignore[arg-type]
    assert words in str(refused.value)


def test_its_promises_come_in_the_order_of_the_settings() -> None:
    """Each with the part that must be good."""
    found = [(each.name, each.objective) for each in promises(CONTRACT)]
    assert found == [
        ("availability", 0.99),
        ("first_token_p95", 0.95),
        ("latency_p95", 0.95),
        ("cost_p95", 0.95),
        ("quality.thumbs", 0.8),
    ]


def test_what_counts_as_available() -> None:
    """Answers do; the caller's mistakes and callers who left count neither way; degraded answers only if the contract says so."""
    measured = Measured()
    sums = {"ok": 90, "failed": 5, "cut_off": 1, "refused": 40, "hung_up": 30}
    for outcome, requests in sums.items():
        measured.add(outcome, Rolled(requests=requests, degraded=4 if outcome == "ok" else 0))
    promise = promises(CONTRACT)[0]
    assert counted(promise, CONTRACT, measured) == Counted(96, 86)
    assert counted(promise, replace(CONTRACT, degraded="good"), measured) == Counted(96, 90)


def test_burning_at_rate_one_spends_the_budget_in_its_window() -> None:
    """The rates of 30 days are those of the book; a wider promise cannot burn so fast, and counts from halfway on."""
    assert burn_rate(Counted(1000, 999), 0.001) == pytest.approx(1)
    assert burn_rate(Counted(), 0.001) is None
    assert [round(rate_of(pace, MONTH, 0.001), 6) for pace in PACES] == [14.4, 6.0, 1.0]
    assert rate_of(PACES[0], MONTH, 0.05) == pytest.approx(10.5)
    assert rate_of(PACES[2], 7 * DAY, 0.001) == 1.0


def test_a_burn_counts_when_both_windows_show_it() -> None:
    """The long one alone may be over already, the short one alone may be chance; few requests show nothing."""
    bad, good, few = Counted(100, 50), Counted(100, 100), Counted(9, 0)
    hour, five = 3600, 300
    assert burning({hour: bad, five: bad}, 0.001, MONTH) == PACES[0]
    assert burning({hour: bad, five: good}, 0.001, MONTH) is None
    assert burning({hour: good, five: bad}, 0.001, MONTH) is None
    assert burning({hour: bad, five: few}, 0.001, MONTH) is None
    assert burning({hour: bad, five: bad}, 0.001, HOUR) is None
    nearly = Counted(1000, 986)
    assert burning({hour: nearly, five: nearly}, 0.001, MONTH) is None
    assert burning({hour: nearly, five: nearly}, 0.001, MONTH, relief=0.9) == PACES[0]


def measured_of(good: int, slow: int = 0, failed: int = 0, thumbs: tuple[float, int] = (0, 0)) -> Measured:
    rollups, found = FakeRollups(), Measured()
    if good:
        rollups.happen(NOW, good, GOOD)
    if slow:
        rollups.happen(NOW, slow, {**GOOD, "total_us": 2e7})
    for parts, row in rollups.rows:
        found.add(parts["outcome"], row)
    found.outcomes["failed"] += failed
    found.scores["thumbs"] = thumbs
    return found


def reported(whole: Measured, **spans: Measured) -> Report:
    return report("shop", CONTRACT, whole, {int(name[1:]): each for name, each in spans.items()})


def test_a_promise_is_kept_at_risk_or_broken() -> None:
    """By the budget of errors of its window, and by how fast that goes; with too few requests nothing is said."""
    found = {
        each.promise.name: each for each in reported(measured_of(1000, slow=20, thumbs=(90, 100))).promises
    }
    assert {name: each.state for name, each in found.items()} == {
        "availability": "kept",
        "first_token_p95": "kept",
        "latency_p95": "kept",
        "cost_p95": "kept",
        "quality.thumbs": "kept",
    }
    assert found["latency_p95"].budget_left == pytest.approx(1 - 20 / 1020 / 0.05)
    assert found["latency_p95"].value == pytest.approx(2, rel=0.05)
    assert found["quality.thumbs"].budget_left == pytest.approx(0.5)
    broken = reported(measured_of(1000, slow=100))
    assert broken.state == "broken"
    assert [each.state for each in broken.promises] == ["kept", "kept", "broken", "kept", "no data"]
    little = reported(measured_of(1000, slow=49))
    assert little.promises[2].state == "at risk" and little.promises[2].pace is None
    fast = measured_of(20, failed=20)
    burning_now = reported(measured_of(100_000, failed=20), s300=fast, s3600=fast)
    assert burning_now.promises[0].state == "at risk" and burning_now.promises[0].pace == PACES[0]
    assert {each.state for each in reported(measured_of(50)).promises} == {"no data"}
    assert worst(["no data", "kept"]) == "kept" and worst([]) == "no data"


def test_a_mean_that_is_no_part_of_one_is_compared_alone() -> None:
    """A rating of 1 to 5 has neither good ones nor bad ones: no budget, only kept or broken."""
    contract = ContractSettings(quality={"rating": 4.0}, least=10)
    for mean, state in ((4.2, "kept"), (3.9, "broken")):
        whole = Measured(scores={"rating": (mean * 50, 50)})
        [kept] = report("shop", contract, whole, {}).promises
        assert (str(kept.state), kept.budget_left) == (state, None) and kept.value == pytest.approx(mean)


class Watched:
    def __init__(self) -> None:
        self.rollups, self.scores, self.store = FakeRollups(), FakeScores(), MemoryRules()
        self.clock = FakeClock(wall_ns=NOW * 10**9)
        self.told: list[Alert] = []
        assessor = Assessor(self.rollups, self.scores, remember=True)  # type: ignore[arg-type]
        self.watch = ContractWatch(self.store, assessor, self.tell, self.clock)

    async def tell(self, alert: Alert) -> None:
        self.told.append(alert)

    async def pass_time(self, minutes: int, *, outcome: str = "ok", every: int = 30) -> None:
        for _ in range(minutes * 60 // every):
            self.clock.advance(every)
            now = self.clock.wall_ns() // 10**9
            self.rollups.happen(now, 20 * every // 30, GOOD if outcome == "ok" else {}, outcome=outcome)
            await self.watch.round({"shop": CONTRACT})


@aio
async def test_a_promise_at_risk_is_told_within_minutes_and_its_end_too() -> None:
    """An outage of some minutes burns the budget fast; when it is over for a while that is told as well, and nothing else."""
    watched = Watched()
    watched.rollups.happen(NOW - 20 * DAY, 200_000, GOOD)
    await watched.pass_time(60)
    assert watched.told == []
    # 14.4 times 1 % of the 2,400 requests of an hour: some nine minutes of nothing but errors.
    await watched.pass_time(12, outcome="failed")
    assert [(each.facts["promise"], each.facts["state"]) for each in watched.told] == [
        ("availability", "at risk")
    ]
    first = watched.told[0]
    assert first.severity == "critical" and first.subject == "feature:shop" and first.kind == "contract"
    assert "is at risk: it burns at" in first.text
    await watched.pass_time(60, every=300)
    # The six hours still show what half an hour does not any more: somebody should look, but not tonight.
    assert len(watched.told) == 1
    await watched.pass_time(480, every=600)
    assert [each.facts["state"] for each in watched.told] == ["at risk", "kept"]


@pytest.mark.parametrize(
    ("promise", "value", "said"),
    [
        ("availability", 0.982, "that 99 % of requests are answered, and has broken it: of 118 requests in the last 7 days, 98.2 % were answered."),
        ("first_token_p95", 4.78, "that 95 % of streams begin within 1.5 s, and has broken it: of 118 streams in the last 7 days, 95 % began within 4.78 s."),
        ("latency_p95", 9.0, "that 95 % of answers are complete within 8 s, and has broken it: of 118 answers in the last 7 days, 95 % were complete within 9 s."),
        ("cost_p95", 0.02, "that 95 % of answers cost at most 0.01 USD, and has broken it: of 118 answers in the last 7 days, 95 % cost at most 0.02 USD."),
        ("quality.thumbs", 0.7, "`thumbs` of 0.8 at least, and has broken it: of 118 judgements in the last 7 days, the mean is 0.7."),
    ],
)  # fmt: skip
def test_a_broken_promise_is_told_in_a_sentence(promise: str, value: float, said: str) -> None:
    """What was promised, what was reached, and of how many."""
    contract = replace(CONTRACT, window=Duration(7 * DAY))
    (one,) = [each for each in promises(contract) if each.name == promise]
    kept = Kept(one, "broken", 118, 90, value, -1.0, {}, {}, None)
    before = Standing(rule="contract:shop", subject=promise, state="kept")
    alert = alert_of("shop", before, replace(before, state="broken"), kept, contract)
    assert alert is not None and alert.text == f"Feature `shop` promises {said}"


@aio
async def test_long_windows_are_not_added_up_each_time() -> None:
    """Thirty days change little in half a minute; the five minutes are read each time."""
    watched = Watched()
    await watched.pass_time(1)
    before = len(watched.rollups.asked)
    await watched.pass_time(5)
    asked = [scope.until - scope.since for scope, *_ in watched.rollups.asked[before:]]
    assert sum(span <= HOUR for span in asked) >= 10
    assert sum(span > 7 * DAY for span in asked) <= 1


@aio
async def test_nothing_is_asked_where_nothing_is_promised() -> None:
    """Who has no contract pays nothing."""
    watched = Watched()
    assert not await watched.watch.round({})
    assert watched.rollups.asked == []


@pytest.mark.parametrize("objective", [0.5, 0.8, 0.9, 0.95, 0.99, 0.999])
def test_what_is_just_kept_is_not_broken(objective: float) -> None:
    """Whatever 1 - 0.9 is to a computer: one of ten may fail, two of ten may not."""
    contract, bad = ContractSettings(availability=objective), round(10_000 * (1 - objective))
    for failed, state in ((bad, "at risk"), (bad + 1, "broken")):
        measured = Measured()
        measured.add("ok", Rolled(requests=10_000 - failed))
        measured.add("failed", Rolled(requests=failed))
        found = report("shop", contract, measured, {})
        assert found.state == state
    mean = ContractSettings(quality={"thumbs": objective})
    measured = Measured(scores={"thumbs": (10_000 * objective, 10_000)})
    assert report("shop", mean, measured, {}).state == "at risk"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1.0, "100 %"),
        (0.99996, "99.996 %"),
        (0.999, "99.9 %"),
        (0.95, "95 %"),
        (0.0, "0 %"),
        (0.999949, "99.9949 %"),
    ],
)
def test_what_failed_is_not_rounded_away(value: float, words: str) -> None:
    """Only what always was is 100 %."""
    assert shown(promises(CONTRACT)[0], value) == words
    assert shown(promises(CONTRACT)[3], 0.00000012) == "0.00000012 USD"
    assert shown(promises(CONTRACT)[2], 1234.0) == "1,234 s"


def test_one_failure_is_no_burn_and_breaks_nothing() -> None:
    """Of few requests one is more than 99.9 % allow: that is chance. What goes on is told."""
    contract, good = ContractSettings(availability=0.999), {"ok": 60}
    for failed, state in ((0, "kept"), (1, "at risk"), (3, "broken")):
        measured = Measured()
        for outcome, requests in {**good, "failed": failed}.items():
            measured.add(outcome, Rolled(requests=requests))
        whole = Measured()
        whole.add("ok", Rolled(requests=100))
        whole.add("failed", Rolled(requests=failed))
        found = report("shop", contract, whole, dict.fromkeys((300, 3600), measured))
        assert found.state == state
        assert (found.promises[0].pace is not None) == (failed >= 3)
