"""Names that are nearly right: whoever typed one is told the one that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean"]


def did_you_mean(name: str, known: Iterable[str], *, listed: int = 8) -> str:
    """`; did you mean ...?` with the nearest known names, else the first few that are known, else nothing."""
    names = list(known)
    lowered = {each.lower().replace("-", "_"): each for each in reversed(names)}
    near = difflib.get_close_matches(name.lower().replace("-", "_"), lowered, n=3, cutoff=0.65)
    if near:
        return f"; did you mean {' or '.join(f'`{lowered[each]}`' for each in near)}?"
    if not names:
        return ""
    more = ", ..." if len(names) > listed else ""
    return f"; known are {', '.join(f'`{each}`' for each in names[:listed])}{more}"
