"""What every question for rollups is made of: names that are known, and steps of time.

As in `totals`, the SQL holds names of our own fields and `?` for values.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from headgate.stores.rollups import HOUR

__all__ = ["Question", "checked", "slot", "whole_hours"]

Question = tuple[str, list[Any]]
"""SQL and its values."""


def slot(since: int, step: int) -> str:
    """The moment that a row belongs to, as SQL. step: seconds; 0: one for all."""
    return f'"at" / {step} * {step}' if step else f"CAST({since} AS BIGINT)"


def whole_hours(step: int) -> int:
    """The step, if that is what it is. Raises ValueError."""
    if step < 0 or step % HOUR:
        raise ValueError(f"a step is a multiple of {HOUR} s")
    return step


def checked(names: Collection[str], known: Sequence[str]) -> None:
    """Raises ValueError for a name that is not among those known."""
    for name in names:
        if name not in known:
            raise ValueError(f"there is no `{name}` here; there is {', '.join(known)}")
