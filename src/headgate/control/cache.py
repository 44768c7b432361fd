"""Answers that are given again: how often, what it saves, how often it is wrong; looked through, removed, and judged by people."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

from headgate.cache.semantic.bounds import Bound, Bounds
from headgate.cache.settings import FeatureCacheSettings
from headgate.control.conversations import last_said
from headgate.core.ids import parse_request_id, request_id_text
from headgate.core.messages import Answer
from headgate.quality.intervals import share_interval
from headgate.stores.answers import AnswerStore, CacheEntry, Judgement, Popular, Removal, Selection
from headgate.stores.audit import AuditEntry, AuditLog
from headgate.stores.rollups import Rolled, RollupStore, Scope
from headgate.stores.searching import Search, Searching
from headgate.stores.spans import GIVEN, RequestRow, SpanStore

__all__ = [
    "EVERYTHING",
    "PURPOSES",
    "CacheReport",
    "FeatureCache",
    "Given",
    "Hits",
    "NoSuchEntry",
    "State",
    "Told",
    "Wrongness",
    "answer_text",
    "clear",
    "entry_of",
    "given_to",
    "hits_over_time",
    "key_of",
    "report",
    "selection_words",
    "state_of",
    "tell_wrong",
    "wrongness",
]

PURPOSES = ("warm", "refresh", "sample", "embed")
"""Requests of our own that memory causes, and that cost."""
JUDGED = 5_000
"""The latest judgements of a feature that an estimate rests on."""
_LEARNED_NS = 90 * 86_400 * 1_000_000_000
"""How far back gateways learn from."""
_MOST_WORDS = 2_000
_GIVEN, _SHADOW = frozenset({"sample"}), frozenset({"shadow"})
_NEAR = frozenset({"sample", "shadow", "near"})
_PEOPLE = frozenset({"person", "feedback"})
EVERYTHING = "everything"
State = Literal["fresh", "stale"]


class Records(SpanStore, Searching, Protocol):
    """What is asked about what happened."""


class NoSuchEntry(LookupError):
    """Nothing is kept under this; the text says what was looked for."""


@dataclass(slots=True, kw_only=True)
class Hits:
    """Callers' own requests, added up."""

    requests: int = 0
    asked: int = 0
    """Those that memory was asked for."""
    exact: int = 0
    """Answered from memory, words being equal; stale answers among them."""
    similar: int = 0
    """Answered from memory, asked in other words."""
    joined: int = 0
    """Shared a call under way."""
    saved_nanos: int = 0
    saved_us: int = 0

    @property
    def hits(self) -> int:
        return self.exact + self.similar + self.joined

    @property
    def rate(self) -> float | None:
        """Of those that memory was asked for; None if it was asked for none."""
        return self.hits / self.asked if self.asked else None

    def add(self, row: Rolled) -> None:
        """These, too."""
        self.requests += row.requests
        self.asked += row.cacheable
        self.similar += row.reworded
        self.joined += row.joined
        self.exact += max(row.cached - row.reworded - row.joined, 0)
        self.saved_nanos += row.avoided_nanos
        self.saved_us += row.avoided_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrongness:
    """How often answers to questions in other words were wrong, as far as samples tell."""

    sampled: int = 0
    """Questions that were asked all the same, to learn it."""
    wrong: int = 0
    """Of them."""
    share: float | None = None
    """Of all such hits, each sample speaking for those it was drawn from; None without samples."""
    low: float = 0.0
    high: float = 1.0
    """Between these the true share lies, 95 % sure."""
    told: int = 0
    """How often people said that one was wrong. In no share: nobody tells of those that were right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureCache:
    """One feature."""

    feature: str
    settings: FeatureCacheSettings | None
    """None: it has no cache now."""
    hits: Hits
    wrong: Wrongness
    """Of hits in other words; in shadow mode, of those that would have been."""
    near: Wrongness
    """Of all neighbours that were judged, also those that were not sure enough to be given."""
    learned: Bound | None = None
    """How similar is similar enough by now; None if the feature is not adaptive."""

    @property
    def shadow(self) -> bool:
        """Are similar questions only measured?"""
        return self.settings is not None and self.settings.semantic is not None and self.settings.shadow


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheReport:
    """What memory did in some time."""

    since: int
    until: int
    total: Hits
    features: Sequence[FeatureCache]
    """Those that have a cache, or had hits; most hits first."""
    wrong: Wrongness
    own_nanos: int
    """What memory's own calls cost: warming, refreshing, samples, embedding."""
    own_requests: int


