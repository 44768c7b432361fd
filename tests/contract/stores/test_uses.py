"""What calls take from budgets is counted once from the journal, whoever died in between and however often it is read."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from headgate.control.ledger import check_ledger
from headgate.core.usage import Usage
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.providers.catalog.settings import PriceSettings, own_rates
from headgate.stores.purses import Holder, Orphan
from headgate.stores.totals import Which
from tests.support.aio import aio
from tests.support.recording import Recording
from tests.support.stores import BACKENDS, Opened, stores

__all__: list[str] = []

OWN = own_rates(PriceSettings(input=Decimal(1), output=Decimal(2)))
POTS = (("canal", "*", 0), ("people", "ann", 86_400))
COST, SET_ASIDE = 12_000, 50_000


def paid(recording: Recording, exchange: Exchange) -> Any:
    """The next attempt, for which money was set aside before it was written down."""
    observer, exchange.observer = exchange.observer, None
    attempt = recording.desk.attempt(exchange, recording.desk.endpoint(own_price=OWN))
    exchange.observer = observer
    attempt.pots, attempt.reserved_nanos = POTS, SET_ASIDE
    recording.stage.attempt_opened(exchange, attempt)
    return attempt


async def finish(recording: Recording) -> None:
    async def proceed(exchange: Exchange) -> Reply:
        attempt = paid(recording, exchange)
        attempt.status, attempt.usage = 200, Usage(input=10, output=1)
        return Reply(wire="openai.chat", body=b"{}")

    await recording.serve(recording.desk.exchange(), proceed)


async def leave_open(recording: Recording) -> tuple[int, int]:
    """A request in the middle of its attempt; (request, attempt)."""
    exchange = recording.desk.exchange()
    exchange.observer = recording.stage
    attempt = paid(recording, exchange)
    recording.journal.flush()
    return exchange.id, attempt.id


async def spent(kept: Opened) -> int:
    """What each pot has spent, which is what the ledger says."""
    uses = await kept.ledger.uses(since=0)
    assert set(uses) == set(POTS) and len(set(uses.values())) == 1
    lines = await kept.ledger.movements(Which())
    assert sum(line.nanos or 0 for line in lines) == uses[POTS[0]]
    if hasattr(kept.ledger, "check"):
        assert (await check_ledger(kept.ledger)).wrong == []
    return uses[POTS[0]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_journal_is_counted_once_however_often_it_is_read(
    backend: str, place: Path | str, tmp_path: Path
) -> None:
    """Two are finished, one is cut off and costs what was set aside; the writer dies again and again while recovering."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            directory = tmp_path / "journal"
            dead = Recording(directory, sink=kept.sink)
            await finish(dead)
            cut = await leave_open(dead)
            await finish(dead)
            await asyncio.to_thread(dead.store_all)
            assert await spent(kept) == 2 * COST
            # The other nodes have not heard of it for half a minute.
            holder = Holder(cut[1], cut[0], dead.clock.wall_ns(), "openai", "gpt-4o-mini")
            assert await kept.ledger.orphaned([Orphan(holder, SET_ASIDE, POTS)]) == 1
            assert await spent(kept) == 2 * COST + SET_ASIDE
            await finish(dead)
            dead.journal.flush()
            dead.journal.close()
            files = {path: path.read_bytes() for path in directory.iterdir()}
            for _ in range(3):
                for path, data in files.items():  # as if deleting had not been reached
                    path.write_bytes(data)
                living = Recording(directory, sink=kept.sink)
                await asyncio.to_thread(living.writer.recover)
                assert await spent(kept) == 3 * COST + SET_ASIDE
                living.close()
            lines = await kept.ledger.movements(Which())
            kinds = sorted((line.kind, line.nanos) for line in lines)
            assert kinds == sorted(
                [*[("call", COST)] * 3, ("call", SET_ASIDE), ("orphan", SET_ASIDE), ("void", -SET_ASIDE)]
            )

    run()
