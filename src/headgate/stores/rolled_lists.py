"""How what stands beside rollups is asked for, the same on every engine: failures, sessions, marks and gauges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headgate.stores.rolled_pieces import down
from headgate.stores.rolled_sql import Question, checked, slot, whole_hours
from headgate.stores.rollups import DAY, FAILURE_PARTS, HOUR, Failed, Gauge, Mark, SessionRow

__all__ = [
    "ADD_GAUGE",
    "ADD_MARK",
    "GAUGES",
    "failed_of",
    "failures_question",
    "gauge_of",
    "mark_of",
    "marks_question",
    "session_of",
    "sessions_question",
]

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


def failures_question(
    since: int, until: int, *, step: int, by: Sequence[str], only: Mapping[str, str], by_users: str = ""
) -> Question:
    """Asks for time, group, requests and users. Raises ValueError for unknown names, or a step that is no multiple of HOUR.
    by_users: what makes the engine read in the order of groups and users, if it does not see by itself when that is best."""
    checked((*by, *only), FAILURE_PARTS)
    columns = [slot(since, whole_hours(step)), *(f'"{part}"' for part in by)]
    # A moment that is the same everywhere is no reason to sort.
    places = range(1 if step or not by else 2, len(columns) + 1)
    wholly = not step and set(by) == set(FAILURE_PARTS) and until - since > _MANY_DAYS
    conditions = ['"at" >= ?', '"at" < ?', *(f'"{part}" = ?' for part in only)]
    text = (
        f'SELECT {", ".join(columns)}, CAST(sum(requests) AS BIGINT), count(DISTINCT "user") FROM failure '  # noqa: S608
        f"{by_users if wholly else ''} WHERE {' AND '.join(conditions)} GROUP BY {', '.join(map(str, places))}"
    )
    return text, [down(since, HOUR), until, *only.values()]


def failed_of(row: Sequence[Any]) -> Failed:
    """A row that answers it."""
    return Failed(at=row[0], group=tuple(row[1:-2]), requests=row[-2], users=row[-1])


def sessions_question(
    before_ns: int, before: str, limit: int, only: Mapping[str, str], *, bytewise: str = ""
) -> Question:
    """Asks for the fields of SessionRow. bytewise: what makes the engine compare texts byte by byte. Raises ValueError for
    unknown names."""
    checked(only, _SESSION_PARTS)
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
