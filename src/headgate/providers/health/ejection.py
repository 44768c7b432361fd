"""Among the endpoints of one model, find those that do far worse than the others. Pure.

An endpoint may answer a quarter of its calls with errors, or take four times as long, and never open its breaker. Where
there are others, they should be asked first.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median, pstdev

from headgate.providers.health.health import Health

__all__ = ["eject_outliers"]

LEAST_PEERS = 3
"""Endpoints that must be known well enough: of two, nobody can say which is the odd one."""
LEAST_CALLS = 10
LEAST_FAILURE_RATE = 0.2
LEAST_DISTANCE = 0.1
"""Of failure rates: where the others are all alike, their deviation is 0 and any difference would be an outlier."""
DEVIATIONS = 2.0
TIMES_AS_SLOW = 4.0
MOST_IN_A_ROW = 10
FORGIVEN_AFTER = 300.0
"""Seconds without ejection, after which the next one is the first again."""


def eject_outliers(healths: Sequence[Health], now: float) -> list[tuple[Health, str]]:
    """Eject the outliers among the endpoints of one model, never more than half of them. Returns those, and why.

    An ejected endpoint is asked after the others, not refused: if nothing else is left, it serves."""
    may = len(healths) // 2 - sum(1 for health in healths if health.ejected(now))
    present = [health for health in healths if not health.ejected(now) and not health.breaker.open_until]
    found = sorted(_failing(present, now) + _dragging(present), key=lambda one: -one[0])
    ejected: list[tuple[Health, str]] = []
    for _, health, why in found:
        if may <= 0:
            break
        if not health.settings.eject or health.ejected(now):
            continue
        if now - health.ejected_until > FORGIVEN_AFTER:
            health.ejections = 0
        times = min(health.ejections + 1, MOST_IN_A_ROW)
        health.eject(now + health.settings.eject_for * times)
        ejected.append((health, why))
        may -= 1
    return ejected


def _failing(healths: Sequence[Health], now: float) -> list[tuple[float, Health, str]]:
    rates = []
    for health in healths:
        calls, failures, *_ = health.breaker.window.counts(now)
        if calls >= LEAST_CALLS:
            rates.append((failures / calls, health))
    if len(rates) < LEAST_PEERS:
        return []
    found = []
    for rate, health in rates:
        # Compared with the others alone: in a handful, one outlier moves mean and deviation so far that it fits in.
        others = [each for each, other in rates if other is not health]
        usual = fmean(others)
        bound = max(LEAST_FAILURE_RATE, usual + max(DEVIATIONS * pstdev(others), LEAST_DISTANCE))
        if rate >= bound:
            found.append((rate, health, f"{rate:.0%} of its calls fail, of its peers' {usual:.0%}"))
    return found


def _dragging(healths: Sequence[Health]) -> list[tuple[float, Health, str]]:
    speeds = [(seconds, health) for health in healths if (seconds := health.latency.recent())]
    if len(speeds) < LEAST_PEERS:
        return []
    found = []
    for seconds, health in speeds:
        usual = median(each for each, other in speeds if other is not health)
        if seconds > TIMES_AS_SLOW * usual:
            # Below any failure rate that ejects: failing is worse than dragging.
            rank = LEAST_FAILURE_RATE * (1 - usual / seconds)
            found.append((rank, health, f"it takes {seconds:.2f} s to begin, its peers {usual:.2f} s"))
    return found