async def report(
    rollups: RollupStore,
    answers: AnswerStore | None,
    features: Mapping[str, FeatureCacheSettings | None],
    since: int,
    until: int,
    *,
    only: str = "",
) -> CacheReport:
    """features: all of the configuration. since, until: seconds since 1970. only: this feature's. Raises StoreUnavailable."""
    which = {"feature": only} if only else {}
    total = Hits()
    by_feature: dict[str, Hits] = {}
    for row in await rollups.rolled(Scope(since, until, which), by=("feature",)):
        total.add(row)
        by_feature.setdefault(row.group[0], Hits()).add(row)
    own_nanos = own_requests = 0
    for purpose in PURPOSES:
        for row in await rollups.rolled(Scope(since, until, which, purpose=purpose)):
            own_nanos, own_requests = own_nanos + row.cost_nanos, own_requests + row.requests
    names = {name for name, settings in features.items() if settings is not None and settings.exact}
    names |= {name for name, hits in by_feature.items() if hits.asked}
    if only:
        names &= {only}
    given: list[Judgement] = []
    found: list[FeatureCache] = []
    for name in names:
        settings = features.get(name)
        judged = await _judged(answers, name, settings, since)
        given += judged
        shadow = settings is not None and settings.shadow
        found.append(
            FeatureCache(
                feature=name,
                settings=settings,
                hits=by_feature.get(name, Hits()),
                wrong=wrongness(judged, _SHADOW if shadow else _GIVEN),
                near=wrongness(judged, _NEAR),
                learned=await _learned(answers, name, settings),
            )
        )
    found.sort(key=lambda each: (-each.hits.hits, -each.hits.asked, each.feature))
    return CacheReport(
        since=since,
        until=until,
        total=total,
        features=found,
        wrong=wrongness(given),
        own_nanos=own_nanos,
        own_requests=own_requests,
    )


async def _judged(
    answers: AnswerStore | None, feature: str, settings: FeatureCacheSettings | None, since: int
) -> Sequence[Judgement]:
    # Features without a semantic side have none: nobody is asked.
    if answers is None or settings is None or settings.semantic is None:
        return ()
    return await answers.judged(feature, since * 1_000_000_000, JUDGED)


async def _learned(
    answers: AnswerStore | None, feature: str, settings: FeatureCacheSettings | None
) -> Bound | None:
    if answers is None or settings is None or settings.semantic != "adaptive":
        return None
    bounds = Bounds()
    # Whatever the report's time: it is learned from all that is remembered. What a process knows of its comparison's mistakes,
    # which may let it give a little more, is not stored.
    bounds.load(feature, await answers.judged(feature, time.time_ns() - _LEARNED_NS, JUDGED))
    return bounds.bound(feature, settings.most_wrong)


def wrongness(judgements: Sequence[Judgement], sources: Collection[str] = _GIVEN) -> Wrongness:
    """What they tell. sources: those of `Judgement.source` that the estimate rests on; left out: samples of hits. Pure."""
    samples = [each for each in judgements if each.source in sources]
    told = sum(not each.right for each in judgements if each.source in _PEOPLE)
    weight = sum(each.weight for each in samples)
    if weight <= 0:
        return Wrongness(told=told)
    share = sum(each.weight for each in samples if not each.right) / weight
    # Of unequal weights fewer count than there are (Kish's effective size).
    count = max(int(weight * weight / sum(each.weight**2 for each in samples)), 1)
    low, high = share_interval(share * count, count)
    return Wrongness(
        sampled=len(samples),
        wrong=sum(not each.right for each in samples),
        share=share,
        low=low,
        high=high,
        told=told,
    )


async def hits_over_time(
    rollups: RollupStore, since: int, until: int, step: int, *, feature: str = ""
) -> tuple[list[int], dict[str, list[int]]]:
    """(where each step begins, kind -> requests in each). Raises StoreUnavailable."""
    which = {"feature": feature} if feature else {}
    rows = await rollups.rolled(Scope(since, until, which), step=step)
    at = sorted({row.at for row in rows if row.cacheable})
    if at:
        # A step in which nobody asked is none, and no gap.
        at = list(range(at[0], at[-1] + 1, step))
    place = {moment: number for number, moment in enumerate(at)}
    series = {name: [0] * len(at) for name in ("exact", "similar", "joined", "asked a model")}
    for row in rows:
        number = place.get(row.at)
        if number is None:
            continue
        one = Hits()
        one.add(row)
        series["exact"][number] += one.exact
        series["similar"][number] += one.similar
        series["joined"][number] += one.joined
        series["asked a model"][number] += max(one.asked - one.hits, 0)
    return at, series


# Entries


def key_of(text: str) -> bytes:
    """The key of an entry, as people write it: 32 digits of base 16. Raises ValueError."""
    key = bytes.fromhex(text) if len(text) == 32 and text.isalnum() else b""
    if len(key) != 16:
        raise ValueError(f"`{text[:60]}` is no key of an entry: those have 32 digits of base 16")
    return key


async def entry_of(answers: AnswerStore, key: bytes) -> Popular:
    """An entry, and how often it was given. Raises NoSuchEntry, StoreUnavailable."""
    found = await answers.browse(Selection(keys=(key,)), order="newest", limit=1)
    if not found:
        raise NoSuchEntry(f"nothing is kept under {key.hex()}: it was removed, or its time is over")
    return found[0]


def state_of(entry: CacheEntry, now_ns: int) -> State:
    """fresh: it is given without more ado. stale: only while a new one is fetched, or if no model answers."""
    return "fresh" if entry.fresh_ns > now_ns else "stale"


