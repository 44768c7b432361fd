"""One attempt: one call to one endpoint, up to its whole answer, or up to the first content of its stream."""

from __future__ import annotations

import asyncio
from time import monotonic, time
from typing import Final

from headgate.core.errors import (
    ConnectFailed,
    ConnectTimeout,
    GatewayError,
    HeadersTimeout,
    PoolTimeout,
    TlsFailed,
    TotalTimeout,
    TransportFault,
    UnsupportedRequest,
)
from headgate.core.ids import IdSource
from headgate.core.messages import Answer, ChatRequest, TokenCount
from headgate.core.tokens import estimate_tokens
from headgate.dispatch.manner import Manner
from headgate.dispatch.preparing import prepare
from headgate.dispatch.remedy import rest_seconds, shun_seconds, verdict
from headgate.dispatch.streaming import StreamedAnswer
from headgate.exchange.attempt import Attempt, AttemptKind
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply, whole
from headgate.providers.discretion import hush
from headgate.providers.health.health import Verdict
from headgate.providers.health.hints import TELLING, hints_of
from headgate.providers.port import (
    Endpoint,
    Glimpse,
    Timeouts,
    UpstreamReply,
    UpstreamRequest,
    Wire,
)
from headgate.providers.prefixes import Prefixes

__all__ = ["Attempting", "NoPlace"]

MAX_WHOLE_ANSWER: Final = 64 * 1024 * 1024
"""Bytes of a whole answer, at most: several generated images in base64 fit."""
MAX_ERROR_BODY: Final = 256 * 1024
ERROR_BODY_SECONDS: Final = 2.0
_NEARLY: Final = 0.9
"""An endpoint with this part of the usual time had about all of it."""

_now: Final = monotonic
_NEVER_SENT: Final = (ConnectFailed, ConnectTimeout, TlsFailed, PoolTimeout)
_REQUEST_ID_HEADERS = (
    b"x-request-id",
    b"request-id",
    b"x-amzn-requestid",
    b"apim-request-id",
    b"x-goog-request-id",
)
_NOTED: Final[dict[bytes, str]] = {
    **dict.fromkeys(TELLING, "allowance"),
    **dict.fromkeys(_REQUEST_ID_HEADERS, "id"),
}
"""Which headers of a reply are looked at, and for what: mostly there are twenty others."""


class NoPlace(Exception):
    """The endpoint takes no call now: it rests, or is at its limit. Nothing was sent."""


class Attempting:
    """Makes attempts, writes down what is known of each, and tells the endpoint's health how it went."""

    def __init__(self, ids: IdSource, prefixes: Prefixes | None = None) -> None:
        """prefixes: which beginnings providers shall keep; None: nobody asks them to."""
        self._ids = ids
        self._prefixes = prefixes

    async def __call__(
        self,
        exchange: Exchange,
        endpoint: Endpoint,
        manner: Manner,
        timeouts: Timeouts,
        *,
        alone: bool = False,
        kind: AttemptKind = "",
        request: ChatRequest | None = None,
    ) -> Reply:
        """The reply; of a stream the first content has come. Sets `exchange.answering`.

        alone: nobody is asked after it. request: what is asked instead of the caller's own request, to go on with an answer that broke off.
        Raises NoPlace, GatewayError. Then, and when it is cancelled, what it opened is closed."""
        health = endpoint.health
        ticket = health.begin(_now(), tokens=len(exchange.body) >> 2)
        if not ticket:
            raise NoPlace
        attempt: Attempt | None = None
        prepared: UpstreamRequest | None = None
        upstream: UpstreamReply | None = None
        reply: Reply | None = None
        said: Verdict = "ignored"
        try:
            dialect = exchange.dialect
            wire = endpoint.adapter.wire_for(dialect.operation, dialect.name)
            if wire is None:
                return _without(exchange, endpoint)
            prefixes = self._keeping(exchange.feature)
            streams, name = exchange.peek.stream, wire.name
            passes = name == dialect.name
            prepared = prepare(
                exchange, endpoint, wire, request, prefixes, name=name, passes=passes, streams=streams
            )
            leaving = Attempt(self._ids.next(), len(exchange.attempts) + 1, endpoint, name, _now(), kind)
            if exchange.purse is not None or exchange.grant is not None:
                await _paid(exchange, leaving)
            attempt = leaving
            _opened(exchange, attempt, ticket)
            upstream = await endpoint.upstream.send(prepared, timeouts)
            if prepared.withheld:
                # A rehearsed fault answers in the provider's place.
                attempt.reached_provider = False
            _note_head(attempt, upstream)
            whole = upstream.whole
            if whole is not None and 200 <= attempt.status < 300 and not streams:
                reply = _whole(attempt, whole, wire, passes=passes)
            else:
                reply = await _awaited(exchange, attempt, wire, prepared, upstream, timeouts, manner)
            said = "ok"
            exchange.answering = attempt
            if prefixes is not None and exchange.prefix is not None:
                prefixes.answered(exchange.prefix, endpoint, _now())
            return reply
        except GatewayError as error:
            usual = manner.usual(stream=exchange.peek.stream, alone=alone)
            said = "ignored" if _hurried(error, timeouts, usual) else verdict(error)
            if attempt is not None and prepared is not None:
                _failed(attempt, prepared, upstream, error)
            raise
        finally:
            # A stream that was begun says itself how it ended.
            if reply is None or reply.frames is None:
                if upstream is not None:
                    upstream.close()
                elif attempt is not None and prepared is not None and prepared.withheld:
                    attempt.reached_provider = False
                _over(exchange, endpoint, attempt, said, ticket)

    def _keeping(self, feature: str) -> Prefixes | None:
        """Where it is remembered what providers keep, if the feature has them keep anything."""
        prefixes = self._prefixes
        if prefixes is None or not prefixes.used or prefixes.keep_of(feature) == "off":
            return None
        return prefixes


