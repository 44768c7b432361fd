"""Answers fetched before anybody asks, within a cap."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec

from headgate.cache.settings import FeatureCacheSettings
from headgate.control.replays import MayNot, NotStored, Sending, complete, estimated, may_ask
from headgate.core.errors import BudgetSpent, GatewayError
from headgate.core.ids import parse_request_id
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange
from headgate.quality.replay.capping import BUDGET, SpendCap
from headgate.quality.replay.changing import ChangeRefused, Changes
from headgate.quality.replay.rebuilding import NotReplayable, Original
from headgate.stores.answers import AnswerStore, CacheEntry, Selection
from headgate.stores.searching import Searching
from headgate.stores.spans import RequestRow, SpanStore

__all__ = ["NO_MEMORY", "PURPOSE", "Asking", "CannotWarm", "Memory", "Outcome", "Warmed", "warm"]

PURPOSE = "warm"
"""What the record of such a request says it was for."""
_KEPT_SECONDS = 1.0
"""How long after its last byte an answer is waited for to be at hand."""
_LOOK_SECONDS = 0.01

Outcome = Literal["stored", "fresh", "estimated", "not_kept", "failed", "refused", "capped", "price_unknown"]
"""stored: fetched, and kept. fresh: was there already, nobody was asked. estimated: nobody was asked. not_kept: fetched, and not good
enough or not allowed to be kept. failed: no model answered. refused: it was not asked: `why` says what is wrong with it. capped: it may
cost more than is left. price_unknown: nobody can tell what it costs, so no cap would hold."""


class CannotWarm(ValueError):
    """What was asked for makes no sense; the text says why."""


class Records(SpanStore, Searching, Protocol):
    """What is asked about what happened."""


class Memory(Protocol):
    """What a gateway offers whoever fills its memory."""

    @property
    def answers(self) -> AnswerStore | None:
        """None: no feature has a cache, or it is off."""
        ...

    async def key_of(self, exchange: Exchange) -> tuple[bytes, str]:
        """Under which an answer to this would be kept; (b"", why) if it would not be. Raises GatewayError."""
        ...


class _NoMemory:
    """Of a gateway that keeps no answers."""

    answers = None

    async def key_of(self, exchange: Exchange) -> tuple[bytes, str]:  # noqa: ARG002 - the protocol's signature
        """See `Memory`."""
        return b"", "nothing is kept here"


NO_MEMORY: Memory = _NoMemory()


class Asking(msgspec.Struct, kw_only=True, frozen=True):
    """What is to be asked: one of a question, a recorded request, and a whole request."""

    question: str = ""
    request: str = ""
    """The id of a recorded request: it is asked as it was."""
    body: dict[str, Any] | None = None
    """As an application would send it to `/v1/chat/completions`; without `model` it asks for the feature."""
    user: str = ""
    """For whom it is kept, where answers belong to one user."""
    system: str = ""
    """The system prompt that the application sends before the question; "": none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmed:
    """What came of one."""

    outcome: Outcome
    key: bytes = b""
    id: int = 0
    """The request that was sent; 0: none was."""
    cost_nanos: int = 0
    most_nanos: int | None = None
    """What it could have cost at most, as far as that is known."""
    why: str = ""


def _needs_user(settings: FeatureCacheSettings) -> bool:
    """Do answers belong to one user, so that whoever fetches them has to say for whom?"""
    return settings.scope == "user"


async def warm(
    records: Records,
    sending: Sending,
    memory: Memory,
    asking: Asking,
    caller: Caller,
    *,
    feature: str,
    settings: FeatureCacheSettings,
    cap: SpendCap,
    like: str = "",
    estimate_only: bool = False,
) -> Warmed:
    """Ask one question so that its answer is there when somebody asks it. `caller` pays, within `cap`, which serves one at a time.

    like: the id of a recorded request, in which the question takes the place of what the user said last. Raises CannotWarm,
    StoreUnavailable; whatever goes wrong with the question itself is an outcome."""
    answers = memory.answers
    if answers is None:
        raise CannotWarm("nothing is kept here: no feature has a cache, or `[cache]` has `enabled = false`")
    try:
        original = await _original(records, asking, feature, settings, like)
        may_ask(caller, original, Changes())
        exchange = _exchange(sending, original, asking, caller)
        key, why = await memory.key_of(exchange)
    except (NotStored, NotReplayable, ChangeRefused, MayNot, GatewayError) as refused:
        return Warmed(outcome="refused", why=str(refused))
    if not key:
        return Warmed(outcome="refused", why=why)
    kept = answers.at_hand(key) or await answers.get(key)
    if kept is not None and kept.fresh_ns > time.time_ns():
        return Warmed(outcome="fresh", key=key)
    try:
        most = (await estimated(sending, original, Changes(), caller)).most_nanos
    except GatewayError as refused:
        return Warmed(outcome="refused", key=key, why=refused.message)
    if estimate_only:
        return Warmed(outcome="estimated", key=key, most_nanos=most)
    if most is None:
        return Warmed(outcome="price_unknown", key=key, why="no price is known of a place it may go to")
    if not cap.begin(exchange.replay_of, most):
        return Warmed(outcome="capped", key=key, most_nanos=most)
    return await _sent(sending, answers, exchange, original, cap, key, most)


