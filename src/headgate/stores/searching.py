"""Looking for requests, newest first, page by page. Each page reads a bounded part, whatever is looked for.

The SQL stands here once, plain enough for every engine; it holds names of our own fields and `?` for values. Pages follow
ids, which are ordered by the time at which requests came, so that a stretch of time is a stretch of the index.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import msgspec
import zstandard

from headgate.core.ids import id_ns, newest_id, oldest_id
from headgate.stores.finding import Needle
from headgate.stores.spans import GIVEN, RequestRow
from headgate.stores.totals import FOREVER_NS

__all__ = [
    "BOUNDED",
    "EQUAL",
    "READ_AT_ONCE",
    "TEXT_SECONDS",
    "Bound",
    "ContentPlace",
    "Found",
    "Score",
    "Search",
    "Searching",
    "Source",
    "condition",
    "find",
    "is_found",
]

READ_AT_ONCE = 50_000
"""Requests a page is looked for in, at most: somebody who looks for what is not there must not read a year."""
_FEW = 20_000
"""So many with one value of an indexed column are read at once, wherever in time they are."""
TEXT_SECONDS = 0.2
"""How long a page looks into contents."""
_ROWS_AT_ONCE = 500
_PART = 5_000
"""As READ_AT_ONCE, where contents are read: time ends such a page anyway."""
_SEGMENTS_KEPT = 16
_LAST_ID = (1 << 63) - 1

EQUAL = (
    "feature",
    "user",
    "session",
    "key_id",
    "team",
    "tenant",
    "provider",
    "region",
    "outcome",
    "error_class",
    "purpose",
    "prompt",
    "config_hash",
    "cache",
    "operation",
    "dialect",
    "tier",
    "finish_reason",
    "requested_model",
    "routed_model",
    "reported_model",
    "parent_id",
)
"""Columns that are compared whole."""
BOUNDED = (
    "status",
    "cost_nanos",
    "total_us",
    "first_content_us",
    "overhead_us",
    "queued_us",
    "attempts",
    "input_tokens",
    "output_tokens",
)
"""Columns that have a least and a most."""
_MODELS = ("requested_model", "routed_model", "reported_model")


class Bound(NamedTuple):
    """From `least` to `most`, both included; None: no bound."""

    least: int | None = None
    most: int | None = None


class Score(NamedTuple):
    """A judgement of this name, within bounds."""

    name: str
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which requests are looked for: those of which all of this is true."""

    since_ns: int = 0
    """Came at this moment or later."""
    until_ns: int = FOREVER_NS
    """Came before this moment."""
    only: Mapping[str, str] = field(default_factory=dict)
    """Column -> value; names of EQUAL."""
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    """Column -> bounds; names of BOUNDED."""
    tags: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    """The one asked for, or chosen, or that answered."""
    stream: bool | None = None
    degraded: bool | None = None
    failed: bool = False
    """Did not end well, whoever is to blame."""
    trace: str = ""
    """The caller's trace, of a request that came with one."""
    replay_of: int = 0
    origin_id: int = 0
    """Was given the answer of this request."""
    cached: bool | None = None
    """Was answered from memory, or by another one's call."""
    score: Score | None = None
    text: str = ""
    """Stands in the prompt or in the answer; whether letters are large or small makes no difference."""

    def __post_init__(self) -> None:
        for name in self.only:
            if name not in EQUAL:
                raise ValueError(f"requests are not looked for by `{name}`; by {', '.join(EQUAL)} they are")
        for name in self.bounds:
            if name not in BOUNDED:
                raise ValueError(f"`{name}` has no bounds; {', '.join(BOUNDED)} have")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A page of requests, newest first."""

    rows: Sequence[RequestRow]
    next: int
    """The next page begins before this id; 0: this was the last. A page may have fewer rows than asked for, or none, and not be
    the last."""
    searched_to_ns: int
    """Everything that came after this moment has been looked through; 0 after the last page."""


class Searching(Protocol):
    """What a span store finds."""

    async def search(
        self, search: Search, *, before: int = 0, limit: int = 100, seconds: float = TEXT_SECONDS
    ) -> Found:
        """Up to `limit` requests whose ids are less than `before` (0: from now on), newest first.

        seconds: how long contents are looked through for `text`. Raises StoreUnavailable."""
        ...


class ContentPlace(NamedTuple):
    """Where a content lies."""

    segment: int
    offset: int
    length: int


class Source(Protocol):
    """What an engine does for `find`. All raise StoreUnavailable."""

    async def asked(self, text: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The rows that answer a question, as the engine has them."""
        ...

    async def requests(self, text: str, values: Sequence[Any]) -> Sequence[RequestRow]:
        """Those that a question finds; `text` goes on after `SELECT … FROM request `."""
        ...

    async def places(self, hashes: Collection[str]) -> Mapping[str, ContentPlace]:
        """Where these contents lie; those that are not kept are missing."""
        ...

    async def segment(self, number: int) -> bytes:
        """A segment as it is kept, compressed; b"" if it is gone."""
        ...


