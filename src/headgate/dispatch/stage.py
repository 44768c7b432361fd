"""Dispatch: the innermost stage. Calls the candidates in order until one answers; a stream counts as answered at its
first content, so everything before that can still fail over."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from headgate.core.errors import (
    CallerMistake,
    ConnectFailed,
    ConnectTimeout,
    GatewayError,
    PoolTimeout,
    ProviderFault,
    ProviderRejected,
    TlsFailed,
    UnsupportedRequest,
)
from headgate.core.ids import IdSource
from headgate.core.messages import Answer, ChatRequest, EmbeddingsRequest, TokenCount
from headgate.core.tokens import estimate_tokens
from headgate.dispatch.settings import TimeoutSettings
from headgate.dispatch.streaming import StreamedAnswer
from headgate.exchange.attempt import Attempt
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply, whole
from headgate.exchange.stage import Proceed
from headgate.providers.port import Call, Endpoint, Timeouts, UpstreamReply, Wire

__all__ = ["Dispatch"]

MAX_WHOLE_ANSWER = 64 * 1024 * 1024
"""Bytes of a whole answer, at most: several generated images in base64 fit."""
MAX_ERROR_BODY = 256 * 1024

_NEVER_SENT = (ConnectFailed, ConnectTimeout, TlsFailed, PoolTimeout)
_REQUEST_ID_HEADERS = (
    b"x-request-id",
    b"request-id",
    b"x-amzn-requestid",
    b"apim-request-id",
    b"x-goog-request-id",
)
_CARRIED_ELSEWHERE = frozenset({"thinking", "safety_identifier"})
"""Kept whole for their own vendor, while a field of the canonical request says the same to all others."""
MAX_NOTE = 500
"""Characters of one note: names come from callers."""


class Dispatch:
    """Makes attempts. Timeouts are looked up by feature, so a changed configuration counts from the next request on."""

    def __init__(self, *, ids: IdSource, timeouts: Callable[[str], TimeoutSettings]) -> None:
        self._ids = ids
        self._timeouts = timeouts
        self._known_phases: dict[tuple[TimeoutSettings, bool], Timeouts] = {}

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:  # noqa: ARG002 - the last stage
        failure: GatewayError | None = None
        for endpoint in exchange.candidates:
            try:
                return await self._attempt(exchange, endpoint)
            except (ProviderFault, UnsupportedRequest) as error:
                failure = error
                if exchange.hung_up or not _another_may_help(error):
                    raise
        if failure is None:
            raise UnsupportedRequest(f"`{exchange.peek.model}` has no endpoint that can do this")
        raise failure

    def _phases(self, feature: str, *, stream: bool) -> Timeouts:
        settings = self._timeouts(feature)
        known = self._known_phases.get((settings, stream))
        if known is None:
            if len(self._known_phases) > 1000:
                self._known_phases.clear()  # many configurations later
            known = self._known_phases[settings, stream] = settings.phases(stream=stream)
        return known

    async def _attempt(self, exchange: Exchange, endpoint: Endpoint) -> Reply:
        dialect = exchange.dialect
        wire = endpoint.adapter.wire_for(dialect.operation, dialect.name)
        if wire is None:
            if dialect.operation == "count_tokens":
                return whole(TokenCount(input_tokens=estimate_tokens(exchange.body), exact=False))
            what = dialect.operation.replace("_", " ")
            raise UnsupportedRequest(
                f"provider `{endpoint.provider}` offers no {what}; ask for a model of another provider"
            )
        stream = exchange.peek.stream
        body = _body_for(exchange, endpoint, wire)
        call = Call(dialect.operation, wire.name, endpoint.model, body, stream, exchange.headers)
        request = endpoint.adapter.request(call)
        attempt = Attempt(
            id=self._ids.next(),
            number=len(exchange.attempts) + 1,
            endpoint=endpoint,
            wire=wire.name,
            started_at=monotonic(),
        )
        exchange.attempts.append(attempt)
        observer = exchange.observer
        if observer is not None:
            observer.attempt_opened(exchange, attempt)
        timeouts = self._phases(exchange.feature, stream=stream)
        attempt.reached_provider = True
        handed_over = False
        try:
            reply = await endpoint.upstream.send(request, timeouts)
            _note_head(attempt, reply)
            try:
                if not 200 <= reply.status < 300:
                    raise wire.decode_error(reply.status, reply.headers, await reply.read(MAX_ERROR_BODY))
                if stream:
                    streamed = StreamedAnswer(exchange, attempt, reply, wire, timeouts)
                    await streamed.until_content()
                    handed_over = True
                    # A generator that is never begun closes nothing, and something may break before its first frame.
                    exchange.on_close(reply.close)
                    return Reply(wire=wire.name, frames=streamed)
                return await _whole(attempt, reply, wire, passes=wire.name == dialect.name)
            finally:
                if not handed_over:
                    reply.close()
        except _NEVER_SENT as error:
            attempt.reached_provider = False
            attempt.error = error
            raise
        except GatewayError as error:
            attempt.error = error
            raise
        finally:
            if not handed_over:
                attempt.ended_at = monotonic()
                if observer is not None:
                    observer.attempt_closed(exchange, attempt)


def _body_for(exchange: Exchange, endpoint: Endpoint, wire: Wire) -> bytes:
    """The caller's own bytes where the provider speaks their wire and nobody edited, else the request in its words."""
    if wire.name != exchange.dialect.name:
        _refuse_what_only_its_own_wire_says(exchange.request, endpoint)
        _note_what_is_left_behind(exchange, wire)
    elif exchange.notes:
        exchange.notes.pop("dropped_fields", None)
    if wire.name == exchange.dialect.name and not exchange.edited:
        return wire.splice(exchange.body, endpoint.model)
    return wire.encode(exchange.request, endpoint.model)


