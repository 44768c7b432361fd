"""Every name a caller may ask for, and what it stands for."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from headgate.core.errors import UnknownModel
from headgate.core.messages import ModelCard
from headgate.providers.port import Endpoint

__all__ = ["Directory", "Route"]

MakeEndpoint = Callable[[str, str], Endpoint]
"""(provider, model) -> an endpoint for a model asked for by its vendor's name."""

_VENDOR_PREFIXES = {
    "openai": ("gpt-", "o1", "o3", "o4", "chatgpt-", "text-embedding-"),
    "anthropic": ("claude-",),
    "gemini": ("gemini-",),
}
_MODEL_PREFIXES = (
    *(prefix for prefixes in _VENDOR_PREFIXES.values() for prefix in prefixes),
    "sim-",
    "llama",
    "mistral",
    "qwen",
    "deepseek",
)
"""How names of models begin. Any other name was meant for a feature, so a mistyped one is told and not answered."""
_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Route:
    """What a requested name stands for."""

    feature: str
    """The feature's name; "" if a model was asked for directly."""
    model: str
    """The model of our configuration; for `provider/model`, that text."""
    candidates: tuple[Endpoint, ...]
    """Best first."""


class Directory:
    """Names -> routes. Built with the configuration, replaced with it."""

    def __init__(
        self,
        *,
        features: Mapping[str, Sequence[str]],
        models: Mapping[str, Sequence[Endpoint]],
        providers: Mapping[str, str],
        make: MakeEndpoint,
        catch_all: str = "",
    ) -> None:
        """features: name -> models in order of preference. providers: name -> kind.
        catch_all: a provider that takes every vendor's models (the simulated one, when there is no other)."""
        self._routes: dict[str, Route] = {}
        for name, endpoints in models.items():
            self._routes[name] = Route("", name, tuple(endpoints))
        for name, chosen in features.items():
            candidates = tuple(
                endpoint for model in chosen for endpoint in self._model(model, models, providers, make)
            )
            self._routes[name] = Route(name, chosen[0], candidates)
        self._configured = tuple(self._routes)
        self._features = frozenset(features)
        self._providers = dict(providers)
        self._make = make
        self._catch_all = catch_all
        self._direct: dict[str, Route] = {}

    def resolve(self, name: str) -> Route:
        """The route behind a requested name. Raises UnknownModel, naming what is near."""
        route = self._routes.get(name) or self._direct.get(name)
        if route is None:
            route = self._resolve_direct(name)
            if len(self._direct) < _REMEMBERED:
                self._direct[name] = route
        return route

    def cards(self) -> list[ModelCard]:
        """What can be asked for by a name of our configuration."""
        return [
            ModelCard(
                id=name,
                owned_by="headgate",
                display_name=f"{name} (feature)" if name in self._features else name,
            )
            for name in self._configured
        ]

    def card(self, name: str) -> ModelCard:
        """One of them, or a provider's own model by its full name. Raises UnknownModel."""
        route = self.resolve(name)
        found = next((card for card in self.cards() if card.id == name), None)
        return found or ModelCard(id=name, owned_by=route.candidates[0].provider)

    def endpoints(self) -> list[Endpoint]:
        """Every endpoint of the configuration, each once, in order."""
        return list(
            dict.fromkeys(endpoint for name in self._configured for endpoint in self._routes[name].candidates)
        )

    @staticmethod
    def _model(
        name: str, models: Mapping[str, Sequence[Endpoint]], providers: Mapping[str, str], make: MakeEndpoint
    ) -> Sequence[Endpoint]:
        if name in models:
            return models[name]
        provider, _, model = name.partition("/")
        if provider in providers and model:
            return (make(provider, model),)
        raise UnknownModel(f"no model `{name}`{_near(name, [*models, *providers])}")

    def _resolve_direct(self, name: str) -> Route:
        printable = name.isprintable() and len(name) <= 200  # no vendor's name is near that long
        if printable:
            provider, _, model = name.partition("/")
            if model and provider in self._providers:
                return Route("", name, (self._make(provider, model),))
            vendor = self._vendor(name)
            if vendor:
                return Route("", f"{vendor}/{name}", (self._make(vendor, name),))
        known = [*self._configured, *(f"{provider}/…" for provider in self._providers)]
        raise UnknownModel(
            f"no feature or model `{name[:200]}`{_near(name[:200], known)}; GET /v1/models lists what there is",
            param="model",
        )

    def _vendor(self, name: str) -> str:
        for provider, kind in self._providers.items():
            if name.startswith(_VENDOR_PREFIXES.get(kind, ("\0",))):
                return provider
        return self._catch_all if name.lower().startswith(_MODEL_PREFIXES) else ""


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f"; did you mean {' or '.join(f'`{one}`' for one in near)}?"
    return f"; known are {', '.join(f'`{one}`' for one in known[:8])}" if known else ""
