"""What a Claude model's name tells about the requests it takes.

Source: Anthropic's pages on adaptive thinking, effort and API version 2026-10-21 (November 2026).
"""
from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

__all__ = ["ModelTraits", "traits_of"]

_NUMBERS = re.compile(r"(?<![\d.])(\d{1,2})(?:[-.](\d{1,2}))?(?![\d.])")


class ModelTraits(NamedTuple):
    """How a model is told to think, and whether it may be told how to sample."""

    adaptive: bool
    """`thinking: {"type": "adaptive"}` with `output_config.effort`; otherwise a budget in tokens."""
    budget: bool
    """Takes `thinking: {"type": "enabled", "budget_tokens": …}`."""
    sampling: bool
    """Takes temperature, top_p and top_k other than the defaults (on API versions before 2026-10-21)."""


@lru_cache(maxsize=256)
def traits_of(model: str) -> ModelTraits:
    """Traits by the version in the name; a name without one is taken for a current model.

    4.6 brought adaptive thinking, 4.7 took budgets and sampling away."""
    found = _NUMBERS.search(model.rpartition("claude")[2] if "claude" in model else "")
    if found is None:
        return ModelTraits(adaptive=True, budget=False, sampling=False)
    version = (int(found[1]), int(found[2] or 0))
    return ModelTraits(adaptive=version >= (4, 6), budget=version < (4, 7), sampling=version < (4, 7))