def _opened(exchange: Exchange, attempt: Attempt, ticket: int) -> None:
    attempt.ticket = ticket
    exchange.attempts.append(attempt)
    if exchange.observer is not None:
        exchange.observer.attempt_opened(exchange, attempt)
    attempt.reached_provider = True


def _failed(
    attempt: Attempt, request: UpstreamRequest, reply: UpstreamReply | None, error: GatewayError
) -> None:
    """Write down how it failed, and what that says of the next ones."""
    if reply is not None:
        hush(error, request.headers)
    elif isinstance(error, _NEVER_SENT):
        request.withheld = True
    attempt.error = error
    health = attempt.endpoint.health
    rest = rest_seconds(error)
    if rest:
        health.rest(_now() + rest, error.message)
    shun = shun_seconds(error)
    if shun:
        health.shun(_now() + shun)


async def _paid(exchange: Exchange, attempt: Attempt) -> None:
    """Money for it is set aside, and whoever was asked before has consented: both questions are on their way together.

    Raises BudgetSpent, BudgetsUnavailable, and what was refused."""
    purse = exchange.purse
    if purse is not None:
        pending = purse.reserve(exchange, attempt)
        if pending is not None:
            await pending
    try:
        await exchange.granted()
    except BaseException:
        if purse is not None:
            purse.settle(attempt, 0)
        raise
    # Others may have been opened meanwhile, and what it waited for money is not the provider's time.
    attempt.number = len(exchange.attempts) + 1
    attempt.started_at = _now()


def _hurried(error: GatewayError, given: Timeouts, usual: Timeouts) -> bool:
    """Did it only not answer in the little time that others had left it? That says nothing of its health."""
    # Compared by what ran out, and a failure that came at once takes next to nothing away.
    if isinstance(error, HeadersTimeout):
        return given.headers < _NEARLY * usual.headers
    return isinstance(error, TotalTimeout) and given.total < _NEARLY * usual.total


async def _awaited(
    exchange: Exchange,
    attempt: Attempt,
    wire: Wire,
    request: UpstreamRequest,
    reply: UpstreamReply,
    timeouts: Timeouts,
    manner: Manner,
) -> Reply:
    """The answer, where more has to come than is here with the head. Raises what a refusal means."""
    if not 200 <= reply.status < 300:
        raise wire.decode_error(reply.status, reply.headers, await _what_it_says(reply))
    if not exchange.peek.stream:
        body = await reply.read(MAX_WHOLE_ANSWER)
        return _whole(attempt, body, wire, passes=wire.name == exchange.dialect.name)
    streamed = StreamedAnswer(
        exchange, attempt, reply, wire, timeouts, pace=manner.pace(), sent=request.headers
    )
    await streamed.until_content()
    # A generator that is never begun closes nothing, and something may break before its first frame.
    exchange.on_close(streamed.let_go)
    return Reply(wire=wire.name, frames=streamed)


