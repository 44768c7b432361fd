"""What the first page says is happening, from rollups."""

from __future__ import annotations

import pytest

from headgate.control.happening import PLOTS, plot, pulse, troubles
from headgate.core.sketch import Sketch
from headgate.stores.rollups import Failed, Mark, Rolled
from tests.support.aio import aio
from tests.support.quiet_rollups import QuietRollups

__all__: list[str] = []


def rolled(outcome: str, requests: int, *, at: int = 600, ms: int = 0, **more: int) -> Rolled:
    sketch = Sketch()
    for _ in range(requests):
        sketch.add(ms * 1000)
    return Rolled(
        at=at, group=(outcome,), requests=requests, sketches={"total_us": sketch} if ms else {}, **more
    )


@aio
async def test_failures_are_counted_among_what_was_no_callers_mistake() -> None:
    """Times are those of answers."""
    store = QuietRollups(
        rolled=[
            rolled("ok", 6, ms=100, cost_nanos=7, input_tokens=1, cache_read_tokens=2, output_tokens=3),
            rolled("failed", 1, ms=9000),
            rolled("cut_off", 1),
            rolled("refused", 10),
            rolled("hung_up", 2),
        ]
    )
    now = await pulse(store, 0, 60)
    assert (now.requests, now.failed, now.refused, now.hung_up) == (20, 2, 10, 2)
    assert now.failed_share == 0.25 and now.per_second == pytest.approx(1 / 3)
    assert now.total_p95_us == pytest.approx(100_000, rel=0.05)
    assert (now.cost_nanos, now.tokens_in, now.tokens_out) == (7, 3, 3)
    assert (await pulse(QuietRollups(), 0, 60)).failed_share is None


@aio
async def test_a_plot_has_a_point_for_each_step_also_where_nothing_happened() -> None:
    """Counts are 0 there, times are gaps; what may explain a change stands on it."""
    store = QuietRollups(
        rolled=[rolled("ok", 3, at=660, ms=10), rolled("failed", 1, at=720)],
        marks=[Mark(event="e", at_ns=700_000_000_000, kind="config", text="another")],
    )
    drawn = await plot(store, "requests", 610, 800, 60)
    assert drawn["x"] == [600, 660, 720, 780]
    series = {each["name"]: each["y"] for each in drawn["series"]}  # type: ignore[attr-defined]
    assert series["answered"] == [0, 0.05, 0, 0] and series["failed"][2] == pytest.approx(1 / 60, rel=1e-3)
    assert drawn["marks"] == [{"at": 700, "text": "another", "kind": "config"}]
    latency = (await plot(store, "latency", 610, 800, 60))["series"]
    assert [value is None for value in latency[0]["y"]] == [True, False, True, True]  # type: ignore[index]
    for name in PLOTS:
        assert len((await plot(store, name, 0, 6000, 600))["x"]) == 10  # type: ignore[arg-type]


@aio
async def test_what_affects_most_users_comes_first() -> None:
    """Whoever asks a thousand times alone is one."""
    store = QuietRollups(
        failed=[
            Failed(group=("timeout", "m", "f"), requests=1000, users=1),
            Failed(group=("rate_limit", "m", ""), requests=5, users=4),
        ]
    )
    assert [each.error_class for each in await troubles(store, 0, 60)] == ["rate_limit", "timeout"]


@aio
async def test_the_point_under_way_is_of_the_time_that_is_over() -> None:
    """Ten a second are ten a second also in the minute that has just begun: the line does not fall at its end."""
    store = QuietRollups(rolled=[rolled("ok", 600, at=600), rolled("ok", 200, at=660)])
    drawn = await plot(store, "requests", 600, 679, 60, now=679)
    assert drawn["series"][0]["y"] == [10, 10]  # type: ignore[index]
    longer = await plot(store, "requests", 0, 720, 600, now=10_000)
    assert longer["series"][0]["y"][1] == pytest.approx(800 / 120)  # type: ignore[index]
