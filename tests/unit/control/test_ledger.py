"""The ledger for people: every line once, however many there are, and their sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.control import ledger as reading
from headgate.control.ledger import last_movements, movements
from headgate.stores.backends.memory import MemorySpans
from headgate.stores.backends.memory.ledger import MemoryLedger
from headgate.stores.ledger import Entry, Movement
from headgate.stores.totals import FOREVER_NS, Which
from tests.support.aio import aio

__all__: list[str] = []

HOUR = 3_600 * 10**9


async def filled(moments: Sequence[int]) -> MemoryLedger:
    """An orphan of 1 nano-dollar at each moment."""
    ledger = MemoryLedger(MemorySpans())
    await ledger.add(
        [Entry(event=f"e{number}", at_ns=at, kind="orphan", nanos=1) for number, at in enumerate(moments)]
    )
    return ledger


@settings(max_examples=100, deadline=None)
@given(
    moments=st.lists(st.integers(0, 10) | st.integers(0, 100).map(lambda n: n * HOUR // 7), max_size=40),
    since=st.integers(0, 3) | st.integers(0, 50 * HOUR),
    page=st.integers(1, 7),
)
def test_every_line_comes_once_and_in_order(moments: list[int], since: int, page: int) -> None:
    """Whether they stand close together or far apart, and many at one moment."""

    @aio
    async def read() -> None:
        ledger = await filled(moments)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reading, "_PAGE", page)
            for until in (FOREVER_NS, 40 * HOUR):
                found = [one async for one in movements(ledger, Which(since_ns=since, until_ns=until))]
                wanted = sorted(
                    (at, f"e{number}") for number, at in enumerate(moments) if since <= at < until
                )
                assert [(one.at_ns, one.event) for one in found] == wanted

    read()


@aio
async def test_a_question_is_about_as_much_time_as_a_page_holds() -> None:
    """After a full page the next one does not ask for everything that is left."""
    asked: list[tuple[int, int]] = []

    class Watched(MemoryLedger):
        async def movements(self, which: Which, **given: Any) -> Sequence[Movement]:
            asked.append((which.since_ns, which.until_ns))
            return await super().movements(which, **given)

    spans = MemorySpans()
    spans.enter(Entry(event=f"e{n}", at_ns=n * HOUR, kind="orphan", nanos=1) for n in range(1000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_PAGE", 10)
        found = [one async for one in movements(Watched(spans), Which())]
    assert len(found) == 1000
    after_data = next(place for place, (since, _) in enumerate(asked) if since > 999 * HOUR)
    widths = [until - since for since, until in asked[:after_data]]
    assert max(widths) <= 40 * HOUR
    assert len(asked) < 300


@aio
async def test_the_newest_lines_and_the_sums_of_all() -> None:
    """Few are shown, all are added up."""
    ledger = await filled(range(100))
    lines, sums = await last_movements(ledger, Which(), (), 3)
    assert [one.at_ns for one in lines] == [97, 98, 99]
    assert (sums.lines, sums.spent, sums.kinds) == (100, 100, {"orphan": (100, 100)})
