"""Climbing the ladder: the rungs in order, each within its own time; the first that can, answers, and the answer is
marked, so that nobody takes it for the model's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, assert_never

import msgspec

from headgate.core.clock import Clock, SystemClock
from headgate.core.errors import ContentFiltered, GatewayError, ProviderFault, TotalTimeout
from headgate.core.ids import request_id_text
from headgate.core.messages import ChatRequest
from headgate.dispatch.ladder.answer import NoAnswer, fits, replied, spoken, wants_json
from headgate.dispatch.ladder.callback import Callbacks
from headgate.dispatch.ladder.entry_point import Functions
from headgate.dispatch.ladder.listening import Listening
from headgate.dispatch.ladder.plan import LadderPlan
from headgate.dispatch.ladder.rules import last_words
from headgate.dispatch.ladder.settings import (
    CallbackRung,
    ModelRung,
    PythonRung,
    RulesRung,
    Rung,
    SayRung,
    StaleRung,
)
from headgate.dispatch.ladder.stale import Kept, StaleAnswers, key_of, packed, unpacked
from headgate.dispatch.ladder.template import FEATURE, fill
from headgate.exchange.dialect import LocalReply
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.wish import wish_of
from headgate.providers.port import Endpoint

__all__ = ["Ask", "Ladder", "may_degrade", "situation"]

LEAST_MODEL_SECONDS = 5.0
"""What a model of the ladder may take, also where the time of the request is over: a ladder that is never climbed after a
timeout would be of no use in the most common outage."""
_LONGEST = 86_400.0
MAX_NOTE = 500
"""Characters of the note in the record."""

Ask = Callable[[Exchange, Sequence[Endpoint]], Awaitable[Reply]]
"""Try these candidates as the route's own are tried, as attempts of kind `degrade`. Raises GatewayError."""

log = logging.getLogger("headgate.dispatch")


