"""What sections must agree on with one another, and values that only make sense in a certain shape."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

from headgate.config.alert_checks import check_alerts
from headgate.config.budget_checks import check_budgets
from headgate.config.cache_checks import check_cache
from headgate.config.limit_checks import check_limits
from headgate.config.model import FeatureSettings, Settings
from headgate.config.problems import Key, did_you_mean
from headgate.config.routing_checks import check_routing
from headgate.config.secrets import check_secrets
from headgate.config.telemetry_checks import check_telemetry
from headgate.config.watch_checks import check_watch
from headgate.dispatch.ladder.settings import model_names, problems
from headgate.dispatch.settings import TimeoutSettings
from headgate.providers.settings import ProviderSettings
from headgate.routing.building import models_by_tier
from headgate.stores.address import is_address, is_postgres

__all__ = ["Names", "check", "check_listen", "is_loopback", "split_listen"]

Refuse = Callable[[Key, str], None]
Found = Iterator[tuple[Key, str]]

_POSITIVE = ("max_body", "max_headers", "max_header_count", "request_time", "keep_alive", "write_stall")
_REDIS = ("redis://", "rediss://", "unix://")
_PHASES = ("connect", "first_token", "between_tokens", "total")
_URLS = ("base_url", "endpoint", "endpoint_url")


class Names(Mapping[str, frozenset[str]]):
    """The names in a file, by section, those of broken sections too: a reference to one of them is no second problem."""

    def __init__(self, data: Mapping[str, object]) -> None:
        self._names = {
            section: frozenset(names)
            for section in ("providers", "models", "features", "rules", "callbacks")
            if isinstance(names := data.get(section, {}), Mapping)
        }

    def __getitem__(self, section: str) -> frozenset[str]:
        return self._names.get(section, frozenset())

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def check(settings: Settings, names: Names, refuse: Refuse) -> None:
    """Tell `refuse` of everything that contradicts something else."""
    for key, message in (
        *_server(settings),
        *_timeouts(("defaults", "timeouts"), settings.defaults.timeouts),
        *_providers(settings),
        *_models(settings, names),
        *_features(settings, names),
        *check_routing(settings, names),
        *check_limits(settings, names),
        *check_budgets(settings, names),
        *check_alerts(settings, names),
        *check_watch(settings, names),
        *check_telemetry(settings),
        *check_cache(settings, names),
        *check_secrets(settings),
    ):
        refuse(key, message)


def split_listen(listen: str) -> tuple[str, int]:
    """Host and port. Raises ValueError with what would be right."""
    host, colon, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(
            f'"{listen}" is not HOST:PORT; write one like "127.0.0.1:8080", "0.0.0.0:80" or "[::1]:8080" '
            "(port 0 takes a free one)"
        )
    if ":" in host and not listen.startswith("["):
        raise ValueError(f'"{listen}": an IPv6 address stands in brackets, such as "[{host}]:{port}"')
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Can only this machine reach it?"""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_listen(settings: Settings) -> str:
    """Why Headgate must not listen there; "" if it may. A gate without keys spends the operator's money for anybody."""
    try:
        host, _ = split_listen(settings.server.listen)
    except ValueError as wrong:
        return str(wrong)
    if settings.server.auth == "none" and not is_loopback(host):
        return (
            f'with `auth = "none"` anybody who reaches {settings.server.listen} could spend your money: '
            'listen on 127.0.0.1, or set `auth = "keys"`'
        )
    return ""


def _server(settings: Settings) -> Found:
    if wrong := check_listen(settings):
        yield ("server", "listen"), wrong
    database = settings.server.database
    if is_postgres(database):
        if wrong := _wrong_server(database):
            yield ("server", "database"), wrong
    elif not database.startswith("sqlite:///") or database in ("sqlite:///", "sqlite:///:memory:"):
        file = "must be `sqlite:///PATH` with a file, such as `sqlite:///headgate.db`"
        yield ("server", "database"), f"{file}, or `postgresql://USER:PASSWORD@HOST/DATABASE`"
    if settings.server.redis and not settings.server.redis.startswith(_REDIS):
        yield ("server", "redis"), "must be an address such as redis://127.0.0.1:6379/0"
    for name in _POSITIVE:
        if getattr(settings.server, name) <= 0:
            yield ("server", name), "must be more than 0"
    for pattern in settings.environment.allow:
        if not pattern.strip("*?"):
            yield ("environment", "allow"), f'"{pattern}" would let this file read every variable; name them'


