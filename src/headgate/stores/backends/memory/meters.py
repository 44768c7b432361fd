"""Limits counted in this process: one number for each count, which costs about a microsecond."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from headgate.stores.meters import Reading, Want, refused

__all__ = ["MemoryMeters"]

_SWEEP = 10_000
"""Counts kept before those that have recovered are looked for: a count for each end user may be many."""
_SLACK = 1e-6
"""Seconds by which sums of moments may be off."""

Key = tuple[str, str]


class MemoryMeters:
    """See `Meters` and `Mirror`. Nothing here is ever waited for."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._due: dict[Key, float] = {}
        """When all that was taken will be back."""
        self._held: dict[Key, int] = {}
        self._sweep_at = _SWEEP

    def __len__(self) -> int:
        return len(self._due) + len(self._held)

    async def take(self, wants: Sequence[Want], holder: int) -> Reading:  # noqa: ARG002 - nobody else is here
        """See `Meters`."""
        return self.take_now(wants)

    def take_now(self, wants: Sequence[Want]) -> Reading:
        """As `take`, for who does not wait."""
        now = self._monotonic()
        due, held = self._due, self._held
        keys: list[Key] = []
        left: list[float] = []
        ok = True
        for gauge, subject, units in wants:
            key = (gauge.name, subject)
            interval = gauge.interval
            if interval:
                behind = due.get(key, 0.0) - now
                room = gauge.most if behind <= 0 else gauge.most - behind / interval
                if units > room and (units - room) * interval > _SLACK:
                    ok = False
            else:
                room = gauge.most - held.get(key, 0)
                if units > room:
                    ok = False
            keys.append(key)
            left.append(room)
        if not ok:
            return refused(wants, left)
        for at, (gauge, _, units) in enumerate(wants):
            key, interval = keys[at], gauge.interval
            left[at] -= units
            if interval:
                moment = due.get(key, now)
                due[key] = (moment if moment > now else now) + units * interval  # noqa: FURB136 - three times as quick
            else:
                held[key] = held.get(key, 0) + units
        if len(due) > self._sweep_at:
            self._sweep(now)
        return Reading(True, left, [])

    def settle(self, changes: Sequence[Want], holder: int) -> None:  # noqa: ARG002 - as above
        """See `Meters`."""
        if not changes:
            return
        now, due = self._monotonic(), self._due
        for gauge, subject, units in changes:
            key, interval = (gauge.name, subject), gauge.interval
            if not interval:
                self._hold(key, units)
                continue
            moment = due.get(key, 0.0)
            if units > 0 and moment < now:
                moment = now
            moment += units * interval
            if moment > now:
                due[key] = moment
            else:
                due.pop(key, None)

    def know(self, wants: Sequence[Want], left: Sequence[float]) -> None:
        """See `Mirror`."""
        now = self._monotonic()
        for (gauge, subject, units), room in zip(wants, left, strict=True):
            key = (gauge.name, subject)
            if gauge.interval:
                self._due[key] = now + (gauge.most - room) * gauge.interval
            else:
                # What this process holds is what it can go by; it cannot know when others give back.
                self._hold(key, units)
        if len(self._due) > self._sweep_at:
            self._sweep(now)

    async def aclose(self) -> None:
        """See `Meters`."""

    def _hold(self, key: Key, units: int) -> None:
        count = self._held.get(key, 0) + units
        if count > 0:
            self._held[key] = count
        else:
            self._held.pop(key, None)

    def _sweep(self, now: float) -> None:
        self._due = {key: moment for key, moment in self._due.items() if moment > now}
        # Twice as many may come before the next look, so that looking stays cheap whatever there is.
        self._sweep_at = max(_SWEEP, 2 * len(self._due))
