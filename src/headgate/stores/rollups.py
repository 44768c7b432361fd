"""What happened, added up per minute, hour and day in the transaction that stores it: what plots, contracts and rules of alerts read.

Nobody scans requests to draw a plot. A request belongs to the minute in which it ended.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

from headgate.core.sketch import Sketch

__all__ = [
    "DAY",
    "FAILURE_PARTS",
    "HOUR",
    "LEVELS",
    "MEMORY",
    "MINUTE",
    "OTHER",
    "PARTS",
    "SKETCHES",
    "SUMS",
    "TEN_MINUTES",
    "WEEK",
    "Ages",
    "Counts",
    "Failed",
    "Gauge",
    "GaugeName",
    "Kept",
    "Mark",
    "Rolled",
    "RollupStore",
    "Scope",
    "SessionRow",
    "Spent",
    "decoded_sketch",
    "decoded_sketches",
    "encoded_sketches",
]

MINUTE, TEN_MINUTES, HOUR, DAY, WEEK = 60, 600, 3600, 86_400, 604_800
LEVELS = (MINUTE, TEN_MINUTES, HOUR, DAY)
"""Requests are added up in each of these. Ten minutes, because a day of minutes is too much to read for one plot."""
OTHER = "other"
"""Stands for all names beyond those that are kept apart."""
MEMORY = "cache"
"""Stands as model and provider of requests that were answered from memory and asked nobody: how fast a model is, and how long its answers
are, is told by calls alone."""

PARTS = ("feature", "model", "provider", "outcome", "purpose")
"""What rollups are kept apart by. `model`: the one it was routed to ("": none was; MEMORY: none had to be); `outcome`: see `Outcome`; `purpose`: "" for
callers' own requests. Beyond some thousand names of features in a day further ones count as `other`."""
SKETCHES = (
    "total_us",
    "first_content_us",
    "overhead_us",
    "queued_us",
    "tokens_per_s",
    "cost_nanos",
    "output_tokens",
)
"""Numbers whose spread is kept. `first_content_us`: of streams; `tokens_per_s`: answer tokens by the time from the first content
(else from the first byte sent) to the end; `overhead_us`, `total_us`: microseconds."""


class Rolled(msgspec.Struct, kw_only=True):
    """Requests of one stretch of time and one group, added up."""

    at: int = 0
    """Where the stretch begins, seconds since 1970 UTC."""
    group: tuple[str, ...] = ()
    """The value of each part asked for."""
    requests: int = 0
    attempts: int = 0
    failovers: int = 0
    """Requests that another endpoint answered than the first one asked."""
    degraded: int = 0
    cached: int = 0
    """Answered without a call of their own."""
    reworded: int = 0
    """Those of them whose question was asked in other words."""
    joined: int = 0
    """Those of them that shared a call under way."""
    cacheable: int = 0
    """Those that could have been answered so: they asked memory, whatever it said."""
    refusals: int = 0
    """Answers that a model or a content filter declined to give."""
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    """Into caches of whatever length."""
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nanos: int = 0
    estimated_nanos: int = 0
    unpriced: int = 0
    """Requests whose cost nobody knows."""
    avoided_nanos: int = 0
    avoided_us: int = 0
    """Time that nobody had to wait."""
    cache_read_saved_nanos: int = 0
    """What providers' prompt caches have saved."""
    cache_write_extra_nanos: int = 0
    """What it cost more to write to them."""
    sketches: dict[str, Sketch] = {}
    """By name, those asked for; a name of SKETCHES."""


Counts = dict[int, int]
"""Of a sketch: how many, by bucket."""

SUMS = tuple(name for name in Rolled.__struct_fields__ if name not in ("at", "group", "sketches"))


@dataclass(frozen=True, slots=True)
class Scope:
    """Which requests."""

    since: int
    """From then on, seconds since 1970 UTC."""
    until: int
    """Up to then."""
    only: Mapping[str, str] = field(default_factory=dict)
    """Those whose part has this value."""
    purpose: str | None = ""
    """"": callers' own; None: all."""


class Spent(msgspec.Struct, kw_only=True):
    """Requests with one value of one dimension, added up; copies of requests too, for they cost money."""

    at: int = 0
    value: str = ""
    requests: int = 0
    failed: int = 0
    """Without an answer, and not because the caller left."""
    input_tokens: int = 0
    """All that went in."""
    output_tokens: int = 0
    """All that came out."""
    cost_nanos: int = 0
    estimated_nanos: int = 0
    unpriced: int = 0
    avoided_nanos: int = 0


FAILURE_PARTS = ("feature", "model", "error_class")


class Failed(msgspec.Struct, kw_only=True):
    """Requests without an answer."""

    at: int = 0
    group: tuple[str, ...] = ()
    requests: int = 0
    users: int = 0
    """End users affected; where callers name none, their keys."""


class SessionRow(msgspec.Struct, kw_only=True, frozen=True):
    """A conversation; feature, user and key are its latest request's."""

    session: str
    feature: str = ""
    user: str = ""
    key_id: str = ""
    first_ns: int = 0
    last_ns: int = 0
    requests: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nanos: int = 0


MarkKind = Literal["config", "fingerprint", "model"]


