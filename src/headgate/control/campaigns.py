"""Many replays: which requests, what they will cost together, sent within a cap, and summed up pair by pair."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from headgate.control.replays import (
    MayNot,
    NotStored,
    Replayed,
    Sending,
    complete,
    estimated,
    may_ask,
    replay,
)
from headgate.core.errors import GatewayError
from headgate.exchange.caller import Caller
from headgate.quality.replay.capping import SpendCap
from headgate.quality.replay.changing import DIALECTS, ChangeRefused, Changes
from headgate.quality.replay.planning import Estimate
from headgate.quality.replay.rebuilding import NotReplayable
from headgate.quality.replay.summary import Pair, Summary, summary
from headgate.stores.searching import Search, Searching
from headgate.stores.spans import RequestRow, SpanStore

__all__ = ["Campaign", "Forecast", "chosen", "estimate_many", "forecast_of", "replay_many"]

_PAGE = 500


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
            original = await complete(store, row)
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
        original = await complete(self.store, row)
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
