"""Features as an operator looks at them: what each promises and keeps, where its requests go, how the places it asks are now."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headgate.alerts.rules.tally import Tally
from headgate.providers.port import Endpoint
from headgate.stores.rollups import RollupStore, Scope

__all__ = ["EndpointView", "FeatureView", "Lately", "ModelView", "feature_views", "lately"]


@dataclass(frozen=True, slots=True)
class EndpointView:
    """A place where a model is reached, as this gateway knows it now."""

    name: str
    region: str
    state: str
    """well, resting (asked again soon), failing (asked after the others) or left alone."""
    why: str
    """In words; "" for one that is well."""
    in_flight: int
    first_token: float | None
    """Seconds that half of its recent calls stayed below; None: too few to say."""


@dataclass(frozen=True, slots=True)
class ModelView:
    """A model that a feature asks."""

    name: str
    role: str
    """route, the difficulty that it is for, fallback, or degrade."""
    strategy: str
    """How one of its endpoints is chosen."""
    endpoints: Sequence[EndpointView]

    @property
    def well(self) -> int:
        """How many of its endpoints are well."""
        return sum(each.state == "well" for each in self.endpoints)


@dataclass(frozen=True, slots=True)
class Lately:
    """What happened to it in the time that is looked at."""

    requests: int = 0
    failed: int = 0
    error_rate: float | None = None
    total_p95_us: float | None = None
    first_p95_us: float | None = None
    cost_nanos: int = 0
    degraded: int = 0


@dataclass(frozen=True, slots=True)
class FeatureView:
    """One feature."""

    name: str
    models: Sequence[ModelView]
    ladder: Sequence[str]
    limits: Sequence[str]
    """Names of the limits that may hold its requests."""
    budgets: Sequence[str]
    """Names of the budgets that pay for them."""
    lately: Lately = field(default_factory=Lately)
    promises: int = 0
    """How many things it promises; 0: it has no contract."""

    @property
    def endpoints(self) -> int:
        """Places that it may ask."""
        return sum(len(each.endpoints) for each in self.models)

    @property
    def well(self) -> int:
        """Those of them that are well."""
        return sum(each.well for each in self.models)


def feature_views(
    settings: Any,
    known: Mapping[str, Sequence[Endpoint]],
    happened: Mapping[str, Lately],
    budgets: Iterable[Any],
    *,
    now: float | None = None,
) -> Sequence[FeatureView]:
    """In the order of the configuration. known: model -> its endpoints. now: `time.monotonic()`."""
    moment = time.monotonic() if now is None else now
    rules = list(budgets)
    return [
        FeatureView(
            name,
            list(_models(feature, settings, known, moment)),
            list(feature.degrade),
            [each.name for each in settings.limits if _concerns(each, name)],
            [rule.name for rule in rules if _concerns(rule.settings, name)],
            happened.get(name, Lately()),
            _promised(feature),
        )
        for name, feature in settings.features.items()
    ]


async def lately(rollups: RollupStore, since: int, until: int, feature: str = "") -> Mapping[str, Lately]:
    """By feature, what happened then. Raises StoreUnavailable."""
    scope = Scope(since, until, {"feature": feature} if feature else {})
    tallies: dict[str, Tally] = {}
    rows = await rollups.rolled(scope, by=("feature", "outcome"), sketches=("total_us", "first_content_us"))
    for row in rows:
        name, outcome = row.group
        tallies.setdefault(name, Tally()).add(Tally.of_requests(outcome, row))
    return {name: _lately(tally) for name, tally in tallies.items()}


def _lately(tally: Tally) -> Lately:
    failed = tally.count("failed", "cut_off")
    judged = failed + tally.count("ok")
    return Lately(
        tally.count(),
        failed,
        failed / judged if judged else None,
        tally.quantile("total_us", 0.95)[0],
        tally.quantile("first_content_us", 0.95)[0],
        tally.sums["cost_nanos"],
        tally.sums["degraded"],
    )


def _models(
    feature: Any, settings: Any, known: Mapping[str, Sequence[Endpoint]], now: float
) -> Iterable[ModelView]:
    for name, role in _asked(feature):
        model = settings.models.get(name)
        endpoints = known.get(name, ())
        strategy = model.strategy if model is not None and len(endpoints) > 1 else ""
        yield ModelView(name, role, strategy, [_endpoint(each, now) for each in endpoints])


def _asked(feature: Any) -> Iterable[tuple[str, str]]:
    if isinstance(feature.route, str):
        yield feature.route, "route"
    else:
        tiers = {tier: getattr(feature.route, tier, None) for tier in ("simple", "medium", "complex")}
        for model in dict.fromkeys(filter(None, tiers.values())):
            yield model, ", ".join(tier for tier, each in tiers.items() if each == model)
    for model in feature.fallback:
        yield model, "fallback"
    for rung in feature.degrade:
        kind, _, rest = rung.partition(":")
        if kind in ("model", "own"):
            yield rest, "degrade"


def _endpoint(endpoint: Endpoint, now: float) -> EndpointView:
    health = endpoint.health
    why = health.why(now)
    state = "well"
    if health.breaker.open_until:
        state, why = "left alone", why or f"after {health.breaker.why}"
    elif why:
        state = "resting"
    elif health.ejected(now):
        state, why = "failing", "it fails or drags far more than the others: they are asked first"
    half = health.quantile(0.5)
    shown = f"{endpoint.name} {endpoint.credential}".strip()
    return EndpointView(shown, endpoint.region, state, why, health.in_flight, half or None)


def _concerns(settings: Any, feature: str) -> bool:
    only = settings.only.feature
    return not only or feature in only


def _promised(feature: Any) -> int:
    contract = feature.contract
    if contract is None:
        return 0
    named = [
        each for each in contract.__struct_fields__ if each.endswith(("_p50", "_p95", "_p99", "availability"))
    ]
    return sum(getattr(contract, each) is not None for each in named) + len(contract.quality)
