"""Judgements about requests and conversations: kept one by one, and added up per hour and day as soon as the request is stored.

A request is stored a moment after its last byte, so a judgement may come earlier. It is kept at once and *joined* when the request's
row is there: told which feature, model, prompt and user it is about, and counted. Of one author's judgements under one name about the
same thing the latest counts; all of them stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

__all__ = [
    "DAY",
    "EARLY_NS",
    "HOUR",
    "SCORE_PARTS",
    "WAIT_NS",
    "Fate",
    "Joined",
    "Judged",
    "ScoreKind",
    "ScoreRow",
    "ScoreScope",
    "ScoreSource",
    "ScoreStore",
    "ScoreSum",
    "increments",
    "moment_of",
    "table_for",
]

HOUR, DAY = 3600, 86_400
_NS = 1_000_000_000
_EPOCH_MS = 1_704_067_200_000
"""Where ids of requests begin to count, see `headgate.core.ids`."""
EARLY_NS = 300 * _NS
"""A request that came longer ago than this and is not stored is not known."""
WAIT_NS = 3600 * _NS
"""How long a judgement waits for its request."""
_LONG = 40 * DAY

ScoreKind = Literal["boolean", "number", "label", "text"]
"""boolean: `number` is 1 or 0. label: one word of several. text: a comment or a correction, which is content."""
ScoreSource = Literal["user", "code", "reviewer", "judge"]
Fate = Literal["joined", "waiting", "repeated", "unknown", "foreign"]
"""joined: kept and counted. waiting: kept; its request is not stored yet. repeated: that event was told before. unknown: there is no
such request. foreign: it is about a request of somebody else's. The last three keep nothing."""
SCORE_PARTS = ("name", "kind", "source", "feature", "model", "prompt")
"""What sums are kept apart by."""


class ScoreRow(msgspec.Struct, kw_only=True, frozen=True):
    """One judgement, about a request or about a conversation."""

    id: int = 0
    """Given by the store, in the order in which they came."""
    event: str
    """As a name that comes once."""
    at_ns: int
    """When it was given. Wall clock, nanoseconds since 1970-01-01 UTC."""
    request_id: int = 0
    """What it is about; 0: the conversation."""
    session: str = ""
    """The conversation; of a request's judgement the request's own, known when it is joined."""
    name: str
    """Of what: `thumbs`, `rating`, `task_completed`, or a word of the application's."""
    kind: ScoreKind
    number: float | None = None
    label: str = ""
    text: str = ""
    source: ScoreSource
    author: str = ""
    """Who judged, as the application says; "" for nobody in particular."""
    evaluator: str = ""
    """The program that judged, with its version: `exact-match@2`."""
    key_id: str = ""
    """Of whom: it must be about a request of this key, or of a key of `team`. "": about anybody's."""
    team: str = ""
    feature: str = ""
    """From here on: of the request, or of the latest one of the conversation."""
    model: str = ""
    provider: str = ""
    prompt: str = ""
    user: str = ""
    joined: bool = False


class ScoreSum(msgspec.Struct, kw_only=True, frozen=True):
    """Judgements that are numbers (yes is 1), added up."""

    at: int = 0
    """Where the stretch begins, seconds since 1970 UTC."""
    group: tuple[str, ...] = ()
    scores: int = 0
    total: float = 0.0
    squares: float = 0.0


class Judged(msgspec.Struct, kw_only=True, frozen=True):
    """A request or a conversation, and what was said of it."""

    request_id: int = 0
    """Of a conversation: its latest that was judged, or 0."""
    session: str = ""
    scores: int = 0
    mean: float = 0.0
    at_ns: int = 0
    """When it was judged last."""
    feature: str = ""
    model: str = ""
    prompt: str = ""


class Joined(msgspec.Struct, frozen=True):
    """What came of waiting judgements."""

    joined: Sequence[ScoreRow] = ()
    foreign: int = 0
    """Were about requests of somebody else's, and are kept no more."""


