"""Answers fetched before anybody asks: what is asked, for whom it is kept, what it may cost, and what is not asked again."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from headgate.admission.rights import routes_of
from headgate.cache.settings import FeatureCacheSettings
from headgate.control.cache.asked import most_asked
from headgate.control.cache.warming import Asking, CannotWarm, Warmed, warm
from headgate.core.clock import SystemClock
from headgate.core.errors import BudgetSpent, GatewayError, UpstreamReset
from headgate.core.ids import IdSource, request_id_text
from headgate.core.messages import Answer
from headgate.core.section import Duration
from headgate.edge.paths import Paths
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange
from headgate.providers.catalog.rates import Rates, Step
from headgate.quality.replay.capping import BUDGET, SpendCap
from headgate.quality.replay.changing import Changes
from headgate.quality.replay.planning import Place
from headgate.quality.replay.rebuilding import Original
from headgate.quality.replay.running import Replayer, Sent
from headgate.stores.backends.memory import MemorySpans
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import Content, RequestRow
from tests.support.aio import aio
from tests.support.remembering import Remembers, entry_about, key_for

__all__: list[str] = []

SHARED = FeatureCacheSettings(exact=Duration(3600), scope="feature")
PAYER = Caller(key_id="key_night", key_name="night", roles=("operator",), routes=routes_of(["operator"]))
"""Who pays."""


class Scripted:
    """Fulfils `Sending`: answers cost a cent, and are kept unless something else is said."""

    def __init__(self, memory: Remembers) -> None:
        self.memory = memory
        self.sent: list[Exchange] = []
        self.cost = 10_000_000
        self.price: Rates | None = Rates((Step(1_000_000_000, 4_000_000_000, 0, 0, 0, 4_000_000_000),))
        self.error: GatewayError | None = None
        self.keeps = True
        dialects = {
            dialect.name: (path, dialect)
            for (method, path), dialect in Paths().known.items()
            if method == "POST"
        }

        async def nobody(exchange: Exchange) -> Any:
            raise AssertionError(exchange)

        self._replayer = Replayer(nobody, IdSource(), SystemClock(), dialects)

    def exchange(self, original: Original, changes: Changes, caller: Caller) -> Exchange:
        return self._replayer.exchange(original, changes, caller)

    async def places(self, exchange: Exchange) -> Sequence[Place]:
        return [Place("sim/small", self.price)]

    def size(self, exchange: Exchange) -> tuple[int, int, int]:
        return 10, 1, 0

    async def send(self, exchange: Exchange, original: Original, cap: SpendCap | None) -> Sent:
        assert cap is not None
        self.sent.append(exchange)
        if self.error is not None:
            return Sent(exchange.id, error=self.error)
        assert cap.reserve(exchange.replay_of, 1, self.cost)
        cap.settle(exchange.replay_of, 1, self.cost)
        key, _ = await self.memory.key_of(exchange)
        if self.keeps:
            self.memory.kept.put(entry_about("?", key=key, origin_id=exchange.id))
        return Sent(exchange.id, answer=Answer(), notes={"cache": "cut off"})

    def answer_in(self, content: Content) -> Answer | None:
        return None


class Warming:
    """All that `warm` needs."""

    def __init__(self, *entries: Any, settings: FeatureCacheSettings = SHARED) -> None:
        self.memory = Remembers(*entries)
        self.sending = Scripted(self.memory)
        self.records = MemorySpans()
        self.settings = settings
        self.cap = SpendCap(1_000_000_000)
        self.caller = PAYER
        self.contents = 0

    async def one(self, *, like: str = "", estimate_only: bool = False, **asking: Any) -> Warmed:
        return await warm(
            self.records,
            self.sending,
            self.memory,
            Asking(**asking),
            self.caller,
            feature="chat",
            settings=self.settings,
            cap=self.cap,
            like=like,
            estimate_only=estimate_only,
        )

    def recorded(self, number: int, body: dict[str, Any], **instead: Any) -> str:
        """The id of a request that came once."""
        data = json.dumps(body).encode()
        name = f"h{data.hex()[:40]}{len(data)}"
        fields: dict[str, Any] = {
            "dialect": "openai.chat",
            "operation": "chat",
            "feature": "chat",
            "requested_model": "chat",
            "key_id": "key_shop",
            "outcome": "ok",
            "request_content": name,
        }
        row = RequestRow(number << 22, time.time_ns() + number, "t", **(fields | instead))
        content = Content(hash=name, kind="openai.chat", data=data, size=len(data))
        self.records.write(
            Batch(
                journal="j",
                position=Position(1, number),
                requests=[row],
                attempts=(),
                contents=[content],
            )
        )
        return request_id_text(row.id)


@aio
async def test_a_question_is_asked_as_the_feature_would_have_it() -> None:
    """At temperature 0, for others are not kept; the purpose is on record, and who pays."""
    at = Warming()
    done = await at.one(question="What is a weir?")
    assert (done.outcome, done.cost_nanos, done.why) == ("stored", 10_000_000, "")
    [sent] = at.sending.sent
    body = {"model": "chat", "messages": [{"role": "user", "content": "What is a weir?"}], "temperature": 0}
    assert json.loads(sent.body) == body
    assert (sent.purpose, sent.replay_of, sent.feature, sent.caller) == ("warm", 0, "chat", PAYER)
    assert sent.asked_by is None and "replay_of" not in sent.tags and done.id == sent.id
    assert (at.cap.spent, at.cap.held) == (10_000_000, 0)
    loose = Warming(settings=FeatureCacheSettings(exact=Duration(60), scope="team", when="always"))
    await loose.one(question="a")
    assert "temperature" not in json.loads(loose.sending.sent[0].body)


@aio
async def test_what_is_there_and_fresh_is_not_asked_again() -> None:
    """What is stale is."""
    body = json.dumps({"model": "chat", "messages": [], "temperature": 0}, separators=(",", ":"))
    asked: dict[str, Any] = {"body": {"messages": [], "temperature": 0}}
    fresh = entry_about("?", key=key_for(body))
    at = Warming(fresh)
    assert (await at.one(**asked)).outcome == "fresh" and at.sending.sent == []
    stale = entry_about("?", key=key_for(body), fresh_ns=time.time_ns() - 1)
    at = Warming(stale)
    assert (await at.one(**asked)).outcome == "stored"


@aio
async def test_a_recorded_request_is_asked_as_it_was_and_for_whom_it_was() -> None:
    """Byte for byte: another spelling would be another entry. Of other features, and without a prompt, it is refused."""
    at = Warming()
    body = {"temperature": 0, "messages": [{"role": "user", "content": "a"}], "model": "chat"}
    name = at.recorded(1, body, user="ann", team="web", tenant="acme")
    assert (await at.one(request=name)).outcome == "stored"
    [sent] = at.sending.sent
    assert sent.body == json.dumps(body).encode() and sent.user == "ann" and sent.purpose == "warm"
    assert sent.asked_by is not None and (sent.asked_by.team, sent.asked_by.tenant) == ("web", "acme")
    other = at.recorded(2, body, feature="search")
    gone = at.recorded(3, body, request_content="")
    for missing in (other, gone, request_id_text(9 << 22)):
        assert (await at.one(request=missing)).outcome == "refused"
    assert len(at.sending.sent) == 1


@aio
async def test_a_question_takes_the_place_of_what_was_said_last() -> None:
    """Everything else stays: system prompt, earlier turns, parameters."""
    at = Warming()
    system = {"role": "system", "content": "Be short."}
    name = at.recorded(
        1, {"model": "chat", "messages": [system, {"role": "user", "content": "old"}], "temperature": 0}
    )
    await at.one(question="new", like=name)
    [sent] = at.sending.sent
    assert json.loads(sent.body)["messages"] == [system, {"role": "user", "content": "new"}]
    assert sent.session == "" and sent.asked_by is None
    odd = at.recorded(2, {"model": "chat", "messages": [system]})
    with pytest.raises(CannotWarm, match="does not end"):
        await at.one(question="new", like=odd)


@aio
async def test_answers_of_one_user_need_a_user() -> None:
    """Else nobody would ever get them."""
    at = Warming(settings=FeatureCacheSettings(exact=Duration(60)))
    with pytest.raises(CannotWarm, match="say `user`"):
        await at.one(question="a")
    assert (await at.one(question="a", user="ann")).outcome == "stored"
    assert at.sending.sent[0].user == "ann"
    with pytest.raises(CannotWarm, match="one of"):
        await at.one(question="a", request="req_0akrzmj8b5g00")


@aio
async def test_the_cap_holds_before_the_call() -> None:
    """What may cost more than is left is not sent; nor is what nobody knows the price of."""
    at = Warming()
    at.cap = SpendCap(1_000)
    done = await at.one(question="a")
    assert done.outcome == "capped" and done.most_nanos and done.most_nanos > 1_000
    at.sending.price = None
    assert (await at.one(question="a")).outcome == "price_unknown"
    assert at.sending.sent == [] and (at.cap.spent, at.cap.held) == (0, 0)


@aio
async def test_an_estimate_calls_nobody() -> None:
    """It tells the most that it can cost."""
    at = Warming()
    done = await at.one(question="a", estimate_only=True)
    assert (done.outcome, done.id) == ("estimated", 0) and done.most_nanos and at.sending.sent == []


@aio
async def test_what_does_not_work_is_told_and_not_hidden() -> None:
    """A failure, an answer that is not kept, a rule against it, a key that may not ask."""
    at = Warming()
    at.sending.error = UpstreamReset(detail="gone")
    assert (await at.one(question="a")).outcome == "failed" and at.cap.held == 0
    at.sending.error = BudgetSpent("no more", budget=BUDGET)
    assert (await at.one(question="a")).outcome == "capped"
    at.sending.error = BudgetSpent("the month is over", budget="month")
    assert (await at.one(question="a")).outcome == "failed"
    at.sending.error, at.sending.keeps = None, False
    done = await at.one(question="b")
    assert (done.outcome, done.why, done.cost_nanos) == ("not_kept", "cut off", 10_000_000)
    at.caller = replace(PAYER, models=("search",))
    refused = await at.one(question="c")
    assert refused.outcome == "refused" and "search" in refused.why
    at.caller = PAYER
    at.memory = Remembers(key=lambda _: (b"", "it asks about now"))
    assert (await at.one(question="c")).why == "it asks about now"


@aio
async def test_most_asked_counts_among_those_who_share() -> None:
    """The same words of two tenants are two; of two users they are one where users share. What came once is none."""
    at = Warming()
    for number in range(1, 6):
        at.recorded(number, {"q": "often"}, tenant="a", user=f"u{number}")
    for number in range(6, 9):
        at.recorded(number, {"q": "often"}, tenant="b", user="u")
    at.recorded(9, {"q": "once"})
    at.recorded(10, {"q": "failed"}, outcome="failed")
    at.recorded(11, {"q": "failed"}, outcome="failed")
    at.recorded(12, {"q": "copied"}, purpose="shadow")
    at.recorded(13, {"q": "copied"}, purpose="shadow")
    at.recorded(14, {"q": "elsewhere"}, feature="search")
    at.recorded(15, {"q": "elsewhere"}, feature="search")

    async def found(settings: FeatureCacheSettings, count: int = 9) -> list[tuple[int, int]]:
        asked = await most_asked(at.records, "chat", settings, 0, count)
        return [(each.request >> 22, each.times) for each in asked]

    assert await found(SHARED) == [(5, 5), (8, 3)]
    assert await found(SHARED, 1) == [(5, 5)]
    assert await found(FeatureCacheSettings(exact=Duration(60))) == [(8, 3)]
