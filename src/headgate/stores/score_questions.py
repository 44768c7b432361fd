"""What the stores of judgements have in common, whatever the engine: questions as SQL, and rows read and filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from headgate.stores.scores import EARLY_NS, ScoreRow, ScoreScope, ScoreSum, moment_of, table_for

__all__ = [
    "LOWEST_READ",
    "OF_REQUEST",
    "added_up_question",
    "before_question",
    "filled",
    "is_foreign",
    "is_new",
    "score_row",
    "sums_of",
]

LOWEST_READ = 20_000
_READ_BACK = 200_000
OF_REQUEST = 'key_id, team, session, feature, routed_model, provider, prompt, "user"'
"""What a judgement is told of its request."""
_FIELDS = ScoreRow.__struct_fields__
_JOINED = _FIELDS.index("joined")
_COLUMNS = ", ".join(f'"{name}"' for name in _FIELDS)
_LISTED = ("request_id", "session", "name", "kind", "source", "feature", "model", "prompt", "user")
_AHEAD_NS = 60_000_000_000
_NS = 1_000_000_000


def is_new(row: ScoreRow, now_ns: int) -> bool:
    """May what it is about be under way, or on its way to the database?"""
    if not row.request_id:
        return True
    age_ns = now_ns - moment_of(row) * _NS
    return -_AHEAD_NS < age_ns < EARLY_NS


def is_foreign(row: ScoreRow, target: Sequence[str]) -> bool:
    """Is it about a request that is neither the key's nor the team's?"""
    key_id, team = target[0], target[1]
    if not row.key_id or row.key_id == key_id:
        return False
    return not (row.team and row.team == team)


def filled(row: ScoreRow, target: Sequence[str], number: int = 0) -> ScoreRow:
    """The same, told what it is about. number: its id."""
    _, _, session, feature, model, provider, prompt, user = target
    return replace(
        row,
        id=number or row.id,
        session=row.session or session,
        feature=feature,
        model=model,
        provider=provider,
        prompt=prompt,
        user=user,
        joined=True,
    )


def score_row(values: Sequence[Any]) -> ScoreRow:
    """From the columns in the order of the fields."""
    given = list(values)
    given[_JOINED] = bool(given[_JOINED])
    return ScoreRow(**dict(zip(_FIELDS, given, strict=True)))


def before_question(
    score_id: int,
    limit: int,
    since_ns: int,
    only: Mapping[str, str | int],
    mark: Callable[[int], str],
) -> tuple[str, list[Any]]:
    """`ScoreStore.before` as SQL. mark: how the n-th value is written."""
    for name in only:
        if name not in _LISTED:
            raise ValueError(f"no column `{name}`: there are {', '.join(_LISTED)}")
    values: list[Any] = []

    def given(value: object) -> str:
        values.append(value)
        return mark(len(values))

    where = [f'"{name}" = {given(value)}' for name, value in only.items()]
    if not only.get("request_id") and not only.get("session"):
        newest = given(score_id) if score_id else "(SELECT coalesce(max(id), 0) + 1 FROM score)"
        where.append(f"id >= {newest} - {_READ_BACK}")
    if score_id:
        where.append(f"id < {given(score_id)}")
    if since_ns:
        where.append(f"at_ns >= {given(since_ns)}")
    conditions = f"WHERE {' AND '.join(where)} " if where else ""
    text = f"SELECT {_COLUMNS} FROM score {conditions}ORDER BY id DESC LIMIT {given(limit)}"  # noqa: S608 - our own names
    return text, values


def added_up_question(
    scope: ScoreScope, step: int, by: Sequence[str], mark: Callable[[int], str]
) -> tuple[str, list[Any]]:
    """`ScoreStore.added_up` as SQL: at, the group, scores, total, squares. mark: how the n-th value is written."""
    seconds, since, until = table_for(scope, step, by)
    values: list[Any] = [seconds, since, until]
    conditions = ""
    for name, value in scope.only.items():
        values.append(value)
        conditions += f' AND "{name}" = {mark(len(values))}'
    at = f"at - at % {int(step)}" if step else f"{int(scope.since)}"
    groups = "".join(f', "{name}"' for name in by)
    # By position: `at` alone would be the column. The order is made by whoever reads: engines sort texts differently.
    places = ", ".join(str(place) for place in range(1 if step else 2, len(by) + 2))
    grouped = f" GROUP BY {places}" if places else ""
    text = (
        f"SELECT {at}{groups}, sum(scores), sum(total), sum(squares) FROM score_rollup "  # noqa: S608 - our own names
        f"WHERE seconds = {mark(1)} AND at >= {mark(2)} AND at < {mark(3)}{conditions}{grouped}"
    )
    return text, values


def sums_of(rows: Sequence[Sequence[Any]]) -> list[ScoreSum]:
    """What such a question found, in order. Sums of which everything was replaced are left out."""
    found = [
        ScoreSum(
            at=int(row[0]),
            group=tuple(row[1:-3]),
            scores=int(row[-3]),
            total=float(row[-2]),
            squares=float(row[-1]),
        )
        for row in rows
        if row[-3]
    ]
    return sorted(found, key=lambda each: (each.at, each.group))
