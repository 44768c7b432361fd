"""What was spent, added up by anything."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import pytest

from headgate.control.spending import OTHERS, as_csv, dimension, drill, offered, over_time, spending
from headgate.stores.rollups import HOUR, Rolled, Scope, Spent
from tests.support.aio import aio
from tests.support.rolled import FakeRollups

__all__: list[str] = []

NOON = 1_795_262_400


class Rollups(FakeRollups):
    """With what users and tags have spent, and copies beside callers' requests."""

    def __init__(self) -> None:
        super().__init__()
        self.users: list[Spent] = []
        self.copies: list[Rolled] = []
        self.spans: list[tuple[int, int]] = []

    async def rolled(self, scope: Scope, **asked: Any) -> Sequence[Rolled]:
        found = await super().rolled(scope, **asked)
        return [*found, *self.copies] if scope.purpose is None else found

    async def spent(
        self,
        name: str,
        since: int,
        until: int,
        *,
        step: int = 0,
        limit: int = 100,
        values: Sequence[str] = (),
    ) -> Sequence[Spent]:
        self.spans.append((since, until))
        assert name == "user"
        return [one for one in self.users if not values or one.value in values][:limit]

    async def dimensions(self, since: int, until: int) -> Sequence[str]:
        return ["user", "key_id", "tag:task"]


def happened() -> Rollups:
    rollups = Rollups()
    costs = {"cost_nanos": 900, "estimated_nanos": 300, "input_tokens": 10, "cache_read_tokens": 5}
    rollups.happen(NOON, 3, feature="chat", sums=costs)
    rollups.happen(NOON + HOUR, 1, feature="chat", outcome="failed", sums={"unpriced": 1})
    rollups.happen(NOON, 2, feature="mail", sums={"cost_nanos": 100, "avoided_nanos": 40, "output_tokens": 7})
    rollups.happen(NOON, 9, feature="", outcome="refused")
    rollups.copies = [Rolled(requests=1, cost_nanos=5, group=("shadow", "ok"))]
    return rollups


@aio
async def test_every_request_is_in_one_line_and_in_the_sum() -> None:
    """The dearest first; copies of our own are beside it."""
    found = await spending(happened(), "feature", NOON, NOON + 2 * HOUR)
    assert [(line.value, line.requests, line.failed, line.nanos) for line in found.lines] == [
        ("chat", 4, 1, 900),
        ("mail", 2, 0, 100),
        ("", 9, 9, 0),
    ]
    chat, mail, _ = found.lines
    assert (chat.tokens_in, chat.estimated, chat.unpriced, chat.per_request) == (15, 300, 1, 225)
    assert (mail.tokens_out, mail.avoided) == (7, 40)
    assert (found.total.requests, found.total.nanos) == (15, 1000)
    assert [(line.value, line.nanos) for line in found.besides] == [("shadow", 5)]


@aio
async def test_what_nobody_named_is_a_line_too() -> None:
    """So that the lines of users add up to everything; by whole hours, as that is kept."""
    rollups = happened()
    rollups.users = [Spent(value="ann", requests=4, failed=1, cost_nanos=700, estimated_nanos=300)]
    found = await spending(rollups, "user", NOON + 60, NOON + HOUR + 60)
    assert rollups.spans == [(NOON, NOON + 2 * HOUR)]
    ann, rest = found.lines
    assert (ann.value, rest.value) == ("ann", "")
    assert (rest.requests, rest.nanos, rest.estimated) == (12, 305, 0)


@aio
async def test_plots_show_the_dearest_and_the_rest_together() -> None:
    """Each step has a place, also where nothing was spent; what cost nothing is no series."""
    rollups = FakeRollups()
    for number in range(10):
        rollups.happen(NOON + number % 2 * HOUR, feature=f"f{number}", sums={"cost_nanos": 100 - number})
    rollups.happen(NOON, feature="free")
    at, series = await over_time(rollups, "feature", NOON + 60, NOON + 3 * HOUR, HOUR)
    assert at == [NOON, NOON + HOUR, NOON + 2 * HOUR]
    assert list(series) == [*(f"f{number}" for number in range(7)), OTHERS]
    assert series["f0"] == [100, 0, 0] and series["f1"] == [0, 99, 0]
    assert series[OTHERS] == [92, 93 + 91, 0]


@aio
async def test_users_are_drawn_by_the_hour() -> None:
    """Their numbers are kept so. What nobody in particular spent, and users beyond those that are drawn, is drawn too."""
    rollups = happened()
    rollups.users = [
        Spent(at=NOON, value="ann", cost_nanos=3),
        Spent(at=NOON + HOUR, value="bob", cost_nanos=4),
    ]
    at, series = await over_time(rollups, "user", NOON, NOON + 2 * HOUR, 600)
    assert at == [NOON, NOON + HOUR] and list(series) == [OTHERS, "bob", "ann"]
    assert series == {OTHERS: [1000 - 3, 0], "bob": [0, 4], "ann": [3, 0]}


@aio
async def test_what_there_is_nothing_of_is_not_offered() -> None:
    """What rollups are kept by always is."""
    assert await offered(happened(), NOON, NOON) == [
        "feature",
        "model",
        "provider",
        "key",
        "user",
        "tag:task",
    ]


def test_words_mean_dimensions() -> None:
    """Those that mean none are refused with those that do; and each knows how the Traces page calls it."""
    assert [dimension(word) for word in ("model", "key", "tag:task")] == ["model", "key_id", "tag:task"]
    for wrong in ("key_id", "tag:", "cost", ""):
        with pytest.raises(ValueError, match="tag:NAME"):
            dimension(wrong)
    assert drill("tag:task") == {"name": "tag", "before": "task="}
    assert drill("key") == {"name": "key", "before": ""}


@aio
async def test_no_value_is_a_formula_in_a_spreadsheet() -> None:
    """Money is exact to the nano-dollar."""
    rollups = FakeRollups()
    rollups.happen(NOON, 2, feature='=HYPERLINK("x")', sums={"cost_nanos": 1_000_000_002})
    rows = list(csv.DictReader(io.StringIO(as_csv(await spending(rollups, "feature", NOON, NOON + HOUR)))))
    (row,) = rows
    assert row["feature"] == '\'=HYPERLINK("x")'
    assert (row["cost_usd"], row["usd_per_request"]) == ("1.000000002", "0.500000001")
