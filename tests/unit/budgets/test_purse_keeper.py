"""Purses learn what was spent before, the ledger what dead nodes held."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from headgate.budgets.away import SharedPurses
from headgate.compose import purses as keeping
from headgate.compose.purses import PurseKeeper, watch_purses
from headgate.core.clock import SystemClock
from headgate.stores.backends.memory.purses import MemoryPurses
from headgate.stores.errors import StoreUnavailable
from headgate.stores.purses import Hold, Holder, Orphan, Pot, PotKey
from headgate.telemetry.metrics import Metrics
from tests.support.aio import aio

__all__: list[str] = []

TODAY = int(time.time()) // 86_400 * 86_400
POT = Pot("team", "canal", TODAY, TODAY + 86_400, 100)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(keeping, "_RETRY_SECONDS", 0.01)


class Ledger:
    """A part of `LedgerStore`, that can be away."""

    def __init__(self) -> None:
        self.gone = False
        self.noted: list[Orphan] = []
        self.asked = 0

    async def uses(self, *, since: int, budget: str = "") -> Mapping[PotKey, int]:
        self.asked += 1
        if self.gone:
            raise StoreUnavailable("no database")
        assert since < TODAY - 31 * 86_400
        return {POT.key: 70}

    async def orphaned(self, orphans: Sequence[Orphan]) -> int:
        self.asked += 1
        if self.gone:
            raise StoreUnavailable("no database")
        self.noted.extend(orphans)
        return len(orphans)


class Store(MemoryPurses):
    """A shared store with orphans to hand out."""

    def __init__(self) -> None:
        super().__init__(loaded=True)
        self.started = False
        self.found: list[Any] = []

    waiting = dropped = 0

    def start(self) -> None:
        self.started = True

    def adopt(self, hold: Hold) -> None:
        raise AssertionError

    async def orphans(self) -> Sequence[Orphan]:
        found = self.found.pop(0) if self.found else ()
        if isinstance(found, Exception):
            raise found
        return found


@aio
async def test_purses_are_loaded_when_the_records_of_earlier_processes_are_stored() -> None:
    """What a killed process spent is in its journal first."""
    ledger, purses, ready = Ledger(), MemoryPurses(), False
    keeper = PurseKeeper(purses, ledger, lambda: ready, SystemClock())  # type: ignore[arg-type]
    keeper.start()
    keeper.start()
    waiting = asyncio.ensure_future(purses.reserve(Hold(Holder(1, 1, 0), 30, [POT])))
    await asyncio.sleep(0.05)
    assert not ledger.asked and not waiting.done()
    ready = True
    assert (await waiting).spent == [70]
    await keeper.stop()
    await keeper.stop()


@aio
async def test_a_ledger_that_cannot_be_read_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    """Requests hear of it meanwhile; the log does once."""
    ledger, purses = Ledger(), MemoryPurses()
    ledger.gone = True
    keeper = PurseKeeper(purses, ledger, lambda: True, SystemClock())  # type: ignore[arg-type]
    keeper.start()
    with pytest.raises(StoreUnavailable, match="no database"):
        await purses.reserve(Hold(Holder(1, 1, 0), 30, [POT]))
    while ledger.asked < 5:
        await asyncio.sleep(0.01)
    ledger.gone = False
    while True:
        try:
            assert (await purses.reserve(Hold(Holder(1, 1, 0), 30, [POT]))).ok
        except StoreUnavailable:
            await asyncio.sleep(0.01)
        else:
            break
    await keeper.stop()
    assert len(caplog.records) == 1


@aio
async def test_orphans_are_written_down_before_it_asks_for_more() -> None:
    """Asking again says that they are dealt with."""
    ledger, store = Ledger(), Store()
    first, second = (Orphan(Holder(number, 1, 0), 30, (POT.key,)) for number in (1, 2))
    store.found = [StoreUnavailable("no Redis"), (first,), (second,)]
    keeper = PurseKeeper(SharedPurses(store), ledger, lambda: True, SystemClock())  # type: ignore[arg-type]
    keeper.start()
    assert store.started
    while len(store.found) > 2:
        await asyncio.sleep(0.005)
    ledger.gone = True
    asked = ledger.asked
    while ledger.asked < asked + 3:
        await asyncio.sleep(0.005)
    assert len(store.found) == 1
    ledger.gone = False
    while len(ledger.noted) < 2:
        await asyncio.sleep(0.005)
    assert ledger.noted == [first, second]
    await keeper.stop()


@aio
async def test_an_orphan_that_makes_no_sense_does_not_end_the_search(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is told in the log, and whoever dies later is found."""
    ledger, store = Ledger(), Store()
    later = Orphan(Holder(2, 1, 0), 30, (POT.key,))
    store.found = [ValueError("no hold"), (later,)]
    keeper = PurseKeeper(SharedPurses(store), ledger, lambda: True, SystemClock())  # type: ignore[arg-type]
    keeper.start()
    while not ledger.noted:
        await asyncio.sleep(0.005)
    assert ledger.noted == [later]
    assert "no hold" in caplog.text
    await keeper.stop()


@aio
async def test_the_metrics_tell_what_was_decided_without_redis() -> None:
    """In memory nothing is."""
    store = Store()
    shared = SharedPurses(store, policy="refuse")
    metrics, none = Metrics(), Metrics()
    watch_purses(metrics, shared)
    watch_purses(none, MemoryPurses())
    shared.away, store.waiting = 3, 2
    text = metrics.text().decode()
    assert "headgate_budget_without_redis_total 3" in text
    assert "headgate_budget_untold 2" in text
    assert "headgate_budget_untold_dropped_total 0" in text
    assert "budget_untold 2" not in none.text().decode()
