"""What limits count, for the metrics: read when somebody looks, never before."""

from __future__ import annotations

from collections.abc import Callable

from headgate.admission.limits.stage import Limit
from headgate.telemetry.metrics import Metrics, Series
from headgate.telemetry.names import LIMIT_REFUSED, LIMIT_WAITED, LIMIT_WAITING, LIMIT_WITHOUT_REDIS

__all__ = ["watch_limits"]


def watch_limits(metrics: Metrics, limit: Limit, without_redis: Callable[[], int]) -> None:
    """Have `metrics` read these from the stage. without_redis: requests that were decided without it."""
    line = limit.line
    metrics.read(LIMIT_REFUSED, lambda: _refused(limit))
    metrics.read(LIMIT_WAITING, lambda: [((), line.waiting)])
    metrics.read(LIMIT_WAITED, lambda: [(("passed",), line.let_in), (("in_vain",), line.in_vain)])
    metrics.read(LIMIT_WITHOUT_REDIS, lambda: [((), without_redis())])


def _refused(limit: Limit) -> Series:
    """Each limit of the configuration, from 0 on, so that the first refusal is seen as a rise; and those that were."""
    names = dict.fromkeys(gauge.limit for rule in limit.plan.rules for gauge in rule.gauges)
    return [((name,), limit.refused[name]) for name in (names | dict.fromkeys(limit.refused))]