async def find(source: Source, search: Search, *, before: int, limit: int, seconds: float) -> Found:
    """A page, by questions to an engine."""
    if not search.text:
        return await _page(source, search, before or _LAST_ID, limit)
    return await _page_with(source, Needle(search.text), search, before or _LAST_ID, limit, seconds)


async def _page(source: Source, search: Search, before: int, limit: int, part: int = 0) -> Found:
    """part: so many requests are looked at; 0: READ_AT_ONCE."""
    least = oldest_id(search.since_ns) if search.since_ns > 0 else 0
    top = min(before, newest_id(search.until_ns) + 1) if search.until_ns < FOREVER_NS else before
    rare = await _rare_column(source, search)
    if rare:
        # By the index of that column: the plus keeps the engine from walking all ids instead.
        text, values = condition(search, by=rare)
        rows = await source.requests(
            f"WHERE {text} AND +id < ? AND +id >= ? ORDER BY +id DESC LIMIT ?", [*values, top, least, limit]
        )
        last = True
        floor = least
    else:
        ((floor, count),) = await source.asked(
            "SELECT min(id), count(*) FROM (SELECT id FROM request WHERE id < ? AND id >= ? ORDER BY id DESC LIMIT ?) AS part",
            [top, least, part or READ_AT_ONCE],
        )
        if not count:
            return Found(rows=(), next=0, searched_to_ns=0)
        last = count < (part or READ_AT_ONCE)
        text, values = condition(search, by="id")
        rows = await source.requests(
            f"WHERE id < ? AND id >= ? AND {text} ORDER BY id DESC LIMIT ?", [top, floor, *values, limit]
        )
    if len(rows) == limit:
        return Found(rows=rows, next=rows[-1].id, searched_to_ns=rows[-1].started_ns)
    return Found(rows=rows, next=0 if last else floor, searched_to_ns=0 if last else id_ns(floor))


async def _rare_column(source: Source, search: Search) -> str:
    """A column with an index, of whose value there are so few requests that all of them can be looked at; "" if there is none."""
    for name, (text, value) in _indexed(search).items():
        ((count,),) = await source.asked(
            f"SELECT count(*) FROM (SELECT 1 FROM request WHERE {text} LIMIT ?) AS part",  # noqa: S608
            [value, _FEW + 1],
        )
        if count <= _FEW:
            return name
    return ""


def _indexed(search: Search) -> dict[str, tuple[str, str | int]]:
    # The second half of each says that the row is in the index, which has only rows with the field.
    found: dict[str, tuple[str, str | int]] = {}
    if search.replay_of:
        found["replay_of"] = ("replay_of = ? AND replay_of <> 0", search.replay_of)
    if search.origin_id:
        found["origin_id"] = ("origin_id = ? AND origin_id <> 0", search.origin_id)
    if search.trace:
        found["trace_id"] = ("trace_id = ? AND parent_id <> ''", search.trace)
    for name in ("session", "user", "key_id", "feature"):
        if value := search.only.get(name, ""):
            found[name] = (f'"{name}" = ? AND "{name}" <> \'\'', value)
    return found


def condition(search: Search, *, by: str) -> tuple[str, list[Any]]:
    """What is looked for, but for `text`, as SQL with its values. by: the column whose index shall be used; of no other one is."""
    parts = list(_parts(search, by))
    return " AND ".join(text for text, _ in parts), [value for _, values in parts for value in values]


def _parts(search: Search, by: str) -> Iterator[tuple[str, Sequence[Any]]]:
    yield "started_ns >= ? AND started_ns < ?", (search.since_ns, search.until_ns)
    for name, (text, value) in _indexed(search).items():
        if name == by:
            yield text, (value,)
        elif isinstance(value, int):
            yield f"+{name} = ?", (value,)
        else:
            # Written so that no engine takes the column's index, which could have a million rows to sort.
            yield f"(\"{name}\" || '') = ?", (value,)
            if name == "trace_id":
                yield "parent_id <> ''", ()
    for name, value in search.only.items():
        if not (value and name in ("session", "user", "key_id", "feature")):
            yield f'"{name}" = ?', (value,)
    for name, bound in search.bounds.items():
        if bound.least is not None:
            yield f'"{name}" >= ?', (bound.least,)
        if bound.most is not None:
            yield f'"{name}" <= ?', (bound.most,)
    for name, value in search.tags.items():
        # Every engine has `replace`, and with all of them it heeds large and small.
        yield "tags <> '' AND replace(tags, ?, '') <> tags", (_tag(name, value),)
    if search.model:
        yield f"({' OR '.join(f'{name} = ?' for name in _MODELS)})", (search.model,) * len(_MODELS)
    if search.stream is not None:
        yield ("stream" if search.stream else "NOT stream"), ()
    if search.degraded is not None:
        yield ("degraded <> ''" if search.degraded else "degraded = ''"), ()
    if search.cached is not None:
        yield f"cache {'' if search.cached else 'NOT '}IN ({', '.join('?' * len(GIVEN))})", sorted(GIVEN)
    if search.failed:
        yield "outcome <> 'ok'", ()
    if search.score is not None:
        yield _score(search.score)