async def _sent(
    sending: Sending,
    answers: AnswerStore,
    exchange: Exchange,
    original: Original,
    cap: SpendCap,
    key: bytes,
    most: int,
) -> Warmed:
    before = cap.spent
    try:
        sent = await sending.send(exchange, original, cap)
    finally:
        cap.end(exchange.replay_of)
    outcome: Outcome
    if sent.error is not None:
        capped = isinstance(sent.error, BudgetSpent) and sent.error.budget == BUDGET
        outcome, why = "capped" if capped else "failed", sent.error.message
    elif await _is_kept(answers, key, sent.id):
        outcome, why = "stored", ""
    else:
        outcome, why = "not_kept", sent.notes.get("cache", "")
    cost = cap.spent - before
    return Warmed(outcome=outcome, key=key, id=sent.id, cost_nanos=cost, most_nanos=most, why=why)


async def _is_kept(answers: AnswerStore, key: bytes, request_id: int) -> bool:
    """Answers are kept a moment after their last byte."""
    waited = 0.0
    while not _made_by(answers.at_hand(key), request_id):
        if waited >= _KEPT_SECONDS:
            # A budget may have shortened it on its way: then its key is another one.
            return bool(await answers.browse(Selection(origins=(request_id,)), order="newest", limit=1))
        await asyncio.sleep(_LOOK_SECONDS)
        waited += _LOOK_SECONDS
    return True


def _made_by(entry: CacheEntry | None, request_id: int) -> bool:
    return entry is not None and entry.origin_id == request_id


def _exchange(sending: Sending, original: Original, asking: Asking, caller: Caller) -> Exchange:
    exchange = sending.exchange(original, Changes(), caller)
    # It repeats no request: nobody compares it with one.
    exchange.purpose, exchange.replay_of = PURPOSE, 0
    exchange.tags.pop("replay_of", None)
    if asking.user:
        exchange.user = asking.user
    exchange.trace_parent = ""
    if not asking.request:
        # Nobody asked it before: it is kept for those who share answers with whoever asks it now.
        exchange.asked_by = None
    return exchange


async def _original(
    records: Records, asking: Asking, feature: str, settings: FeatureCacheSettings, like: str
) -> Original:
    if (bool(asking.question) + bool(asking.request) + (asking.body is not None)) != 1:
        raise CannotWarm("each is one of a question, a recorded request, and a body")
    if asking.system and (like or not asking.question):
        raise CannotWarm("`system` is for a question alone: requests have what stands before them")
    if asking.request:
        found = await _recorded(records, asking.request)
        if found.row.feature != feature:
            raise NotStored(f"{asking.request} is none of feature `{feature}`")
        return found
    if _needs_user(settings) and not asking.user:
        raise CannotWarm(
            f'answers of feature `{feature}` belong to one user each (`scope = "user"`): say `user` with each question, or set '
            "`scope` to team or feature"
        )
    if like:
        shape = await _recorded(records, like)
        body = _reworded(shape.body, asking.question) if asking.question else asking.body
        row = msgspec.structs.replace(shape.row, feature=feature, user=asking.user, session="")
        return Original(row, msgspec.json.encode(body), None, tags=shape.tags)
    return Original(_row(feature, asking.user), msgspec.json.encode(_body(asking, feature, settings)), None)


async def _recorded(records: Records, text: str) -> Original:
    try:
        row = await records.request(parse_request_id(text))
    except ValueError as wrong:
        raise NotStored(str(wrong)) from None
    if row is None:
        raise NotStored(f"no request {text[:60]} is stored")
    return await complete(records, row)


def _row(feature: str, user: str) -> RequestRow:
    """What would be on record, had somebody asked it before."""
    return RequestRow(
        0, 0, "", dialect="openai.chat", operation="chat", feature=feature, requested_model=feature, user=user
    )


def _body(asking: Asking, feature: str, settings: FeatureCacheSettings) -> dict[str, Any]:
    if asking.body is not None:
        return {"model": feature, **asking.body}
    messages = [{"role": "user", "content": asking.question}]
    if asking.system:
        messages.insert(0, {"role": "system", "content": asking.system})
    body: dict[str, Any] = {"model": feature, "messages": messages}
    if settings.when == "deterministic":
        # Others are not kept.
        body["temperature"] = 0
    return body


def _reworded(body: bytes, question: str) -> dict[str, Any]:
    """The request with another question in the place of what the user said last. Raises CannotWarm."""
    read = msgspec.json.decode(body)
    name = next((each for each in ("messages", "input") if isinstance(read.get(each), (list, str))), "")
    if name and isinstance(read[name], str):
        return {**read, name: question}
    messages = read[name] if name else []
    if not messages or not isinstance(messages[-1], dict) or messages[-1].get("role") != "user":
        raise CannotWarm("the request that the question is put into does not end with what a user said")
    return {**read, name: [*messages[:-1], {**messages[-1], "content": question}]}
