"""Thought signatures: what Gemini wants back with the calls it made, or it answers 400 (from version 3 on).

A signature belongs to the part after the thought, mostly a function call. The canonical conversation has a place for
signatures at `Thinking` only, so it waits there, marked as ours: other vendors then know it is not theirs, and we know
theirs from ours.
"""
from __future__ import annotations

import re

__all__ = ["MARK", "SKIP", "is_current"]

MARK = "gemini:"

SKIP = "skip_thought_signature_validator"
"""Google's documented stand-in for calls whose signature is not to be had: made by another model, or lost by the caller."""

_VERSION = re.compile(r"gemini-(\d+)")


def is_current(model: str) -> bool:
    """Version 3 or later, which demands signatures and takes a thinking level; a name without a version counts as such."""
    found = _VERSION.search(model)
    return found is None or int(found[1]) >= 3
