"""What a configuration will do, in plain words: where each request goes, how long it may take, what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from headgate.admission.limits.settings import COUNTED, LimitSettings, OnlySettings
from headgate.config.model import Configuration, Settings
from headgate.dispatch.ladder.settings import in_words
from headgate.dispatch.settings import TimeoutSettings
from headgate.providers.catalog.settings import PriceSettings
from headgate.routing.building import models_asked, models_by_tier
from headgate.routing.settings import EndpointSettings, ModelSettings, RequireSettings, RouteSettings

__all__ = ["ListPrice", "Place", "Story", "explain", "limits", "policies", "seconds", "where"]

_STRATEGIES = MappingProxyType(
    {
        "order": "",
        "weighted": "drawn by weight",
        "least-busy": "the least busy first",
        "fastest": "the quicker of two first",
        "cheapest": "the cheapest first",
        "nearest": "the nearest first",
    }
)

ListPrice = Callable[[str, str], str]
"""(provider's name, its model) -> the list price in words, "" if none is known."""


@dataclass(frozen=True, slots=True)
class Place:
    """One place a request may go to."""

    provider: str
    model: str
    region: str
    price: str
    """In words; says so if it is unknown."""

    def text(self) -> str:
        """`openai/gpt-4o-mini in eu`."""
        return f"{self.provider}/{self.model}{f' in {self.region}' if self.region else ''}"


@dataclass(frozen=True, slots=True)
class Story:
    """What one name that callers may ask for does."""

    name: str
    kind: str
    """`feature` or `model`."""
    places: Sequence[Place]
    """Asked in this order, the next one when the one before fails."""
    sentences: Sequence[str]

    def text(self) -> str:
        """All of it as one sentence with semicolons."""
        return f"{self.name}: {'; '.join(self.sentences)}"


def explain(configuration: Configuration, list_price: ListPrice) -> list[Story]:
    """A story for each feature, then for each model."""
    settings = configuration.settings
    stories = [_feature(name, settings, list_price) for name in settings.features]
    return stories + [_model(name, settings, list_price) for name in settings.models]


def seconds(value: float) -> str:
    """`8 s`, `250 ms`, `10 min`."""
    if value < 1:
        return f"{value * 1000:g} ms"
    return f"{value / 60:g} min" if value >= 120 and value % 60 == 0 else f"{value:g} s"


def _feature(name: str, settings: Settings, list_price: ListPrice) -> Story:
    feature = settings.features[name]
    by_model = {model: _places(model, settings, list_price) for model in models_asked(feature)}
    told = {model: _asked(model, places, settings) for model, places in by_model.items()}
    if isinstance(feature.route, str):
        route = [f"asks {told[feature.route]}"]
    else:
        route = [f"asks {_by_difficulty(feature.route, told)}"]
    route += [f"if that fails, {told[model]}" for model in feature.fallback]
    places = [place for found in by_model.values() for place in found]
    rules = where(settings.require) + where(feature.require)
    if feature.data == "sensitive":
        rules += [
            f"its data is sensitive{''.join(f', {each}' for each in where(settings.require.sensitive))}"
        ]
    ladder = [in_words(feature.degrade)] if feature.degrade else []
    if feature.shadow is not None:
        ladder.append(
            f"a copy of {100 * feature.shadow.share:g} % goes to {feature.shadow.model} too, for nobody to see"
        )
    told_all = [
        *route,
        *ladder,
        *rules,
        _deadlines(feature.timeouts or settings.defaults.timeouts),
        *_prices(places),
    ]
    return Story(name, "feature", places, told_all)


def _model(name: str, settings: Settings, list_price: ListPrice) -> Story:
    places = _places(name, settings, list_price)
    return Story(name, "model", places, [f"is {_in_order(places, settings.models[name])}", *_prices(places)])


def _places(model: str, settings: Settings, list_price: ListPrice) -> list[Place]:
    found = settings.models.get(model)
    if found is None:
        provider, _, name = model.partition("/")
        return [_place(EndpointSettings(provider=provider, model=name), None, settings, list_price)]
    return [_place(endpoint, found.price, settings, list_price) for endpoint in found.endpoints]


def _place(
    endpoint: EndpointSettings, of_model: PriceSettings | None, settings: Settings, list_price: ListPrice
) -> Place:
    own = endpoint.price or of_model
    provider = settings.providers[endpoint.provider]
    listed = "" if own else list_price(endpoint.provider, endpoint.model)
    price = f"{own.input:f}/{own.output:f} USD per million tokens (your price)" if own else listed
    unknown = "no price is known: requests are recorded, their cost as unknown; set `price` to change that"
    return Place(endpoint.provider, endpoint.model, endpoint.region or provider.region, price or unknown)


def _asked(model: str, places: Sequence[Place], settings: Settings) -> str:
    direct = len(places) == 1 and f"{places[0].provider}/{places[0].model}" == model
    return places[0].text() if direct else f"{model} ({_in_order(places, settings.models.get(model))})"


def _in_order(places: Sequence[Place], model: ModelSettings | None) -> str:
    texts = [place.text() for place in places]
    if model is None or len(texts) == 1:
        return ", then ".join(texts)
    said = _STRATEGIES[model.strategy]
    text = f"{', '.join(texts)}: {said}" if said else ", then ".join(texts)
    if model.spill is not None:
        text += f"; own machines first, until one has {model.spill.in_flight} calls under way"
        text += f" or takes {seconds(model.spill.first_token)} to begin" if model.spill.first_token else ""
    return f"{text}; a session stays at one" if model.sticky else text


def _by_difficulty(route: RouteSettings, told: Mapping[str, str]) -> str:
    tiers: dict[str, list[str]] = {}
    for tier, model in models_by_tier(route).items():
        tiers.setdefault(model, []).append(tier)
    judge = "what was learned" if route.grader == "learned" else "signals in the request"
    each = ", ".join(f"{told[model]} for {' and '.join(names)} requests" for model, names in tiers.items())
    sure = f" (under {route.confidence:g} sure, the next stronger)" if route.confidence else ""
    return f"{each}, judged by {judge}{sure}"


def where(rule: RequireSettings) -> list[str]:
    """Where requests may go, in words; empty if anywhere."""
    found = ["only to own machines"] if rule.self_hosted else []
    found += [f"only in {' or '.join(rule.region)}"] if rule.region else []
    found += [f"only to {' or '.join(rule.providers)}"] if rule.providers else []
    return found + ([f"never to {' or '.join(rule.not_providers)}"] if rule.not_providers else [])


def policies(configuration: Configuration) -> list[str]:
    """Each rule of use as a sentence, in the order in which they are asked."""
    found = []
    for each in configuration.settings.policies:
        said = [
            f"{name.replace('_', ' ')} {_said(getattr(each.when, name))}"
            for name in each.when.__struct_fields__
            if name != "zone" and getattr(each.when, name) not in ("", None, {}, [])
        ]
        then = ([f"uses {each.use}"] if each.use else []) + where(each.require)
        found.append(f"{each.name}: {'if ' + ' and '.join(said) if said else 'always'}, {', '.join(then)}")
    return found


def limits(configuration: Configuration) -> list[str]:
    """Each limit as a sentence."""
    return [f"{each.name}: {_limit(each)}" for each in configuration.settings.limits]


def _limit(limit: LimitSettings) -> str:
    said = []
    for counted in COUNTED:
        amount = getattr(limit, counted)
        if amount is not None and counted == "concurrency":
            said.append(f"{amount:,} requests at the same time")
        elif amount is not None:
            at_once = f" ({100 * limit.burst:g} % of it at once)" if limit.burst < 1 else ""
            said.append(f"{amount:,} {counted.replace('_', ' ')} in {seconds(limit.per)}{at_once}")
    only = ", ".join(
        f"{name} {_said(getattr(limit.only, name))}"
        for name in OnlySettings.__struct_fields__
        if getattr(limit.only, name)
    )
    of = f"tag {limit.of.removeprefix('tag:')}" if limit.of.startswith("tag:") else limit.of
    whom = f"for each {of}" if limit.each else "for all together"
    return f"{' and '.join(said)} {whom}{f', only {only}' if only else ''}"


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={each}" for name, each in value.items())
    if isinstance(value, list):
        return " or ".join(map(str, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _deadlines(timeouts: TimeoutSettings) -> str:
    return (
        f"first token within {seconds(timeouts.first_token)}, whole answer within {seconds(timeouts.total)}"
    )


def _prices(places: Sequence[Place]) -> list[str]:
    by_price: dict[str, list[str]] = {}
    for place in places:
        names = by_price.setdefault(place.price, [])
        if place.text() not in names:
            names.append(place.text())
    if len(by_price) == 1:
        price = next(iter(by_price))
        return [price if price.startswith("no price") else f"price {price}"]
    return [f"{' and '.join(names)}: {price}" for price, names in by_price.items()]
