"""Models and where they are reached, which one a request goes to, and where it must not go."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from headgate.core.section import Duration, Section
from headgate.providers.catalog.settings import PriceSettings
from headgate.providers.health.settings import HealthSettings

__all__ = [
    "DAYS",
    "EndpointSettings",
    "ModelSettings",
    "PolicySettings",
    "RequireEverywhereSettings",
    "RequireSettings",
    "RouteSettings",
    "RoutingSettings",
    "Sensitivity",
    "SpillSettings",
    "WhenSettings",
]

Ability = Literal["tools", "images", "files", "json", "thinking", "prefill", "embeddings"]
Sensitivity = Literal["normal", "sensitive"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NotNegative = Annotated[int, msgspec.Meta(ge=0)]


class EndpointSettings(Section, frozen=True):
    """One place a model can be reached."""

    provider: str
    """Name of a `[providers.NAME]` section."""
    model: str
    """The provider's own name of the model (on Azure, of the deployment)."""
    region: str = ""
    """Where it runs, such as `eu` or `eu-west-1`; what `require.region` and `strategy = "nearest"` go by."""
    price: PriceSettings | None = None
    """Own prices, in USD per million tokens, instead of the price list's."""
    weight: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    """Its share of the traffic beside the other endpoints, with `strategy = "weighted"` and for sticky sessions."""
    priority: int = 0
    """Its tier: endpoints of a higher number are asked only when those of lower ones cannot answer."""
    concurrency: _NotNegative = 0
    """Calls it may have at the same time; 0: as many as come."""
    requests_per_minute: _NotNegative = 0
    """Calls it may get in a minute; 0: only what the vendor's rate-limit headers say counts."""
    tokens_per_minute: _NotNegative = 0
    """Tokens it may get in a minute; 0: only what the vendor's rate-limit headers say counts."""
    context: _NotNegative = 0
    """Tokens that prompt and answer may have together; longer requests go elsewhere. 0: not known, anything is sent."""
    abilities: list[Ability] | None = None
    """What it can do beyond plain chat; requests that need more go elsewhere. Left out: everything."""


class SpillSettings(Section, frozen=True):
    """When own machines (`self_hosted`) are full: the endpoints that are not yours take what comes beyond."""

    in_flight: Annotated[int, msgspec.Meta(ge=1)] = 8
    """Calls at one of your endpoints at the same time, from which on it is full; at three quarters it is asked again."""
    first_token: Duration | None = None
    """Time to the first content from which on it is full; below four fifths of it, it is asked again."""


class ModelSettings(Section, frozen=True):
    """A model under a name of yours, reachable at one endpoint or several."""

    endpoints: list[EndpointSettings]
    """Where it is reached; in order of preference if `strategy` is `order`."""
    price: PriceSettings | None = None
    """Own prices for every endpoint that has none itself."""
    health: HealthSettings | None = None
    """When its endpoints are left alone, instead of what `[health]` says."""
    strategy: Literal["order", "weighted", "least-busy", "fastest", "cheapest", "nearest"] = "order"
    """Which endpoint of a tier is asked first. `order`: as written. `weighted`: drawn by weight. `least-busy`: fewest calls
    under way. `fastest`: of two drawn, the one with less waiting time. `cheapest`: by price. `nearest`: the caller's
    `x-headgate-region` first, else the quickest to answer lately. Those that are out of order always come last."""
    sticky: bool = False
    """Keep a session (`x-headgate-session`) at one endpoint as long as that one can answer: good for prompt caches."""
    spill: SpillSettings | None = None
    """Own machines first, managed ones when those are full."""


