"""Sums over requests, and the tokens of each attempt: what reports about money are made of. Never prompts, never answers.

The SQL stands here once, plain enough for every engine; it holds names of our own fields and `?` for values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

import msgspec

from headgate.core.ids import oldest_id
from headgate.stores.spans import AttemptRow, RequestRow

__all__ = [
    "FOREVER_NS",
    "GROUPS",
    "SUMS",
    "AttemptUsage",
    "Totals",
    "TotalsStore",
    "Which",
    "add_up",
    "condition_of",
    "is_meant",
    "totals_of",
    "totals_question",
    "usage_of_attempt",
    "usages_question",
]

FOREVER_NS = 2**63 - 1
_DAY_NS = 86_400_000_000_000
_MINUTE_NS = 60_000_000_000
_1970 = date(1970, 1, 1).toordinal()
_MODEL = ("reported_model", "routed_model", "requested_model")

GROUPS = (
    "purpose",
    "feature",
    "model",
    "reported_model",
    "routed_model",
    "requested_model",
    "provider",
    "region",
    "key_id",
    "user",
    "team",
    "tenant",
    "session",
    "tier",
    "dialect",
    "operation",
    "outcome",
    "degraded",
    "cache",
    "tags",
    "day",
)
"""What requests may be grouped by: columns of theirs, and two more. `model`: the one that answered, else the one it was
routed to, else the one asked for. `day`: the day (UTC) on which the request came."""


@dataclass(frozen=True, slots=True)
class Which:
    """Which requests are meant."""

    since_ns: int = 0
    """Those that came at this moment or later."""
    until_ns: int = FOREVER_NS
    """Those that came before this moment."""
    only: Mapping[str, str] = field(default_factory=dict)
    """Those whose column has this value. A name is one of GROUPS but `model` and `day`; ValueError for any other."""

    def __post_init__(self) -> None:
        for name in self.only:
            if _checked(name) in ("model", "day"):
                raise ValueError(f"`{name}` is no column of a request")


class Totals(msgspec.Struct, frozen=True, gc=False):
    """The requests of one group, added up."""

    group: tuple[str, ...]
    """The group's value of each name that was asked for; a day as 2026-11-21."""
    requests: int = 0
    attempts: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nanos: int = 0
    """What is known of the cost; requests of unknown cost add nothing."""
    estimated_nanos: int = 0
    """The part of it that is estimated."""
    exact: int = 0
    """Requests whose cost is from the provider's own usage."""
    estimated: int = 0
    reconciled: int = 0
    unknown: int = 0
    avoided_nanos: int = 0
    """What answers would have cost that were there already."""
    cache_read_saved_nanos: int = 0
    """What providers' prompt caches have saved."""
    cache_write_extra_nanos: int = 0
    """What it cost more to write to them."""

    def plus(self, other: Totals) -> Totals:
        """Both together, as the first one's group."""
        added = (getattr(self, name) + getattr(other, name) for name in SUMS)
        return Totals(self.group, *added)


SUMS = tuple(Totals.__struct_fields__[1:])
"""The fields of Totals that are numbers, in order."""


