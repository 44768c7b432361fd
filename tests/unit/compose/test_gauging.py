"""What a gateway sees of itself, once a minute."""

from __future__ import annotations

from headgate.compose.gauging import Gauging
from headgate.stores.errors import StoreUnavailable
from headgate.stores.rollups import Gauge
from headgate.testing.clock import FakeClock
from tests.support.aio import aio

__all__: list[str] = []


class Kept:
    def __init__(self) -> None:
        self.rows: list[tuple[int, str, int, float]] = []
        self.away = False

    async def add_gauges(self, gauges: list[Gauge]) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.rows += [(each.at, each.name, each.node, each.value) for each in gauges]


class Watched:
    def __init__(self) -> None:
        self.clock, self.store, self.value = FakeClock(wall_ns=600 * 10**9), Kept(), 0.0
        self.gauging = Gauging(self.store, {"in_flight": lambda: self.value}, self.clock, lambda: 7)

    def see(self, *values: float) -> None:
        for self.value in values:
            self.gauging.look()


@aio
async def test_the_highest_of_a_minute_is_kept_when_the_minute_is_over() -> None:
    """Not while it may still rise."""
    watched = Watched()
    watched.see(1, 5, 3)
    await watched.gauging.keep()
    assert not watched.store.rows
    watched.clock.advance(60)
    watched.see(2)
    await watched.gauging.keep()
    assert watched.store.rows == [(600, "in_flight", 7, 5.0)]


@aio
async def test_minutes_wait_for_a_database_that_is_away_but_not_without_end() -> None:
    """An hour of them is kept for later."""
    watched = Watched()
    watched.store.away = True
    for minute in range(100):
        watched.see(minute)
        await watched.gauging.keep()
        watched.clock.advance(60)
    watched.store.away = False
    watched.see(0)
    await watched.gauging.keep()
    kept = [row[3] for row in watched.store.rows]
    assert kept == [float(value) for value in range(100 - len(kept), 100)]
    assert 60 <= len(kept) <= 61


@aio
async def test_the_last_minute_is_kept_at_the_end() -> None:
    """Also a gateway that ran for seconds has left something."""
    watched = Watched()
    watched.gauging.start()
    watched.value = 4
    await watched.gauging.aclose()
    assert watched.store.rows == [(600, "in_flight", 7, 4.0)]