class Mark(msgspec.Struct, kw_only=True, frozen=True):
    """What may explain a change on a plot."""

    event: str
    """As a name that comes once."""
    at_ns: int
    kind: MarkKind
    """config: another configuration serves. fingerprint, model: a provider answers with another one than before."""
    subject: str = ""
    """`provider/model`, or "" for all."""
    text: str = ""


GaugeName = Literal[
    "in_flight",
    "limit_waiting",
    "budget_waiting",
    "journal_bytes",
    "records_dropped",
    "shadows_dropped",
    "cache_wrong_share",
]
"""in_flight: requests being served. limit_waiting, budget_waiting: requests that wait for room in a limit, for money that others
hold. journal_bytes: records that are not in the database yet. records_dropped, shadows_dropped: records that were lost, copies
that were not sent, since the gateway was started. cache_wrong_share: of semantic hits, where most of a feature's were wrong."""


class Gauge(msgspec.Struct, kw_only=True, frozen=True):
    """What a node saw of itself: the highest in the minute from `at` on."""

    at: int
    name: str
    node: int
    value: float


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """Since when finer rows are kept, seconds since 1970 UTC; 0: since ever."""

    minutes_from: int = 0
    hours_from: int = 0
    ends: int = 0
    """Up to when there is anything; 0: unknown."""
    weeks_until: int = 0
    """Spending of all days before is there by weeks, too; see `weeks`."""


class Ages(msgspec.Struct, frozen=True, kw_only=True):
    """What is too old to be kept: all before these moments, seconds since 1970 UTC; 0: nothing is."""

    minutes_before: int = 0
    """Of minutes, and of ten minutes."""
    hours_before: int = 0
    """Of hours, also those of spending."""
    failures_before: int = 0
    gauges_before: int = 0


class RollupStore(Protocol):
    """The reading side; `SpanSink.write` is the writing side. All raise StoreUnavailable."""

    async def rolled(
        self, scope: Scope, *, step: int = 0, by: Sequence[str] = (), sketches: Collection[str] = ()
    ) -> Sequence[Rolled]:
        """A sum for each step of time (a multiple of MINUTE; 0: the whole time is one) and each group of these PARTS that there
        is, ordered by time. Reads days, hours and minutes as coarse as the step and the scope's ends allow; where minutes
        are not kept any more, the ends are rounded out to hours, and to days. Raises ValueError for unknown names."""
        ...

    async def spent(
        self,
        dimension: str,
        since: int,
        until: int,
        *,
        step: int = 0,
        limit: int = 100,
        values: Sequence[str] = (),
    ) -> Sequence[Spent]:
        """By value of one dimension (`key_id`, `user`, `team`, `tenant`, `prompt`, `tag:NAME`), the dearest first. step: a multiple
        of HOUR; 0: the whole time is one. values: of these only. `limit` values at most."""
        ...

    async def dimensions(self, since: int, until: int) -> Sequence[str]:
        """The dimensions there is anything of, `tag:…` among them."""
        ...

    async def failures(
        self,
        since: int,
        until: int,
        *,
        step: int = 0,
        by: Sequence[str] = FAILURE_PARTS,
        only: Mapping[str, str] = {},
    ) -> Sequence[Failed]:
        """By error class, model and feature. step: a multiple of HOUR; users are counted once in each step."""
        ...

    async def sessions(
        self,
        *,
        before_ns: int = 0,
        before: str = "",
        limit: int = 50,
        only: Mapping[str, str] = {},
    ) -> Sequence[SessionRow]:
        """Conversations, the latest first; those before (last_ns, session) of the page before. only: feature, user, key_id."""
        ...

    async def marks(self, since_ns: int, until_ns: int, limit: int = 200) -> Sequence[Mark]:
        """In order of time."""
        ...

    async def add_marks(self, marks: Sequence[Mark]) -> None:
        """Those whose event is not there yet."""
        ...

    async def gauges(self, name: str, since: int, until: int) -> Sequence[Gauge]:
        """In order of time."""
        ...

    async def add_gauges(self, gauges: Sequence[Gauge]) -> None:
        """The higher value stays."""
        ...

    async def sweep(self, ages: Ages, limit: int = 2_000) -> int:
        """Delete some `limit` rows of what is older; how many that were. Days stay for ever. Once begun, `rolled` and `spent` read
        hours for all that is before `minutes_before`, and days for all before `hours_before`."""
        ...


_encode = msgspec.msgpack.Encoder().encode
_decode_all = msgspec.msgpack.Decoder(list[Counts]).decode
_decode_raw = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_decode_one = msgspec.msgpack.Decoder(Counts).decode


def encoded_sketches(sketches: Sequence[Counts]) -> bytes:
    """As they are kept, in the order of SKETCHES."""
    return _encode(sketches)


def decoded_sketches(data: bytes) -> list[Counts]:
    """All of them."""
    return _decode_all(data) if data else [{} for _ in SKETCHES]


def decoded_sketch(data: bytes, places: Sequence[int]) -> list[Counts]:
    """Those at these places of SKETCHES only, which is quicker."""
    if not data:
        return [{} for _ in places]
    parts = _decode_raw(data)
    return [_decode_one(parts[place]) for place in places]