def _refuse_what_only_its_own_wire_says(request: ChatRequest | EmbeddingsRequest, endpoint: Endpoint) -> None:
    if isinstance(request, ChatRequest) and request.native_only:
        field = request.native_only
        raise UnsupportedRequest(
            f"provider `{endpoint.provider}` cannot do `{field}`: only one that speaks the responses API itself can; leave it out "
            "and send the whole conversation, or ask for a model of such a provider",
            param=field,
        )


def _note_what_is_left_behind(exchange: Exchange, wire: Wire) -> None:
    """Put the caller's own fields that `wire` has no words for on record: whoever wonders finds them there."""
    request = exchange.request
    foreign = not isinstance(request, ChatRequest) or request.extra_wire != wire.name
    names = sorted(request.extra.keys() - _CARRIED_ELSEWHERE) if foreign else []
    if names:
        exchange.notes["dropped_fields"] = ",".join(names)[:MAX_NOTE]
    else:
        exchange.notes.pop("dropped_fields", None)


async def _whole(attempt: Attempt, reply: UpstreamReply, wire: Wire, *, passes: bool) -> Reply:
    body = reply.whole if reply.whole is not None else await reply.read(MAX_WHOLE_ANSWER)
    answer = wire.glance(body) if passes else wire.decode(body)
    attempt.ended_at = attempt.first_content_at = monotonic()
    if isinstance(answer, Answer):
        attempt.reported_model = answer.model
        attempt.usage = answer.usage
        if answer.choices:
            attempt.finish_reason = answer.choices[0].stop_reason
    elif not isinstance(answer, TokenCount):
        attempt.reported_model = answer.model
        attempt.usage = answer.usage
    if not isinstance(answer, TokenCount):
        # Callers expect a name; a vendor that says none (Bedrock) answered as the model it was asked for.
        answer.model = answer.model or attempt.endpoint.model
    # Bytes that pass are read in full only if a stage asks what they say.
    return Reply(wire=wire.name, answer=None if passes else answer, body=body, decode=wire.decode)


def _note_head(attempt: Attempt, reply: UpstreamReply) -> None:
    attempt.status = reply.status
    attempt.connected_at = reply.connected_at
    attempt.sent_at = reply.sent_at
    attempt.first_byte_at = reply.first_byte_at
    for name, value in reply.headers:
        if name in _REQUEST_ID_HEADERS:
            attempt.upstream_request_id = value.decode("latin-1")[:128]
            break


def _another_may_help(error: GatewayError) -> bool:
    """The caller's own mistake stays one at every endpoint; what an endpoint cannot do, another may."""
    return isinstance(error, UnsupportedRequest) or not isinstance(error, CallerMistake | ProviderRejected)
