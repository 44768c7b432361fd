"""Where the models of a configuration are reached, and the directory of every name that may be asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from headgate.compose.prices import own_rates_of
from headgate.compose.providers import Provider
from headgate.config.model import Settings
from headgate.dispatch.ladder.settings import model_names
from headgate.exchange.exchange import Exchange
from headgate.providers.catalog.settings import PriceSettings
from headgate.providers.health.book import HealthBook
from headgate.providers.health.health import Health
from headgate.providers.health.rates import Limits
from headgate.providers.health.settings import HealthSettings
from headgate.providers.port import ABILITIES, Endpoint, Upstream
from headgate.providers.rehearsal.orders import Rehearsals
from headgate.providers.rehearsal.upstream import Rehearsing
from headgate.routing.building import GraderOf, build_directory, no_learner, pool_of
from headgate.routing.directory import Directory
from headgate.routing.settings import EndpointSettings, ModelSettings
from headgate.routing.strategies import PriceOf
from headgate.routing.volume import DayVolume

__all__ = [
    "Places",
    "asked_for",
    "directory_of",
    "endpoints_of",
]

_GO_ON = frozenset({"anthropic", "bedrock", "simulated"})
"""Kinds that go on with an answer somebody else has begun. Others take it for an earlier turn and begin a new one, unless
the operator says that a server of theirs can."""


def _own_health(name: str, limits: Limits) -> Health:
    return Health(name, limits=limits)


def endpoints_of(
    name: str,
    provider: Provider,
    model: str,
    *,
    written: EndpointSettings | None = None,
    price: PriceSettings | None = None,
    upstream: Upstream | None = None,
    health_of: Callable[[str, Limits], Health] = _own_health,
) -> tuple[Endpoint, ...]:
    """A model at a provider, once for each key. written: what the configuration says of it; price: the model's own.
    upstream: in place of the provider's. health_of: the endpoint's health by a name that stays the same, and its limits."""
    settings = provider.settings
    said = written or EndpointSettings(provider=name, model=model)
    region = said.region or settings.region
    if said.abilities is not None:
        lacks = frozenset(ABILITIES) - frozenset(said.abilities)
    else:
        lacks = frozenset() if provider.adapter.kind in _GO_ON else frozenset({"prefill"})
    limits = Limits(said.concurrency, said.requests_per_minute, said.tokens_per_minute)
    return tuple(
        Endpoint(
            provider=name,
            model=model,
            adapter=adapter,
            upstream=upstream or provider.upstream,
            region=region,
            self_hosted=settings.self_hosted,
            price_key=settings.priced_as or ("" if settings.self_hosted else adapter.kind),
            own_price=own_rates_of(provider, model, said.price or price),
            credential=key,
            weight=said.weight / len(provider.by_key),
            priority=said.priority,
            context=said.context,
            lacks=lacks,
            health=health_of(" ".join(filter(None, (f"{name}/{model}", region, key))), limits),
        )
        for key, adapter in provider.by_key
    )


def directory_of(
    settings: Settings,
    providers: Mapping[str, Provider],
    *,
    place: Callable[[str, str, EndpointSettings | None, ModelSettings | None], tuple[Endpoint, ...]],
    price_of: PriceOf,
    volume: DayVolume,
    grader_of: GraderOf = no_learner,
) -> Directory:
    """Every name that may be asked for. place: (provider, model, as written, of which model) -> its endpoints."""
    kinds = {name: provider.adapter.kind for name, provider in providers.items()}
    pools = {
        name: pool_of(
            name,
            model,
            [one for each in model.endpoints for one in place(each.provider, each.model, each, model)],
            price_of,
        )
        for name, model in settings.models.items()
    }
    return build_directory(
        models=pools,
        features=settings.features,
        providers=kinds,
        make=lambda provider, model: place(provider, model, None, None),
        volume=volume.so_far,
        reserves={
            name: [model for _, model in model_names(feature.degrade)]
            for name, feature in settings.features.items()
        },
        policies=settings.policies,
        require=settings.require,
        catch_all=next(iter(kinds)) if set(kinds.values()) == {"simulated"} else "",
        grader_of=grader_of,
    )


def asked_for(directory: Directory, exchange: Exchange) -> tuple[str, str]:
    """(feature, model) that an exchange asks for; "" for what it does not name."""
    route = directory.resolve(exchange.peek.model)
    feature = route.feature
    if not feature and exchange.feature and directory.feature(exchange.feature) is not None:
        feature = exchange.feature
    return feature, route.model


class Places:
    """Where the models of one configuration are reached: (provider, model, as written, of which model) -> endpoints.

    Making them changes nothing of what serves. What the configuration says of their health counts from `claim` on; so a
    configuration that turns out not to work leaves no trace."""

    def __init__(
        self,
        settings: Settings,
        providers: Mapping[str, Provider],
        healths: HealthBook,
        rehearsals: Rehearsals,
    ) -> None:
        self.providers = providers
        self._health = settings.health
        self._healths = healths
        self._rehearsals = rehearsals
        self._claims: dict[str, tuple[HealthSettings, Limits]] = {}
        self._claimed = False

    def __call__(
        self, provider: str, model: str, written: EndpointSettings | None, of: ModelSettings | None
    ) -> tuple[Endpoint, ...]:
        built = self.providers[provider]
        health = (of.health if of is not None else None) or self._health

        def health_of(name: str, limits: Limits) -> Health:
            # A caller's own `provider/model` says nothing of limits: those of the configuration hold for it too. Nor does
            # a feature's; but the place is one of the configuration's.
            if not self._claimed:
                if written is not None:
                    self._claims[name] = health, limits
                else:
                    self._claims.setdefault(name, (health, limits))
            return self._healths.of(name)

        return endpoints_of(
            provider,
            built,
            model,
            written=written,
            price=of.price if of is not None else None,
            health_of=health_of,
            upstream=Rehearsing(built.upstream, provider, self._rehearsals),
        )

    def claim(self) -> None:
        """This configuration serves now."""
        self._claimed = True
        self._healths.settings = self._health
        self._healths.claim(self._claims)
