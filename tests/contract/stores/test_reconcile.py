"""Reconciling on every engine: however often and in whatever order things are told, the ledger says what the provider says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from headgate.control.costs.provider_reports.lines import ProviderReport, ReportLine
from headgate.control.costs.reconcile import apply, reconcile
from headgate.control.costs.report import report as cost_report
from headgate.stores.purses import Holder, Orphan
from headgate.stores.sink import Batch, Position, Use
from headgate.stores.spans import AttemptRow, RequestRow
from headgate.stores.totals import Which
from tests.support.aio import aio
from tests.support.stores import BACKENDS, Opened, stores

__all__: list[str] = []

each = pytest.mark.parametrize("backend", BACKENDS)
NOON = 20_000 * 86_400 * 10**9 + 43_200 * 10**9
POT = ("canal", "*", 0)
FIRST = (NOON // 10**6 - 1_704_067_200_000) << 22
"""The first id of that moment, as ids are made."""


def batch(number: int, nanos: int, *, recovered: bool = False) -> Batch:
    """One call of that cost, for which 100 had been set aside."""
    request = RequestRow(
        FIRST + number, NOON, "t", feature="chat", attempts=1, cost_nanos=nanos, cost_label="exact"
    )
    attempt = AttemptRow(
        FIRST + number + 1000,
        FIRST + number,
        0,
        "openai",
        "gpt-4o",
        cost_nanos=nanos,
        cost_label="exact",
        reserved_nanos=100,
    )
    return Batch(
        journal="j",
        position=Position(1, number),
        requests=[request],
        attempts=[attempt],
        uses=[Use(attempt.id, *POT, nanos)],
        recovered=recovered,
    )


def orphan(number: int) -> Orphan:
    return Orphan(
        Holder(FIRST + number + 1000, FIRST + number, NOON, "openai", "gpt-4o", "chat"), 100, (POT,)
    )


async def enter(kept: Opened, nanos: int) -> tuple[int, int]:
    said = ProviderReport("openai", ("costs",), (ReportLine("2024-10-04", "gpt-4o-2024-08-06", nanos=nanos),))
    found = await reconcile(kept.spans, kept.ledger, said, ["openai"], lambda model, when_ns: None)
    return await apply(kept.ledger, found, everything=False, actor="cli:ann")


async def spent(kept: Opened) -> int:
    """By the report of costs, which must say the same as the sum of all movements."""
    found = await cost_report(kept.spans, ["day", "model"], Which(), kept.ledger)
    movements = await kept.ledger.movements(Which(), limit=1000)
    assert sum(one.nanos or 0 for one in movements) == found.spent_nanos
    return found.spent_nanos


@each
def test_the_ledger_says_what_the_provider_says(backend: str, place: Path | str) -> None:
    """A journal twice, an orphan before and after its own record, a report twice, and a later report."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            write = kept.sink.write
            await asyncio.to_thread(write, batch(1, 70))
            await kept.ledger.orphaned([orphan(1), orphan(2), orphan(3)])
            await asyncio.to_thread(write, batch(1, 70, recovered=True))
            await asyncio.to_thread(write, batch(2, 60, recovered=True))
            await asyncio.to_thread(write, batch(2, 60, recovered=True))
            await kept.ledger.orphaned([orphan(2)])
            assert await spent(kept) == 230
            assert await enter(kept, 200) == (1, 1)
            assert await enter(kept, 200) == (0, 0)
            assert await spent(kept) == 200
            # The last record turns up: what was spent is what the provider said, once it is asked again.
            await asyncio.to_thread(write, batch(3, 5))
            assert await spent(kept) == 105
            assert await enter(kept, 200) == (1, 1)
            assert await enter(kept, 190) == (1, 1)
            assert await spent(kept) == 190
            assert dict(await kept.ledger.uses(since=0)) == {POT: 135}
            assert [one.action for one in await kept.audit.since(0, 10)] == ["ledger.reconcile"] * 3

    run()


@each
def test_a_report_of_costs_shows_what_the_ledger_adds(backend: str, place: Path | str) -> None:
    """By what entries say of themselves; under no name where they do not say."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            await asyncio.to_thread(kept.sink.write, batch(1, 70))
            await kept.ledger.orphaned([orphan(2)])
            await enter(kept, 175)
            for by, wanted in (
                (["provider"], {("orphan", "openai"): 100, ("reconcile", "openai"): 5}),
                (["month"], {("orphan", "2024-10"): 100, ("reconcile", "2024-10"): 5}),
                (["feature"], {("orphan", "chat"): 100, ("reconcile", ""): 5}),
                (["region", "day"], {("orphan", "", "2024-10-04"): 100, ("reconcile", "", "2024-10-04"): 5}),
                (["tag:x"], {("orphan", ""): 100, ("reconcile", ""): 5}),
            ):
                found = await cost_report(kept.spans, by, Which(), kept.ledger)
                assert {line.group: line.cost_nanos for line in found.differences} == wanted
                assert (found.total_differences.cost_nanos, found.spent_nanos) == (105, 175)
                assert found.total_differences.estimated_nanos == 100
            only = await cost_report(kept.spans, ["feature"], Which(only={"feature": "chat"}), kept.ledger)
            assert only.spent_nanos == 170
            without = await cost_report(kept.spans, ["feature"], Which())
            assert without.spent_nanos == 70

    run()
