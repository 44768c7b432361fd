"""Replays: a recorded request sent again and compared with what came then; what it will cost, told first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from headgate.core.errors import BudgetSpent
from headgate.core.ids import request_id_text
from headgate.core.messages import Answer
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange
from headgate.quality.replay.capping import BUDGET, SpendCap
from headgate.quality.replay.changing import Changes
from headgate.quality.replay.comparing import Comparison, Heard, ReplaySide, compared, heard_in, side_of
from headgate.quality.replay.planning import Estimate, Place, estimate
from headgate.quality.replay.rebuilding import Original, original_of
from headgate.quality.replay.running import Sent
from headgate.quality.replay.summary import Pair, pair_of
from headgate.stores.searching import Search, Searching
from headgate.stores.spans import Content, RequestRow, SpanStore

__all__ = [
    "MayNot",
    "NotStored",
    "Replayed",
    "Sending",
    "compare_stored",
    "complete",
    "estimated",
    "find",
    "may_ask",
    "replay",
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


async def find(store: SpanStore, request_id: int) -> Original:
    """A recorded request, ready to be sent again. Raises NotStored, NotReplayable, StoreUnavailable."""
    row = await store.request(request_id)
    if row is None:
        raise NotStored(
            f"no request {request_id_text(request_id)} is stored; it is stored a moment after its last byte"
        )
    return await complete(store, row)


async def complete(store: SpanStore, row: RequestRow) -> Original:
    """The same of a row that is at hand. Raises NotReplayable, StoreUnavailable."""
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
