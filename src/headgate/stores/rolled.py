"""How rollups are read, the same on every engine: which rows cover a stretch of time, their SQL, and how they come together.

As in `totals`, the SQL holds names of our own fields and `?` for values.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from headgate.core.sketch import Sketch
from headgate.stores.rollups import (
    DAY,
    FAILURE_PARTS,
    HOUR,
    LEVELS,
    MINUTE,
    PARTS,
    SKETCHES,
    SUMS,
    TEN_MINUTES,
    WEEK,
    Ages,
    Failed,
    Gauge,
    Kept,
    Mark,
    Rolled,
    Scope,
    SessionRow,
    Spent,
    decoded_sketch,
)

__all__ = [
    "ADD_GAUGE",
    "ADD_MARK",
    "ENDS",
    "GAUGES",
    "KEPT",
    "SPENT_SUMS",
    "Expired",
    "Piece",
    "Question",
    "Rolls",
    "cover",
    "dearest_question",
    "dimensions_question",
    "expired",
    "failed_of",
    "failures_question",
    "gauge_of",
    "kept_after",
    "kept_of",
    "mark_of",
    "marks_question",
    "pieces",
    "session_of",
    "sessions_question",
    "spend_pieces",
    "spent_of",
    "spent_question",
    "whole_hours",
]

Question = tuple[str, list[Any]]
"""SQL and its values."""
SPENT_SUMS = tuple(name for name in Spent.__struct_fields__ if name not in ("at", "value"))
ENDS = f'SELECT max("at") + {MINUTE} FROM rollup WHERE seconds = {MINUTE}'  # noqa: S608 - numbers of our own
"""Asks where rows end."""
KEPT = "rollups.kept"
"""Under what name `installation` has since when finer rows are kept."""
_OF_TOGETHER = frozenset(("outcome", "purpose"))
"""Parts that rows of all features, models and providers together are still kept apart by; they have negative seconds."""
_MANY_DAYS = 3 * DAY
_SESSION = SessionRow.__struct_fields__
_MARK = Mark.__struct_fields__
_SESSION_PARTS = ("feature", "user", "key_id")
GAUGES = (
    'SELECT "at", name, node, value FROM gauge WHERE name = ? AND "at" >= ? AND "at" < ? ORDER BY "at", node'
)

ADD_MARK = f"INSERT INTO mark ({', '.join(_MARK)}) VALUES (?, ?, ?, ?, ?) ON CONFLICT (event) DO NOTHING"  # noqa: S608 - our own names
ADD_GAUGE = (
    'INSERT INTO gauge ("at", name, node, value) VALUES (?, ?, ?, ?) ON CONFLICT ("at", name, node) '
    "DO UPDATE SET value = CASE WHEN excluded.value > gauge.value THEN excluded.value ELSE gauge.value END"
)


class Piece(NamedTuple):
    """Rows of one level that cover a stretch of time."""

    seconds: int
    since: int
    until: int
    less: bool = False
    """To be taken away from the others."""


def cover(since: int, until: int, levels: Sequence[int]) -> list[Piece]:
    """The widest rows that fit between these moments, and narrower ones at the ends; rounded out to the narrowest. In order
    of time."""
    narrowest, widest = levels[0], levels[-1]
    if len(levels) == 1:
        begin, end = _down(since, narrowest), _up(until, narrowest)
        return [Piece(narrowest, begin, end)] if begin < end else []
    begin, end = _up(since, widest), _down(until, widest)
    if begin >= end:
        return cover(since, until, levels[:-1])
    middle = Piece(widest, begin, end)
    return [*cover(since, begin, levels[:-1]), middle, *cover(end, until, levels[:-1])]


def pieces(since: int, until: int, step: int, kept: Kept, levels: Sequence[int] = LEVELS) -> list[Piece]:
    """What to read. step: 0, or a multiple of the narrowest level."""
    if until <= since:
        return []
    if kept.ends and until >= kept.ends:
        # Nothing is behind it: the last day can be read as a whole, without its hours and minutes.
        until = _up(until, DAY)
    # A day of which some hours are gone can only be read whole, and an hour of which some minutes are.
    coarse = _up(kept.hours_from, DAY) if since < kept.hours_from else since
    fine = max(_up(kept.minutes_from, HOUR) if since < kept.minutes_from else since, coarse)
    found: list[Piece] = []
    for begin, end, narrowest in ((since, coarse, DAY), (coarse, fine, HOUR), (fine, until, MINUTE)):
        begin, end = max(begin, since), min(end, until)
        if begin < end:
            possible = [level for level in levels if level >= narrowest]
            fitting = [level for level in possible if step % level == 0]
            found += cover(begin, end, fitting or possible[:1])
    return _without_overlap(found)


def _without_overlap(some: Sequence[Piece]) -> list[Piece]:
    """An end that was rounded out reaches into nothing that is read already."""
    found: list[Piece] = []
    for piece in some:
        if found and piece.since < found[-1].until:
            piece = piece._replace(since=max(piece.since, found[-1].until))
        if piece.since < piece.until:
            found.append(piece)
    return found


def _down(moment: int, step: int) -> int:
    return moment - moment % step


def _up(moment: int, step: int) -> int:
    return -(-moment // step) * step


class Rolls:
    """One question for rollups: its SQL for each piece, and the answers put together."""

    def __init__(self, scope: Scope, step: int, by: Sequence[str], sketches: Collection[str]) -> None:
        """Raises ValueError for unknown names, and for a step that is no multiple of MINUTE."""
        _checked((*by, *scope.only), PARTS)
        _checked(sketches, SKETCHES)
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
        columns = [_slot(self.scope.since, self._step), *(f'"{part}"' for part in self._by)]
        sums = [f"CAST(sum({name}) AS BIGINT)" for name in SUMS]
        groups = ", ".join(str(place) for place in range(1, len(columns) + 1))
        return (
            f"{before}SELECT {', '.join([*columns, *sums])} FROM {source} GROUP BY {groups}",  # noqa: S608
            values,
        )

    def sketches(self, piece: Piece) -> Question:
        """Asks for time, group, and the sketches of every row."""
        before, source, values = self._source(piece)
        columns = [_slot(self.scope.since, self._step), *(f'"{part}"' for part in self._by), "sketches"]
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
        f"SELECT {_slot(since, step)}, value, {sums} FROM ({source[0]}) AS pieces "  # noqa: S608 - our own names
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


def spend_pieces(since: int, until: int, step: int, kept: Kept) -> list[Piece]:
    """What to read of spending. step: 0, or a multiple of an hour."""
    found = _by_weeks(pieces(since, until, step, kept, levels=(HOUR, DAY)), step, kept.weeks_until)
    if step:
        return found
    return [part for piece in found for part in _as_whole(piece, kept)]


def _as_whole(piece: Piece, kept: Kept) -> list[Piece]:
    """Most of a day, or of a week, as the whole of it without what came before: fewer rows."""
    wide = {HOUR: DAY, DAY: WEEK}.get(piece.seconds, 0)
    begin = piece.until - wide
    if not wide or piece.until % wide or begin >= piece.since:
        return [piece]
    there = begin >= kept.hours_from if wide == DAY else piece.until <= kept.weeks_until
    before, inside = piece.since - begin, piece.until - piece.since
    if not there or before + piece.seconds >= inside:
        return [piece]
    return [Piece(wide, begin, piece.until), Piece(piece.seconds, begin, piece.since, less=True)]


def _by_weeks(found: Sequence[Piece], step: int, weeks_until: int) -> list[Piece]:
    """The same, with weeks in place of days where they are there."""
    if step % WEEK:
        return list(found)
    wider: list[Piece] = []
    for piece in found:
        until = min(piece.until, weeks_until)
        if piece.seconds == DAY and piece.since < until:
            wider += cover(piece.since, until, (DAY, WEEK))
            piece = piece._replace(since=until)
        if piece.since < piece.until:
            wider.append(piece)
    return wider


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
    return text, [seconds, seconds, seconds, _down(since, seconds), until]


def failures_question(
    since: int, until: int, *, step: int, by: Sequence[str], only: Mapping[str, str], by_users: str = ""
) -> Question:
    """Asks for time, group, requests and users. Raises ValueError for unknown names, or a step that is no multiple of HOUR.
    by_users: what makes the engine read in the order of groups and users, if it does not see by itself when that is best."""
    _checked((*by, *only), FAILURE_PARTS)
    columns = [_slot(since, whole_hours(step)), *(f'"{part}"' for part in by)]
    # A moment that is the same everywhere is no reason to sort.
    places = range(1 if step or not by else 2, len(columns) + 1)
    wholly = not step and set(by) == set(FAILURE_PARTS) and until - since > _MANY_DAYS
    conditions = ['"at" >= ?', '"at" < ?', *(f'"{part}" = ?' for part in only)]
    text = (
        f'SELECT {", ".join(columns)}, CAST(sum(requests) AS BIGINT), count(DISTINCT "user") FROM failure '  # noqa: S608
        f"{by_users if wholly else ''} WHERE {' AND '.join(conditions)} GROUP BY {', '.join(map(str, places))}"
    )
    return text, [_down(since, HOUR), until, *only.values()]


def failed_of(row: Sequence[Any]) -> Failed:
    """A row that answers it."""
    return Failed(at=row[0], group=tuple(row[1:-2]), requests=row[-2], users=row[-1])


def sessions_question(
    before_ns: int, before: str, limit: int, only: Mapping[str, str], *, bytewise: str = ""
) -> Question:
    """Asks for the fields of SessionRow. bytewise: what makes the engine compare texts byte by byte. Raises ValueError for
    unknown names."""
    _checked(only, _SESSION_PARTS)
    conditions, values = [f'"{part}" = ?' for part in only], list[Any](only.values())
    if before_ns:
        conditions.append(f"last_ns <= ? AND (last_ns < ? OR session{bytewise} < ?)")
        values += [before_ns, before_ns, before]
    where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
    columns = ", ".join(f'"{name}"' for name in _SESSION)
    return (
        f"SELECT {columns} FROM session {where}ORDER BY last_ns DESC, session{bytewise} DESC LIMIT ?",  # noqa: S608
        [*values, limit],
    )


def session_of(row: Sequence[Any]) -> SessionRow:
    """A row that answers it."""
    return SessionRow(**dict(zip(_SESSION, row, strict=True)))


def marks_question(since_ns: int, until_ns: int, limit: int) -> Question:
    """Asks for the fields of Mark, the latest `limit` of them, latest first."""
    return (
        f"SELECT {', '.join(_MARK)} FROM mark WHERE at_ns >= ? AND at_ns < ? ORDER BY at_ns DESC, id DESC LIMIT ?",  # noqa: S608
        [since_ns, until_ns, limit],
    )


def mark_of(row: Sequence[Any]) -> Mark:
    """A row that answers it."""
    return Mark(**dict(zip(_MARK, row, strict=True)))


def gauge_of(row: Sequence[Any]) -> Gauge:
    """A row that answers GAUGES."""
    return Gauge(at=row[0], name=row[1], node=row[2], value=row[3])


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


def _slot(since: int, step: int) -> str:
    return f'"at" / {step} * {step}' if step else f"CAST({since} AS BIGINT)"


def whole_hours(step: int) -> int:
    """The step, if that is what it is. Raises ValueError."""
    if step < 0 or step % HOUR:
        raise ValueError(f"a step is a multiple of {HOUR} s")
    return step


def _checked(names: Collection[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"there is no `{name}` here; there is {', '.join(known)}")
