"""What Claude models take, whoever serves them: told to think by a budget or by effort, sampled or not.

Source: Anthropic's pages on adaptive thinking, effort and API version 2026-10-21 (November 2026).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from headgate.core.messages import ChatRequest

__all__ = [
    "EFFORTS",
    "MIN_BUDGET",
    "ModelTraits",
    "effort_of",
    "least_kept",
    "sampling_of",
    "thinking_of",
    "traits_of",
    "version_of",
]

MIN_BUDGET = 1024
"""The fewest tokens `thinking.budget_tokens` may say."""

EFFORTS: dict[str, tuple[str, int]] = {
    "minimal": ("low", 1024),
    "low": ("low", 2048),
    "medium": ("medium", 8192),
    "high": ("high", 16384),
    "xhigh": ("xhigh", 24576),
    "max": ("max", 32000),
}
"""Effort in words -> `output_config.effort`, budget in tokens for models before 4.6. `none` switches thinking off."""

_NUMBERS = re.compile(r"(?<![\d.])(\d{1,2})(?:[-.](\d{1,2}))?(?![\d.])")


class ModelTraits(NamedTuple):
    """How a model is told to think, and whether it may be told how to sample."""

    adaptive: bool
    """`thinking: {"type": "adaptive"}` with `output_config.effort`; otherwise a budget in tokens."""
    budget: bool
    """Takes `thinking: {"type": "enabled", "budget_tokens": …}`."""
    sampling: bool
    """Takes temperature, top_p and top_k other than the defaults (on API versions before 2026-10-21)."""
    off: bool
    """Thinking can be switched off. The Fable and Mythos families always think; low effort is the least there."""


_CURRENT = (99, 0)


@lru_cache(maxsize=256)
def version_of(model: str) -> tuple[int, int]:
    """The version in the name; (99, 0) for a name without one, which is taken for a current model's."""
    found = _NUMBERS.search(model.rpartition("claude")[2] if "claude" in model else "")
    return _CURRENT if found is None else (int(found[1]), int(found[2] or 0))


@lru_cache(maxsize=256)
def least_kept(model: str) -> int:
    """Tokens that a beginning must have for Claude to keep it; with fewer a mark is passed over, at no cost.

    Source: Anthropic's page on prompt caching (November 2026)."""
    version = version_of(model)
    haiku, opus = "haiku" in model, "opus" in model
    if (haiku and version == (4, 5)) or (opus and (4, 5) <= version <= (4, 7)):
        return 4096
    if haiku and version < (4, 0):
        return 2048
    newest = opus or "fable" in model or "mythos" in model
    return 512 if newest and (5, 0) <= version < _CURRENT else 1024


@lru_cache(maxsize=256)
def traits_of(model: str) -> ModelTraits:
    """Traits by the version in the name; a name without one is taken for a current model.

    4.6 brought adaptive thinking, 4.7 took budgets and sampling away."""
    off = "fable" not in model and "mythos" not in model
    version = version_of(model)
    if version == _CURRENT:
        return ModelTraits(adaptive=True, budget=False, sampling=False, off=off)
    current = version >= (4, 7)
    return ModelTraits(adaptive=version >= (4, 6), budget=not current, sampling=not current, off=off)


def thinking_of(request: ChatRequest, traits: ModelTraits, *, native: bool) -> dict[str, Any] | None:
    """The `thinking` field, or None to leave it to the model.

    native: the caller spoke Anthropic's own wire, where effort does not imply thinking and a budget is meant."""
    effort, effort_budget = EFFORTS.get(request.effort, (request.effort, MIN_BUDGET))
    budget = request.thinking_budget
    if budget == 0 or effort == "none":
        return {"type": "disabled"} if native or traits.off else None
    if budget is None and (native or not effort):
        return None
    if traits.budget and (native or not traits.adaptive):
        return {
            "type": "enabled",
            "budget_tokens": max(effort_budget if budget is None else budget, MIN_BUDGET),
        }
    return {"type": "adaptive"}


def effort_of(request: ChatRequest, traits: ModelTraits, *, native: bool) -> str:
    """The word for `effort`, or "" to leave it to the model or where the model knows none."""
    if native:
        return request.effort
    if not traits.adaptive:
        return ""
    if request.effort == "none" or request.thinking_budget == 0:
        return "" if traits.off else "low"
    return EFFORTS.get(request.effort, (request.effort, 0))[0]


def sampling_of(request: ChatRequest, traits: ModelTraits, *, thinking: bool) -> dict[str, float | int]:
    """temperature, top_p and top_k as the model takes them, from a caller who speaks another dialect.

    Temperature ends at 1 (OpenAI's at 2) and excludes top_p. With thinking only a top_p of 0.95 or more is taken."""
    if not traits.sampling:
        return {}
    if thinking:
        return {"top_p": request.top_p} if request.top_p is not None and request.top_p >= 0.95 else {}
    said: dict[str, float | int] = {}
    if request.temperature is not None:
        said["temperature"] = min(request.temperature, 1.0)
    elif request.top_p is not None:
        said["top_p"] = request.top_p
    if request.top_k is not None:
        said["top_k"] = request.top_k
    return said
