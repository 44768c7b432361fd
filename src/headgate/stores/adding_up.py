"""From the rows of a batch to what it adds to rollups, spending, failures and conversations. Pure.

A request belongs to the minute in which it ended. Names come from callers without end, so there is an end to how many of them
are kept apart in a day (UTC); all others are `other`. That is counted by each process for itself, afresh after a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from headgate.core.sketch import counts_of
from headgate.stores.rollups import (
    DAY,
    HOUR,
    LEVELS,
    MEMORY,
    MINUTE,
    OTHER,
    SKETCHES,
    SUMS,
    Counts,
    SessionRow,
)
from headgate.stores.spans import ASKED, GIVEN, AttemptRow, RequestRow

__all__ = [
    "MOST_GROUPS",
    "MOST_NAMES",
    "MOST_TAGS",
    "MOST_VALUES",
    "NO_ANSWER",
    "Added",
    "FailureKey",
    "Names",
    "Rolling",
    "RollupKey",
    "SpendKey",
    "add_up",
    "ended_at",
    "merge_counts",
    "merged_session",
]

MOST_NAMES = 1_000
"""Features, and models, kept apart in a day."""
MOST_GROUPS = 3_000
"""Pairs of feature and model kept apart in a day."""
MOST_VALUES = 5_000
"""Values of one dimension of spending, and users with failures, kept apart in a day."""
MOST_TAGS = 50
"""Names of tags in a day."""

NO_ANSWER = ("refused", "failed", "cut_off")
"""Outcomes of requests that got no answer, and not because their caller left."""

RollupKey = tuple[int, int, str, str, str, str, str]
"""seconds, at, feature, model, provider, outcome, purpose. Negative seconds: of all features, models and providers together, so that
the plots everybody looks at first are not put together of a hundred rows for each of their points."""
SpendKey = tuple[int, int, str, str]
"""seconds, at, dimension, value."""
FailureKey = tuple[int, str, str, str, str]
"""at, feature, model, error class, user."""

_SMALLEST_US = 1_000
"""Shorter answers say nothing about tokens per second."""

_decode_tags = msgspec.json.Decoder(dict[str, str]).decode


class Rolling(msgspec.Struct):
    """What is added to one row of `rollup`."""

    sums: list[int]
    """In the order of SUMS."""
    sketches: list[Counts]
    """In the order of SKETCHES."""


@dataclass(slots=True)
class Added:
    """What a batch adds."""

    rollups: dict[RollupKey, Rolling] = field(default_factory=dict)
    spend: dict[SpendKey, list[int]] = field(default_factory=dict)
    """The sums of Spent, in their order."""
    failures: dict[FailureKey, int] = field(default_factory=dict)
    sessions: dict[str, SessionRow] = field(default_factory=dict)
    earliest: int = 0
    """The first minute that something is added to, seconds since 1970 UTC."""
    latest: int = 0
    """The last one."""


class Names:
    """The names seen in a day, as far as they are kept apart."""

    __slots__ = ("_day", "_seen")

    def __init__(self) -> None:
        self._day = 0
        self._seen: dict[str, set[object]] = {}

    def begin(self, at: int) -> None:
        """Rows of this second come now. Those of yesterday, coming late, count for today; earlier ones are of a clock that was set
        back, or are read again."""
        day = at // DAY
        if day > self._day or day < self._day - 1:
            self._day = day
            self._seen = {}

    def admit(self, kind: str, name: object, most: int) -> bool:
        """May this one be kept apart?"""
        seen = self._seen.get(kind)
        if seen is None:
            seen = self._seen[kind] = set()
        if name in seen:
            return True
        if len(seen) >= most:
            return False
        seen.add(name)
        return True


def ended_at(row: RequestRow) -> int:
    """Seconds since 1970 UTC."""
    return (row.started_ns + row.total_us * 1_000) // 1_000_000_000


def add_up(requests: Sequence[RequestRow], attempts: Sequence[AttemptRow], names: Names) -> Added:
    """What these requests add. attempts: theirs, of those requests at least that had more than one; of others too."""
    added = Added()
    if not requests:
        return added
    names.begin(max(map(ended_at, requests)))
    _roll(requests, _failed_over(requests, attempts), names, added)
    _spend(requests, names, added)
    _fail([row for row in requests if row.outcome in NO_ANSWER and not row.purpose], names, added)
    for row in requests:
        if row.session and not row.purpose:
            known = added.sessions.get(row.session)
            one = _session(row)
            added.sessions[row.session] = one if known is None else merged_session(known, one)
    return added


def _failed_over(requests: Sequence[RequestRow], attempts: Sequence[AttemptRow]) -> set[int]:
    """Requests that were answered by another endpoint than the one that was asked first."""
    several = {row.id for row in requests if row.attempts > 1 and row.outcome == "ok"}
    if not several:
        return several
    first: dict[int, tuple[str, str, str]] = {}
    found: set[int] = set()
    for one in sorted((row for row in attempts if row.request_id in several), key=lambda row: row.number):
        place = (one.provider, one.model, one.region)
        if first.setdefault(one.request_id, place) != place and one.outcome == "ok":
            found.add(one.request_id)
    return found


def _roll(requests: Iterable[RequestRow], failed_over: set[int], names: Names, added: Added) -> None:
    groups: dict[tuple[int, str, str, str, str, str], list[RequestRow]] = {}
    for row in requests:
        # `ended_at`, without a call for each.
        at = (row.started_ns + row.total_us * 1_000) // 60_000_000_000 * MINUTE
        if row.cache in GIVEN and not row.attempts:
            key = (at, row.feature, MEMORY, MEMORY, row.outcome, row.purpose)
        else:
            key = (at, row.feature, row.routed_model, row.provider, row.outcome, row.purpose)
        group = groups.get(key)
        if group is None:
            groups[key] = [row]
        else:
            group.append(row)
    parts: dict[RollupKey, list[Rolling]] = {}
    minutes: dict[tuple[int, str, str], list[Rolling]] = {}
    for (at, feature, model, provider, outcome, purpose), rows in groups.items():
        feature, model = _kept_apart(feature, model, names)
        one = _rolling(rows, failed_over)
        minutes.setdefault((at, outcome, purpose), []).append(one)
        for seconds in LEVELS:
            place = (seconds, at - at % seconds, feature, model, provider, outcome, purpose)
            parts.setdefault(place, []).append(one)
    for (at, outcome, purpose), some in minutes.items():
        one = _together(some)
        for seconds in LEVELS:
            parts.setdefault((-seconds, at - at % seconds, "", "", "", outcome, purpose), []).append(one)
    added.rollups = {key: _together(some) for key, some in parts.items()}
    moments = [at for at, _, _ in minutes]
    added.earliest, added.latest = min(moments), max(moments)


def _kept_apart(feature: str, model: str, names: Names) -> tuple[str, str]:
    if not names.admit("feature", feature, MOST_NAMES):
        feature = OTHER
    if not names.admit("model", model, MOST_NAMES):
        model = OTHER
    return (feature, model) if names.admit("pair", (feature, model), MOST_GROUPS) else (OTHER, OTHER)


def _rolling(rows: Sequence[RequestRow], failed_over: set[int]) -> Rolling:
    # A pass over the rows for each sum: quicker than all sums of a row, one row after the other.
    costs = [row.cost_nanos for row in rows if row.cost_nanos is not None]
    values: dict[str, int] = {
        "requests": len(rows),
        "attempts": sum([row.attempts for row in rows]),
        "failovers": sum([row.id in failed_over for row in rows]) if failed_over else 0,
        "degraded": sum([row.degraded != "" for row in rows]),
        "cached": sum([row.cache in GIVEN for row in rows]),
        "reworded": sum([row.cache == "semantic" for row in rows]),
        "joined": sum([row.cache == "joined" for row in rows]),
        "cacheable": sum([row.cache in ASKED for row in rows]),
        "refusals": sum(
            [row.finish_reason == "content_filter" or row.error_class == "content_filter" for row in rows]
        ),
        "input_tokens": sum([row.input_tokens for row in rows]),
        "cache_read_tokens": sum([row.cache_read_tokens for row in rows]),
        "cache_write_tokens": sum([row.cache_write_tokens + row.cache_write_1h_tokens for row in rows]),
        "output_tokens": sum([row.output_tokens for row in rows]),
        "reasoning_tokens": sum([row.reasoning_tokens for row in rows]),
        "cost_nanos": sum(costs),
        "estimated_nanos": sum([row.cost_nanos or 0 for row in rows if row.cost_label == "estimated"]),
        # What was asked of nobody has no price, and needs none.
        "unpriced": sum([row.cost_nanos is None and row.attempts > 0 for row in rows]),
        "avoided_nanos": sum([row.avoided_nanos for row in rows]),
        "avoided_us": sum([row.avoided_us for row in rows]),
        "cache_read_saved_nanos": sum([row.cache_read_saved_nanos for row in rows]),
        "cache_write_extra_nanos": sum([row.cache_write_extra_nanos for row in rows]),
    }
    # All of a group were given, or none. What was given is as long, and was said as fast, as when it was made.
    given = rows[0].cache in GIVEN and not rows[0].attempts
    answered = rows[0].outcome == "ok" and not given
    spreads: dict[str, list[int]] = {
        "total_us": [row.total_us for row in rows],
        "first_content_us": [row.first_content_us for row in rows if row.stream and row.first_content_us],
        # Nobody knows which part of the time was ours of a request that waited for another one's call.
        "overhead_us": [row.overhead_us for row in rows if not given or row.cache != "joined"],
        "queued_us": [row.queued_us for row in rows],
        "tokens_per_s": [speed for row in rows if (speed := _speed(row))] if answered else [],
        "cost_nanos": costs,
        "output_tokens": [row.output_tokens for row in rows] if answered else [],
    }
    return Rolling([values[name] for name in SUMS], [counts_of(spreads[name]) for name in SKETCHES])


def _speed(row: RequestRow) -> int:
    """Tokens of the answer in a second, 0 if that cannot be told."""
    if row.stream and row.first_content_us:
        time, tokens = row.total_us - row.first_content_us, row.output_tokens
    else:
        # Thinking is done in the same time then.
        time = row.total_us - row.overhead_us - row.queued_us
        tokens = row.output_tokens + row.reasoning_tokens
    return tokens * 1_000_000 // time if time >= _SMALLEST_US else 0


def _together(some: Sequence[Rolling]) -> Rolling:
    if len(some) == 1:
        return some[0]
    sketches = [dict(counts) for counts in some[0].sketches]
    for one in some[1:]:
        merge_counts(sketches, one.sketches)
    return Rolling(list(map(sum, zip(*(one.sums for one in some), strict=True))), sketches)


def _spend(requests: Iterable[RequestRow], names: Names, added: Added) -> None:
    # Most of a batch is of few keys: their requests are added up once for all that they have in common.
    alike: dict[tuple[int, str, str, str, str, str, str], list[RequestRow]] = {}
    for row in requests:
        at = (row.started_ns + row.total_us * 1_000) // 3_600_000_000_000 * HOUR
        who = (at, row.key_id, row.user, row.team, row.tenant, row.prompt, row.tags)
        some = alike.get(who)
        if some is None:
            alike[who] = [row]
        else:
            some.append(row)
    hours: dict[tuple[int, str, str], list[list[int]]] = {}
    for (at, key_id, user, team, tenant, prompt, tags), rows in alike.items():
        sums = _spent(rows)
        for dimension, value in (
            ("key_id", key_id),
            ("user", user),
            ("team", team),
            ("tenant", tenant),
            ("prompt", prompt),
            *(_tags(tags) if tags else ()),
        ):
            if value:
                hours.setdefault((at, dimension, value), []).append(sums)
    for (at, dimension, value), some_sums in hours.items():
        if dimension.startswith("tag:") and not names.admit("tag", dimension, MOST_TAGS):
            continue
        if not names.admit(dimension, value, MOST_VALUES):
            value = OTHER
        of_hour = some_sums[0] if len(some_sums) == 1 else list(map(sum, zip(*some_sums, strict=True)))
        for seconds in (HOUR, DAY):
            place = (seconds, at - at % seconds, dimension, value)
            known = added.spend.get(place)
            added.spend[place] = of_hour if known is None else [a + b for a, b in zip(known, of_hour)]  # noqa: B905


def _spent(rows: Sequence[RequestRow]) -> list[int]:
    """The sums of Spent."""
    if len(rows) == 1:
        row = rows[0]
        cost = row.cost_nanos or 0
        return [
            1,
            int(row.outcome in NO_ANSWER),
            row.input_tokens + row.cache_read_tokens + row.cache_write_tokens + row.cache_write_1h_tokens,
            row.output_tokens + row.reasoning_tokens,
            cost,
            cost if row.cost_label == "estimated" else 0,
            int(row.cost_nanos is None and row.attempts > 0),
            row.avoided_nanos,
        ]
    costs = [row.cost_nanos or 0 for row in rows]
    return [
        len(rows),
        sum([row.outcome in NO_ANSWER for row in rows]),
        sum(
            [
                row.input_tokens + row.cache_read_tokens + row.cache_write_tokens + row.cache_write_1h_tokens
                for row in rows
            ]
        ),
        sum([row.output_tokens + row.reasoning_tokens for row in rows]),
        sum(costs),
        sum([cost for cost, row in zip(costs, rows, strict=True) if row.cost_label == "estimated"]),
        sum([row.cost_nanos is None and row.attempts > 0 for row in rows]),
        sum([row.avoided_nanos for row in rows]),
    ]


def _tags(text: str) -> list[tuple[str, str]]:
    try:
        return [(f"tag:{name}", value) for name, value in _decode_tags(text).items()]
    except msgspec.DecodeError:
        return []  # not as we write them: somebody else's row


def _fail(rows: Iterable[RequestRow], names: Names, added: Added) -> None:
    for row in rows:
        feature, model = _kept_apart(row.feature, row.routed_model, names)
        user = row.user or row.key_id
        if not names.admit("affected", (feature, model, row.error_class, user), MOST_VALUES):
            user = OTHER
        key = (ended_at(row) // HOUR * HOUR, feature, model, row.error_class or row.outcome, user)
        added.failures[key] = added.failures.get(key, 0) + 1


def _session(row: RequestRow) -> SessionRow:
    return SessionRow(
        session=row.session,
        feature=row.feature,
        user=row.user,
        key_id=row.key_id,
        first_ns=row.started_ns,
        last_ns=row.started_ns,
        requests=1,
        failed=int(row.outcome in NO_ANSWER),
        input_tokens=row.input_tokens
        + row.cache_read_tokens
        + row.cache_write_tokens
        + row.cache_write_1h_tokens,
        output_tokens=row.output_tokens + row.reasoning_tokens,
        cost_nanos=row.cost_nanos or 0,
    )


def merged_session(one: SessionRow, other: SessionRow) -> SessionRow:
    """Both parts of a conversation as one."""
    latest = one if one.last_ns > other.last_ns else other
    return SessionRow(
        session=one.session,
        feature=latest.feature,
        user=latest.user,
        key_id=latest.key_id,
        first_ns=min(one.first_ns, other.first_ns),
        last_ns=latest.last_ns,
        requests=one.requests + other.requests,
        failed=one.failed + other.failed,
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cost_nanos=one.cost_nanos + other.cost_nanos,
    )


def merge_counts(sketches: Sequence[Counts], more: Sequence[Counts]) -> None:
    """Add these to the first."""
    for counts, others in zip(sketches, more, strict=True):
        for bucket, count in others.items():
            counts[bucket] = counts.get(bucket, 0) + count