class RouteSettings(Section, frozen=True):
    """A route by difficulty: easy requests to a small model, hard ones to a large one. Two names are enough."""

    simple: str = ""
    """The model for easy requests; left out: the next stronger one."""
    medium: str = ""
    """The model for requests in between; left out: the next stronger one."""
    complex: str = ""
    """The model for hard requests; left out: the strongest there is."""
    grader: Literal["signals", "learned"] = "signals"
    """Who judges. `signals`: length, code, reasoning words and the like, each visible. `learned`: from outcomes; needs
    `routing.learned`."""
    confidence: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    """If the grader is less sure than this, the next stronger model is asked. 0: its word always counts."""
    quality_floor: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    """For `learned`: the cheapest choice whose expected quality stays above this on average."""
    budget_per_1000: Annotated[float, msgspec.Meta(ge=0)] | None = None
    """For `learned`: USD that 1,000 requests may cost; the best quality within it."""


class RequireSettings(Section, frozen=True):
    """Where requests may go. Holds for the route, for fallbacks, retries, hedges, resumed streams, shadow copies, and for
    models of the degrade ladder."""

    region: list[str] = msgspec.field(default_factory=list)
    """Only endpoints in one of these; `eu` also means `eu-west-1`. An endpoint without a region is not in any."""
    self_hosted: bool = False
    """Only your own machines (`self_hosted` of the provider)."""
    providers: list[str] = msgspec.field(default_factory=list)
    """Only these providers."""
    not_providers: list[str] = msgspec.field(default_factory=list)
    """None of these providers."""


class RequireEverywhereSettings(RequireSettings, frozen=True):
    """Where any request of this installation may go."""

    sensitive: RequireSettings = RequireSettings()
    """Where requests with sensitive data may go: those of features with `data = "sensitive"`, with the header
    `x-headgate-data: sensitive`, or with the tag `data=sensitive`."""


class WhenSettings(Section, frozen=True):
    """Conditions; all that are given must hold."""

    feature: str | list[str] = ""
    """The feature asked for, or one of several."""
    model: str | list[str] = ""
    """The name asked for, feature or model, or one of several."""
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    """Tags the request carries (`x-headgate-tags`), with their values; `*` is any value."""
    user: str | list[str] = ""
    """The end user, as the application names them."""
    team: str | list[str] = ""
    """The team of the key."""
    tokens_over: int | None = None
    """The prompt has more tokens than this, by our own estimate."""
    tokens_under: int | None = None
    """The prompt has fewer tokens than this, by our own estimate."""
    tools: bool | None = None
    """The request offers tools, or does not."""
    modality: Literal["text", "image", "file"] | None = None
    """What is in the conversation: a picture, a document, or (`text`) neither."""
    data: Sensitivity | None = None
    """The data is sensitive, or is not."""
    hours: str = ""
    """Time of day, such as `08:00-18:00`; `22:00-06:00` goes over midnight."""
    days: list[Day] = msgspec.field(default_factory=list)
    """Days of the week, such as `["sat", "sun"]`."""
    zone: str = "UTC"
    """Where `hours`, `days` and the day of `calls_over` are reckoned, such as `Europe/Berlin`."""
    calls_over: int | None = None
    """This feature (or model) has had more calls today than this; counted by this process since it started."""
    tier: Literal["simple", "medium", "complex"] | None = None
    """How hard the request is, by the route's grader or by the caller's word (`x-headgate-tier`)."""


class PolicySettings(Section, frozen=True):
    """A rule of use: when it applies, which model serves, and where the request may go. The first that applies and names a
    model counts for the model; what any that applies says of places holds."""

    name: str
    """What it is called in records and messages."""
    when: WhenSettings = WhenSettings()
    """Conditions; none: it always applies."""
    use: str = ""
    """The model that serves: a name from `[models]`, or `provider/model`. The feature's fallbacks stay. Chats only."""
    require: RequireSettings = RequireSettings()
    """Where such requests may go, on top of what the feature, `[require]` and other policies say."""


class RoutingSettings(Section, frozen=True):
    """What routing keeps."""

    learned: str = ""
    """The file of what `grader = "learned"` knows: written by `headgate route learn`, brought up to date on stopping.
    A change needs a restart."""
