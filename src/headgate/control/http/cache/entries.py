"""`/api/cache/entries`: what is kept, looked through; one entry with what was learned of questions near it."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET

from headgate.admission.rights import CONTENT
from headgate.control.cache.entries import (
    NoSuchEntry,
    State,
    answer_text,
    entry_of,
    given_to,
    key_of,
    state_of,
)
from headgate.control.http.cache.memory import looked_for, memory_of
from headgate.control.http.fields import Limit, Maybe, RequestName, Word
from headgate.control.http.moments import moment
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route
from headgate.core.ids import parse_request_id, request_id_text
from headgate.core.money import usd
from headgate.stores.answers import CacheEntry, Judgement, Popular, Selection

__all__ = [
    "ROUTES",
    "EntriesQuery",
    "EntryPage",
    "EntryShown",
    "EntryTold",
    "GivenTold",
    "JudgementTold",
    "entry_told",
    "judgement_told",
    "list_entries",
    "show_entry",
]

_PAGE = 50
Key = Annotated[str, msgspec.Meta(max_length=32, pattern=r"^([0-9a-f]{32})?$")]


class EntriesQuery(msgspec.Struct, kw_only=True):
    """Which entries: those of which all of this is true."""

    feature: Word = ""
    """Only this feature's."""
    tenant: Maybe = UNSET
    """Only this tenant's; empty: those of none."""
    prompt: Annotated[Word, msgspec.Meta(examples=["greeting@7"])] = ""
    """Name and version, or all versions of a name."""
    tag: Annotated[Word, msgspec.Meta(examples=["topic=fees"])] = ""
    """`name=value`, or a name."""
    text: Word = ""
    """Stands in the question or in the answer. Only who may read content may look for it."""
    user: Word = ""
    """Made for this user, or belonging to them."""
    origin: RequestName = ""
    """Made by this request."""
    order: Literal["hits", "newest"] = "hits"
    """Those that were given most often first, or the newest."""
    limit: Limit = _PAGE
    """How many at most."""
    cursor: Key = ""
    """`next` of the page before."""


class EntryTold(msgspec.Struct, kw_only=True):
    """An answer that may be given again."""

    key: str
    feature: str
    tenant: str
    scope: str
    """Who shares it: user, team or feature."""
    owner: str
    """The user, key or team whose it is; empty where `scope` is feature."""
    model: str
    prompt: str
    tags: dict[str, str]
    operation: str
    made: datetime
    fresh_until: datetime
    kept_until: datetime
    state: State
    hits: int
    last_hit: datetime | None
    origin: str
    """The request that it was made for."""
    cost_usd: str
    """What it cost to make, and is saved by each hit."""
    took_ms: float
    size: int
    """Bytes of the answer."""
    similar: bool
    """Is it found by questions in other words, too?"""
    question: str
    """Empty without the right to read content, or if it was no text."""


class EntryPage(msgspec.Struct, kw_only=True):
    """Entries."""

    items: list[EntryTold]
    next: str | None
    content: bool
    """May you read questions and answers?"""


class JudgementTold(msgspec.Struct, kw_only=True):
    """Whether the entry's answer would have been right for another question."""

    at: datetime
    score: float
    """How sure it was that both ask the same."""
    right: bool
    source: str
    """sample: it was given, and the question asked all the same. shadow: it would have been given but for shadow mode. near: it was not
    given, for want of certainty. person, feedback: somebody said so."""
    question: str
    """Empty without the right to read content."""
    request: str
    """Empty: not known."""


class GivenTold(msgspec.Struct, kw_only=True):
    """A request in other words that was given the answer."""

    request: str
    at: datetime
    score: float
    """How sure it was that both ask the same."""
    question: str
    """Empty without the right to read content, or if it is not kept."""