def _tag(name: str, value: str) -> str:
    """As it stands in the column."""
    return msgspec.json.encode({name: value}).decode()[1:-1]


def _score(score: Score) -> tuple[str, Sequence[Any]]:
    text, values = "SELECT 1 FROM score WHERE score.request_id = request.id AND score.name = ?", [score.name]
    more: list[Any] = []
    if score.least is not None:
        text += " AND score.number >= ?"
        more.append(score.least)
    if score.most is not None:
        text += " AND score.number <= ?"
        more.append(score.most)
    return f"EXISTS ({text})", [*values, *more]


async def _page_with(
    source: Source, needle: Needle, search: Search, before: int, limit: int, seconds: float
) -> Found:
    """Those with the text, found by reading contents segment by segment, for so long."""
    until = time.monotonic() + seconds
    bare, segments = replace(search, text=""), _Segments(source)
    rows: list[RequestRow] = []
    while True:
        page = await _page(source, bare, before, _ROWS_AT_ONCE, _PART)
        for row in await segments.having(needle, page.rows, until):
            rows.append(row)
            if len(rows) == limit:
                return Found(rows=rows, next=row.id, searched_to_ns=row.started_ns)
        if segments.stopped_at is not None:
            return Found(
                rows=rows, next=segments.stopped_at.id + 1, searched_to_ns=segments.stopped_at.started_ns
            )
        if not page.next or time.monotonic() >= until:
            return Found(rows=rows, next=page.next, searched_to_ns=page.searched_to_ns)
        before = page.next


class _Segments:
    """Segments that were read for one page: neighbours in time lie in the same ones."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._open: dict[int, bytes] = {}
        self.stopped_at: RequestRow | None = None
        """The first request that there was no time for."""

    async def having(self, needle: Needle, rows: Sequence[RequestRow], until: float) -> list[RequestRow]:
        """Those in whose prompt or answer it stands."""
        hashes = {kept for row in rows for kept in (row.request_content, row.reply_content) if kept}
        places = await self._source.places(hashes)
        found: list[RequestRow] = []
        seen: dict[str, bool] = {}
        for number, row in enumerate(rows):
            if number and time.monotonic() >= until:
                self.stopped_at = row
                break
            for kept in (row.request_content, row.reply_content):
                place = places.get(kept)
                if place is not None and kept not in seen:
                    seen[kept] = await self._has(needle, place)
                if seen.get(kept):
                    found.append(row)
                    break
        return found

    async def _has(self, needle: Needle, place: ContentPlace) -> bool:
        data = self._open.get(place.segment)
        if data is None:
            packed = await self._source.segment(place.segment)
            data = await asyncio.to_thread(_opened, needle, packed)
            if len(self._open) >= _SEGMENTS_KEPT:
                del self._open[next(iter(self._open))]
            self._open[place.segment] = data
        return needle.stands_in(data, place.offset, place.offset + place.length)


def _opened(needle: Needle, packed: bytes) -> bytes:
    return needle.prepared(zstandard.ZstdDecompressor().decompress(packed)) if packed else b""


def is_found(row: RequestRow, search: Search) -> bool:
    """Is all of it true of the request, but for `text` and `score`, which a row does not tell?"""
    if not search.since_ns <= row.started_ns < search.until_ns:
        return False
    if any(getattr(row, name) != value for name, value in search.only.items()):
        return False
    if not all(_within(getattr(row, name), bound) for name, bound in search.bounds.items()):
        return False
    if search.tags:
        tags = msgspec.json.decode(row.tags) if row.tags else {}
        if any(tags.get(name) != value for name, value in search.tags.items()):
            return False
    return (
        (not search.model or any(getattr(row, name) == search.model for name in _MODELS))
        and (search.stream is None or row.stream is search.stream)
        and (search.degraded is None or bool(row.degraded) is search.degraded)
        and not (search.failed and row.outcome == "ok")
        and (not search.trace or (row.trace_id == search.trace and row.parent_id != ""))
        and (not search.replay_of or row.replay_of == search.replay_of)
        and (not search.origin_id or row.origin_id == search.origin_id)
        and (search.cached is None or (row.cache in GIVEN) is search.cached)
    )


def _within(value: int | None, bound: Bound) -> bool:
    if value is None:
        return bound == Bound()
    return (bound.least is None or value >= bound.least) and (bound.most is None or value <= bound.most)
