"""`/api/cache`: what memory holds and saves, how often it is wrong; entries looked through, removed, told wrong; warmed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET

from headgate.admission.rights import CONTENT
from headgate.cache.semantic.bounds import Bound
from headgate.cache.settings import FeatureCacheSettings
from headgate.control.cache import (
    CacheReport,
    Hits,
    NoSuchEntry,
    State,
    Wrongness,
    answer_text,
    clear,
    entry_of,
    given_to,
    key_of,
    report,
    state_of,
    tell_wrong,
)
from headgate.control.http.fields import Ago, Limit, Maybe, Word
from headgate.control.http.moments import ago_ns, moment
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route
from headgate.control.warming import Asking, CannotWarm, Outcome, Warmed, most_asked, warm
from headgate.core.ids import parse_request_id, request_id_text
from headgate.core.money import nanos, usd
from headgate.core.near import did_you_mean
from headgate.quality.replay.capping import SpendCap
from headgate.stores.answers import AnswerStore, CacheEntry, Judgement, Popular, Selection

__all__ = [
    "ROUTES",
    "ClearWanted",
    "Cleared",
    "EntriesQuery",
    "EntryPage",
    "EntryShown",
    "EntryTold",
    "LearnedTold",
    "ReportQuery",
    "WarmItem",
    "WarmWanted",
    "WarmedTold",
    "WrongTold",
    "WrongWanted",
    "entry_told",
    "feature_settings",
    "judgement_told",
    "list_entries",
    "memory_of",
    "remove",
    "report_told",
    "show_entry",
    "show_report",
    "tell",
    "warmed_told",
]

_WARM_SECONDS = 600.0
_ASKED_SECONDS = 60.0
_DAY = 86_400
_NS = 1_000_000_000
_SHOWN = 20
_PAGE = 50
Feature = Annotated[
    str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["chat"])
]
Key = Annotated[str, msgspec.Meta(max_length=32, pattern=r"^([0-9a-f]{32})?$")]
RequestName = Annotated[str, msgspec.Meta(max_length=17, pattern=r"^(req_[0-9a-z]{13})?$")]


class FeatureCacheTold(msgspec.Struct, kw_only=True):
    """How a feature's answers are given again."""

    feature: str
    exact_seconds: float
    """How long an answer is given again."""
    semantic: float | Literal["adaptive"] | None
    """How sure it must be that a question in other words asks the same; null: words must be equal."""
    most_wrong: float
    shadow: bool
    """Are similar questions only measured?"""
    sample: float
    scope: str
    when: str
    let: list[str]
    stale_seconds: float
    if_error_seconds: float
    refresh: float
    pace: str
    join: bool


class HitsTold(msgspec.Struct, kw_only=True):
    """Callers' own requests, added up."""

    requests: int
    asked: int
    """Those that memory was asked for."""
    hits: int
    exact: int
    """Words being equal; stale answers among them."""
    semantic: int
    joined: int
    """Shared a call under way."""
    hit_rate: float | None
    """Of those that memory was asked for; null: of none."""
    saved_usd: str
    saved_seconds: float


class WrongnessTold(msgspec.Struct, kw_only=True):
    """How often answers to questions in other words were wrong, as far as samples tell."""

    sampled: int
    wrong: int
    share: float | None
    """null: there is no sample yet."""
    low: float
    """Between this and `high` the true share lies, 95 % sure."""
    high: float
    told: int
    """How often people said so; in no share."""


class CacheShown(msgspec.Struct, kw_only=True):
    """Memory, as it is now."""

    enabled: bool
    engine: str
    entries: int
    bytes: int
    most_bytes: int
    evicted: int
    """For want of room, since this process was started."""
    longest_seconds: float
    features: list[FeatureCacheTold]
    """Those that have a cache."""
    today: HitsTold
    """The last 24 hours."""


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


class ClearWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which entries go: those of which all of this is true."""

    dry_run: bool
    """true: only tell how many that would be. It has to be said."""
    everything: bool = False
    """Has to be said if nothing else is."""
    feature: Word = ""
    tenant: Word = ""
    prompt: Annotated[Word, msgspec.Meta(examples=["greeting@7"])] = ""
    tag: Word = ""
    text: Word = ""
    """Stands in the question or in the answer. Only who may read content may remove by it."""
    user: Word = ""
    before: Ago = ""
    """Made before: `24h` ago, or a date."""


class Cleared(msgspec.Struct, kw_only=True):
    """What was removed, or would be."""

    dry_run: bool
    entries: int
    bytes: int
    some: list[EntryTold]
    """A few of them, the newest first."""


class WrongWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """To which question it was wrong."""

    request: RequestName = ""
    """The request that was given the answer. If that was asked in other words, it is learned that they were not similar enough; left
    out, the answer itself is wrong, and only removed."""


class WrongTold(msgspec.Struct, kw_only=True):
    """What became of it."""

    removed: int
    keys: list[str]
    learned: bool
    """Was anything learned about how similar is similar enough?"""


class ReportQuery(msgspec.Struct, kw_only=True):
    """Which time, and of whom."""

    since: Ago = "7d"
    """From then on: `24h`, `7d` or a date."""
    feature: Word = ""
    """Only this one."""


class LearnedTold(msgspec.Struct, kw_only=True):
    """How similar is similar enough, as learned from judgements."""

    threshold: float | None
    """Given is what is at least so sure; null: nothing yet, too little is known or too much was wrong."""
    judged: int
    """Judgements at or above it; where there is none, at or above 0.95."""
    wrong: int
    at_most: float
    """99 % sure, no more than this share of what lies above it is wrong."""


class FeatureReport(msgspec.Struct, kw_only=True):
    """One feature."""

    feature: str
    hits: HitsTold
    shadow: bool
    semantic: float | Literal["adaptive"] | None
    most_wrong: float | None
    wrong: WrongnessTold
    """Of hits; in shadow mode, of those that would have been."""
    near: WrongnessTold
    """Of all neighbours that were judged, also those that were not sure enough."""
    learned: LearnedTold | None
    """null: the feature is not adaptive."""


class ReportShown(msgspec.Struct, kw_only=True):
    """What memory did."""

    since: datetime
    until: datetime
    total: HitsTold
    wrong: WrongnessTold
    own_usd: str
    """What memory's own calls cost: warming, refreshing, samples, embedding."""
    own_requests: int
    features: list[FeatureReport]


class AskedQuery(msgspec.Struct, kw_only=True):
    """Of which feature."""

    feature: Feature
    """Whose requests."""
    since: Ago = "7d"
    """Those from then on: `24h`, `7d` or a date."""
    limit: Limit = 20
    """How many at most."""


class AskedTold(msgspec.Struct, kw_only=True):
    """A request that came again and again."""

    request: str
    """The latest of them."""
    times: int
    last: datetime


class AskedMost(msgspec.Struct, kw_only=True):
    """What is asked most, letter for letter."""

    items: list[AskedTold]