def answer_text(entry: CacheEntry) -> str:
    """What it says; "" if it is no text."""
    try:
        return msgspec.json.decode(entry.answer, type=Answer).text
    except (msgspec.DecodeError, msgspec.ValidationError):
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A request that an entry's answer was given to, in other words."""

    row: RequestRow
    question: str
    """What was asked; "" if that is not kept, or not to be told."""


async def given_to(records: Records, entry: CacheEntry, *, content: bool, limit: int = 20) -> list[Given]:
    """The latest requests in other words that were given this answer. content: with what they asked. Raises StoreUnavailable."""
    if not entry.origin_id:
        return []
    search = Search(origin_id=entry.origin_id, only={"cache": "semantic"})
    found = await records.search(search, limit=limit)
    return [Given(row=row, question=await _question(records, row) if content else "") for row in found.rows]


# Changes


def selection_words(which: Selection) -> dict[str, str]:
    """What is selected, for the audit log: never a text that stands in a question, nor whose it is."""
    told = {
        name: str(value)
        for name in ("tenant", "feature", "prompt", "tag", "before_ns")
        if (value := getattr(which, name)) is not None
    }
    for name in ("text", "user"):
        if getattr(which, name) is not None:
            told[name] = "given"
    if which.keys:
        told["keys"] = ", ".join(key.hex() for key in which.keys[:10])
    return told


async def clear(
    answers: AnswerStore, audit: AuditLog, which: Selection, *, dry_run: bool, actor: str
) -> Removal:
    """Remove entries from all nodes, or tell how many that would be. Raises StoreUnavailable."""
    removed = await answers.remove(which, dry_run=dry_run)
    if not dry_run:
        after = {"entries": removed.entries, "bytes": removed.bytes}
        await audit.add(
            AuditEntry(
                at_ns=time.time_ns(),
                actor=actor,
                action="cache.clear",
                subject=which.feature or EVERYTHING,
                before=_json(selection_words(which)),
                after=_json(after),
            )
        )
    return removed


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Somebody said that an answer was wrong."""

    removed: Sequence[CacheEntry]
    judgement: Judgement | None
    """What was learned for questions in other words; None if the words were equal: then the answer itself is wrong, and nothing is
    wrong with how similar is similar enough."""
    bytes: int = field(default=0)


async def tell_wrong(
    answers: AnswerStore, records: SpanStore, audit: AuditLog, what: str, *, request: str = "", actor: str
) -> Told:
    """Remove an entry because its answer was wrong; if it was given to a question in other words, have the bound learn from it.

    what: the key of an entry, or a request: one that was answered from memory, or the one whose answer is kept. request: with a key,
    the request to which the entry's answer was wrong. Raises NoSuchEntry, ValueError, StoreUnavailable."""
    row, which = None, None
    if what.startswith("req_"):
        row = await _request(records, what)
        which = Selection(origins=(row.origin_id if row.cache in GIVEN else row.id,))
    else:
        which = Selection(keys=(key_of(what),))
        row = await _request(records, request) if request else None
    there = [each.entry for each in await answers.browse(which, order="newest", limit=100)]
    if not there:
        raise NoSuchEntry(f"no answer is kept that {what} is about: it was removed, or its time is over")
    if row is not None and row.id not in (entry.origin_id for entry in there):
        there = [entry for entry in there if entry.origin_id == row.origin_id]
        if not there:
            raise NoSuchEntry(f"{request_id_text(row.id)} was not answered with this entry")
    judgement = await _judgement(records, there[0], row) if row is not None else None
    # What was learned stays when the entry goes: other entries of the feature learn from it.
    if judgement is not None:
        await answers.judge([judgement])
    removed = await answers.remove(Selection(keys=tuple(entry.key for entry in there)))
    await audit.add(
        AuditEntry(
            at_ns=time.time_ns(),
            actor=actor,
            action="cache.wrong",
            subject=there[0].key.hex(),
            before=_json({"feature": there[0].feature, "origin": request_id_text(there[0].origin_id)}),
            after=_json(
                {
                    "removed": removed.entries,
                    "learned": judgement is not None,
                    **({"request": request_id_text(row.id)} if row is not None else {}),
                }
            ),
        )
    )
    return Told(removed=there, judgement=judgement, bytes=removed.bytes)


async def _request(records: SpanStore, text: str) -> RequestRow:
    row = await records.request(parse_request_id(text))
    if row is None:
        raise NoSuchEntry(f"no request {text[:60]} is stored; it is stored a moment after its last byte")
    return row


async def _judgement(records: SpanStore, entry: CacheEntry, row: RequestRow) -> Judgement | None:
    if row.cache != "semantic":
        return None
    return Judgement(
        key=entry.key,
        score=row.similarity / 1e6,
        right=False,
        at_ns=time.time_ns(),
        source="person",
        question=await _question(records, row) if entry.durable else "",
        request_id=row.id,
        feature=entry.feature,
    )


async def _question(records: SpanStore, row: RequestRow) -> str:
    """The last thing that was said in a request, if that is kept."""
    content = await records.content(row.request_content) if row.request_content else None
    if content is None or content.truncated:
        return ""
    said = last_said(content)
    return said if len(said) <= _MOST_WORDS else ""


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
