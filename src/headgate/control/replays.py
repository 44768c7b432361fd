"""Replays: recorded requests sent again and compared, one or many; what they will cost, told first."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from headgate.core.errors import BudgetSpent, GatewayError
from headgate.core.ids import request_id_text
from headgate.core.messages import Answer
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange
from headgate.quality.replay.capping import BUDGET, SpendCap
from headgate.quality.replay.changing import DIALECTS, ChangeRefused, Changes
from headgate.quality.replay.comparing import Comparison, Heard, ReplaySide, compared, heard_in, side_of
from headgate.quality.replay.planning import Estimate, Place, estimate
from headgate.quality.replay.rebuilding import NotReplayable, Original, original_of
from headgate.quality.replay.running import Sent
from headgate.quality.replay.summary import Pair, Summary, pair_of, summary
from headgate.stores.searching import Search, Searching
from headgate.stores.spans import Content, RequestRow, SpanStore

__all__ = [
    "Campaign",
    "Forecast",
    "MayNot",
    "NotStored",
    "Replayed",
    "Sending",
    "chosen",
    "compare_stored",
    "estimate_many",
    "estimated",
    "find",
    "forecast_of",
    "may_ask",
    "replay",
    "replay_many",
    "replays_of",
]

STORED_SECONDS = 20.0
"""How long a record is waited for: it is stored a moment after its last byte."""
_LOOK_SECONDS = (0.02, 0.05, 0.1)
_PAGE = 500


class Records(SpanStore, Searching, Protocol):
    """What is asked about what happened."""


class Sending(Protocol):
    """What a gateway offers whoever sends recorded requests again."""

    def exchange(self, original: Original, changes: Changes, caller: Caller) -> Exchange:
        """The request, ready to be sent. Raises ChangeRefused, GatewayError."""
        ...

    async def places(self, exchange: Exchange) -> Sequence[Place]:
        """Where it would go, best first, and what that costs. Raises GatewayError."""
        ...

    def size(self, exchange: Exchange) -> tuple[int, int, int]:
        """(prompt tokens, answers asked for, tokens of reasoning that may come on top), estimated."""
        ...

    async def send(self, exchange: Exchange, original: Original, cap: SpendCap | None) -> Sent:
        """The answer, read to its end; it is on record a moment later."""
        ...

    def answer_in(self, content: Content) -> Answer | None:
        """A stored answer, read; None if it cannot be."""
        ...


class NotStored(LookupError):
    """There is no such request, or its replay has not been stored in time; the text says which."""


class MayNot(Exception):
    """Who asks may not ask for this; the text says what they may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One request, sent again."""

    id: int
    """The replay's own."""
    original: RequestRow
    replay: RequestRow
    comparison: Comparison
    pair: Pair
    capped: bool = False
    """Was it stopped by the cap? Then it says nothing of the model."""


@dataclass(slots=True)
class Forecast:
    """What many replays will cost together, in nano-dollars."""

    requests: int = 0
    expected_nanos: int = 0
    """Of those with a known price."""
    least_nanos: int = 0
    most_nanos: int = 0
    unpriced: int = 0
    """Of which no price is known at one of the places they may go to."""
    unpriced_places: set[str] = field(default_factory=set)
    left_out: Counter[str] = field(default_factory=Counter)
    """Why -> requests that cannot be replayed so."""


@dataclass(slots=True)
class Campaign:
    """Many replays, as far as they came."""

    wanted: int
    pairs: list[Pair] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    capped: bool = False
    """Did the cap end it?"""
    stopped: bool = False
    """Did somebody end it?"""
    spent_nanos: int = 0
    unknown_cost: int = 0
    """Replays whose cost is not known."""

    @property
    def summary(self) -> Summary:
        return summary(self.pairs)


async def find(store: SpanStore, request_id: int) -> Original:
    """A recorded request, ready to be sent again. Raises NotStored, NotReplayable, StoreUnavailable."""
    row = await store.request(request_id)
    if row is None:
        raise NotStored(
            f"no request {request_id_text(request_id)} is stored; it is stored a moment after its last byte"
        )
    return await _complete(store, row)


async def _complete(store: SpanStore, row: RequestRow) -> Original:
    prompt = await store.content(row.request_content) if row.request_content else None
    reply = await store.content(row.reply_content) if row.reply_content else None
    return original_of(row, prompt, reply)


