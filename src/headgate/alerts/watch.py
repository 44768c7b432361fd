"""Looks each minute whether spending is far above its usual, from the records."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from headgate.alerts.settings import SpendRateSettings
from headgate.alerts.spend import HOUR_NS, HOURS, KIND, by_subject, in_question, judge, usual
from headgate.core.clock import Clock
from headgate.stores.alerts import Alert, AlertStore
from headgate.stores.totals import TotalsStore, Which

__all__ = ["SpendWatch"]

_LATE_NS = 600_000_000_000
"""An hour is added up ten minutes after its end: requests are recorded when they are over."""
_HOURS_A_LOOK = 24
"""So many are added up at once: a gateway that has just started has other things to do."""


class SpendWatch:
    """Knows what the last seven days cost, hour by hour. Belongs to one event loop."""

    def __init__(
        self, totals: TotalsStore, alerts: AlertStore, tell: Callable[[Alert], None], clock: Clock
    ) -> None:
        self._totals = totals
        self._alerts = alerts
        self._tell = tell
        self._clock = clock
        self._hours: dict[int, Mapping[str, int]] = {}
        """Number of the hour since 1970 -> spent, by subject."""

    async def look(self, settings: SpendRateSettings) -> bool:
        """Tell of what is another than it was. False: the week is not known yet. Raises StoreUnavailable."""
        now = self._clock.wall_ns()
        newest = (now - _LATE_NS) // HOUR_NS - 1
        wanted = range(newest - HOURS + 1, newest + 1)
        self._hours = {hour: spent for hour, spent in self._hours.items() if hour in wanted}
        missing = [hour for hour in reversed(wanted) if hour not in self._hours]
        for hour in missing[:_HOURS_A_LOOK]:
            self._hours[hour] = await self._spent(hour * HOUR_NS, (hour + 1) * HOUR_NS)
        if len(missing) > _HOURS_A_LOOK:
            return False
        hours = [self._hours[hour] for hour in wanted]
        # The hour behind us lies in two hours of the clock; yesterday's are known.
        at = [HOURS - 1 - (newest - hour) for hour in ((now - HOUR_NS) // HOUR_NS - 24, now // HOUR_NS - 24)]
        last = await self._spent(now - HOUR_NS, now)
        standing = await self._alerts.latest(KIND)
        usuals = {
            subject: normal
            for subject in sorted(in_question(last, standing, settings))
            if (normal := usual(subject, hours, at)) is not None
        }
        for alert in judge(now, last, usuals, standing, settings):
            self._tell(alert)
        return True

    async def _spent(self, since_ns: int, until_ns: int) -> Mapping[str, int]:
        found = await self._totals.totals(("feature",), Which(since_ns, until_ns))
        return by_subject({each.group[0]: each.cost_nanos for each in found})
