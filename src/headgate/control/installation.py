"""This installation as it is now: what runs, by which configuration, on what; for the page Settings."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["About", "PlaceNow", "differences", "flattened", "text_differences"]

_MOST = 100
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class PlaceNow:
    """One endpoint and how it is."""

    name: str
    provider: str
    model: str
    region: str
    state: str
    """closed: it is asked. open: it is left alone. half-open: it is being tried."""
    why: str


@dataclass(frozen=True, slots=True)
class About:
    """No secret is in it."""

    hash: str
    source: str
    """The file's whole path; `environment`."""
    text: str
    """The settings that serve, defaults included, as TOML without secrets."""
    notes: Sequence[str]
    on_disk: Literal["same", "different", "unreadable", "none"]
    """The file, compared with what serves."""
    on_disk_words: str
    """Of a file that cannot be used: why."""
    changes: Sequence[tuple[str, str]]
    """Lines of the difference between what serves and the file: (added, removed or kept; the line)."""
    places: Sequence[PlaceNow]
    versions: Sequence[tuple[str, str]]
    stores: Sequence[tuple[str, int]]
    """(what, bytes)."""
    journal_bytes: int
    """Written down and not in the database yet."""
    drops: int
    node: int
    """This process's number among all that were ever started on this database."""


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """What two configurations say differently: name -> value, before and after. Bounded; give them without secrets."""
    old, new = flattened(before), flattened(after)
    names = [name for name in dict.fromkeys((*old, *new)) if old.get(name) != new.get(name)][:_MOST]
    return (
        {name: old[name][:_LONGEST] for name in names if name in old},
        {name: new[name][:_LONGEST] for name in names if name in new},
    )


def flattened(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as dotted names."""
    found: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            found.update(flattened(value, f"{prefix}{name}."))
        elif value not in (None, {}):
            found[f"{prefix}{name}"] = str(value)
    return found


def text_differences(before: str, after: str) -> list[tuple[str, str]]:
    """Lines that differ, each with two of its neighbours: ("add" | "remove" | "keep" | "gap", line)."""
    kinds = {"+": "add", "-": "remove", " ": "keep", "@": "gap"}
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=2, lineterm="")
    found = [
        (kinds[line[0]], "" if line[0] == "@" else line[1:])
        for line in lines
        if line[0] in kinds and line[:3] not in ("+++", "---")
    ]
    return found[: _MOST * 5]
