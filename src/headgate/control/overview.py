"""What an operator wants to know first: is it running, on what, and what happened last. No prompts, no answers, no secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from headgate.routing.settings import ModelSettings
from headgate.stores.errors import StoreError
from headgate.stores.spans import RequestRow, SpanStore

__all__ = [
    "Overview",
    "Overviews",
    "Running",
    "features_in_words",
    "models_in_words",
    "providers_in_words",
]

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Overview:
    """A moment of a running gateway."""

    config_hash: str
    config_source: str
    """The file's name, or `environment`."""
    providers: Sequence[tuple[str, str]]
    """(name, what is known of it: its kind, its address)."""
    models: Sequence[tuple[str, str]]
    """(name, where it is reached)."""
    features: Sequence[tuple[str, str]]
    """(name, the models asked, in order)."""
    keys_required: bool
    in_flight: int
    drops: int
    """Records that could not be written. Anything but 0 is an alarm."""
    requests: Sequence[RequestRow]
    """The last ones, newest first."""
    trouble: str = ""
    """Why something could not be shown; "" if all could."""


class Running(Protocol):
    """What is asked of a gateway."""

    @property
    def configuration(self) -> Any: ...

    @property
    def spans(self) -> SpanStore: ...

    @property
    def journal(self) -> Any: ...

    @property
    def gate(self) -> Any: ...


class Overviews:
    """Makes overviews of one gateway, as it is now."""

    def __init__(self, gateway: Running) -> None:
        self._gateway = gateway

    async def now(self) -> Overview:
        """The overview of this moment. When the database does not answer, the rest is shown and the trouble named."""
        gateway = self._gateway
        configuration, settings = gateway.configuration, gateway.configuration.settings
        requests: Sequence[RequestRow] = ()
        trouble = ""
        try:
            requests = (await gateway.spans.latest(SHOWN)).rows[::-1]
        except StoreError as failure:
            trouble = f"the requests cannot be shown: {failure}"
        return Overview(
            config_hash=configuration.hash,
            config_source=configuration.path.name if configuration.path else "environment",
            providers=providers_in_words(settings),
            models=models_in_words(settings),
            features=features_in_words(settings),
            keys_required=settings.server.auth == "keys",
            in_flight=gateway.gate.in_flight,
            drops=gateway.journal.drops,
            requests=requests,
            trouble=trouble,
        )


def providers_in_words(settings: Any) -> list[tuple[str, str]]:
    """(name, what is known of it: its kind, its address); never a secret."""
    return [(name, _provider(each)) for name, each in settings.providers.items()]


def models_in_words(settings: Any) -> list[tuple[str, str]]:
    """(name, where it is reached)."""
    return [(name, _places(each)) for name, each in settings.models.items()]


def features_in_words(settings: Any) -> list[tuple[str, str]]:
    """(name, the models asked, in order)."""
    return [(name, _asked(each)) for name, each in settings.features.items()]


def _provider(settings: object) -> str:
    kind = type(settings).__name__.removesuffix("Settings")
    address = next(
        (
            text
            for field in ("base_url", "endpoint", "endpoint_url")
            if (text := getattr(settings, field, ""))
        ),
        "",
    )
    house = "self-hosted" if getattr(settings, "self_hosted", False) else ""
    # An address may carry a password before the `@`.
    shown = f"{address.partition('://')[0]}://...@{address.rpartition('@')[2]}" if "@" in address else address
    return ", ".join(part for part in (kind, shown, getattr(settings, "region", ""), house) if part)


def _places(model: ModelSettings) -> str:
    return ", then ".join(
        f"{each.provider}/{each.model}{f' in {each.region}' if each.region else ''}"
        for each in model.endpoints
    )


def _asked(feature: Any) -> str:
    names: Mapping[str, None] = dict.fromkeys([feature.route, *feature.fallback])
    return ", then ".join(names)
