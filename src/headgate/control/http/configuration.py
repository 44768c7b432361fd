"""`/api/config`: what serves now, in words. No secret is in it, and nothing from which one could be told."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from headgate.control.http.route import Asked, route
from headgate.control.overview import features_in_words, models_in_words, providers_in_words

__all__ = ["ROUTES", "ConfigurationTold", "Named"]


class Named(msgspec.Struct, kw_only=True):
    """Something the configuration names."""

    name: str
    about: str
    """In words."""


class ConfigurationTold(msgspec.Struct, kw_only=True):
    """The configuration that serves now."""

    hash: str
    """Stands in the record of each request it served."""
    source: str
    """The file's name, or `environment`."""
    auth: str
    """`keys`: whoever asks models needs one."""
    features: list[Named]
    """And the models each asks, in order."""
    models: list[Named]
    """And where each is reached, in order."""
    providers: list[Named]
    """And what is known of each: its kind, its address."""


async def show_configuration(asked: Asked[None, None]) -> ConfigurationTold:
    """Tell what is configured: features and models in words, no secrets."""
    configuration = asked.desk.configuration()
    settings = configuration.settings
    return ConfigurationTold(
        hash=configuration.hash,
        source=configuration.path.name if configuration.path else "environment",
        auth=settings.server.auth,
        features=_named(features_in_words(settings)),
        models=_named(models_in_words(settings)),
        providers=_named(providers_in_words(settings)),
    )


def _named(pairs: Iterable[tuple[str, str]]) -> list[Named]:
    return [Named(name=name, about=about) for name, about in pairs]


ROUTES = (route("GET", "/api/config", "api.config.show", show_configuration),)
