"""What settings of the cache must agree on, and what an operator should know who turns it on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from headgate.cache.settings import FeatureCacheSettings
from headgate.config.model import FeatureSettings, Settings
from headgate.config.problems import Key, did_you_mean
from headgate.providers.embedding.place import BUILD_COMMAND, INSTALL_COMMAND, embedder_file

__all__ = ["cache_notes", "check_cache"]

Found = Iterator[tuple[Key, str]]

_POSITIVE = ("memory", "disk", "longest", "slow")
_NEED_EXACT = ("semantic", "shadow", "stale", "if_error", "refresh")


def check_cache(settings: Settings, names: Mapping[str, frozenset[str]]) -> Found:
    """Key and what would be right, for everything that cannot work or would not do what it seems to."""
    cache = settings.cache
    for name in _POSITIVE:
        if getattr(cache, name) <= 0:
            yield ("cache", name), "must be more than 0; `enabled = false` switches the cache off"
    if cache.engine == "redis" and not settings.server.redis:
        yield ("cache", "engine"), "is `redis`, and there is none: set `server.redis`"
    if wrong := _wrong_embedder(cache.embed, names):
        yield ("cache", "embed"), wrong
    for name, feature in settings.features.items():
        if feature.cache is not None:
            yield from _feature(("features", name, "cache"), feature, feature.cache)


def _wrong_embedder(name: str, names: Mapping[str, frozenset[str]]) -> str:
    provider, slash, model = name.partition("/")
    if name == "local" or name in names["models"]:
        return ""
    if slash:
        if provider in names["providers"] and model:
            return ""
        near = did_you_mean(provider, sorted(names["providers"]))
        return f"no provider `{provider}`{near or '; add a [providers.NAME] section'}"
    near = did_you_mean(name, ["local", *sorted(names["models"])])
    return f"no model `{name}`{near or '; write `local`, `provider/model` or a name of [models]'}"


def _feature(key: Key, feature: FeatureSettings, cache: FeatureCacheSettings) -> Found:
    if cache.exact is None:
        for name in _NEED_EXACT:
            if getattr(cache, name):
                yield (*key, name), 'needs `exact`, which says for how long answers are given: `exact = "1h"`'
    elif cache.exact <= 0:
        yield (*key, "exact"), "must be more than 0; leave `exact` out to keep nothing"
    if cache.shadow and cache.semantic is None:
        yield (*key, "shadow"), "measures semantic answers, and there are none: set `semantic`"
    if cache.semantic == "adaptive" and not cache.sample and not cache.shadow:
        yield (
            (*key, "sample"),
            "is 0: `adaptive` learns from answers that are asked for again, so let it ask for some",
        )
    if feature.data == "sensitive" and cache.scope != "user":
        yield (
            (*key, "scope"),
            'the feature\'s data is sensitive, so its answers are never shared beyond their user: write `scope = "user"`',
        )


def cache_notes(settings: Settings, environ: Mapping[str, str]) -> tuple[str, ...]:
    """What is not wrong, and would surprise, in sentences."""
    cache = settings.cache
    wanted = {name: feature.cache for name, feature in settings.features.items() if feature.cache is not None}
    if not wanted:
        return ()
    if not cache.enabled:
        return ("`cache.enabled` is off: nothing is answered from memory, whatever features say.",)
    notes = [
        f"Answers of `{name}` are kept for `cache.longest` at most, which is shorter than its `exact`."
        for name, each in wanted.items()
        if each.exact is not None and each.exact > cache.longest
    ]
    alike = [name for name, each in wanted.items() if each.semantic is not None]
    if alike and cache.embed == "local":
        whose = ", ".join(f"`{name}`" for name in alike)
        if find_spec("onnxruntime") is None:
            notes.append(
                f"Questions in other words are not recognised ({whose}): the extra `[embed]` is not installed; run {INSTALL_COMMAND}."
            )
        elif not embedder_file(environ).exists():
            notes.append(
                f"Questions in other words are not recognised ({whose}): the model's file is missing; run {BUILD_COMMAND}."
            )
    return tuple(notes)
