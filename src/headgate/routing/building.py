"""Settings -> directory: every name resolved, every rule made ready, so that a request only looks things up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from headgate.providers.port import Endpoint
from headgate.routing.constraints import requirement
from headgate.routing.difficulty.port import Grader, Tier
from headgate.routing.directory import Directory, MakeEndpoint
from headgate.routing.feature import Feature
from headgate.routing.outcomes import Learner
from headgate.routing.policies import Volume, policy
from headgate.routing.pool import Pool, no_price
from headgate.routing.settings import (
    ModelSettings,
    PolicySettings,
    RequireEverywhereSettings,
    RequireSettings,
    RouteSettings,
    Sensitivity,
)
from headgate.routing.spill import Spill
from headgate.routing.strategies import PriceOf

__all__ = [
    "GraderOf",
    "RoutedFeature",
    "build_directory",
    "models_asked",
    "models_by_tier",
    "no_learner",
    "pool_of",
]

GraderOf = Callable[[str, RouteSettings], tuple[Grader | None, Learner | None]]
"""(feature, its route) -> who judges difficulty there, and who learns; None: the signals, nobody."""


class RoutedFeature(Protocol):
    """What routing reads of a feature's settings."""

    @property
    def route(self) -> str | RouteSettings: ...
    @property
    def fallback(self) -> list[str]: ...
    @property
    def require(self) -> RequireSettings: ...
    @property
    def data(self) -> Sensitivity: ...


def no_learner(feature: str, route: RouteSettings) -> tuple[None, None]:  # noqa: ARG001 - a GraderOf
    """The signals judge, and nobody learns."""
    return None, None


def build_directory(
    *,
    models: Mapping[str, Pool],
    features: Mapping[str, RoutedFeature],
    providers: Mapping[str, str],
    make: MakeEndpoint,
    volume: Volume,
    reserves: Mapping[str, Sequence[str]] = MappingProxyType({}),
    policies: Sequence[PolicySettings] = (),
    require: RequireEverywhereSettings = RequireEverywhereSettings(),  # noqa: B008 - frozen
    catch_all: str = "",
    grader_of: GraderOf = no_learner,
) -> Directory:
    """The directory that settings describe. reserves: feature -> models of its degrade ladder.

    Raises UnknownModel for a name that stands for nothing."""
    return Directory(
        features={
            name: _feature(name, each, reserves.get(name, ()), grader_of) for name, each in features.items()
        },
        models=models,
        providers=providers,
        make=make,
        catch_all=catch_all,
        policies=[policy(each, volume) for each in policies],
        rule=requirement("[require]", require),
        sensitive_rule=requirement("[require] for sensitive data", require.sensitive),
    )


def pool_of(
    name: str, settings: ModelSettings, endpoints: Sequence[Endpoint], price_of: PriceOf = no_price
) -> Pool:
    """A model with its endpoints, as its settings want them asked."""
    spill = settings.spill
    return Pool(
        name,
        endpoints,
        strategy_name=settings.strategy,
        sticky_sessions=settings.sticky,
        spill=Spill(in_flight=spill.in_flight, first_token=spill.first_token or 0.0) if spill else None,
        price_of=price_of,
    )


def models_by_tier(route: RouteSettings) -> dict[Tier, str]:
    """The model of each tier: a tier without one takes the next stronger, the strongest the next weaker. Empty without any."""
    simple = route.simple or route.medium or route.complex
    complex_ = route.complex or route.medium or route.simple
    medium = route.medium or complex_
    return {"simple": simple, "medium": medium, "complex": complex_} if simple else {}


def models_asked(feature: RoutedFeature) -> list[str]:
    """Every model a feature's route names, in order, each once."""
    route = feature.route
    tiers = [route] if isinstance(route, str) else [route.simple, route.medium, route.complex]
    return list(dict.fromkeys(name for name in (*tiers, *feature.fallback) if name))


def _feature(name: str, settings: RoutedFeature, reserves: Sequence[str], grader_of: GraderOf) -> Feature:
    route = settings.route
    tiers: Mapping[Tier, str] = {}
    grader: Grader | None = None
    learner: Learner | None = None
    first, confidence = route, 0.0
    if isinstance(route, RouteSettings):
        tiers = models_by_tier(route)
        first, confidence = tiers["medium"], route.confidence
        grader, learner = grader_of(name, route)
    assert isinstance(first, str)
    return Feature(
        models=(first, *settings.fallback),
        tiers=tiers,
        grader=grader,
        learner=learner,
        confidence=confidence,
        reserves=tuple(reserves),
        rule=requirement(f"feature `{name}`", settings.require),
        sensitive=settings.data == "sensitive",
    )
