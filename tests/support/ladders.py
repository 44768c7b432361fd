"""A degrade ladder on its own: requests that no model answered, and the ladder that answers them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from headgate.core.clock import Clock
from headgate.core.errors import GatewayError, ProviderOverloaded
from headgate.core.messages import Answer, Choice, Text
from headgate.core.usage import Usage
from headgate.dispatch.ladder.callback import Callbacks
from headgate.dispatch.ladder.climb import Ask, Ladder
from headgate.dispatch.ladder.entry_point import Function, Functions
from headgate.dispatch.ladder.plan import NO_LADDER, ladders_of
from headgate.dispatch.ladder.settings import CallbackSettings, RulesSettings
from headgate.dispatch.ladder.stale import MemoryStale, StaleAnswers
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.exchange.caller import Caller
from headgate.exchange.dialect import Dialect
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.providers.port import Endpoint, Upstream
from headgate.testing.clock import FakeClock
from headgate.testing.scripted import ScriptedUpstream

__all__ = ["DOWN", "FEATURE", "answered", "asked", "ladder", "read", "said"]

FEATURE = "support-chat"
DOWN = ProviderOverloaded("the provider says it is overloaded")


async def _nobody(exchange: Exchange, endpoints: Sequence[Endpoint]) -> Reply:
    raise AssertionError("no model of this ladder is asked")


def asked(
    text: str = "Where is my parcel?",
    *,
    stream: bool = False,
    dialect: Dialect | None = None,
    key: str = "key_1",
    headers: Sequence[tuple[bytes, bytes]] = (),
    **body: Any,
) -> Exchange:
    """A request on its way, as dispatch sees it."""
    said: dict[str, Any] = {"model": FEATURE, "messages": [{"role": "user", "content": text}], **body}
    if stream:
        said["stream"] = True
    exchange = Exchange(
        id=1,
        dialect=dialect or OpenAIChat(),
        body=json.dumps(said).encode(),
        headers=list(headers),
        received_at=1000.0,
        started_ns=0,
    )
    exchange.peek = exchange.dialect.peek(exchange.body)
    exchange.feature = FEATURE
    exchange.caller = Caller(key, "app", team="canal", tenant="acme")
    return exchange


def ladder(
    *rungs: str,
    rules: Mapping[str, RulesSettings] | None = None,
    callbacks: Mapping[str, CallbackSettings] | None = None,
    functions: Mapping[str, Function] | None = None,
    upstream: Upstream | None = None,
    ask: Ask = _nobody,
    stale: StaleAnswers | None = None,
    clock: Clock | None = None,
    filtered: bool = False,
    most_functions: int = 32,
) -> Ladder:
    """The ladder of the feature; other features have none."""
    load: Callable[[str], Function] = (functions or {}).__getitem__
    plans = ladders_of(
        {FEATURE: rungs},
        rules or {},
        callbacks or {},
        filtered=frozenset({FEATURE}) if filtered else frozenset(),
        load_function=load,
    )
    clock = clock or FakeClock()
    return Ladder(
        lambda feature: plans.get(feature, NO_LADDER),
        ask,
        stale=stale or MemoryStale(clock),
        callbacks=Callbacks(upstream or ScriptedUpstream([])),
        functions=Functions(most_at_once=most_functions),
        clock=clock,
    )


def answered(text: str = "By noon.", **settings: Any) -> Answer:
    """A model's good answer."""
    return Answer(
        id="c1",
        model="gpt-4o-mini",
        choices=[Choice(parts=[Text(text=text)], stop_reason="end", **settings)],
        usage=Usage(input=3, output=2),
    )


async def read(exchange: Exchange, reply: Reply) -> bytes:
    """The reply as the caller gets it."""
    if reply.frames is None:
        assert reply.answer is not None
        return exchange.dialect.whole(reply.answer)
    encoder = exchange.dialect.encoder(exchange.peek)
    return b"".join([encoder.feed(frame.events) async for frame in reply.frames])


async def said(
    ladder: Ladder, exchange: Exchange, failure: GatewayError = DOWN, *, deadline: float = 1060.0
) -> str | None:
    """The words of the ladder's whole answer; None if it has none."""
    reply = await ladder.answer(exchange, failure, deadline=deadline)
    if reply is None:
        return None
    assert isinstance(reply.answer, Answer)
    return reply.answer.text
