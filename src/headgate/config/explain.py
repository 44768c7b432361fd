"""What a configuration will do, in plain words: where each request goes, how long it may take, what it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headgate.config.model import Configuration, Settings
from headgate.dispatch.settings import TimeoutSettings
from headgate.providers.catalog.settings import PriceSettings
from headgate.routing.settings import EndpointSettings

__all__ = ["ListPrice", "Place", "Story", "explain", "seconds"]

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
    asked = [feature.route, *feature.fallback]
    by_model = [(model, _places(model, settings, list_price)) for model in asked]
    route = [f"asks {_asked(*by_model[0])}"]
    route += [f"if that fails, {_asked(model, places)}" for model, places in by_model[1:]]
    places = [place for _, found in by_model for place in found]
    return Story(name, "feature", places, [*route, _deadlines(feature.timeouts), *_prices(places)])


def _model(name: str, settings: Settings, list_price: ListPrice) -> Story:
    places = _places(name, settings, list_price)
    return Story(name, "model", places, [f"is {_in_order(places)}", *_prices(places)])


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


def _asked(model: str, places: Sequence[Place]) -> str:
    direct = len(places) == 1 and f"{places[0].provider}/{places[0].model}" == model
    return places[0].text() if direct else f"{model} ({_in_order(places)})"


def _in_order(places: Sequence[Place]) -> str:
    return ", then ".join(place.text() for place in places)


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
