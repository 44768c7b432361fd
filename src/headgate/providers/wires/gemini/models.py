"""What a Gemini model's name tells, and the signatures that models from version 3 on demand.

Thought signatures must come back with the calls that Gemini made, or it answers 400.

A signature belongs to the part after the thought, mostly a function call. The canonical conversation has a place for
signatures at `Thinking` only, so it waits there, marked as ours: other vendors then know it is not theirs, and we know
theirs from ours.
"""

from __future__ import annotations

import re
from urllib.parse import quote

__all__ = ["MARK", "SKIP", "is_current", "model_path"]

MARK = "gemini:"

SKIP = "skip_thought_signature_validator"
"""Google's documented stand-in for calls whose signature is not to be had: made by another model, or lost by the caller."""

_VERSION = re.compile(r"gemini-(\d+)")


def is_current(model: str) -> bool:
    """Version 3 or later, which demands signatures and takes a thinking level; a name without a version counts as such."""
    found = _VERSION.search(model)
    return found is None or int(found[1]) >= 3


def model_path(model: str) -> str:
    """The resource the API knows the model by: `models/…`, or a tuned model's own. Safe to stand in a path."""
    kind, slash, name = model.partition("/")
    if slash and kind in ("models", "tunedModels"):
        return f"{kind}/{quote(name, safe='')}"
    return f"models/{quote(model, safe='')}"
