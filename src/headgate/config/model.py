"""All settings of an installation as one typed model. Each room describes its own part; here they are put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec

from headgate.admission.limits.settings import LimitSettings, QueueSettings
from headgate.admission.tokens.settings import TokenSettings
from headgate.alerts.rules.settings import WatchSettings
from headgate.alerts.settings import AlertSettings, SpendRateSettings
from headgate.budgets.settings import AnswerTokenSettings, BudgetSettings, FeatureBudgetSettings
from headgate.cache.settings import CacheSettings, FeatureCacheSettings
from headgate.core.section import Section
from headgate.dashboard.settings import DashboardSettings
from headgate.dispatch.ladder.settings import CallbackSettings, RulesSettings
from headgate.dispatch.manner import OnContentFilter
from headgate.dispatch.settings import HedgeSettings, RetrySettings, TimeoutSettings
from headgate.dispatch.shadow import ShadowSettings
from headgate.edge.settings import ServerSettings
from headgate.providers.adapters.anthropic import AnthropicSettings
from headgate.providers.adapters.azure_openai import AzureOpenAISettings
from headgate.providers.adapters.bedrock import BedrockSettings
from headgate.providers.adapters.gemini import GeminiSettings
from headgate.providers.adapters.openai import OpenAISettings
from headgate.providers.health.settings import HealthSettings
from headgate.providers.prefixes import Keep
from headgate.providers.settings import ProviderSettings
from headgate.providers.simulated.settings import SimulatedSettings
from headgate.quality.contracts.settings import ContractSettings
from headgate.quality.settings import FeedbackSettings
from headgate.records.retention import FeatureKeepSettings
from headgate.records.settings import RecordSettings
from headgate.routing.settings import (
    ModelSettings,
    PolicySettings,
    RequireEverywhereSettings,
    RequireSettings,
    RouteSettings,
    RoutingSettings,
    Sensitivity,
)
from headgate.telemetry.otlp.settings import TelemetrySettings

__all__ = [
    "KINDS",
    "Configuration",
    "DefaultSettings",
    "EnvironmentSettings",
    "FeatureSettings",
    "LogSettings",
    "Settings",
    "kind_of",
]

KINDS: Mapping[str, type[ProviderSettings]] = MappingProxyType(
    {
        "openai": OpenAISettings,
        "anthropic": AnthropicSettings,
        "gemini": GeminiSettings,
        "azure-openai": AzureOpenAISettings,
        "bedrock": BedrockSettings,
        "simulated": SimulatedSettings,
    }
)
"""What `kind` of a provider may say, and the section it makes of the rest."""


def kind_of(settings: ProviderSettings) -> str:
    """The `kind` that makes such settings. Raises KeyError for a class that no kind makes."""
    return {made: kind for kind, made in KINDS.items()}[type(settings)]


class FeatureSettings(Section, frozen=True):
    """A named use of AI in your product. Callers ask for it by name: `model = "support-chat"`."""

    route: str | RouteSettings
    """The model that serves it: a name from `[models]`, or `provider/model`; or a model for each difficulty, as in
    `{ simple = "small", complex = "large" }`."""
    fallback: list[str] = msgspec.field(default_factory=list)
    """Models to ask, in this order, when the one before fails; written as in `route`."""
    require: RequireSettings = RequireSettings()
    """Where its requests may go, on top of what `[require]` says."""
    data: Sensitivity = "normal"
    """`sensitive`: its requests go only where `[require]` lets sensitive data go."""
    timeouts: TimeoutSettings | None = None
    """How long each phase of a call may take, and the whole request. Left out: as in `[defaults]`."""
    retry: RetrySettings | None = None
    """What is tried again, and after which wait. Left out: as in `[defaults]`."""
    hedge: HedgeSettings | None = None
    """A second call when the first is slow. Left out: none."""
    resume: bool = False
    """Finish a stream that broke off after its first words on another endpoint, or by asking again, instead of ending it
    with an error. Answers are then encoded afresh: a vendor's own extra fields do not pass."""
    on_content_filter: OnContentFilter = "refuse"
    """refuse: a prompt that a provider's content filter refused is refused. failover: the next model is asked,
    and after the last one the degrade ladder."""
    shadow: ShadowSettings | None = None
    """A copy of some requests goes to another model as well, to compare. Left out: none."""
    queue: QueueSettings | None = None
    """What has no room in a limit now waits for it a little. Left out: it is refused at once."""
    budget: FeatureBudgetSettings | None = None
    """What it may cost, in short; `[[budgets]]` says more. All budgets hold at once. Left out: none of its own."""
    answer_tokens: AnswerTokenSettings | None = None
    """How long its answers may be. Left out: as in `[defaults]`."""
    content: bool = True
    """Keep its prompts and answers. Off: they are written nowhere, nor are providers' words and users' comments about them,
    whatever `[records]` says."""
    contract: ContractSettings | None = None
    """What it promises: availability, times, cost, quality. Left out: nothing."""
    keep: FeatureKeepSettings | None = None
    """How long its requests are kept. Left out: as in `records.keep`."""
    cache: FeatureCacheSettings | None = None
    """Which of its answers are given again, to whom, and for how long. Left out: none."""
    prompt_caching: Keep | None = None
    """For how long providers shall keep the beginnings of its prompts that come again, to bill them less: `5m`, `1h`, or `off`, which
    leaves requests as callers wrote them. Left out: as in `[defaults]`."""
    degrade: list[str] = msgspec.field(default_factory=list)
    """What answers when every model has failed, tried in order: `stale:24h` (the last good answer to the same request),
    `model:NAME` or `own:NAME` (another model), `rules:NAME`, `http:URL` or `http:NAME` (a callback),
    `python:MODULE:FUNCTION`, `say:WORDS`. Its answers are marked by the header `x-headgate-degraded`."""