class WarmItem(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One of a question, a recorded request and a whole request."""

    question: Annotated[str, msgspec.Meta(max_length=20_000)] = ""
    request: RequestName = ""
    """Asked as it was."""
    body: dict[str, Any] | None = None
    """As it would be sent to `/v1/chat/completions`; without `model` it asks for the feature."""
    user: Word = ""
    """For whom it is kept, where answers belong to one user."""


class WarmWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is to be asked before anybody does. Your key pays."""

    feature: Feature
    items: Annotated[
        list[WarmItem],
        msgspec.Meta(min_length=1, max_length=20, examples=[[{"question": "What is a weir?"}]]),
    ]
    max_usd: Annotated[str, msgspec.Meta(max_length=20, examples=["0.50"])]
    """The most that they may cost together. A call that could cost more than is left is not made."""
    like: RequestName = ""
    """A recorded request, in which each question takes the place of what the user said last; left out, the question is all there is."""
    estimate_only: bool = False
    """Nobody is asked."""


class WarmedTold(msgspec.Struct, kw_only=True):
    """What came of one."""

    outcome: Outcome
    key: str
    request: str
    """That was sent; empty: none."""
    cost_usd: str
    most_usd: str | None
    why: str


class WarmShown(msgspec.Struct, kw_only=True):
    """What came of them, in their order."""

    items: list[WarmedTold]
    spent_usd: str


async def show(asked: Asked[None, None]) -> CacheShown:
    """Show what memory holds, how each feature is set, and what it did in the last 24 hours."""
    settings = asked.desk.configuration().settings
    answers, now = asked.desk.memory.answers, int(time.time())
    features = feature_settings(settings)
    sizes = await answers.sizes() if answers is not None else None
    found = await report(asked.desk.rollups, None, features, now - _DAY, now)
    return CacheShown(
        enabled=settings.cache.enabled,
        engine=settings.cache.engine,
        entries=sizes.entries if sizes else 0,
        bytes=sizes.bytes if sizes else 0,
        most_bytes=sizes.most_bytes if sizes else 0,
        evicted=sizes.evicted if sizes else 0,
        longest_seconds=float(settings.cache.longest),
        features=[_feature(name, each) for name, each in features.items() if each is not None and each.exact],
        today=_hits(found.total),
    )


async def show_report(asked: Asked[ReportQuery, None]) -> ReportShown:
    """Tell by feature how often memory answered, what that saved, and how often it was wrong."""
    now = int(time.time())
    query = asked.query
    since = ago_ns(query.since or "7d", "since") // _NS
    features = feature_settings(asked.desk.configuration().settings)
    if query.feature and query.feature not in features:
        raise _no_feature(query.feature, features)
    answers = asked.desk.memory.answers
    found = await report(asked.desk.rollups, answers, features, since, now + 1, only=query.feature)
    return report_told(found)


async def list_entries(asked: Asked[EntriesQuery, None]) -> EntryPage:
    """List what is kept. Questions are told to whoever may read content."""
    query, may = asked.query, CONTENT in asked.caller.routes
    which = Selection(
        tenant=None if query.tenant is UNSET else str(query.tenant),
        feature=query.feature or None,
        prompt=query.prompt or None,
        tag=query.tag or None,
        text=_looked_for(asked, query.text),
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


async def remove(asked: Asked[None, ClearWanted]) -> Cleared:
    """Remove entries from all gateways, or tell first how many that would be. They stay removed; answers under way are not stopped."""
    wanted, may = asked.body, CONTENT in asked.caller.routes
    which = Selection(
        tenant=wanted.tenant or None,
        feature=wanted.feature or None,
        prompt=wanted.prompt or None,
        tag=wanted.tag or None,
        text=_looked_for(asked, wanted.text),
        user=wanted.user or None,
        before_ns=ago_ns(wanted.before, "before") if wanted.before else None,
    )
    if (which == Selection()) != wanted.everything:
        raise Problem(
            "invalid_request",
            "say which entries, by feature, prompt, tag and so on, or `everything`; not both",
            param="everything",
        )
    answers = memory_of(asked)
    done = await clear(answers, asked.desk.audit, which, dry_run=wanted.dry_run, actor=asked.actor)
    now = time.time_ns()
    return Cleared(
        dry_run=wanted.dry_run,
        entries=done.entries,
        bytes=done.bytes,
        some=[entry_told(Popular(each, 0, 0), now, content=may) for each in done.some[:_SHOWN]],
    )


async def tell(asked: Asked[None, WrongWanted]) -> WrongTold:
    """Say that an answer was wrong: it is removed from all gateways, and how similar is similar enough is learned anew."""
    desk = asked.desk
    try:
        done = await tell_wrong(
            memory_of(asked),
            desk.records,
            desk.audit,
            asked.path["key"],
            request=asked.body.request,
            actor=asked.actor,
        )
    except (NoSuchEntry, ValueError) as missing:
        raise Problem("not_found", str(missing), param="key") from None
    return WrongTold(
        removed=len(done.removed),
        keys=[each.key.hex() for each in done.removed],
        learned=done.judgement is not None,
    )


async def list_asked(asked: Asked[AskedQuery, None]) -> AskedMost:
    """List the requests of a feature that came most often, letter for letter, to warm memory with. Neither prompts nor answers are in it."""
    query = asked.query
    settings = _warmable(asked, query.feature)
    since = ago_ns(query.since or "7d", "since")
    found = await most_asked(asked.desk.records, query.feature, settings, since, query.limit)
    return AskedMost(
        items=[
            AskedTold(request=request_id_text(each.request), times=each.times, last=moment(each.last_ns))
            for each in found
        ]
    )


async def fill(asked: Asked[None, WarmWanted]) -> WarmShown:
    """Ask questions now so that their answers are there later. What is there and fresh is not asked again. It costs; your key pays."""
    wanted, desk = asked.body, asked.desk
    settings = _warmable(asked, wanted.feature)
    cap = SpendCap(_nanos(wanted.max_usd))
    done: list[Warmed] = []
    for item in wanted.items:
        asking = Asking(question=item.question, request=item.request, body=item.body, user=item.user)
        try:
            done.append(
                await warm(
                    desk.records,
                    desk.replaying,
                    desk.memory,
                    asking,
                    asked.caller,
                    feature=wanted.feature,
                    settings=settings,
                    cap=cap,
                    like=wanted.like,
                    estimate_only=wanted.estimate_only,
                )
            )
        except CannotWarm as wrong:
            raise Problem("invalid_request", str(wrong), param="items") from None
    return WarmShown(items=[warmed_told(each) for each in done], spent_usd=_usd(cap.spent))


# What is read


def feature_settings(settings: Any) -> Mapping[str, FeatureCacheSettings | None]:
    """Of each feature of the configuration: None, if it has no cache."""
    on = settings.cache.enabled
    return {name: each.cache if on else None for name, each in settings.features.items()}


def memory_of(asked: Asked[Any, Any]) -> AnswerStore:
    """Raises Problem if there is none."""
    answers: AnswerStore | None = asked.desk.memory.answers
    if answers is None:
        raise Problem(
            "conflict",
            'nothing is kept here: give a feature a cache, such as `cache = { exact = "1h" }`, and see that `[cache]` is on',
        )
    return answers


def _warmable(asked: Asked[Any, Any], feature: str) -> FeatureCacheSettings:
    features = feature_settings(asked.desk.configuration().settings)
    if feature not in features:
        raise _no_feature(feature, features)
    settings = features[feature]
    if settings is None or not settings.exact:
        raise Problem("conflict", f"feature `{feature}` has no cache, or it is off", param="feature")
    return settings


def _no_feature(name: str, features: Mapping[str, object]) -> Problem:
    near = did_you_mean(name, features)
    return Problem("not_found", f"there is no feature `{name}`{near}", param="feature")


def _looked_for(asked: Asked[Any, Any], text: str) -> str | None:
    if text and CONTENT not in asked.caller.routes:
        raise Problem(
            "not_allowed",
            "`text` looks into questions and answers, which your role may not read",
            param="text",
        )
    return text or None


def _origin(text: str) -> int:
    try:
        return parse_request_id(text)
    except ValueError as wrong:
        raise Problem("invalid_request", str(wrong), param="origin") from None


def _nanos(text: str) -> int:
    try:
        amount = Decimal(text)
        if not (amount.is_finite() and 0 < amount < 1_000_000):
            raise InvalidOperation
    except InvalidOperation:
        raise Problem(
            "invalid_request", "`max_usd` is an amount of USD above 0, such as 0.50", param="max_usd"
        ) from None
    return nanos(amount)


# What is told


def _usd(amount: int) -> str:
    return f"{usd(amount):f}"


def _feature(name: str, settings: FeatureCacheSettings) -> FeatureCacheTold:
    return FeatureCacheTold(
        feature=name,
        exact_seconds=float(settings.exact or 0),
        semantic=settings.semantic,
        most_wrong=settings.most_wrong,
        shadow=settings.shadow,
        sample=settings.sample,
        scope=settings.scope,
        when=settings.when,
        let=list(settings.let),
        stale_seconds=float(settings.stale),
        if_error_seconds=float(settings.if_error),
        refresh=settings.refresh,
        pace=settings.pace,
        join=settings.join,
    )


def _hits(hits: Hits) -> HitsTold:
    return HitsTold(
        requests=hits.requests,
        asked=hits.asked,
        hits=hits.hits,
        exact=hits.exact,
        semantic=hits.similar,
        joined=hits.joined,
        hit_rate=hits.rate,
        saved_usd=_usd(hits.saved_nanos),
        saved_seconds=hits.saved_us / 1e6,
    )


def _wrongness(found: Wrongness) -> WrongnessTold:
    return WrongnessTold(
        sampled=found.sampled,
        wrong=found.wrong,
        share=found.share,
        low=found.low,
        high=found.high,
        told=found.told,
    )


def report_told(found: CacheReport) -> ReportShown:
    """As `/api/cache/report` and `headgate cache stats --json` tell it."""
    return ReportShown(
        since=moment(found.since * _NS),
        until=moment(found.until * _NS),
        total=_hits(found.total),
        wrong=_wrongness(found.wrong),
        own_usd=_usd(found.own_nanos),
        own_requests=found.own_requests,
        features=[
            FeatureReport(
                feature=each.feature,
                hits=_hits(each.hits),
                shadow=each.shadow,
                semantic=each.settings.semantic if each.settings else None,
                most_wrong=each.settings.most_wrong if each.settings else None,
                wrong=_wrongness(each.wrong),
                near=_wrongness(each.near),
                learned=_learned(each.learned),
            )
            for each in found.features
        ],
    )


def _learned(bound: Bound | None) -> LearnedTold | None:
    if bound is None:
        return None
    return LearnedTold(
        threshold=bound.threshold, judged=bound.judged, wrong=bound.wrong, at_most=bound.at_most
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
        cost_usd=_usd(entry.cost_nanos),
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


def warmed_told(each: Warmed) -> WarmedTold:
    """As `/api/cache/warm` tells it."""
    return WarmedTold(
        outcome=each.outcome,
        key=each.key.hex(),
        request=request_id_text(each.id) if each.id else "",
        cost_usd=_usd(each.cost_nanos),
        most_usd=None if each.most_nanos is None else _usd(each.most_nanos),
        why=each.why,
    )


ROUTES = (
    route("GET", "/api/cache", "api.cache.show", show),
    route("GET", "/api/cache/report", "api.cache.report", show_report, problems=("not_found",)),
    route("GET", "/api/cache/entries", "api.cache.entries", list_entries),
    route(
        "GET",
        "/api/cache/entries/{key}",
        "api.cache.entry",
        show_entry,
        problems=("not_found", "conflict"),
    ),
    route(
        "POST",
        "/api/cache/entries/{key}/wrong",
        "api.cache.wrong",
        tell,
        problems=("not_found", "conflict"),
    ),
    route("POST", "/api/cache/clear", "api.cache.clear", remove, problems=("conflict",), seconds=60.0),
    route(
        "GET",
        "/api/cache/asked",
        "api.cache.asked",
        list_asked,
        problems=("not_found", "conflict"),
        seconds=_ASKED_SECONDS,
    ),
    route(
        "POST",
        "/api/cache/warm",
        "api.cache.warm",
        fill,
        problems=("not_found", "conflict"),
        seconds=_WARM_SECONDS,
    ),
)
