"""How old rows of rollups may be, the same on every engine: since when finer ones are kept, and what is to be deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from headgate.stores.rolled_sql import Question
from headgate.stores.rollups import HOUR, MINUTE, TEN_MINUTES, Ages, Kept

__all__ = ["ENDS", "KEPT", "Expired", "expired", "kept_after", "kept_of"]

ENDS = f'SELECT max("at") + {MINUTE} FROM rollup WHERE seconds = {MINUTE}'  # noqa: S608 - numbers of our own
"""Asks where rows end."""
KEPT = "rollups.kept"
"""Under what name `installation` has since when finer rows are kept."""


def kept_of(data: bytes | None, ends: int | None = None) -> Kept:
    """What `installation` says under KEPT, and ENDS was answered with."""
    kept = msgspec.msgpack.decode(data, type=Kept) if data else Kept()
    return msgspec.structs.replace(kept, ends=ends or 0)


class Expired(NamedTuple):
    """Rows of one table that are too old."""

    table: str
    where: str
    values: tuple[Any, ...]
    before: int

    def cut(self, limit: int) -> Question:
        """Asks for the moment of the row behind the first `limit`. No answer: there are no more."""
        text = f'SELECT "at" FROM {self.table} WHERE {self.where} AND "at" < ? ORDER BY "at" LIMIT 1 OFFSET ?'  # noqa: S608
        return text, [*self.values, self.before, limit]

    def delete(self, until: int | None) -> Question:
        """Deletes what is not after that moment; None: all."""
        text = f'DELETE FROM {self.table} WHERE {self.where} AND "at" < ?'  # noqa: S608 - our own names
        return text, [*self.values, self.before if until is None else until + 1]


def expired(ages: Ages, dimensions: Sequence[str]) -> list[Expired]:
    """What there is to delete. dimensions: those of spending by the hour."""
    found = [
        Expired("rollup", "seconds = ?", (level,), ages.minutes_before)
        for level in (MINUTE, TEN_MINUTES, -MINUTE, -TEN_MINUTES)
    ]
    found += [Expired("rollup", "seconds = ?", (level,), ages.hours_before) for level in (HOUR, -HOUR)]
    found += [
        Expired("spend", "seconds = ? AND dimension = ?", (HOUR, dimension), ages.hours_before)
        for dimension in dimensions
    ]
    found.append(Expired("failure", "requests >= ?", (0,), ages.failures_before))
    found.append(Expired("gauge", "name >= ?", ("",), ages.gauges_before))
    return [one for one in found if one.before > 0]


def kept_after(kept: Kept, ages: Ages) -> Kept:
    """Since when finer rows are kept, now that this is too old."""
    return Kept(max(kept.minutes_from, ages.minutes_before), max(kept.hours_from, ages.hours_before))
