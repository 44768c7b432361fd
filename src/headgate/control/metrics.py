"""What is counted elsewhere in a running gateway, for the metrics: read when somebody looks, never before."""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from headgate import __version__
from headgate.providers.port import Endpoint
from headgate.stores.rollups import GaugeName
from headgate.telemetry.metrics import MOST_UNKNOWN, Metrics, Series
from headgate.telemetry.names import (
    BUILD,
    ENDPOINT_OPEN,
    IN_FLIGHT,
    JOURNAL_BYTES,
    RECORDS_DROPPED,
    RECORDS_REFUSED,
    SHADOWS,
    SHADOWS_DROPPED,
    Metric,
)

__all__ = ["Endpoints", "Running", "breakers", "gauges_of", "learn_names", "watch"]


class Endpoints(Protocol):
    """As a directory has them."""

    def endpoints(self) -> Sequence[Endpoint]:
        """Those of the configuration."""
        ...

    def models(self) -> Mapping[str, Sequence[Endpoint]]:
        """Those and the ones that callers asked for by a provider's own names."""
        ...


class Running(Protocol):
    """What is asked of a gateway."""

    @property
    def configuration(self) -> Any: ...

    @property
    def journal(self) -> Any: ...

    @property
    def writer(self) -> Any: ...

    @property
    def shadows(self) -> Any: ...

    @property
    def gate(self) -> Any: ...

    @property
    def metering(self) -> Any: ...

    @property
    def caching(self) -> Any: ...


def watch(metrics: Metrics, gateway: Running, endpoints: Callable[[], Endpoints]) -> None:
    """Have `metrics` read these from the gateway. endpoints: those that serve now."""

    def alone(metric: Metric, number: Callable[[], float]) -> None:
        metrics.read(metric, lambda: [((), number())])

    alone(SHADOWS, lambda: gateway.shadows.sent)
    alone(SHADOWS_DROPPED, lambda: gateway.shadows.dropped)
    alone(RECORDS_DROPPED, lambda: gateway.journal.drops)
    alone(RECORDS_REFUSED, lambda: gateway.writer.counters.wordless + gateway.writer.counters.set_aside)
    alone(IN_FLIGHT, lambda: gateway.gate.in_flight)
    alone(JOURNAL_BYTES, lambda: gateway.writer.lag_bytes)
    metrics.read(ENDPOINT_OPEN, lambda: breakers(endpoints()))
    python = platform.python_version()
    metrics.read(BUILD, lambda: [((__version__, python, gateway.configuration.hash), 1)])


def gauges_of(gateway: Running) -> Mapping[GaugeName, Callable[[], float]]:
    """What is kept of it once a minute."""
    return {
        "in_flight": lambda: gateway.gate.in_flight,
        "limit_waiting": lambda: gateway.metering.limit.line.waiting,
        "budget_waiting": lambda: gateway.metering.till.line.waiting,
        "journal_bytes": lambda: gateway.writer.lag_bytes,
        "records_dropped": lambda: gateway.journal.drops,
        "shadows_dropped": lambda: gateway.shadows.dropped,
        "cache_wrong_share": lambda: gateway.caching.watching.most_wrong,
    }


def learn_names(
    metrics: Metrics,
    features: Collection[str],
    endpoints: Iterable[Endpoint],
    rungs: Mapping[str, list[str]],
    models: Collection[str] = (),
) -> None:
    """Tell `metrics` what the configuration names. rungs: of each feature's degrade ladder, as answers are marked. models: as
    routes name them."""
    metrics.know(features, {each.model for each in endpoints}, rungs, models)


def breakers(directory: Endpoints) -> Series:
    """Every endpoint of the configuration; of those that callers named themselves, the open ones, up to a bound."""
    found = {each.health.name: each.health.breaker.open_until > 0 for each in directory.endpoints()}
    most = len(found) + MOST_UNKNOWN
    for places in directory.models().values():
        for each in places:
            if each.health.breaker.open_until and len(found) < most:
                found[each.health.name] = True
    return [((name,), int(is_open)) for name, is_open in found.items()]
