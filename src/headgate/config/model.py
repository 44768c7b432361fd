"""All settings of an installation as one typed model. Each room describes its own part; here they are put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec

from headgate.core.section import Section
from headgate.dispatch.settings import TimeoutSettings
from headgate.edge.settings import ServerSettings
from headgate.providers.adapters.anthropic import AnthropicSettings
from headgate.providers.adapters.azure_openai import AzureOpenAISettings
from headgate.providers.adapters.bedrock import BedrockSettings
from headgate.providers.adapters.gemini import GeminiSettings
from headgate.providers.adapters.openai import OpenAISettings
from headgate.providers.settings import ProviderSettings
from headgate.providers.simulated.settings import SimulatedSettings
from headgate.records.settings import RecordSettings
from headgate.routing.settings import ModelSettings

__all__ = [
    "KINDS",
    "Configuration",
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

    route: str
    """The model that serves it: a name from `[models]`, or `provider/model`."""
    fallback: list[str] = msgspec.field(default_factory=list)
    """Models to ask, in this order, when the one before fails; written as in `route`."""
    timeouts: TimeoutSettings = TimeoutSettings()
    """How long each phase of a call may take, for each model asked."""


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
    providers: dict[str, ProviderSettings] = msgspec.field(default_factory=dict)
    """Places that serve models, by a name of yours. `kind` says which protocol is spoken there."""
    models: dict[str, ModelSettings] = msgspec.field(default_factory=dict)
    """Models under names of yours, each reachable at one endpoint or several."""
    features: dict[str, FeatureSettings] = msgspec.field(default_factory=dict)
    """What your product uses AI for. Callers ask for a feature by its name, as if it were a model."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings that were checked whole, and where they came from."""

    settings: Settings = field(repr=False)
    hash: str
    """12 hex digits that change with every setting, secrets included, and reveal none. On every record."""
    path: Path | None = None
    """The file; None if there is none."""
    sources: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Key -> environment variable, for values that hold one: `{"providers.openai.api_key": "OPENAI_API_KEY"}`."""
    notes: tuple[str, ...] = ()
    """What an operator should know about how this came to be, in sentences."""
