"""What all of `/api/cache` looks into: the settings of each feature's cache, and where answers are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.admission.rights import CONTENT
from headgate.cache.settings import FeatureCacheSettings
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked
from headgate.core.near import did_you_mean
from headgate.stores.answers import AnswerStore

__all__ = ["feature_settings", "looked_for", "memory_of", "no_feature"]


def feature_settings(settings: Any) -> Mapping[str, FeatureCacheSettings | None]:
    """Of each feature of the configuration: None, if it has no cache."""
    on = settings.cache.enabled
    return {name: each.cache if on else None for name, each in settings.features.items()}


def memory_of(asked: Asked[Any, Any]) -> AnswerStore:
    """Raises Problem if there is none."""
    answers: AnswerStore | None = asked.desk.memory.answers
    if answers is None:
        raise Problem(
            "conflict",
            'nothing is kept here: give a feature a cache, such as `cache = { exact = "1h" }`, and see that `[cache]` is on',
        )
    return answers


def no_feature(name: str, features: Mapping[str, object]) -> Problem:
    """What is said of a feature that the configuration does not name."""
    near = did_you_mean(name, features)
    return Problem("not_found", f"there is no feature `{name}`{near}", param="feature")


def looked_for(asked: Asked[Any, Any], text: str) -> str | None:
    """`text` of a query or body; None: it is empty. Raises Problem without the right to read content: it would tell what stands there."""
    if text and CONTENT not in asked.caller.routes:
        raise Problem(
            "not_allowed",
            "`text` looks into questions and answers, which your role may not read",
            param="text",
        )
    return text or None
