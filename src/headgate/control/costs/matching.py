"""Which of a provider's names of models are which of ours. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Match", "family", "match_models"]

_DATE = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$")
_BETWEEN = re.compile(r"[\s._:/]+")


@dataclass(frozen=True, slots=True)
class Match:
    """Names that mean the same; one of the two may be empty."""

    theirs: Sequence[str]
    ours: Sequence[str]


def family(name: str) -> str:
    """What a model's name has in common with its dated ones: `gpt-4o-mini` for `gpt-4o-mini-2024-07-18`, and the same for
    `Claude Haiku 4.5` and `claude-haiku-4-5-20251001`."""
    plain = name.strip().lower().removeprefix("models/").removesuffix("-latest")
    plain = _BETWEEN.sub("-", _DATE.sub("", plain)).strip("-")
    if plain.startswith("claude-"):
        # Once `claude-3-7-sonnet`, now `claude-sonnet-4`: as a set of words and a number.
        parts = plain.split("-")
        words = sorted(part for part in parts if not part.isdigit())
        return "-".join([*words, *(part for part in parts if part.isdigit())])
    return plain


def match_models(theirs: Iterable[str], ours: Iterable[str]) -> list[Match]:
    """Every name once. Where all of our names of a family are theirs too, name by name; else the family together: of
    `gpt-4o` alone nobody can tell which of its dates it was."""
    families: dict[str, tuple[list[str], list[str]]] = {}
    for side, names in enumerate((theirs, ours)):
        for name in names:
            families.setdefault(family(name), ([], []))[side].append(name)
    found = []
    for their_names, our_names in families.values():
        if set(our_names) <= set(their_names):
            found += [Match([name], [name] if name in our_names else []) for name in their_names]
        else:
            found.append(Match(their_names, our_names))
    return found
