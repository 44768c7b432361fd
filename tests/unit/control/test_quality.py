"""What changed, read from rollups and sums of judgements, with what may explain it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random

import pytest

from headgate.control.drift_metrics import METRICS
from headgate.control.drifting import changes, drifts, points_of
from headgate.control.quality import step_for
from headgate.control.quality_views import drift_plot
from headgate.core.ids import oldest_id
from headgate.stores.backends.memory import MemorySpans
from headgate.stores.backends.memory.scores import MemoryScores
from headgate.stores.rollups import Mark
from headgate.stores.scores import ScoreRow
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import RequestRow
from tests.support.aio import aio
from tests.support.rolled import FakeRollups

__all__: list[str] = []

HOUR, DAY = 3600, 86_400
NOW = int(time.time())
LATER = NOW // HOUR * HOUR - 8 * DAY
NS = 1_000_000_000


class Marked(FakeRollups):
    """Keeps marks, too."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Mark] = []

    async def marks(self, since_ns: int, until_ns: int, limit: int = 200) -> Sequence[Mark]:
        return [mark for mark in self.kept if since_ns <= mark.at_ns < until_ns][:limit]


def slower() -> Marked:
    """Four weeks of answers, which take twice as long since eight days; nothing else changed."""
    rollups, chance = Marked(), Random(1)
    for at in range(NOW // HOUR * HOUR - 28 * DAY, NOW // HOUR * HOUR, HOUR):
        usual = 1e6 * chance.lognormvariate(0, 0.1) * (2 if at >= LATER else 1)
        tokens = int(20 * 100 * chance.lognormvariate(0, 0.1))
        sums = {"output_tokens": tokens, "cost_nanos": 1000 * tokens}
        rollups.happen(at, 20, {"total_us": usual}, sums=sums, feature="chat")
    return rollups


@aio
async def test_a_change_is_told_with_what_may_explain_it() -> None:
    """Marks near it, none of those far from it; other numbers of the feature did not change."""
    rollups, scores = slower(), MemoryScores(MemorySpans())
    near = Mark(event="m1", at_ns=(LATER - HOUR) * NS, kind="config", text="c0ffee")
    far = Mark(event="m2", at_ns=(LATER + 2 * DAY) * NS, kind="model", text="other")
    rollups.kept = [near, far]
    (found,) = await drifts(scores, rollups, ["chat", "mail"], NOW)
    assert (found.feature, found.metric, found.unit) == ("chat", "latency", "s")
    assert abs(found.change.at - LATER) <= 6 * HOUR
    assert 1.8 < found.change.after / found.change.before < 2.2
    assert found.marks == (near,)
    assert await changes(scores, rollups, "chat", "cost", NOW) == []
    plot = await drift_plot(scores, rollups, "chat", "latency", NOW)
    assert [each["kind"] for each in plot["marks"]] == ["change", "config", "model"]
    assert len(plot["x"]) == len(plot["series"][0]["y"])
    with pytest.raises(ValueError, match="score:NAME"):
        await changes(scores, rollups, "chat", "beauty", NOW)


@aio
async def test_scores_that_are_few_are_looked_at_by_days() -> None:
    """A worse prompt since eight days, three thumbs a day."""
    spans, chance = MemorySpans(), Random(3)
    scores, rows, said = MemoryScores(spans), [], []
    for number in range(28 * 6):
        at = NOW // HOUR * HOUR - 28 * DAY + number * 4 * HOUR
        request = oldest_id((at + 60) * NS) + number
        rows.append(RequestRow(request, at * NS, "t", feature="chat"))
        up = float(chance.random() < (0.3 if at >= LATER else 0.95))
        usual = ScoreRow(
            event=str(number),
            at_ns=at * NS,
            request_id=request,
            name="thumbs",
            kind="boolean",
            number=up,
            source="user",
        )
        said.append(usual)
    spans.write(Batch(journal="j", position=Position(), requests=rows, attempts=(), contents=()))
    await scores.add(said, NOW * NS)
    step, points = await points_of(
        scores, FakeRollups(), "chat", "score:thumbs", NOW // HOUR * HOUR - 28 * DAY, NOW
    )
    assert step == DAY and sum(each.count for each in points) == 28 * 6
    (found,) = await changes(scores, FakeRollups(), "chat", "score:thumbs", NOW)
    assert abs(found.change.at - LATER) <= 2 * DAY
    assert found.change.before > 0.8 > 0.5 > found.change.after
    assert found.change.before_interval[0] < found.change.before < found.change.before_interval[1]


def test_plots_of_scores_have_few_points() -> None:
    """And none shorter than an hour, for which nothing is added up."""
    assert step_for(0, DAY) == HOUR and step_for(0, 7 * DAY) == 3 * HOUR and step_for(0, 90 * DAY) == DAY
    assert set(METRICS) == {"refusals", "length", "latency", "first_token", "cost"}
