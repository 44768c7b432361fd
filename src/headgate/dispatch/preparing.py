"""What is sent for a request: the caller's own bytes as far as they may pass, else the request in the provider's words."""

from __future__ import annotations

from time import monotonic
from typing import Final

from headgate.core.errors import UnsupportedRequest
from headgate.core.messages import ChatRequest, EmbeddingsRequest
from headgate.exchange.exchange import Exchange
from headgate.exchange.prefix import prefix_of
from headgate.providers.port import Call, Endpoint, Limiting, Marking, Marks, UpstreamRequest, Wire
from headgate.providers.prefixes import Prefixes

__all__ = ["prepare"]

_CARRIED_ELSEWHERE: Final = frozenset({"thinking", "safety_identifier"})
"""Kept whole for their own vendor, while a field of the canonical request says the same to all others."""
MAX_NOTE: Final = 500
"""Characters of one note: names come from callers."""


def prepare(
    exchange: Exchange,
    endpoint: Endpoint,
    wire: Wire,
    request: ChatRequest | None,
    prefixes: Prefixes | None,
    *,
    name: str,
    passes: bool,
    streams: bool,
) -> UpstreamRequest:
    """The call, addressed.

    request: what is asked instead of the caller's own request. prefixes: who knows what the provider shall keep; None: nothing.
    name: of the wire. passes: it is the caller's own. streams: a stream is asked for.
    Raises UnsupportedRequest, ProviderAuthFailed, and what is wrong with the request."""
    model = endpoint.model
    if request is not None:
        body = wire.encode(request, model)
    else:
        body = _body_for(exchange, endpoint, wire, passes=passes, streams=streams)
    marks = _marks(exchange, prefixes) if prefixes is not None and request is None else None
    if marks is not None and isinstance(wire, Marking):
        plain, body = body, wire.mark(body, model, marks)
        if body is not plain:
            exchange.notes["prompt_cache"] = marks.words
    operation, feature = exchange.dialect.operation, exchange.feature
    call = Call(operation, name, model, body, streams, exchange.headers, feature)
    prepared = endpoint.adapter.request(call)
    prepared.call = call
    return prepared


def _marks(exchange: Exchange, prefixes: Prefixes) -> Marks | None:
    """What the provider shall keep; None: nothing, or what the caller says itself."""
    prefix = prefix_of(exchange)
    if prefix is None:
        return None
    marks = prefixes.marks(prefix, exchange.feature, exchange.routed_model, monotonic())
    return None if prefix.beginnings.own else marks


def _body_for(exchange: Exchange, endpoint: Endpoint, wire: Wire, *, passes: bool, streams: bool) -> bytes:
    """The caller's own bytes where the provider speaks their wire and nobody edited, else the request in its words."""
    if not passes:
        _refuse_what_only_its_own_wire_says(exchange.request, endpoint)
        _note_what_is_left_behind(exchange, wire)
    elif exchange.notes:
        exchange.notes.pop("dropped_fields", None)
    if passes and not exchange.edited:
        body = wire.splice(exchange.body, endpoint.model, stream=streams)
        most = exchange.answer_limit
        if most is None:
            return body
        limited = wire.limit(body, most) if isinstance(wire, Limiting) else None
        if limited is not None:
            return limited
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