class AttemptUsage(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An attempt's tokens and cost, with what its request says about whom they are for."""

    request_id: int
    number: int
    started_ns: int
    """When the request came."""
    feature: str
    purpose: str
    operation: str
    dialect: str
    tier: str
    attempts: int
    """How many its request had."""
    bytes_in: int
    request_content: str
    provider: str
    model: str
    reported_model: str
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_nanos: int | None
    cost_label: str


class TotalsStore(Protocol):
    """What a span store says about many requests at once. Reads contents never."""

    async def totals(self, by: Sequence[str], which: Which) -> Sequence[Totals]:
        """A sum for each group of requests that there is, in no order; without `by`, one sum over all.

        Raises ValueError for a name not in GROUPS, StoreUnavailable."""
        ...

    async def usages(
        self, which: Which, *, after: tuple[int, int] = (0, -1), limit: int = 10_000
    ) -> Sequence[AttemptUsage]:
        """Up to `limit` attempts of these requests, in the order of (request, attempt), from the one behind `after` on;
        empty at the end. Raises as `totals` does."""
        ...


_OF_REQUEST = (
    "started_ns",
    "feature",
    "purpose",
    "operation",
    "dialect",
    "tier",
    "attempts",
    "bytes_in",
    "request_content",
)


def totals_question(by: Sequence[str], which: Which) -> tuple[str, list[Any]]:
    """The SQL and its values: for each group its values, then SUMS. Raises ValueError for a name not in GROUPS.

    `day` comes as days since 1970: engines write dates differently, and divide whole numbers alike."""
    condition, values = condition_of(which, "")
    if which.since_ns > 0:
        # By its index, so that last week's costs do not read last year's requests.
        condition, values = f"id >= ? AND {condition}", [oldest_id(which.since_ns), *values]
    if which.until_ns < FOREVER_NS:
        # And an hour of last week not those of the days after it.
        condition, values = f"id < ? AND {condition}", [_past_id(which.until_ns), *values]
    columns = [_expression(_checked(name)) for name in by]
    grouped = f" GROUP BY {', '.join(str(place) for place in range(1, len(by) + 1))}" if by else ""
    # Only names of our own fields go into this text.
    return (
        f"SELECT {', '.join([*columns, *(_sum(name) for name in SUMS)])} FROM request WHERE {condition}{grouped}",  # noqa: S608
        values,
    )


def _past_id(until_ns: int) -> int:
    """Every request that came before has a smaller one; a minute is allowed each way, as `oldest_id` has it."""
    return min(oldest_id(until_ns + 2 * _MINUTE_NS), FOREVER_NS)


def totals_of(row: Sequence[Any], by: Sequence[str]) -> Totals:
    """A row that answers the question."""
    group = tuple(
        _day(int(value)) if name == "day" else str(value)
        for name, value in zip(by, row[: len(by)], strict=True)
    )
    return Totals(group, *(int(value or 0) for value in row[len(by) :]))


def usages_question(which: Which, after: tuple[int, int], limit: int) -> tuple[str, list[Any]]:
    """The SQL and its values: the fields of AttemptUsage, in the order of (request, attempt)."""
    condition, values = condition_of(which, "r.")
    columns = ", ".join(
        f'{"r" if name in _OF_REQUEST else "a"}."{name}"' for name in AttemptUsage.__struct_fields__
    )
    after = max(after, (oldest_id(which.since_ns), -1))
    # CROSS JOIN: SQLite takes it as the order of reading, so that each page begins where the last one ended.
    text = (
        f"SELECT {columns} FROM attempt a CROSS JOIN request r WHERE r.id = a.request_id "  # noqa: S608 - own names
        f"AND (a.request_id, a.number) > (?, ?) AND {condition} ORDER BY a.request_id, a.number LIMIT ?"
    )
    return text, [*after, *values, limit]


def usage_of_attempt(request: RequestRow, attempt: AttemptRow) -> AttemptUsage:
    """The same from whole rows."""
    return AttemptUsage(
        *(
            getattr(request if name in _OF_REQUEST else attempt, name)
            for name in AttemptUsage.__struct_fields__
        )
    )


def add_up(rows: Iterable[RequestRow], by: Sequence[str], which: Which) -> list[Totals]:
    """What the question is answered with, reckoned from whole rows. Raises ValueError for a name not in GROUPS."""
    for name in by:
        _checked(name)
    found: dict[tuple[str, ...], Totals] = {} if by else {(): Totals(())}
    for row in rows:
        if is_meant(row, which):
            group = tuple(_value(row, name) for name in by)
            one = _one(row, group)
            found[group] = found[group].plus(one) if group in found else one
    return list(found.values())


def is_meant(row: RequestRow, which: Which) -> bool:
    """Is the request one of these?"""
    in_time = which.since_ns <= row.started_ns < which.until_ns
    return in_time and all(getattr(row, name) == value for name, value in which.only.items())


def _one(row: RequestRow, group: tuple[str, ...]) -> Totals:
    cost = row.cost_nanos or 0
    labels = {name: int(row.cost_label == name) for name in ("exact", "estimated", "reconciled", "unknown")}
    return Totals(
        group,
        1,
        row.attempts,
        row.input_tokens,
        row.cache_read_tokens,
        row.cache_write_tokens,
        row.cache_write_1h_tokens,
        row.output_tokens,
        row.reasoning_tokens,
        cost,
        cost if row.cost_label == "estimated" else 0,
        **labels,
        avoided_nanos=row.avoided_nanos,
        cache_read_saved_nanos=row.cache_read_saved_nanos,
        cache_write_extra_nanos=row.cache_write_extra_nanos,
    )


def condition_of(which: Which, table: str) -> tuple[str, list[Any]]:
    """These requests, as SQL with its values. table: what stands before a column, such as `r.`."""
    parts = [f"{table}started_ns >= ?", f"{table}started_ns < ?"]
    parts += [f'{table}"{name}" = ?' for name in which.only]
    return " AND ".join(parts), [which.since_ns, which.until_ns, *which.only.values()]


def _checked(name: str) -> str:
    if name not in GROUPS:
        raise ValueError(f"requests are not grouped by `{name}`; by {', '.join(GROUPS)} they are")
    return name


def _expression(name: str) -> str:
    if name == "day":
        return f"started_ns / {_DAY_NS}"
    if name == "model":
        first, second, last = (f'"{column}"' for column in _MODEL)
        return f"CASE WHEN {first} <> '' THEN {first} WHEN {second} <> '' THEN {second} ELSE {last} END"
    return f'"{name}"'


def _sum(name: str) -> str:
    if name == "requests":
        return "count(*)"
    if name == "estimated_nanos":
        return "sum(CASE WHEN cost_label = 'estimated' THEN cost_nanos ELSE 0 END)"
    if name in ("exact", "estimated", "reconciled", "unknown"):
        return f"sum(CASE WHEN cost_label = '{name}' THEN 1 ELSE 0 END)"
    return f'sum("{name}")'


def _value(row: RequestRow, name: str) -> str:
    if name == "day":
        return _day(row.started_ns // _DAY_NS)
    if name == "model":
        return next((text for column in _MODEL if (text := getattr(row, column))), "")
    return str(getattr(row, name))


def _day(days: int) -> str:
    return date.fromordinal(_1970 + days).isoformat()
