"""Every name a caller may ask for, and what it stands for."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence

from headgate.core.errors import UnknownModel
from headgate.core.messages import ModelCard
from headgate.providers.port import Endpoint
from headgate.routing.constraints import Requirement
from headgate.routing.feature import Feature
from headgate.routing.policies import Policy
from headgate.routing.pool import Pool
from headgate.routing.route import Route, narrowed, routed

__all__ = ["Directory", "MakeEndpoint", "Route"]

MakeEndpoint = Callable[[str, str], Endpoint | Sequence[Endpoint]]
"""(provider, model) -> the endpoint, or one for each key, of a model asked for by its vendor's name."""

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


class Directory:
    """Names -> routes. Built with the configuration, replaced with it."""

    def __init__(
        self,
        *,
        features: Mapping[str, Sequence[str] | Feature],
        models: Mapping[str, Sequence[Endpoint] | Pool],
        providers: Mapping[str, str],
        make: MakeEndpoint,
        catch_all: str = "",
        policies: Sequence[Policy] = (),
        rule: Requirement | None = None,
        sensitive_rule: Requirement | None = None,
    ) -> None:
        """features: name -> models in order of preference, or more. providers: name -> kind.
        catch_all: a provider that takes every vendor's models (the simulated one, when there is no other).
        policies: the first that holds counts. rule: where any request may go; sensitive_rule: where sensitive data may."""
        self.policies = tuple(policies)
        self.sensitive_rule = sensitive_rule
        self.judges = bool(policies) or sensitive_rule is not None
        """Is there a rule that may concern any request?"""
        self.zones = tuple(dict.fromkeys(policy.counts for policy in policies if policy.counts))
        """Zones in whose days some rule counts calls."""
        self._everywhere = (rule,) if rule is not None else ()
        self._providers = dict(providers)
        self._make = make
        self._catch_all = catch_all
        self._pools = {
            name: found if isinstance(found, Pool) else Pool(name, found) for name, found in models.items()
        }
        self._routes: dict[str, Route] = {}
        for name, pool in list(self._pools.items()):
            self._routes[name] = self._plain_route(name, pool)
        for name, chosen in features.items():
            feature = chosen if isinstance(chosen, Feature) else Feature(models=tuple(chosen))
            self._routes[name] = self._feature_route(name, feature)
        for policy in policies:
            if policy.use:
                self._pool(policy.use)
        self._configured = tuple(self._routes)
        self._features = frozenset(features)
        self._direct: dict[str, Route] = {}
        self._narrowed: dict[tuple[str, str, bool, tuple[Requirement, ...]], Route] = {}
        self._used: dict[tuple[str, str, str], Route] = {}

    def resolve(self, name: str) -> Route:
        """The route behind a requested name. Raises UnknownModel, naming what is near."""
        route = self._routes.get(name) or self._direct.get(name)
        if route is None:
            route = self._resolve_direct(name)
            if len(self._direct) < _REMEMBERED:
                self._direct[name] = route
        return route

    def feature(self, name: str) -> Route | None:
        """The feature of that name, whose rules hold for whoever names it beside a model."""
        return self._routes.get(name) if name in self._features else None

    def models(self) -> Mapping[str, Sequence[Endpoint]]:
        """Where each model is reached, by its name: those of the configuration, and those asked for directly so far."""
        found: dict[str, Sequence[Endpoint]] = {name: pool.endpoints for name, pool in self._pools.items()}
        found.update((route.model, route.candidates) for route in self._direct.values())
        return found

    def reached(self, model: str) -> Sequence[Endpoint]:
        """Where a model of the configuration is reached, as written; empty for a name that is none."""
        pool = self._pools.get(model)
        return pool.endpoints if pool is not None else ()

    def narrowed(self, route: Route, rules: tuple[Requirement, ...]) -> Route:
        """The route as far as `rules` let it."""
        if not rules:
            return route
        # A policy's model in place of the feature's own has no tiers.
        key = (route.feature, route.model, bool(route.tiers), rules)
        found = self._narrowed.get(key)
        if found is None:
            found = narrowed(route, rules)
            if len(self._narrowed) < _REMEMBERED:
                self._narrowed[key] = found
        return found

    def using(self, model: str, route: Route) -> Route:
        """`route` with another model in front, as a policy says."""
        key = (route.feature, route.model, model)
        found = self._used.get(key)
        if found is None:
            pools = (self._pool(model), *route.pools[1:])
            reserves = {name: Pool(name, endpoints) for name, endpoints in route.reserves.items()}
            plain = Route(route.feature, model, (), sensitive=route.sensitive)
            found = narrowed(routed(plain, pools, {}, reserves), route.rules)
            if len(self._used) < _REMEMBERED:
                self._used[key] = found
        return found

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
        return found or ModelCard(id=name, owned_by=route.candidates[0].provider if route.candidates else "")

    def endpoints(self) -> list[Endpoint]:
        """Every endpoint of the configuration, each once, in order."""
        found: dict[Endpoint, None] = {}
        for name in self._configured:
            route = self._routes[name]
            pools = (*route.pools, *route.tiers.values())
            for pool in pools:
                found.update(dict.fromkeys(pool.endpoints))
            for endpoints in route.reserves.values():
                found.update(dict.fromkeys(endpoints))
        return list(found)

    def _plain_route(self, model: str, pool: Pool) -> Route:
        return narrowed(routed(Route("", model, ()), (pool,), {}, {}), self._everywhere)

    def _feature_route(self, name: str, feature: Feature) -> Route:
        first, *fallback = feature.models
        tiers = {tier: self._pool(model) for tier, model in feature.tiers.items()}
        pools = [self._pool(first), *(self._pool(model) for model in fallback)]
        reserves = {model: self._pool(model) for model in feature.reserves}
        route = Route(
            name,
            first,
            (),
            grader=feature.grader,
            learner=feature.learner,
            confidence=feature.confidence,
            sensitive=feature.sensitive,
        )
        own = (feature.rule,) if feature.rule is not None else ()
        return narrowed(routed(route, pools, tiers, reserves), self._everywhere + own)

    def _pool(self, name: str) -> Pool:
        """Raises UnknownModel."""
        found = self._pools.get(name)
        if found is None:
            provider, _, model = name.partition("/")
            if provider not in self._providers or not model:
                raise UnknownModel(f"no model `{name}`{_near(name, [*self._pools, *self._providers])}")
            # Named by features or policies: few, and shared by all who name it.
            found = self._pools[name] = self._made(name, provider, model)
        return found

    def _made(self, name: str, provider: str, model: str) -> Pool:
        made = self._make(provider, model)
        return Pool(name, (made,) if isinstance(made, Endpoint) else made)

    def _resolve_direct(self, name: str) -> Route:
        printable = name.isprintable() and len(name) <= 200  # no vendor's name is near that long
        if printable:
            provider, _, model = name.partition("/")
            if model and provider in self._providers:
                return self._plain_route(name, self._made(name, provider, model))
            vendor = self._vendor(name)
            if vendor:
                full = f"{vendor}/{name}"
                return self._plain_route(full, self._made(full, vendor, name))
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
