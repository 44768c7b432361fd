"""What a configuration will do, in plain words: where each request goes, how long it may take, what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from headgate.admission.limits.settings import COUNTED, LimitSettings
from headgate.budgets.settings import AnswerTokenSettings, BudgetSettings, spelt_out
from headgate.config.cache_words import cache_in_words
from headgate.config.model import Configuration, Settings
from headgate.dispatch.ladder.settings import in_words
from headgate.dispatch.settings import TimeoutSettings
from headgate.exchange.subjects import OnlySettings
from headgate.providers.catalog.settings import PriceSettings
from headgate.providers.prefixes import Keep
from headgate.quality.contracts.judging import in_words as in_words_of
from headgate.routing.building import models_asked, models_by_tier
from headgate.routing.settings import EndpointSettings, ModelSettings, RequireSettings, RouteSettings

__all__ = [
    "ListPrice",
    "Place",
    "Story",
    "alerts",
    "budgets",
    "dashboard",
    "explain",
    "limits",
    "policies",
    "seconds",
    "telemetry",
    "where",
]

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
    memory = cache_in_words(feature.cache, settings.cache, seconds) if feature.cache is not None else ""
    told_all = [
        *route,
        *([memory] if memory else []),
        *ladder,
        *rules,
        _deadlines(feature.timeouts or settings.defaults.timeouts),
        *_answer_length(feature.answer_tokens or settings.defaults.answer_tokens),
        *_kept(feature.prompt_caching or settings.defaults.prompt_caching),
        *_costs(name, settings, places),
        *([in_words_of(feature.contract)] if feature.contract is not None else []),
        *_prices(places),
    ]
    return Story(name, "feature", places, told_all)


def _kept(keep: Keep) -> list[str]:
    if keep == "off":
        return []
    return [
        f"has providers keep beginnings of prompts that come again, for {'an hour' if keep == '1h' else '5 min'}"
    ]


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
    price = _own_price(own) if own else listed
    unknown = "no price is known: requests are recorded, their cost as unknown; set `price` to change that"
    return Place(endpoint.provider, endpoint.model, endpoint.region or provider.region, price or unknown)


def _own_price(own: PriceSettings) -> str:
    each = f" and {own.request:f} USD a request" if own.request else ""
    return f"{own.input:f}/{own.output:f} USD per million tokens{each} (your price)"


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


def budgets(configuration: Configuration) -> list[str]:
    """Each budget that is written out as a sentence; those in short stand with their features."""
    return [f"{each.name}: {_budget(each)}" for each in configuration.settings.budgets]


def alerts(configuration: Configuration) -> list[str]:
    """Each receiver of alerts as a sentence, without its address: a URL may be a secret."""
    found = []
    for each in configuration.settings.alerts:
        kinds = " and ".join(each.about).replace("_", " ") or "everything"
        only = ", ".join(
            f"{name} {_said(getattr(each.only, name))}"
            for name in each.only.__struct_fields__
            if getattr(each.only, name)
        )
        least = f", {each.least} at least" if each.least != "info" else ""
        unsigned = (
            "; unsigned, because it has no `secret`" if each.kind == "webhook" and not each.secret else ""
        )
        about = f"{kinds}{f' of {only}' if only else ''}{least}{unsigned}"
        found.append(f"{each.name} ({each.kind}) is told of {about}")
    return found


def dashboard(configuration: Configuration) -> list[str]:
    """Who sees the pages, as a sentence; none if nothing is said of it."""
    settings = configuration.settings.dashboard
    if settings == type(settings)():
        return []
    ways = ["by password or key", *([f"at {settings.oidc.name}"] if settings.oidc else [])]
    local = "; this machine's own browser sees it without, as a viewer" if settings.local else ""
    return [f"People sign in to the dashboard {' or '.join(ways)}{local}"]


def telemetry(configuration: Configuration) -> list[str]:
    """What leaves for a collector, as a sentence; none if nothing does."""
    otlp = configuration.settings.telemetry.otlp
    signals = " and ".join(name for name, sent in (("spans", otlp.traces), ("metrics", otlp.metrics)) if sent)
    if not otlp.endpoint or not signals:
        return []
    content = "prompts and answers included" if otlp.content else "without prompts and answers"
    host = urlsplit(otlp.endpoint).netloc.rpartition("@")[2]
    return [f"{signals.capitalize()} go to {host}{f', {content}' if otlp.traces else ''}"]


def _budget(budget: BudgetSettings) -> str:
    only = ", ".join(
        f"{name} {_said(getattr(budget.only, name))}"
        for name in OnlySettings.__struct_fields__
        if getattr(budget.only, name)
    )
    return f"{_sum(budget)}{f', only {only}' if only else ''}; {_when_spent(budget)}"


def _sum(budget: BudgetSettings) -> str:
    """`500 USD a month (Europe/Berlin) for each user`."""
    usd = f"{budget.usd.normalize():f} USD"
    if budget.per == "request":
        return f"{usd} a request"
    of = f"tag {budget.of.removeprefix('tag:').strip()}" if budget.of.startswith("tag:") else budget.of
    whom = f"for each {of}" if budget.each else "for all together"
    if budget.per == "prepaid":
        return f"{f'{usd} and ' if budget.usd else ''}what is deposited, {whom}"
    zone = f" ({budget.time_zone})" if budget.time_zone != "UTC" else ""
    return f"{usd} a {budget.per}{zone} {whom}"


def _when_spent(budget: BudgetSettings) -> str:
    if budget.when_spent == "refuse":
        return "what it does not pay for is refused"
    if budget.when_spent == "alert":
        return "watched only"
    return f"from {100 * budget.downgrade_at:g} % on {budget.downgrade_to} answers"


def _costs(feature: str, settings: Settings, places: Sequence[Place]) -> list[str]:
    """What a feature may cost: its own budgets, and those that name it."""
    own = settings.features[feature].budget
    found = spelt_out(feature, own) if own is not None else []
    told = [f"budget of {_sum(each)}; {_when_spent(each)}" for each in found]
    about = [each for each in settings.budgets if not each.only.feature or feature in each.only.feature]
    if about:
        told.append(f"paid from {' and '.join(each.name for each in about)} too")
    strict = [
        each for each in (*found, *about) if each.when_spent == "refuse" and each.unknown_price == "refuse"
    ]
    unpriced = list(dict.fromkeys(each.text() for each in places if each.price.startswith("no price")))
    if strict and unpriced:
        told.append(
            f"{strict[0].name} refuses what goes to {' or '.join(unpriced)}, of which no price is known: write `price`"
        )
    return told


def _answer_length(bounds: AnswerTokenSettings) -> list[str]:
    if bounds.default is None and bounds.most is None:
        return []
    most = f"answers of {bounds.most:,} tokens at most" if bounds.most is not None else ""
    usual = f"{bounds.default:,} where the request does not say" if bounds.default is not None else ""
    return [", ".join(filter(None, (most, usual or "")))] if most else [f"answers of {usual}"]


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