@dataclass(frozen=True, slots=True)
class ScoreScope:
    """Which judgements. Those of a request belong to the hour in which the request came."""

    since: int
    """From then on, seconds since 1970 UTC; rounded down to the hour, or the day."""
    until: int
    """Up to then; rounded up."""
    only: Mapping[str, str] = field(default_factory=dict)
    """Those whose part, a name of SCORE_PARTS, has this value."""


class ScoreStore(Protocol):
    """Judgements of this installation. Never on the request path. All raise StoreUnavailable."""

    async def add(self, rows: Sequence[ScoreRow], now_ns: int) -> Sequence[Fate]:
        """Keep them, each once; count those whose request is stored. In the order given."""
        ...

    async def join(self, now_ns: int, limit: int = 500) -> Joined:
        """Count those that wait and whose request is stored by now; those older than WAIT_NS are not looked at."""
        ...

    async def alone(self, before_ns: int) -> int:
        """How many came before then and are about no request that is stored."""
        ...

    async def forget_alone(self, before_ns: int) -> int:
        """Of those, keep none. How many were there."""
        ...

    async def about(self, request_ids: Sequence[int]) -> Sequence[ScoreRow]:
        """What was said of these requests, in the order in which it came."""
        ...

    async def before(
        self, score_id: int, limit: int, *, since_ns: int = 0, only: Mapping[str, str | int] = {}
    ) -> Sequence[ScoreRow]:
        """The latest whose id is less (0: of all), newest first. only: `request_id`, `session`, `name`, `kind`, `source`, `feature`,
        `model`, `prompt`, `user`. Raises ValueError for other names. Reads a bounded part: an answer with fewer than
        `limit` may not be the end; 200,000 rows further back nothing is looked for."""
        ...

    async def added_up(
        self, scope: ScoreScope, *, step: int = 0, by: Sequence[str] = ()
    ) -> Sequence[ScoreSum]:
        """A sum for each step of time (a multiple of HOUR; 0: the whole time is one) and each group of these SCORE_PARTS that there
        is, ordered by time and group. Raises ValueError for unknown names."""
        ...

    async def lowest(
        self,
        name: str,
        since_ns: int,
        *,
        by: Literal["request", "session"] = "request",
        limit: int = 20,
        feature: str = "",
    ) -> Sequence[Judged]:
        """Of the latest 20,000 judgements: requests, or conversations, by their mean under this name, the lowest first. Only those
        that count."""
        ...


def moment_of(row: ScoreRow) -> int:
    """When what it is about happened, seconds since 1970 UTC: a request's id tells when it came."""
    if row.request_id:
        return ((row.request_id >> 22) + _EPOCH_MS) // 1000
    return row.at_ns // _NS


def increments(
    row: ScoreRow, replaced: ScoreRow | None
) -> Iterator[tuple[tuple[int, int, str, str, str, str, str, str], int, float, float]]:
    """What the sums grow by when a joined judgement counts, in the place of another one: (the row of sums, scores, total, squares)."""
    for each, sign in ((replaced, -1), (row, 1)):
        if each is None or each.number is None:
            continue
        number, at = each.number, moment_of(each)
        for seconds in (HOUR, DAY):
            key = (
                seconds,
                at - at % seconds,
                each.name,
                each.kind,
                each.source,
                each.feature,
                each.model,
                each.prompt,
            )
            yield key, sign, sign * number, sign * number * number


def table_for(scope: ScoreScope, step: int, by: Sequence[str]) -> tuple[int, int, int]:
    """(HOUR or DAY: the sums to read, from, to). Raises ValueError for what cannot be asked."""
    for name in (*by, *scope.only):
        if name not in SCORE_PARTS:
            raise ValueError(f"no part `{name}`: there are {', '.join(SCORE_PARTS)}")
    if step < 0 or step % HOUR:
        raise ValueError("`step` must be a multiple of an hour")
    whole = scope.until - scope.since
    seconds = DAY if (step and step % DAY == 0) or (not step and whole > _LONG) else HOUR
    return seconds, scope.since - scope.since % seconds, scope.until + -scope.until % seconds
