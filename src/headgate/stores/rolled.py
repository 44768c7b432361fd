"""How rollups are read, the same on every engine: their SQL for each piece of time, and how the answers come together.

As in `totals`, the SQL holds names of our own fields and `?` for values.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from headgate.core.sketch import Sketch
from headgate.stores.rolled_pieces import Piece, pieces
from headgate.stores.rolled_sql import Question, checked, slot
from headgate.stores.rollups import MINUTE, PARTS, SKETCHES, SUMS, Kept, Rolled, Scope, decoded_sketch

__all__ = ["Rolls"]

_OF_TOGETHER = frozenset(("outcome", "purpose"))
"""Parts that rows of all features, models and providers together are still kept apart by; they have negative seconds."""


class Rolls:
    """One question for rollups: its SQL for each piece, and the answers put together."""

    def __init__(self, scope: Scope, step: int, by: Sequence[str], sketches: Collection[str]) -> None:
        """Raises ValueError for unknown names, and for a step that is no multiple of MINUTE."""
        checked((*by, *scope.only), PARTS)
        checked(sketches, SKETCHES)
        if step < 0 or step % MINUTE:
            raise ValueError(f"a step is a multiple of {MINUTE} s")
        self.scope, self._step, self._by = scope, step, tuple(by)
        self._asked = tuple(name for name in SKETCHES if name in sketches)
        self._places = [SKETCHES.index(name) for name in self._asked]
        self._found: dict[tuple[int, tuple[str, ...]], Rolled] = {}

    def pieces(self, kept: Kept) -> list[Piece]:
        """What has to be read."""
        return pieces(self.scope.since, self.scope.until, self._step, kept)

    @property
    def wants_sketches(self) -> bool:
        return bool(self._asked)

    def sums(self, piece: Piece) -> Question:
        """Asks for time, group, and SUMS."""
        before, source, values = self._source(piece)
        columns = [slot(self.scope.since, self._step), *(f'"{part}"' for part in self._by)]
        sums = [f"CAST(sum({name}) AS BIGINT)" for name in SUMS]
        groups = ", ".join(str(place) for place in range(1, len(columns) + 1))
        return (
            f"{before}SELECT {', '.join([*columns, *sums])} FROM {source} GROUP BY {groups}",  # noqa: S608
            values,
        )

    def sketches(self, piece: Piece) -> Question:
        """Asks for time, group, and the sketches of every row."""
        before, source, values = self._source(piece)
        columns = [slot(self.scope.since, self._step), *(f'"{part}"' for part in self._by), "sketches"]
        return f"{before}SELECT {', '.join(columns)} FROM {source}", values  # noqa: S608 - our own names

    def _source(self, piece: Piece) -> tuple[str, str, list[Any]]:
        """What stands before SELECT, what after FROM, and its values."""
        together = _OF_TOGETHER.issuperset((*self._by, *self.scope.only))
        seconds = -piece.seconds if together else piece.seconds
        values: list[Any]
        if "feature" in self.scope.only:
            # One feature at each moment is looked up, instead of passing over all others.
            before = (
                "WITH RECURSIVE moment(starts) AS (SELECT CAST(? AS BIGINT) UNION ALL "
                "SELECT starts + ? FROM moment WHERE starts + ? < ?) "
            )
            parts = ["seconds = ?", '"at" = moment.starts']
            values = [piece.since, piece.seconds, piece.seconds, piece.until, seconds]
            source = "moment CROSS JOIN rollup"
        else:
            before, source = "", "rollup"
            parts = ["seconds = ?", '"at" >= ?', '"at" < ?']
            values = [seconds, piece.since, piece.until]
        only = dict(self.scope.only)
        if self.scope.purpose is not None:
            only.setdefault("purpose", self.scope.purpose)
        for part, value in only.items():
            parts.append(f'"{part}" = ?')
            values.append(value)
        return before, f"{source} WHERE {' AND '.join(parts)}", values

    def take_sums(self, rows: Sequence[Sequence[Any]]) -> None:
        """What the question of `sums` was answered with."""
        width = 1 + len(self._by)
        for row in rows:
            one = self._row(row[0], tuple(row[1:width]))
            for name, value in zip(SUMS, row[width:], strict=True):
                setattr(one, name, getattr(one, name) + value)

    def take_sketches(self, rows: Sequence[Sequence[Any]]) -> None:
        """What the question of `sketches` was answered with; after the sums."""
        width = 1 + len(self._by)
        names, places = self._asked, self._places
        targets: dict[tuple[Any, ...], list[dict[int, int]]] = {}
        for row in rows:
            group = tuple(row[:width])
            into = targets.get(group)
            if into is None:
                one = self._row(group[0], group[1:])
                into = targets[group] = [one.sketches[name].counts for name in names]
            for counts, more in zip(into, decoded_sketch(row[width], places), strict=True):
                if counts:
                    get = counts.get
                    for bucket, count in more.items():
                        counts[bucket] = get(bucket, 0) + count
                else:
                    counts.update(more)

    def _row(self, at: int, group: tuple[str, ...]) -> Rolled:
        one = self._found.get((at, group))
        if one is None:
            one = Rolled(at=at, group=group, sketches={name: Sketch() for name in self._asked})
            self._found[at, group] = one
        return one

    def answer(self) -> list[Rolled]:
        """Put together, in order of time and group."""
        return [self._found[key] for key in sorted(self._found)]