def may_ask(caller: Caller, original: Original, changes: Changes) -> None:
    """The rules that hold for a caller of `/v1` hold for whoever replays. Raises MayNot."""
    row = original.row
    model = changes.model or row.requested_model
    if row.dialect not in caller.routes:
        raise MayNot(f"key `{caller.key_name}` may not ask models")
    if caller.models and model not in caller.models:
        raise MayNot(
            f"key `{caller.key_name}` may not ask for `{model}`; it may ask for {', '.join(caller.models)}"
        )
    if caller.features and row.feature and row.feature not in caller.features:
        raise MayNot(f"key `{caller.key_name}` may not ask for feature `{row.feature}`")


async def estimated(sending: Sending, original: Original, changes: Changes, caller: Caller) -> Estimate:
    """What it will cost. Nobody is called. Raises ChangeRefused, and GatewayError where it would be refused."""
    exchange = sending.exchange(original, changes, caller)
    places = await sending.places(exchange)
    prompt, choices, thinking = sending.size(exchange)
    return estimate(
        original.row,
        places,
        prompt_tokens=prompt,
        limit=exchange.peek.max_tokens,
        choices=choices,
        thinking=thinking,
    )


async def replay(
    store: SpanStore,
    sending: Sending,
    original: Original,
    changes: Changes,
    caller: Caller,
    *,
    cap: SpendCap | None = None,
) -> Replayed:
    """Send it again, and compare. Raises ChangeRefused, NotStored, StoreUnavailable; a failure of the replay is a result."""
    sent = await sending.send(sending.exchange(original, changes, caller), original, cap)
    row = await _stored(store, sent.id)
    said = heard_in(sending.answer_in(original.reply) if original.reply is not None else None)
    # Long texts take a while, and other requests are waiting meanwhile.
    comparison = await asyncio.to_thread(compared, original.row, said, row, heard_in(sent.answer))
    error = sent.error
    return Replayed(
        id=sent.id,
        original=original.row,
        replay=row,
        comparison=comparison,
        pair=pair_of(original.row, row, comparison),
        capped=isinstance(error, BudgetSpent) and error.budget == BUDGET,
    )


async def _stored(store: SpanStore, request_id: int) -> RequestRow:
    waited, look = 0.0, 0
    while (row := await store.request(request_id)) is None:
        if waited >= STORED_SECONDS:
            raise NotStored(
                f"replay {request_id_text(request_id)} was sent, and is not stored yet: the record writer is behind, look later"
            )
        pause = _LOOK_SECONDS[min(look, len(_LOOK_SECONDS) - 1)]
        await asyncio.sleep(pause)
        waited, look = waited + pause, look + 1
    return row


async def compare_stored(store: SpanStore, sending: Sending, request_id: int, replay_id: int) -> Comparison:
    """A replay that is on record beside its original. Raises NotStored, StoreUnavailable."""
    original, again = await store.request(request_id), await store.request(replay_id)
    if original is None or again is None or again.replay_of != original.id:
        raise NotStored(
            f"{request_id_text(replay_id)} is not stored as a replay of {request_id_text(request_id)}"
        )

    async def heard(row: RequestRow) -> Heard:
        content = await store.content(row.reply_content) if row.reply_content else None
        return heard_in(sending.answer_in(content) if content is not None else None)

    return await asyncio.to_thread(compared, original, await heard(original), again, await heard(again))


async def replays_of(
    store: Searching, request_id: int, *, before: int = 0, limit: int = 100
) -> tuple[list[ReplaySide], int]:
    """(replays of a request in figures, newest first; before which the next page begins, 0: this was the last)."""
    found = await store.search(Search(replay_of=request_id), before=before, limit=limit)
    return [side_of(row) for row in found.rows], found.next


async def chosen(
    store: Searching,
    search: Search,
    *,
    limit: int,
    sample: int | None = None,
    seed: int = 0,
    seen: Callable[[int], None] = lambda _: None,
) -> list[RequestRow]:
    """The newest `limit` requests of callers that can be asked again, oldest first; of those `sample`, drawn by `seed`.

    Those that the caller broke off are left out: there is nothing to compare with. seen: told how many there are so far."""
    if "purpose" not in search.only:
        search = replace(search, only={**search.only, "purpose": ""})
    found: list[RequestRow] = []
    before = 0
    while len(found) < limit:
        page = await store.search(search, before=before, limit=_PAGE)
        found += [
            row for row in page.rows if row.dialect in DIALECTS and row.outcome in ("ok", "failed", "refused")
        ]
        seen(min(len(found), limit))
        before = page.next
        if not before:
            break
    found = found[:limit]
    if sample is not None and sample < len(found):
        found = random.Random(seed).sample(found, sample)  # noqa: S311 - which requests are compared, no secret
    return sorted(found, key=lambda row: row.id)


