"""What every store of rehearsals promises; run on each backend."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from headgate.stores.rehearsals import RehearsalRecord, RehearsalStore
from tests.support.aio import aio
from tests.support.stores import BACKENDS, SHARED, stores

__all__: list[str] = []

ORDER = RehearsalRecord(
    endpoint="small",
    targets=("openai/gpt-4o-mini", "house/llama"),
    fault="cut:5",
    share=0.25,
    feature="support-chat",
    started_ns=100,
    until_ns=200,
)
PLAIN = RehearsalRecord(endpoint="*", targets=("*",), fault="silence", started_ns=120, until_ns=150)


@asynccontextmanager
async def store(backend: str, place: Path | str) -> AsyncIterator[RehearsalStore]:
    async with stores(backend, place) as opened:
        yield opened.rehearsals


both = pytest.mark.parametrize("backend", BACKENDS)


@both
def test_orders_come_back_whole_and_numbered(backend: str, place: Path | str) -> None:
    """Every field, in the order they were given, each with an id that no other has."""

    @aio
    async def run() -> None:
        async with store(backend, place) as rehearsals:
            assert list(await rehearsals.all()) == []
            first, second = await rehearsals.add(ORDER), await rehearsals.add(PLAIN)
            assert (first.id, second.id) == (1, 2)
            assert msgspec.structs.replace(first, id=0) == ORDER
            assert list(await rehearsals.all()) == [first, second]

    run()


@both
def test_an_order_is_active_until_its_time_is_over(backend: str, place: Path | str) -> None:
    """By the clock alone: nobody has to end it, and it stays on the list."""

    @aio
    async def run() -> None:
        async with store(backend, place) as rehearsals:
            first, second = await rehearsals.add(ORDER), await rehearsals.add(PLAIN)
            assert list(await rehearsals.active(149)) == [first, second]
            assert list(await rehearsals.active(150)) == [first]
            assert list(await rehearsals.active(200)) == []
            assert len(await rehearsals.all()) == 2

    run()


@both
def test_an_order_is_stopped_once_and_only_while_it_runs(backend: str, place: Path | str) -> None:
    """A second stop, one of an order that is over, and one of an order that never was change nothing."""

    @aio
    async def run() -> None:
        async with store(backend, place) as rehearsals:
            first, second = await rehearsals.add(ORDER), await rehearsals.add(PLAIN)
            assert await rehearsals.stop(first.id, 130)
            assert not await rehearsals.stop(first.id, 140)
            assert not await rehearsals.stop(second.id, 150)
            assert not await rehearsals.stop(99, 130)
            assert list(await rehearsals.active(131)) == [second]
            stopped, untouched = await rehearsals.all()
            assert (stopped.stopped_ns, untouched.stopped_ns) == (130, None)

    run()


@pytest.mark.parametrize("backend", SHARED)
def test_another_process_sees_the_order(backend: str, place: Path | str) -> None:
    """The command line writes, the gateway reads."""

    @aio
    async def run() -> None:
        async with store(backend, place) as one, store(backend, place) as other:
            kept = await one.add(ORDER)
            assert list(await other.active(150)) == [kept]
            assert await other.stop(kept.id, 150)
            assert list(await one.active(150)) == []

    run()
