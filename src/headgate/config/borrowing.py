"""One configuration with another one's models: what is kept, paid and limited stays, where requests go is the other's."""

from __future__ import annotations

import msgspec

from headgate.config.fingerprint import fingerprint
from headgate.config.model import Configuration

__all__ = ["BORROWED", "with_routes_of"]

BORROWED = (
    "providers",
    "models",
    "features",
    "policies",
    "require",
    "rules",
    "callbacks",
    "defaults",
    "health",
    "routing",
)
"""Sections that say where a request goes, and how it is asked there."""


def with_routes_of(own: Configuration, other: Configuration) -> Configuration:
    """`own`, but for BORROWED, which are the other's. Database, keys, budgets, limits and alerts stay."""
    borrowed = {name: getattr(other.settings, name) for name in BORROWED}
    settings = msgspec.structs.replace(own.settings, **borrowed)
    return Configuration(
        settings, fingerprint(settings), own.path, {**own.sources, **other.sources}, other.notes, other.files
    )
