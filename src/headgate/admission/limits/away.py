"""Limits that are counted in a shared store, and what holds while that is away: a share of each, or nothing at all."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from math import floor

from msgspec.structs import replace

from headgate.admission.limits.settings import LimitsWithoutRedis
from headgate.core.errors import LimitsUnavailable
from headgate.stores.errors import StoreUnavailable
from headgate.stores.meters import Gauge, Meters, Mirror, Reading, Want

__all__ = ["SharedMeters"]

log = logging.getLogger("headgate.limits")

FIRST_REST, LONGEST_REST = 0.1, 1.0
"""Seconds for which a store that did not answer is not asked again; doubled each time. Whoever asks waits in vain."""


class SharedMeters:
    """See `Meters`. What the store says is kept in mind, so that without it one goes on from there."""

    def __init__(
        self,
        shared: Meters,
        local: Mirror,
        *,
        policy: LimitsWithoutRedis = "local",
        nodes: int = 1,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """policy: local: each of `nodes` lets its share of every limit pass. refuse: every request that has a limit is
        refused."""
        self.policy = policy
        self.nodes = nodes
        self.away = 0
        """Requests that were decided without the store."""
        self._shared = shared
        self._local = local
        self._monotonic = monotonic
        self._until = 0.0
        self._failures = 0
        self._here: set[int] = set()
        """Requests that were counted here alone."""

    async def take(self, wants: Sequence[Want], holder: int) -> Reading:
        """See `Meters`. Raises LimitsUnavailable."""
        if self._monotonic() >= self._until:
            try:
                reading = await self._shared.take(wants, holder)
            except StoreUnavailable as error:
                self._gone(error)
            else:
                if self._failures:
                    self._failures = 0
                    log.info("Redis is back: limits are counted together again")
                if reading.ok:
                    self._local.know(wants, reading.left)
                return reading
        self.away += 1
        if self.policy == "refuse":
            raise LimitsUnavailable(
                "the limits of this request cannot be looked up now; try again in a moment",
                retry_after=LONGEST_REST,
            )
        reading = await self._local.take([self._share(want) for want in wants], holder)
        if reading.ok:
            self._here.add(holder)
        return reading

    def settle(self, changes: Sequence[Want], holder: int) -> None:
        """See `Meters`."""
        self._local.settle(changes, holder)
        if holder in self._here:
            self._here.discard(holder)
        else:
            self._shared.settle(changes, holder)

    async def aclose(self) -> None:
        """See `Meters`."""
        await self._shared.aclose()

    def _share(self, want: Want) -> Want:
        gauge, subject, units = want
        nodes = self.nodes
        if not gauge.interval:
            share: Gauge = replace(gauge, most=float(max(floor(gauge.most / nodes), 1)))
        else:
            # A large request must not wait for Redis because it is larger than a share: it waits for a full bucket.
            share = replace(gauge, most=max(gauge.most / nodes, units), interval=gauge.interval * nodes)
        return share, subject, units

    def _gone(self, error: StoreUnavailable) -> None:
        if not self._failures:
            how = "this node lets its share pass" if self.policy == "local" else "requests are refused"
            log.warning("limits cannot be counted together, %s: %s", how, error)
        self._until = self._monotonic() + min(FIRST_REST * 2.0**self._failures, LONGEST_REST)
        self._failures = min(self._failures + 1, 10)
