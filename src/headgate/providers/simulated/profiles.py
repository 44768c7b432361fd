"""The simulated models: those that are built in, and what the configuration makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal

from headgate.core.section import Duration
from headgate.providers.catalog.settings import PriceSettings
from headgate.providers.simulated.faults import FaultOrder, parse_fault
from headgate.providers.simulated.outages import Outage, parse_outage
from headgate.providers.simulated.settings import CAPABILITIES, LatencySettings, ProfileSettings

__all__ = ["BUILT_IN", "Profile", "profiles_of"]

_TALKS = frozenset(CAPABILITIES) - {"embeddings"}


@dataclass(frozen=True, slots=True)
class Profile:
    """How one model behaves; every setting decided. Meanings stand at `ProfileSettings`."""

    first_token: LatencySettings
    tokens_per_second: float
    answer_tokens: int
    price: PriceSettings
    thinking_tokens: int = 0
    error_rate: float = 0.0
    faults: tuple[FaultOrder, ...] = ()
    quality: float = 1.0
    context_window: int = 128_000
    dimensions: int = 256
    capabilities: frozenset[str] = _TALKS
    outage: tuple[Outage, ...] = ()


def _latency(median: float, p95: float) -> LatencySettings:
    return LatencySettings(median=Duration(median), p95=Duration(p95))


def _price(tokens_in: str, tokens_out: str) -> PriceSettings:
    price = Decimal(tokens_in)
    return PriceSettings(input=price, output=Decimal(tokens_out), cache_read=price / 10, cache_write=price)


def _faults(*texts: str) -> tuple[FaultOrder, ...]:
    return tuple(parse_fault(text) for text in texts)


_SMALL = Profile(
    first_token=_latency(0.18, 0.5),
    tokens_per_second=140,
    answer_tokens=70,
    price=_price("0.15", "0.60"),
    error_rate=0.02,
    faults=_faults("rate_limit:1", "error_500", "overloaded_503", "reset"),
    quality=0.97,
    context_window=16_384,
)
_LARGE = replace(
    _SMALL,
    first_token=_latency(0.6, 1.8),
    tokens_per_second=60,
    answer_tokens=140,
    price=_price("2.50", "10"),
    error_rate=0.002,
    quality=0.98,
    context_window=200_000,
)
BUILT_IN: dict[str, Profile] = {
    "sim-small": _SMALL,
    "sim-large": _LARGE,
    "sim-reasoning": replace(
        _LARGE,
        first_token=_latency(0.9, 2.5),
        tokens_per_second=80,
        thinking_tokens=60,
        price=_price("5", "20"),
        quality=0.995,
    ),
    "sim-embed": replace(
        _SMALL,
        first_token=_latency(0.03, 0.09),
        answer_tokens=1,
        price=_price("0.02", "0"),
        error_rate=0.0,
        faults=(),
        quality=1.0,
        context_window=8192,
        capabilities=frozenset({"embeddings"}),
    ),
    "sim-flaky": replace(
        _SMALL,
        error_rate=0.4,
        faults=_faults(
            "rate_limit:1",
            "error_500",
            "overloaded_503",
            "reset",
            "slow_first_token:5",
            "cut:8",
            "error_in_stream:4",
        ),
        quality=0.6,
    ),
    "sim-down": replace(_SMALL, error_rate=1.0, faults=_faults("refused")),
    "sim-slow": replace(_LARGE, first_token=_latency(6, 15), tokens_per_second=8, error_rate=0.0, faults=()),
}
"""What is there without any configuration."""


def profiles_of(models: Mapping[str, ProfileSettings], everywhere: Sequence[str] = ()) -> dict[str, Profile]:
    """The built-in models with those of the configuration laid over them.

    everywhere:  outages of all models, as written."""
    profiles = BUILT_IN | {name: _profile(name, settings) for name, settings in models.items()}
    if not everywhere:
        return profiles
    always = tuple(parse_outage(text) for text in everywhere)
    return {name: replace(profile, outage=profile.outage + always) for name, profile in profiles.items()}


def _profile(name: str, settings: ProfileSettings) -> Profile:
    like = settings.like or (name if name in BUILT_IN else "sim-small")
    said = {one.name: getattr(settings, one.name) for one in fields(Profile)}
    if settings.faults is not None:
        said["faults"] = _faults(*settings.faults)
    if settings.outage is not None:
        said["outage"] = tuple(parse_outage(text) for text in settings.outage)
    if settings.capabilities is not None:
        said["capabilities"] = frozenset(settings.capabilities)
    return replace(BUILT_IN[like], **{key: value for key, value in said.items() if value is not None})
