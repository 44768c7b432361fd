"""What routing's settings must agree on: models and providers that exist, hours that are some, rules that leave a place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from headgate.config.model import Settings
from headgate.config.problems import Key, did_you_mean
from headgate.routing.building import models_asked, models_by_tier
from headgate.routing.policies import parse_hours
from headgate.routing.settings import PolicySettings, RequireSettings, RouteSettings
from headgate.routing.strategies import in_region

__all__ = ["check_routing"]

Found = Iterator[tuple[Key, str]]
Names = Mapping[str, frozenset[str]]


def check_routing(settings: Settings, names: Names) -> Found:
    """Key and what would be right, for everything that contradicts something else."""
    yield from _require(("require",), settings.require, names)
    yield from _require(("require", "sensitive"), settings.require.sensitive, names)
    yield from _models(settings)
    yield from _features(settings, names)
    seen: set[str] = set()
    for number, policy in enumerate(settings.policies):
        key: Key = ("policies", number)
        if not policy.name or policy.name in seen:
            yield (*key, "name"), "every policy has a name of its own: records and messages call it by that"
        seen.add(policy.name)
        yield from _policy(key, policy, names)


def _same_place(settings: Settings) -> Found:
    """A place has one set of limits, whichever model names it: nobody should have to guess whose."""
    seen: dict[tuple[str, str, str], tuple[str, tuple[int, int, int]]] = {}
    for name, model in settings.models.items():
        for number, each in enumerate(model.endpoints):
            provider = settings.providers.get(each.provider)
            region = each.region or (provider.region if provider is not None else "")
            limits = each.concurrency, each.requests_per_minute, each.tokens_per_minute
            first, said = seen.setdefault((each.provider, each.model, region), (name, limits))
            if limits != said:
                place = f"`{each.provider}/{each.model}`{f' in {region}' if region else ''}"
                message = (
                    f"`concurrency`, `requests_per_minute` and `tokens_per_minute` of {place} are other ones "
                    f"in model `{first}`; it is one place with one set of limits, so write the same in both"
                )
                yield ("models", name, "endpoints", number), message


def _models(settings: Settings) -> Found:
    yield from _same_place(settings)
    for name, model in settings.models.items():
        if model.spill is None:
            continue
        hosted = {
            settings.providers[each.provider].self_hosted
            for each in model.endpoints
            if each.provider in settings.providers
        }
        if hosted and hosted != {True, False}:
            message = "needs endpoints of both kinds: of providers with `self_hosted = true`, and of others to spill to"
            yield ("models", name, "spill"), message


def _features(settings: Settings, names: Names) -> Found:
    for name, feature in settings.features.items():
        yield from _require(("features", name, "require"), feature.require, names)
        if isinstance(feature.route, RouteSettings):
            yield from _route(("features", name, "route"), feature.route, settings)
        # With a cache it changes who shares answers.
        alone = feature.data == "sensitive" and feature.cache is None
        sensitive = [settings.require.sensitive] if alone else []
        if sensitive == [RequireSettings()] and not any(
            policy.when.data is not None for policy in settings.policies
        ):
            message = "changes nothing: say where sensitive data may go, in [require.sensitive] or in a policy with `data`"
            yield ("features", name, "data"), message
        rules = [settings.require, feature.require, *sensitive]
        known = {provider for rule in rules for provider in rule.providers} <= names["providers"]
        if (
            known
            and any(rule != type(rule)() for rule in rules)
            and not _leaves_a_place(settings, name, rules)
        ):
            message = "leaves no endpoint: none of the models this feature names is where the rules allow"
            at = "require" if feature.require != RequireSettings() else "data" if sensitive else "route"
            yield ("features", name, at), message


def _route(key: Key, route: RouteSettings, settings: Settings) -> Found:
    if not models_by_tier(route):
        yield key, "names no model; write one for `simple` and one for `complex`"
    if route.grader == "learned" and not settings.routing.learned:
        yield (*key, "grader"), "needs `routing.learned`, the file that `headgate route learn` wrote"
    if route.quality_floor is not None and route.budget_per_1000 is not None:
        yield (*key, "quality_floor"), "cannot hold beside `budget_per_1000`: choose one"


def _leaves_a_place(settings: Settings, name: str, rules: list[RequireSettings]) -> bool:
    for model in models_asked(settings.features[name]):
        found = settings.models.get(model)
        places = (
            [(each.provider, each.region) for each in found.endpoints]
            if found is not None
            else [(model.partition("/")[0], "")]
        )
        for provider, region in places:
            wanted = settings.providers.get(provider)
            # A broken provider is a problem of its own.
            if wanted is None or all(
                _allows(rule, provider, region or wanted.region, self_hosted=wanted.self_hosted)
                for rule in rules
            ):
                return True
    return False


def _allows(rule: RequireSettings, provider: str, region: str, *, self_hosted: bool) -> bool:
    return (
        (self_hosted or not rule.self_hosted)
        and (not rule.region or any(in_region(region, wanted) for wanted in rule.region))
        and (not rule.providers or provider in rule.providers)
        and provider not in rule.not_providers
    )


def _require(key: Key, rule: RequireSettings, names: Names) -> Found:
    for field in ("providers", "not_providers"):
        for number, provider in enumerate(getattr(rule, field)):
            if provider not in names["providers"]:
                near = did_you_mean(provider, sorted(names["providers"]))
                yield (*key, field, number), f"no provider `{provider}`{near}"


def _policy(key: Key, policy: PolicySettings, names: Names) -> Found:
    when = policy.when
    if not policy.use and policy.require == RequireSettings():
        yield key, "does nothing: say which model it uses (`use`), or where such requests may go (`require`)"
    yield from _require((*key, "require"), policy.require, names)
    provider, _, rest = policy.use.partition("/")
    if policy.use and policy.use not in names["models"] and not (provider in names["providers"] and rest):
        near = did_you_mean(policy.use, sorted(names["models"]))
        yield (*key, "use"), f"no model `{policy.use}`{near}"
    for feature in [when.feature] if isinstance(when.feature, str) else when.feature:
        if feature and feature not in names["features"]:
            yield (
                (*key, "when", "feature"),
                f"no feature `{feature}`{did_you_mean(feature, sorted(names['features']))}",
            )
    try:
        if when.hours:
            parse_hours(when.hours)
    except ValueError as wrong:
        yield (*key, "when", "hours"), str(wrong)
    try:
        ZoneInfo(when.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield (
            (*key, "when", "zone"),
            f'no time zone "{when.zone}" on this machine; write one like "Europe/Berlin" or "UTC"',
        )
