"""Settings of the simulated provider: what `[providers.NAME]` with `kind = "simulated"` may say."""

from __future__ import annotations

from typing import Annotated

import msgspec

from headgate.core.section import Duration, Section
from headgate.providers.catalog.settings import PriceSettings
from headgate.providers.settings import ProviderSettings
from headgate.providers.simulated.faults import parse_fault
from headgate.providers.simulated.outages import parse_outage

__all__ = ["BUILT_IN_MODELS", "CAPABILITIES", "LatencySettings", "ProfileSettings", "SimulatedSettings"]

BUILT_IN_MODELS = (
    "sim-small",
    "sim-large",
    "sim-reasoning",
    "sim-embed",
    "sim-flaky",
    "sim-down",
    "sim-slow",
)
"""What is there without any configuration; `profiles` says how they behave."""
CAPABILITIES = ("chat", "tools", "images", "json", "thinking", "prefill", "embeddings")
"""What a model may be able to do. prefill: go on with an answer that the caller has begun."""

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Tokens = Annotated[int, msgspec.Meta(ge=0)]


class LatencySettings(Section, frozen=True):
    """How long something takes: a log-normal spread through two points."""

    median: Duration = Duration(0.2)
    """Half are faster."""
    p95: Duration = Duration(0.5)
    """One in twenty is slower. At or below the median: always the median."""


class ProfileSettings(Section, frozen=True):
    """How one simulated model behaves. What is left out is taken from the built-in model named by `like`."""

    like: str = ""
    """The built-in model to start from; left out: the built-in model of the same name, else `sim-small`."""
    first_token: LatencySettings | None = None
    """From the request to the first token."""
    tokens_per_second: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """How fast the answer comes after the first token."""
    answer_tokens: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None
    """The usual length of an answer; lengths lie between half and one and a half of it."""
    thinking_tokens: Tokens | None = None
    """Tokens of reasoning when the caller does not say how many; 0: the model does not reason unless asked."""
    price: PriceSettings | None = None
    """What it would cost, in USD per million tokens."""
    error_rate: Share | None = None
    """Share of requests that meet one of `faults`."""
    faults: list[str] | None = None
    """What goes wrong then, each as likely as the next: `name`, or `name:argument` (docs/reference/simulated-provider.md)."""
    quality: Share | None = None
    """Share of answers that are right; of the others half are wrong and half garbled."""
    context_window: Tokens | None = None
    """Prompt and answer together may have so many tokens; more is refused as too long."""
    dimensions: Annotated[int, msgspec.Meta(ge=8, le=4096)] | None = None
    """Length of embedding vectors, unless the caller asks for another."""
    capabilities: list[str] | None = None
    """Any of chat, tools, images, json, thinking, prefill, embeddings; what is missing is refused with 400."""
    outage: list[str] | None = None
    """Times at which all requests fail, counted from the start: `"30s..60s"`, `"5m.."`, `"30s..60s rate_limit:5"`.
    Without a fault's name they fail with `overloaded_503`."""

    def __post_init__(self) -> None:
        if self.like and self.like not in BUILT_IN_MODELS:
            raise ValueError(f"`like` names no built-in model; there are {', '.join(BUILT_IN_MODELS)}")
        if unknown := sorted(set(self.capabilities or ()) - set(CAPABILITIES)):
            raise ValueError(f"no capability is called `{unknown[0]}`; there are {', '.join(CAPABILITIES)}")
        for fault in self.faults or ():
            parse_fault(fault)
        for window in self.outage or ():
            parse_outage(window)


class SimulatedSettings(ProviderSettings, frozen=True):
    """A provider that needs no network and no key."""

    self_hosted: bool = True
    """The data stays in the process; say false to rehearse rules about where data may go."""
    seed: int = 0
    """Another seed gives other answers, latencies and faults; the same seed gives the same ones again."""
    speed: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    """How many times faster than real time; 0: nothing waits, and whatever would hang forever times out at once."""
    vary: bool = False
    """Let the same request, sent again, meet other luck: latency, faults, quality. The words of a good answer stay."""
    models: dict[str, ProfileSettings] = msgspec.field(default_factory=dict)
    """Models by name, added to the built-in ones or changing them."""
    outage: list[str] = msgspec.field(default_factory=list)
    """As in a model, for all models."""
    cache_after: Tokens = 1024
    """Prompts share cached beginnings from this many tokens on, as real providers do; 0 switches caching off."""

    def __post_init__(self) -> None:
        for window in self.outage:
            parse_outage(window)
