"""How spending is asked for, the same on every engine: the SQL for the rows that cover a stretch of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headgate.stores.rolled_pieces import Piece, down, spend_pieces
from headgate.stores.rolled_sql import Question, slot, whole_hours
from headgate.stores.rollups import DAY, Kept, Spent

__all__ = ["SPENT_SUMS", "dearest_question", "dimensions_question", "spent_of", "spent_question"]

SPENT_SUMS = tuple(name for name in Spent.__struct_fields__ if name not in ("at", "value"))


def dearest_question(dimension: str, since: int, until: int, *, limit: int, kept: Kept) -> Question | None:
    """Asks which values cost most, the dearest first. None: there is nothing to ask."""
    # Of all of them these two sums only: to group many users by all sums takes three times as long.
    source = _spend(dimension, since, until, 0, (), kept, ("cost_nanos", "requests"))
    if source is None:
        return None
    text = (
        f"SELECT value FROM ({source[0]}) AS pieces GROUP BY value HAVING sum(requests) > 0 "  # noqa: S608 - our own names
        "ORDER BY sum(cost_nanos) DESC, sum(requests) DESC, value LIMIT ?"
    )
    return text, [*source[1], limit]


def spent_question(
    dimension: str,
    since: int,
    until: int,
    *,
    step: int,
    values: Sequence[str],
    kept: Kept,
    limit: int = 0,
) -> Question | None:
    """Asks for time, value and SPENT_SUMS of these values, or of all: in order of time, or without a step the dearest first. None:
    there is nothing to ask. Raises ValueError for a step that is no multiple of HOUR.

    limit: rows; 0: all."""
    source = _spend(dimension, since, until, whole_hours(step), values, kept, SPENT_SUMS)
    if source is None:
        return None
    sums = ", ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in SPENT_SUMS)
    order = "1, 2" if step else "cost_nanos DESC, requests DESC, 2"
    text = (
        f"SELECT {slot(since, step)}, value, {sums} FROM ({source[0]}) AS pieces "  # noqa: S608 - our own names
        f"GROUP BY 1, 2 HAVING sum(pieces.requests) > 0 ORDER BY {order}"
    )
    return (f"{text} LIMIT ?", [*source[1], limit]) if limit else (text, source[1])


def _spend(
    dimension: str,
    since: int,
    until: int,
    step: int,
    values: Sequence[str],
    kept: Kept,
    sums: Sequence[str],
) -> Question | None:
    """The rows that cover this time."""
    found = spend_pieces(since, until, step, kept)
    if not found:
        return None
    given: list[Any] = []
    if not values:
        texts = []
        for piece in found:
            texts.append(
                f'SELECT s."at", s.value, {_columns(sums, piece)} FROM spend s '  # noqa: S608 - our own names
                'WHERE s.seconds = ? AND s.dimension = ? AND s."at" >= ? AND s."at" < ?'
            )
            given += [piece.seconds, dimension, piece.since, piece.until]
        return " UNION ALL ".join(texts), given
    # Each value at each moment is looked up, instead of passing over all others: of a month of hours these are millions.
    listed = ", ".join(["(?)"] * len(values))
    texts = []
    for piece in found:
        texts.append(
            'SELECT * FROM (WITH RECURSIVE moment("at") AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT "at" + ? FROM moment '  # noqa: S608
            f'WHERE "at" + ? < ?), wanted(value) AS (VALUES {listed}) SELECT s."at", s.value, {_columns(sums, piece)} '
            "FROM moment CROSS JOIN wanted CROSS JOIN spend s "
            'WHERE s.seconds = ? AND s.dimension = ? AND s."at" = moment."at" AND s.value = wanted.value) AS piece'
        )
        given += [piece.since, piece.seconds, piece.seconds, piece.until, *values, piece.seconds, dimension]
    return " UNION ALL ".join(texts), given


def _columns(sums: Sequence[str], piece: Piece) -> str:
    return ", ".join(f"-s.{name} AS {name}" if piece.less else f"s.{name}" for name in sums)


def spent_of(row: Sequence[Any]) -> Spent:
    """A row that answers it."""
    return Spent(**dict(zip(Spent.__struct_fields__, row, strict=True)))


def dimensions_question(since: int, until: int, seconds: int = DAY) -> Question:
    """Asks for each dimension that something was spent in, by days or by hours."""
    # A look for each that there is, instead of at every row.
    text = (
        "WITH RECURSIVE each(dimension) AS ("
        "SELECT min(dimension) FROM spend WHERE seconds = ? UNION ALL "
        "SELECT (SELECT min(dimension) FROM spend WHERE seconds = ? AND dimension > each.dimension) FROM each "
        "WHERE each.dimension IS NOT NULL) "
        "SELECT dimension FROM each WHERE dimension IS NOT NULL AND EXISTS (SELECT 1 FROM spend s "
        'WHERE s.seconds = ? AND s.dimension = each.dimension AND s."at" >= ? AND s."at" < ?)'
    )
    return text, [seconds, seconds, seconds, down(since, seconds), until]