def _wrong_server(database: str) -> str:
    """Why that is no address of a PostgreSQL database, without repeating it: a password is in it. "" if it is one."""
    hint = "; in a password write `@` as %40, `/` as %2F and `%` as %25" if "@" in database else ""
    return "" if is_address(database) else f"must be `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`{hint}"


def _providers(settings: Settings) -> Found:
    for name, provider in settings.providers.items():
        if "/" in name:
            yield ("providers", name), "a provider's name has no `/`: callers write `provider/model`"
        for field in _URLS:
            if wrong := _wrong_url(str(getattr(provider, field, "") or "")):
                yield ("providers", name, field), wrong
        yield from _transport(("providers", name, "transport"), provider)


def _transport(key: Key, provider: ProviderSettings) -> Found:
    transport = provider.transport
    for field in ("ca_file", "client_cert", "client_key"):
        file = getattr(transport, field)
        if file is not None and not os.access(file, os.R_OK):
            yield (*key, field), f'"{file}" is not there, or may not be read'
    if transport.client_key is not None and transport.client_cert is None:
        yield (*key, "client_key"), "a key without its certificate; set `client_cert` too"
    if transport.proxy not in (None, "env", "none") and (wrong := _wrong_url(str(transport.proxy))):
        yield (*key, "proxy"), f'{wrong}, or "env", or "none"'


def _wrong_url(text: str) -> str:
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    return "" if sound else "must be an address such as https://api.example.com/v1"


def _models(settings: Settings, names: Names) -> Found:
    for name, model in settings.models.items():
        if name in names["features"]:
            yield (
                ("models", name),
                f"there is a feature `{name}` too; callers ask for both by name, so rename one",
            )
        if not model.endpoints:
            yield ("models", name, "endpoints"), "is empty: a model must be reachable somewhere"
        for number, endpoint in enumerate(model.endpoints):
            key: Key = ("models", name, "endpoints", number)
            if endpoint.provider not in names["providers"]:
                near = did_you_mean(endpoint.provider, sorted(names["providers"]))
                yield (
                    (*key, "provider"),
                    f"no provider `{endpoint.provider}`{near or '; add a [providers.NAME] section'}",
                )
            if not endpoint.model:
                yield (*key, "model"), "is empty: write the provider's own name of the model"


def _timeouts(key: Key, timeouts: TimeoutSettings | None) -> Found:
    for phase in _PHASES if timeouts is not None else ():
        if getattr(timeouts, phase) <= 0:
            yield (*key, phase), "must be more than 0: no answer comes in no time"


def _features(settings: Settings, names: Names) -> Found:
    for name, feature in settings.features.items():
        yield from _timeouts(("features", name, "timeouts"), feature.timeouts)
        for number, wrong in problems(feature.degrade, rules=names["rules"], callbacks=names["callbacks"]):
            yield ("features", name, "degrade", number), wrong
        for key, model in _asked(name, feature):
            provider, slash, rest = model.partition("/")
            if model in names["models"] or (provider in names["providers"] and rest):
                continue
            if model in names["features"]:
                yield key, f"`{model}` is a feature; a route names a model"
            elif slash and provider not in names["providers"]:
                near = did_you_mean(provider, sorted(names["providers"]))
                yield key, f"no provider `{provider}`{near or '; add a [providers.NAME] section'}"
            else:
                near = did_you_mean(model, sorted(names["models"]))
                yield (
                    key,
                    f"no model `{model}`{near or '; add a [models.NAME] section, or write `provider/model`'}",
                )


def _asked(name: str, feature: FeatureSettings) -> Iterator[tuple[Key, str]]:
    if isinstance(feature.route, str):
        yield ("features", name, "route"), feature.route
    else:
        for tier, model in models_by_tier(feature.route).items():
            if getattr(feature.route, tier):
                yield ("features", name, "route", tier), model
    for number, model in enumerate(feature.fallback):
        yield ("features", name, "fallback", number), model
    if feature.shadow is not None:
        yield ("features", name, "shadow", "model"), feature.shadow.model
    for number, model in model_names(feature.degrade):
        yield ("features", name, "degrade", number), model
