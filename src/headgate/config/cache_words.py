"""What a feature's cache does, in plain words."""

from __future__ import annotations

from collections.abc import Callable

from headgate.cache.settings import CacheSettings, FeatureCacheSettings

__all__ = ["cache_in_words"]


def cache_in_words(
    cache: FeatureCacheSettings, everywhere: CacheSettings, seconds: Callable[[float], str]
) -> str:
    """As a part of a sentence; "" if it does nothing. seconds: how a time is told."""
    if cache.exact is None or not everywhere.enabled:
        return ""
    which = "answers to requests with temperature 0" if cache.when == "deterministic" else "answers"
    whom = {"user": "the same user", "team": "the same team", "feature": "all its callers within a tenant"}[
        cache.scope
    ]
    said = [f"{which} are given again for {seconds(min(cache.exact, everywhere.longest))}, to {whom}"]
    if cache.semantic is not None:
        sure = (
            f"at most {100 * cache.most_wrong:g} % of them wrong"
            if cache.semantic == "adaptive"
            else f"if it is {100 * cache.semantic:g} % sure"
        )
        said.append(
            f"questions in other words are only measured ({sure})"
            if cache.shadow
            else f"also to questions in other words, {sure}"
        )
    if cache.let:
        said.append(f"even if they are about {', '.join(cache.let)}")
    if cache.stale:
        said.append(f"old ones for {seconds(cache.stale)} more while a new one is fetched")
    if cache.if_error:
        said.append(f"for {seconds(cache.if_error)} more if no model answers")
    return ", ".join(said)