class DefaultSettings(Section, frozen=True):
    """For features that do not say it themselves, and for models that callers ask for directly."""

    timeouts: TimeoutSettings = TimeoutSettings()
    """How long each phase of a call may take, and the whole request."""
    retry: RetrySettings = RetrySettings()
    """What is tried again, and after which wait."""
    answer_tokens: AnswerTokenSettings = AnswerTokenSettings()
    """How long answers may be."""
    prompt_caching: Keep = "off"
    """For how long providers shall keep the beginnings of prompts that come again, to bill them less: `5m`, `1h`, or `off`."""


class LogSettings(Section, frozen=True):
    """What the process says about itself on standard error. Requests are not logged there: they are recorded."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important kind of message that is still written."""
    format: Literal["text", "json"] = "text"
    """`text` for people, `json` (one object a line) for machines that collect logs."""


class EnvironmentSettings(Section, frozen=True):
    """Which environment variables `${NAME}` may read in this file."""

    allow: list[str] = msgspec.field(default_factory=list)
    """Names besides the usual ones; `*` stands for any characters: `["CORP_*", "MODEL_HOST_NAME"]`.
    Usual are `*_KEY`, `*_TOKEN`, `*_SECRET`, `*_URL`, `*_ENDPOINT`, `*_HOST`, `*_PORT`, `*_REGION`, `HEADGATE_*`, `AWS_*`,
    `AZURE_*`. This section itself reads no variables."""


class Settings(Section, frozen=True):
    """The whole configuration file. Every section may be left out."""

    server: ServerSettings = ServerSettings()
    """Where Headgate listens and keeps its data, and what it takes from strangers."""
    records: RecordSettings = RecordSettings()
    """What is written down about each request."""
    log: LogSettings = LogSettings()
    """What the process says on standard error."""
    environment: EnvironmentSettings = EnvironmentSettings()
    """Which environment variables this file may read."""
    defaults: DefaultSettings = DefaultSettings()
    """For features that do not say it themselves, and for models that callers ask for directly."""
    providers: dict[str, ProviderSettings] = msgspec.field(default_factory=dict)
    """Places that serve models, by a name of yours. `kind` says which protocol is spoken there."""
    models: dict[str, ModelSettings] = msgspec.field(default_factory=dict)
    """Models under names of yours, each reachable at one endpoint or several."""
    features: dict[str, FeatureSettings] = msgspec.field(default_factory=dict)
    """What your product uses AI for. Callers ask for a feature by its name, as if it were a model."""
    rules: dict[str, RulesSettings] = msgspec.field(default_factory=dict)
    """A feature names them in its ladder: `degrade = ["rules:NAME"]`."""
    callbacks: dict[str, CallbackSettings] = msgspec.field(default_factory=dict)
    """A feature names them in its ladder: `degrade = ["http:NAME"]`."""
    policies: list[PolicySettings] = msgspec.field(default_factory=list)
    """Rules of use, asked in order."""
    require: RequireEverywhereSettings = RequireEverywhereSettings()
    """Where requests may go at all."""
    cache: CacheSettings = CacheSettings()
    """Where answers are kept that may be given again."""
    limits: list[LimitSettings] = msgspec.field(default_factory=list)
    """How much each caller may ask."""
    budgets: list[BudgetSettings] = msgspec.field(default_factory=list)
    """What it may cost, and what happens when that is spent."""
    tokens: dict[str, TokenSettings] = msgspec.field(default_factory=dict)
    """Issuers whose tokens are taken in place of keys, by a name of yours."""
    alerts: list[AlertSettings] = msgspec.field(default_factory=list)
    """Who is told when something should be known: a webhook, a chat, a mailbox."""
    watch: WatchSettings = WatchSettings()
    """What is watched all the time, and when somebody is told."""
    spend_rate: SpendRateSettings = SpendRateSettings()
    """When spending is far above its usual."""
    health: HealthSettings = HealthSettings()
    """When an endpoint that fails is left alone, and how it comes back."""
    feedback: FeedbackSettings = FeedbackSettings()
    """What users of your product may say of answers, from the browser."""
    telemetry: TelemetrySettings = TelemetrySettings()
    """What is told to systems that watch this one."""
    dashboard: DashboardSettings = DashboardSettings()
    """Who sees the pages at `/`."""
    routing: RoutingSettings = RoutingSettings()
    """What routing keeps."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings that were checked whole, and where they came from."""

    settings: Settings = field(repr=False)
    hash: str
    """12 hex digits that change with every setting, secrets included, and reveal none. On every record."""
    path: Path | None = None
    """The file; None if there is none."""
    sources: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Key -> environment variable, for values that hold one: `{"providers.openai.api_key": "OPENAI_API_KEY"}`; or the file that
    a value is read from, as `file:PATH`."""
    notes: tuple[str, ...] = ()
    """What an operator should know about how this came to be, in sentences."""
    files: tuple[Path, ...] = ()
    """What is read besides `path`: a change of one is a change of the configuration."""
