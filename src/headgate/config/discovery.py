"""The configuration when there is no file: what the environment's keys allow, or a simulated provider to try things on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from headgate.config.model import KINDS, FeatureSettings, Settings
from headgate.core.section import Duration
from headgate.dispatch.ladder.settings import RuleSettings, RulesSettings
from headgate.dispatch.settings import RetrySettings, TimeoutSettings
from headgate.edge.settings import ServerSettings
from headgate.providers.settings import ProviderSettings
from headgate.providers.simulated.settings import SimulatedSettings
from headgate.routing.settings import EndpointSettings, ModelSettings

__all__ = ["Discovered", "discover", "rehearsal"]


class Discovered(NamedTuple):
    """Settings made of the environment."""

    settings: Settings
    sources: dict[str, str]
    """Key -> variable, as in `Configuration.sources`."""
    notes: tuple[str, ...]


class _Variables(NamedTuple):
    provider: str
    kind: str
    needs: tuple[str, ...]
    """One of these must be set, or the provider is not there."""
    fields: Mapping[str, tuple[str, ...]]
    """Setting -> variables, the first that is set counts."""


_PROVIDERS = (
    _Variables(
        "openai",
        "openai",
        ("OPENAI_API_KEY",),
        {"api_key": ("OPENAI_API_KEY",), "base_url": ("OPENAI_BASE_URL",)},
    ),
    _Variables(
        "anthropic",
        "anthropic",
        ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
        {
            "api_key": ("ANTHROPIC_API_KEY",),
            "auth_token": ("ANTHROPIC_AUTH_TOKEN",),
            "base_url": ("ANTHROPIC_BASE_URL",),
        },
    ),
    _Variables(
        "gemini",
        "gemini",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        # In this order, as Google's own SDK looks; it prefers GOOGLE_API_KEY when both are set.
        {"api_key": ("GOOGLE_API_KEY", "GEMINI_API_KEY")},
    ),
    _Variables(
        "azure",
        "azure-openai",
        ("AZURE_OPENAI_ENDPOINT",),
        {"api_key": ("AZURE_OPENAI_API_KEY",), "endpoint": ("AZURE_OPENAI_ENDPOINT",)},
    ),
    _Variables(
        "bedrock",
        "bedrock",
        ("AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID"),
        {"api_key": ("AWS_BEARER_TOKEN_BEDROCK",), "region": ("AWS_REGION", "AWS_DEFAULT_REGION")},
    ),
)
"""What the vendors' own SDKs and tools read, so that whoever uses those has them set."""

_SERVER = {"listen": "HEADGATE_LISTEN", "database": "HEADGATE_DATABASE"}


def discover(environ: Mapping[str, str]) -> Discovered:
    """Settings with the providers whose keys are set; with none of them, the simulated provider."""
    sources: dict[str, str] = {}
    providers: dict[str, ProviderSettings] = {}
    notes: list[str] = []
    for each in _PROVIDERS:
        if not any(environ.get(name) for name in each.needs):
            continue
        if each.provider == "azure" and not environ.get("AZURE_OPENAI_API_KEY"):
            notes.append("AZURE_OPENAI_ENDPOINT is set without AZURE_OPENAI_API_KEY: Azure is left out")
            continue
        fields, found = _fields(each, environ)
        if each.provider == "bedrock" and "region" not in fields:
            notes.append("AWS credentials are set without AWS_REGION: Bedrock is left out")
            continue
        providers[each.provider] = KINDS[each.kind](**fields)
        sources.update({f"providers.{each.provider}.{field}": name for field, name in found.items()})
    server: dict[str, Any] = {field: environ[name] for field, name in _SERVER.items() if environ.get(name)}
    sources.update({f"server.{field}": _SERVER[field] for field in server})
    settings = rehearsal() if not providers else Settings(providers=providers)
    if not providers:
        notes.append(
            "no configuration file and no provider's key in the environment: answers come from the simulated provider"
        )
    return Discovered(
        msgspec.structs.replace(settings, server=ServerSettings(**server)), sources, tuple(notes)
    )


def _fields(wanted: _Variables, environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    found = {
        field: next((name for name in names if environ.get(name)), "")
        for field, names in wanted.fields.items()
    }
    found = {field: name for field, name in found.items() if name}
    return {field: environ[name] for field, name in found.items()}, found


def rehearsal() -> Settings:
    """The simulated provider with a few models and features, for trying things without key and network."""

    def model(*names: str) -> ModelSettings:
        return ModelSettings(endpoints=[EndpointSettings(provider="sim", model=name) for name in names])

    patient = TimeoutSettings(first_token=Duration(8), between_tokens=Duration(10), total=Duration(60))
    return Settings(
        # A retry must be able to succeed, as with a real provider.
        providers={"sim": SimulatedSettings(vary=True)},
        models={
            "small": model("sim-small"),
            "large": model("sim-large"),
            "reasoning": model("sim-reasoning"),
            "embeddings": model("sim-embed"),
            "flaky": model("sim-flaky"),
        },
        features={
            "support-chat": FeatureSettings(
                route="large",
                fallback=["small"],
                timeouts=patient,
                retry=RetrySettings(attempts=2, base=Duration(0.2)),
                degrade=["rules:orders", "say:Our assistant is resting; a person will answer by mail."],
            ),
            "classify": FeatureSettings(route="small", fallback=["large"], timeouts=patient),
            "summarise": FeatureSettings(route="large", fallback=["small"]),
            "analyse": FeatureSettings(route="reasoning", fallback=["large"]),
            "search": FeatureSettings(route="embeddings"),
            "rehearse-failure": FeatureSettings(route="flaky", fallback=["small"], timeouts=patient),
        },
        rules={
            "orders": RulesSettings(
                match=[
                    RuleSettings(
                        regex=r"order (?P<number>\d+)", answer="We look for order {number} and write to you."
                    )
                ]
            )
        },
    )