async def estimate_many(
    store: SpanStore,
    sending: Sending,
    rows: Sequence[RequestRow],
    changes: Changes,
    caller: Caller,
    told: Callable[[], None] = lambda: None,
) -> tuple[Forecast, list[RequestRow]]:
    """(what all of them will cost, those that can be replayed so). told: after each. Raises StoreUnavailable."""
    forecast, able = Forecast(), []
    for row in rows:
        try:
            original = await _complete(store, row)
            may_ask(caller, original, changes)
            found = await estimated(sending, original, changes, caller)
        except (NotReplayable, MayNot, ChangeRefused, GatewayError) as wrong:
            forecast.left_out[_why(wrong)] += 1
        else:
            able.append(row)
            forecast_of(found, forecast)
        told()
    return forecast, able


def forecast_of(found: Estimate, forecast: Forecast | None = None) -> Forecast:
    """One estimate, added to a forecast."""
    forecast = forecast or Forecast()
    forecast.requests += 1
    forecast.expected_nanos += found.expected_nanos or 0
    forecast.least_nanos += found.least_nanos or 0
    forecast.most_nanos += found.most_nanos or 0
    if found.most_nanos is None:
        forecast.unpriced += 1
        forecast.unpriced_places.update(found.unpriced)
    return forecast


def _why(wrong: Exception) -> str:
    if isinstance(wrong, NotReplayable):
        return wrong.reason
    if isinstance(wrong, ChangeRefused | MayNot):
        return str(wrong)
    if isinstance(wrong, NotStored):
        return "not_stored"
    return wrong.code if isinstance(wrong, GatewayError) else type(wrong).__name__


async def replay_many(
    store: SpanStore,
    sending: Sending,
    rows: Sequence[RequestRow],
    changes: Changes,
    caller: Caller,
    *,
    cap: SpendCap | None = None,
    concurrency: int = 4,
    stop: asyncio.Event | None = None,
    told: Callable[[Replayed], Awaitable[None]] | None = None,
) -> Campaign:
    """Send all of them again. Ends early when the cap does not allow another one, or when `stop` is set: what is under way then
    ends as usual. told: after each. Raises StoreUnavailable, and what `told` raises."""
    run = _Run(store, sending, changes, caller, cap, stop or asyncio.Event(), told, Campaign(len(rows)))
    queue = iter(rows)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(max(min(concurrency, len(rows)), 1)):
                group.create_task(run.work(queue))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    run.campaign.stopped = run.stop.is_set() and not run.campaign.capped
    return run.campaign


@dataclass(slots=True)
class _Run:
    store: SpanStore
    sending: Sending
    changes: Changes
    caller: Caller
    cap: SpendCap | None
    stop: asyncio.Event
    told: Callable[[Replayed], Awaitable[None]] | None
    campaign: Campaign
    freed: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self, queue: Iterator[RequestRow]) -> None:
        while not self.stop.is_set() and not self.campaign.capped:
            row = next(queue, None)
            if row is None:
                return
            try:
                done = await self._one(row)
            except (NotReplayable, NotStored, ChangeRefused, GatewayError) as wrong:
                self.campaign.left_out[_why(wrong)] += 1
                continue
            if done is not None:
                self._count(done)
                if self.told is not None:
                    await self.told(done)

    async def _one(self, row: RequestRow) -> Replayed | None:
        original = await _complete(self.store, row)
        cap = self.cap
        if cap is None:
            return await replay(self.store, self.sending, original, self.changes, self.caller)
        found = await estimated(self.sending, original, self.changes, self.caller)
        if found.most_nanos is None:
            self.campaign.left_out["price_unknown"] += 1
            return None
        if not await self._let_in(cap, row.id, found.most_nanos):
            return None
        try:
            return await replay(self.store, self.sending, original, self.changes, self.caller, cap=cap)
        finally:
            cap.end(row.id)
            self.freed.set()

    async def _let_in(self, cap: SpendCap, request: int, most: int) -> bool:
        """Wait until the cap allows it; False: it will not, or nobody wants it any more."""
        while not self.stop.is_set() and not self.campaign.capped:
            if cap.begin(request, most):
                return True
            if not cap.held:
                self.campaign.capped = True
                # Whoever waits too shall see it.
                self.freed.set()
                return False
            self.freed.clear()
            await self.freed.wait()
        return False

    def _count(self, done: Replayed) -> None:
        campaign = self.campaign
        cost = done.replay.cost_nanos
        campaign.spent_nanos += cost or 0
        campaign.unknown_cost += cost is None and bool(done.replay.attempts)
        if done.capped:
            campaign.capped = True
            campaign.left_out["cap"] += 1
        else:
            campaign.pairs.append(done.pair)