class EntryShown(msgspec.Struct, kw_only=True):
    """An entry, and what was learned of it."""

    entry: EntryTold
    answer: str
    """Its text; empty without the right to read content."""
    given: list[GivenTold]
    """The latest requests in other words that were given it, the latest first."""
    judgements: list[JudgementTold]
    """The latest first."""
    content: bool


async def list_entries(asked: Asked[EntriesQuery, None]) -> EntryPage:
    """List what is kept. Questions are told to whoever may read content."""
    query, may = asked.query, CONTENT in asked.caller.routes
    which = Selection(
        tenant=None if query.tenant is UNSET else str(query.tenant),
        feature=query.feature or None,
        prompt=query.prompt or None,
        tag=query.tag or None,
        text=looked_for(asked, query.text),
        user=query.user or None,
        origins=(_origin(query.origin),) if query.origin else (),
    )
    answers = asked.desk.memory.answers
    if answers is None:
        return EntryPage(items=[], next=None, content=may)
    after = bytes.fromhex(query.cursor)
    found = await answers.browse(which, order=query.order, limit=query.limit, after=after)
    now = time.time_ns()
    more = found[-1].entry.key.hex() if len(found) == query.limit else None
    return EntryPage(items=[entry_told(each, now, content=may) for each in found], next=more, content=may)


async def show_entry(asked: Asked[None, None]) -> EntryShown:
    """Show one entry, with what was learned of questions near it."""
    answers, may = memory_of(asked), CONTENT in asked.caller.routes
    try:
        found = await entry_of(answers, key_of(asked.path["key"]))
    except (NoSuchEntry, ValueError) as missing:
        raise Problem("not_found", str(missing), param="key") from None
    key = found.entry.key
    judgements = (await answers.judgements([key])).get(key, ())
    return EntryShown(
        entry=entry_told(found, time.time_ns(), content=may),
        answer=answer_text(found.entry) if may else "",
        given=[
            GivenTold(
                request=request_id_text(each.row.id),
                at=moment(each.row.started_ns),
                score=each.row.similarity / 1e6,
                question=each.question,
            )
            for each in await given_to(asked.desk.records, found.entry, content=may)
        ],
        judgements=[judgement_told(each, content=may) for each in reversed(judgements)],
        content=may,
    )


def entry_told(popular: Popular, now_ns: int, *, content: bool) -> EntryTold:
    """content: with the question."""
    entry: CacheEntry = popular.entry
    return EntryTold(
        key=entry.key.hex(),
        feature=entry.feature,
        tenant=entry.tenant,
        scope=entry.scope,
        owner=entry.owner,
        model=entry.model,
        prompt=entry.prompt,
        tags=dict(entry.tags),
        operation=entry.operation,
        made=moment(entry.made_ns),
        fresh_until=moment(entry.fresh_ns),
        kept_until=moment(entry.until_ns),
        state=state_of(entry, now_ns),
        hits=popular.hits,
        last_hit=moment(popular.last_ns) if popular.last_ns else None,
        origin=request_id_text(entry.origin_id) if entry.origin_id else "",
        cost_usd=f"{usd(entry.cost_nanos):f}",
        took_ms=entry.took_us / 1000,
        size=len(entry.answer),
        similar=bool(entry.vector),
        question=entry.question if content else "",
    )


def judgement_told(each: Judgement, *, content: bool) -> JudgementTold:
    """content: with the question."""
    return JudgementTold(
        at=moment(each.at_ns),
        score=each.score,
        right=each.right,
        source=each.source,
        question=each.question if content else "",
        request=request_id_text(each.request_id) if each.request_id else "",
    )


def _origin(text: str) -> int:
    try:
        return parse_request_id(text)
    except ValueError as wrong:
        raise Problem("invalid_request", str(wrong), param="origin") from None


ROUTES = (
    route("GET", "/api/cache/entries", "api.cache.entries", list_entries),
    route(
        "GET",
        "/api/cache/entries/{key}",
        "api.cache.entry",
        show_entry,
        problems=("not_found", "conflict"),
    ),
)
