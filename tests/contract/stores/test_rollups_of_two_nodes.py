"""Two nodes store at once, and read some of their journals again: every request is in every sum once."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from headgate.stores.rollups import DAY, HOUR, MINUTE, PARTS, SKETCHES, SUMS, Ages, RollupStore, Scope
from headgate.stores.sink import Batch, Position, SpanSink
from headgate.stores.spans import RequestRow
from tests.contract.stores.test_rollups import NOON, ended, expected, opened, some_requests
from tests.support.aio import aio
from tests.support.stores import SHARED

__all__: list[str] = []

every = pytest.mark.parametrize("backend", SHARED)


def store_all(sink: SpanSink, journal: str, rows: Sequence[RequestRow], chance: random.Random) -> None:
    """In batches of any size, some of which are read again together with what comes behind them."""
    begin = stored = 0
    while stored < len(rows):
        again = begin < stored
        end = stored + chance.randrange(1, 60)
        batch = rows[begin:end]
        sink.write(Batch(journal=journal, position=Position(1, end), requests=batch, recovered=again))
        begin = stored if chance.random() < 0.3 else end
        stored = end


@every
@aio
async def test_every_request_is_in_every_sum_once(backend: str, place: Path | str) -> None:
    """As if one had counted them all by hand: by every part and step, by who spent, by error, and of conversations; also when the
    finer rows are gone."""
    rows = some_requests(800, seed=5, seconds=40 * DAY)
    async with opened(backend, place) as one, opened(backend, place) as other:
        one.sink.position("j0")
        threads = [
            threading.Thread(
                target=store_all, args=(node.sink, f"j{number}", rows[number::2], random.Random(number))
            )
            for number, node in enumerate((one, other))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        await same_as_by_hand(one.rollups, rows)
        since, until = NOON // DAY * DAY, NOON + 50 * DAY
        whole = Scope(since, until, purpose=None)
        before = await one.rollups.rolled(whole, by=("feature",), sketches=["total_us"])
        ages = Ages(minutes_before=NOON + 10 * DAY + 3700, hours_before=NOON + 5 * DAY + 99)
        while await other.rollups.sweep(ages):
            pass
        assert list(await one.rollups.rolled(whole, by=("feature",), sketches=["total_us"])) == list(before)
        for step in (0, HOUR, DAY):
            found = await one.rollups.rolled(whole, step=step, by=("model",))
            assert sum(each.requests for each in found) == len(rows)


async def same_as_by_hand(rollups: RollupStore, rows: Sequence[RequestRow]) -> None:
    """Every kind of sum."""
    since, until = NOON - DAY, NOON + 50 * DAY
    for step, by in (
        (0, ()),
        (0, PARTS),
        (MINUTE, ()),
        (10 * MINUTE, ("provider", "outcome")),
        (HOUR, ("feature", "model")),
        (DAY, ("outcome", "purpose")),
        (7 * DAY, ("feature",)),
    ):
        answer = await rollups.rolled(Scope(since, until, purpose=None), step=step, by=by)
        found = {(one.at, one.group): {name: getattr(one, name) for name in SUMS} for one in answer}
        assert found == expected(rows, step, by, since), (step, by)
    [spread] = await rollups.rolled(Scope(since, until, purpose=None), sketches=SKETCHES)
    assert spread.sketches["total_us"].count == len(rows)
    for dimension in ("key_id", "user", "team", "prompt"):
        named = [row for row in rows if getattr(row, dimension)]
        costs: Counter[str] = Counter()
        for row in named:
            costs[getattr(row, dimension)] += row.cost_nanos or 0
        spent = await rollups.spent(dimension, since, until)
        assert {one.value: one.cost_nanos for one in spent} == costs
        assert sum(one.requests for one in spent) == len(named)
    own = [row for row in rows if not row.purpose]
    lost = [row for row in own if row.outcome in ("refused", "failed", "cut_off")]
    assert sum(one.requests for one in await rollups.failures(since, until)) == len(lost)
    found_sessions = {one.session: (one.requests, one.last_ns) for one in await rollups.sessions()}
    for name in ("s1", "s2"):
        of_it = [row for row in own if row.session == name]
        assert found_sessions[name] == (len(of_it), max(row.started_ns for row in of_it))
    assert all(since <= ended(row) < until for row in rows)