async def _what_it_says(reply: UpstreamReply) -> bytes:
    """The body of a refusal. The status says enough: whoever cannot finish telling why is not waited for."""
    if reply.whole is not None:
        return reply.whole
    try:
        async with asyncio.timeout(ERROR_BODY_SECONDS):
            return await reply.read(MAX_ERROR_BODY)
    except (TimeoutError, TransportFault):
        return b""


def _over(
    exchange: Exchange, endpoint: Endpoint, attempt: Attempt | None, said: Verdict, ticket: int
) -> None:
    now = _now()
    seconds = 0.0
    if attempt is not None:
        attempt.ended_at = now
        if said == "ok" and attempt.error is None:
            seconds = now - (attempt.sent_at or attempt.started_at)
    endpoint.health.end(now, said, seconds=seconds, ticket=ticket)
    if attempt is None:
        return
    if exchange.purse is not None and attempt.usage is None and _free(attempt):
        # At once, not at the request's end: the next attempt may need the money.
        attempt.settled = True
        exchange.purse.settle(attempt, 0)
    if exchange.observer is not None:
        exchange.observer.attempt_closed(exchange, attempt)


def _free(attempt: Attempt) -> bool:
    """Nobody bills what never left, or a refusal."""
    return not attempt.reached_provider or attempt.status >= 400


def _without(exchange: Exchange, endpoint: Endpoint) -> Reply:
    """What can be answered although the vendor offers no such operation. Raises UnsupportedRequest."""
    operation = exchange.dialect.operation
    if operation == "count_tokens":
        return whole(TokenCount(input_tokens=estimate_tokens(exchange.body), exact=False))
    raise UnsupportedRequest(
        f"provider `{endpoint.provider}` offers no {operation.replace('_', ' ')}; ask for a model of another provider"
    )


def _whole(attempt: Attempt, body: bytes, wire: Wire, *, passes: bool) -> Reply:
    # Bytes that pass are read in full only if a stage asks what they say.
    seen = wire.glance(body) if passes else None
    if isinstance(seen, Glimpse):
        attempt.first_content_at = _now()
        attempt.reported_model = seen.model
        attempt.fingerprint = seen.fingerprint
        attempt.usage = seen.usage
        attempt.finish_reason = seen.stop_reason
        return Reply(wire=attempt.wire, body=body, decode=wire.decode)
    answer = seen if seen is not None else wire.decode(body)
    attempt.first_content_at = _now()
    if isinstance(answer, Answer):
        attempt.reported_model = answer.model
        attempt.fingerprint = answer.fingerprint
        attempt.usage = answer.usage
        if answer.choices:
            attempt.finish_reason = answer.choices[0].stop_reason
    elif not isinstance(answer, TokenCount):
        attempt.reported_model = answer.model
        attempt.usage = answer.usage
    if not isinstance(answer, TokenCount):
        # Callers expect a name; a vendor that says none (Bedrock) answered as the model it was asked for.
        answer.model = answer.model or attempt.endpoint.model
    passed = seen is not None
    return Reply(wire=attempt.wire, answer=None if passed else answer, body=body, decode=wire.decode)


def _note_head(attempt: Attempt, reply: UpstreamReply) -> None:
    attempt.status = reply.status
    attempt.connected_at = reply.connected_at
    attempt.sent_at = reply.sent_at
    attempt.first_byte_at = reply.first_byte_at
    headers = reply.headers
    telling = False
    for pair in headers:
        noted = _NOTED.get(pair[0])
        if noted == "id":
            if not attempt.upstream_request_id:
                attempt.upstream_request_id = pair[1].decode("latin-1")[:128]
        elif noted is not None:
            telling = True
    if telling:
        hints = hints_of(headers)
        if hints:
            attempt.endpoint.health.hint(hints, _now(), time())