class Ladder:
    """Asked by dispatch when every candidate has failed, and told of every good answer."""

    def __init__(
        self,
        plan_of: Callable[[str], LadderPlan],
        ask: Ask,
        *,
        stale: StaleAnswers,
        callbacks: Callbacks,
        functions: Functions,
        clock: Clock | None = None,
        older: Callable[[Exchange], Awaitable[Kept | None]] | None = None,
    ) -> None:
        """plan_of: a feature's ladder as it is now configured; `plan.NO_LADDER` if it has none. older: where an answer to the same
        request may be kept besides; never raises."""
        self._plan_of = plan_of
        self._ask = ask
        self._stale = stale
        self._callbacks = callbacks
        self._functions = functions
        self._clock = clock or SystemClock()
        self._older = older

    async def answer(self, exchange: Exchange, failure: GatewayError, *, deadline: float) -> Reply | None:
        """The answer of the first rung that has one. None: there is no ladder, it is not for such a failure, or no rung
        could; then `failure` goes out. Nothing of an answer may have been sent.

        deadline: the moment (monotonic) when the request has to be over; rungs without a model have their own, short time.
        Sets `exchange.degraded`, the header, and the note of what was tried."""
        plan = self._plan_of(exchange.feature)
        if not plan.rungs or exchange.purpose == "shadow" or not may_degrade(failure, filtered=plan.filtered):
            return None
        tried: list[str] = []
        for rung in plan.rungs:
            if exchange.hung_up:
                return None
            try:
                reply = await self._climb(exchange, rung, plan, failure, deadline)
            except NoAnswer as reason:
                tried.append(f"{rung.mark}: {reason}")
            except Exception as bug:
                # A rung that breaks is no reason to withhold the next one.
                log.exception(
                    "request %s: rung %s of the ladder broke", request_id_text(exchange.id), rung.mark
                )
                tried.append(f"{rung.mark}: {type(bug).__name__}")
            else:
                _mark(exchange, rung, failure, tried)
                return reply
        exchange.notes["degraded"] = f"no rung could answer: {'; '.join(tried)}"[:MAX_NOTE]
        return None

    def remember(self, exchange: Exchange, reply: Reply) -> Reply:
        """A model of the route answers: keep it, once it is complete, if the feature's ladder has `stale`. Returns the same
        reply, to be handed on."""
        seconds = self._plan_of(exchange.feature).stale_seconds
        if not seconds or exchange.degraded or exchange.purpose or not wish_of(exchange.headers).keep:
            return reply
        if reply.frames is not None:
            # Not `with_frames`: nothing is edited, so bytes may go on passing untouched.
            reply.frames = Listening(reply.frames, lambda answer: self._keep(exchange, answer, seconds))
            return reply
        try:
            answer = reply.answer
        except GatewayError:
            return reply  # passes as it is, and says so itself where it is read
        if answer is not None:
            self._keep(exchange, answer, seconds)
        return reply

    def _keep(self, exchange: Exchange, answer: LocalReply, seconds: float) -> None:
        try:
            # At once, and as bytes: stages further up may change the answer for this one caller.
            content = packed(answer)
            key = key_of(exchange) if content is not None else None
        except (GatewayError, TypeError, ValueError):
            log.exception("request %s: its answer cannot be kept", request_id_text(exchange.id))
            return
        if content is not None and key is not None:
            self._stale.keep(key, content, seconds=seconds)

    # The rungs

    async def _climb(
        self, exchange: Exchange, rung: Rung, plan: LadderPlan, failure: GatewayError, deadline: float
    ) -> Reply:
        if isinstance(rung, StaleRung):
            return await self._old(exchange, rung)
        if isinstance(rung, ModelRung):
            return await self._model(exchange, rung, deadline)
        request = exchange.request
        if exchange.dialect.operation != "chat" or not isinstance(request, ChatRequest):
            raise NoAnswer("words are no answer here")
        text = await self._words(exchange, request, rung, plan, failure)
        if not fits(text, request):
            raise NoAnswer("JSON was asked for, and its words are not that")
        return replied(exchange, spoken(text, request))

    async def _words(
        self, exchange: Exchange, request: ChatRequest, rung: Rung, plan: LadderPlan, failure: GatewayError
    ) -> str:
        in_json = wants_json(request)
        if isinstance(rung, SayRung):
            return fill(rung.text, {FEATURE: exchange.feature}, in_json=in_json)
        if isinstance(rung, RulesRung):
            found = plan.rules[rung.name].answer(last_words(request), exchange.feature, in_json=in_json)
            if found is None:
                raise NoAnswer("no rule holds")
            return found
        if isinstance(rung, CallbackRung):
            callback = plan.callbacks[rung.target]
            if exchange.confined and not callback.self_hosted:
                raise NoAnswer("rules keep this request from services that are not said to be yours")
            return await self._callbacks.ask(callback, situation(exchange, request, failure))
        told = situation(exchange, request, failure)
        if isinstance(rung, PythonRung):
            # Read back: a function gets a copy of its own, of plain values.
            return await self._functions.ask(plan.functions[rung.target], msgspec.json.decode(told))
        if isinstance(rung, StaleRung | ModelRung):
            raise TypeError(f"{rung.mark} has no words of its own")
        assert_never(rung)

    async def _old(self, exchange: Exchange, rung: StaleRung) -> Reply:
        wanted = wish_of(exchange.headers)
        most = rung.seconds if wanted.most_seconds is None else min(rung.seconds, wanted.most_seconds)
        key = key_of(exchange)
        kept = await self._stale.last(key) if key is not None else None
        if kept is None and self._older is not None:
            kept = await self._older(exchange)
        if kept is None:
            raise NoAnswer("nothing kept")
        age = max(self._clock.wall_ns() - kept.kept_ns, 0) / 1e9
        if age >= most:
            raise NoAnswer(f"what was kept is {age:.0f} s old")
        exchange.origin_id = kept.origin_id
        exchange.reply_headers.append((b"age", b"%d" % age))
        return replied(exchange, unpacked(kept.answer, exchange.dialect.operation))

    async def _model(self, exchange: Exchange, rung: ModelRung, deadline: float) -> Reply:
        endpoints = exchange.reserves.get(rung.name, ())
        if not endpoints:
            raise NoAnswer("no endpoint of it may serve this")
        seconds = min(max(deadline - self._clock.monotonic(), LEAST_MODEL_SECONDS), _LONGEST)
        before = len(exchange.attempts)
        try:
            async with asyncio.timeout(seconds):
                reply = await self._ask(exchange, endpoints)
        except TimeoutError:
            for attempt in exchange.attempts[before:]:
                attempt.error = attempt.error or TotalTimeout(detail=attempt.endpoint.name)
            raise NoAnswer(f"no answer within {seconds:.0f} s") from None
        except GatewayError as error:
            raise NoAnswer(error.code) from None
        exchange.routed_model = rung.name
        return reply


def may_degrade(failure: GatewayError, *, filtered: bool = False) -> bool:
    """Is `failure` one that the user shall not feel? Providers' faults are; what is wrong with the request itself is not,
    nor what the gateway refuses. filtered: a content filter's refusal is, too, for the operator says so."""
    if isinstance(failure, ContentFiltered):
        return filtered
    return isinstance(failure, ProviderFault) and failure.fault == "provider"


def situation(exchange: Exchange, request: ChatRequest, failure: GatewayError) -> bytes:
    """What callbacks and functions are told, as JSON: who asks for what, and why no model answered."""
    told: dict[str, Any] = {
        "feature": exchange.feature,
        "user": exchange.user,
        "session": exchange.session,
        "text": last_words(request),
        "system": request.system,
        "messages": request.messages,
        "json": wants_json(request),
        "error": {"code": failure.code, "message": failure.message},
    }
    return msgspec.json.encode(told)


def _mark(exchange: Exchange, rung: Rung, failure: GatewayError, tried: Sequence[str]) -> None:
    exchange.degraded = rung.mark
    before = f"; before it {'; '.join(tried)}" if tried else ""
    exchange.notes["degraded"] = f"{rung.mark}, after {failure.code}{before}"[:MAX_NOTE]
    # A name of the configuration may be in any script; a header may not.
    header = "".join(c if c.isascii() and c.isprintable() else "?" for c in rung.mark)
    exchange.reply_headers.append((b"x-headgate-degraded", header.encode()))
