"""From the exchange to rows: what is known when a call leaves, and what is known at the end. Runs on the event loop.

Rows are filled by position: forty names would cost two microseconds a row. A test gives every field a value of its own
and finds it in its place.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from headgate.core.errors import (
    GatewayError,
    InternalFault,
    InvalidRequest,
    ProviderRefusal,
    UpstreamCut,
    UpstreamMalformed,
    UpstreamReset,
)
from headgate.core.ids import trace_id
from headgate.core.money import CostLabel
from headgate.exchange.attempt import Attempt
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange
from headgate.stores.spans import GIVEN, AttemptRow, Outcome, RequestRow

__all__ = ["closed_request", "ended_attempt", "leaving_attempt", "open_request", "outcome_of"]

_REHEARSAL = "rehearsal "
"""What the mark of `headgate chaos` begins with."""
_LONGEST_USER = 256
"""Characters, as admission has it of those whom it lets in."""
_DETAIL = 2_000
"""Characters kept of an error's words."""
_QUOTING = (ProviderRefusal, UpstreamCut, UpstreamMalformed, InvalidRequest, InternalFault)
"""Errors whose words may be somebody else's, who may repeat a prompt or an answer in them."""
_UNTOLD = "the words of the error are not kept, as contents are not"

_json = msgspec.json.encode


def outcome_of(error: GatewayError | None, *, hung_up: bool) -> Outcome:
    """How it ended, by who is to blame. A caller who left is nobody's failure, whatever broke afterwards."""
    if hung_up or (error is not None and error.category == "hung_up"):
        return "hung_up"
    if error is None:
        return "ok"
    return "refused" if error.fault == "caller" else "failed"


def open_request(exchange: Exchange, config_hash: str, *, words: bool = True) -> RequestRow:
    """The request as it is known when a call leaves. words: may the prompt's variables be written down?"""
    caller = exchange.caller or _NOBODY
    peek = exchange.peek
    dialect = exchange.dialect
    parent = exchange.trace_parent
    return RequestRow(
        exchange.id,
        exchange.started_ns,
        parent[3:35],
        parent[36:52],
        caller.key_id,
        caller.team,
        caller.tenant,
        exchange.user or peek.user[:_LONGEST_USER],
        exchange.session,
        exchange.feature,
        _text(exchange.tags) if exchange.tags else "",
        dialect.operation,
        dialect.name,
        peek.stream,
        peek.model,
        exchange.routed_model,
        config_hash=config_hash,
        queued_us=int(exchange.queued_seconds * 1e6),
        bytes_in=len(exchange.body),
        tier=exchange.tier,
        purpose=exchange.purpose,
        prompt=exchange.prompt or exchange.tags.get("prompt", ""),
        replay_of=exchange.replay_of,
        cache=exchange.cache,
        variables=_text(exchange.variables) if exchange.variables and words else "",
    )


def closed_request(
    exchange: Exchange,
    attempts: tuple[AttemptRow, ...],
    *,
    config_hash: str,
    status: int,
    outcome: Outcome,
    error: GatewayError | None,
    ended_at: float,
    bytes_out: int,
    words: bool = True,
    begun_at: float = 0.0,
) -> RequestRow:
    """The request as it ended; without its cost and the hashes of its contents, which the writer fills in.

    words: may what others said about the error be written down, and the prompt's variables? begun_at: when a stream that no attempt
    has made had its first content; 0.0: there was none."""
    caller = exchange.caller or _NOBODY
    peek = exchange.peek
    dialect = exchange.dialect
    parent = exchange.trace_parent
    tags = exchange.tags
    answering = exchange.answering
    last = attempts[answering.number - 1 if answering is not None else -1] if attempts else _NO_ATTEMPT
    total = int((ended_at - exchange.received_at) * 1e6)
    queued = int(exchange.queued_seconds * 1e6)
    tokens = _tokens(last) if attempts else _NO_TOKENS
    waited = last.ended_us - last.started_us
    first_content = last.first_content_us
    given = not attempts and exchange.cache in GIVEN
    if given:
        first_content = _since(begun_at, exchange.received_at)
        # Who shares a call waits for it, and what is streamed at a natural pace takes its time: neither is work.
        waited = total - (queued if exchange.cache == "joined" else first_content or total)
    if len(attempts) > 1:
        tokens = tuple(map(sum, zip(*map(_tokens, attempts), strict=True)))
        waited = until = 0
        for one in attempts:  # two side by side count once
            waited += max(one.ended_us - max(one.started_us, until), 0)
            until = max(until, one.ended_us)
    return RequestRow(
        exchange.id,
        exchange.started_ns,
        parent[3:35] if parent else trace_id(exchange.id),
        parent[36:52],
        caller.key_id,
        caller.team,
        caller.tenant,
        exchange.user or peek.user[:_LONGEST_USER],
        exchange.session,
        exchange.feature,
        _text(tags) if tags else "",
        dialect.operation,
        dialect.name,
        peek.stream,
        peek.model,
        exchange.routed_model,
        last.reported_model,
        last.provider,
        last.region,
        config_hash,
        status,
        outcome,
        error.code if error else "",
        _detail(error, words=words) if error else "",
        last.finish_reason,
        len(attempts),
        queued,
        last.first_byte_us,
        first_content,
        total,
        max(total - queued - waited, 0),
        tokens[0],
        tokens[1],
        tokens[2],
        tokens[3],
        tokens[4],
        tokens[5],
        # What is given again costs nothing, and that is certain.
        0 if given else None,
        "",
        len(exchange.body),
        bytes_out,
        "",
        "",
        _text(exchange.notes) if exchange.notes else "",
        exchange.tier,
        exchange.degraded,
        exchange.purpose,
        exchange.avoided_nanos,
        # Who keeps prompts elsewhere says which it was by a tag.
        exchange.prompt or (tags.get("prompt", "") if tags else ""),
        exchange.replay_of,
        exchange.cache,
        exchange.origin_id,
        exchange.avoided_us,
        int(exchange.similarity * 1e6) if exchange.similarity else 0,
        _text(exchange.variables) if exchange.variables and words else "",
    )


def leaving_attempt(exchange: Exchange, attempt: Attempt) -> AttemptRow:
    """An attempt that is about to leave."""
    endpoint = attempt.endpoint
    return AttemptRow(
        attempt.id,
        exchange.id,
        attempt.number,
        endpoint.provider,
        endpoint.model,
        attempt.wire,
        "",
        endpoint.region,
        started_us=_since(attempt.started_at, exchange.received_at),
        kind=attempt.kind,
        credential=endpoint.credential,
        reserved_nanos=attempt.reserved_nanos,
    )


def ended_attempt(
    exchange: Exchange,
    attempt: Attempt,
    *,
    ended_at: float,
    hung_up: bool,
    completion: tuple[int, int] | None,
    words: bool = True,
) -> AttemptRow:
    """An attempt that is over.

    ended_at:   when, if the attempt does not say.
    completion: (answer, reasoning) tokens estimated from what came, for an attempt without usage.
    words:      as in `closed_request`."""
    error = attempt.error
    endpoint = attempt.endpoint
    zero = exchange.received_at
    tokens, cost, label = _bill(exchange, attempt, completion)
    return AttemptRow(
        attempt.id,
        exchange.id,
        attempt.number,
        endpoint.provider,
        endpoint.model,
        attempt.wire,
        attempt.reported_model,
        endpoint.region,
        attempt.status,
        _outcome(attempt, hung_up=hung_up),
        error.code if error else "",
        _detail_of(attempt, error, words=words) if error else "",
        attempt.finish_reason or "",
        _since(attempt.started_at, zero),
        _since(attempt.connected_at, zero) if attempt.connected_at else 0,
        _since(attempt.sent_at, zero),
        _since(attempt.first_byte_at, zero),
        _since(attempt.first_content_at, zero),
        _since(attempt.ended_at or ended_at, zero),
        tokens[0],
        tokens[1],
        tokens[2],
        tokens[3],
        tokens[4],
        tokens[5],
        cost,
        label,
        attempt.upstream_request_id,
        attempt.kind,
        endpoint.credential,
        attempt.reserved_nanos,
        attempt.fingerprint,
    )


def _outcome(attempt: Attempt, *, hung_up: bool) -> Outcome:
    if attempt.abandoned:
        return "abandoned"
    return outcome_of(attempt.error, hung_up=hung_up) if attempt.error or hung_up else "ok"


def _bill(
    exchange: Exchange, attempt: Attempt, completion: tuple[int, int] | None
) -> tuple[tuple[int, ...], int | None, CostLabel | Literal[""]]:
    """Tokens, cost if it needs no price, and how the tokens were got."""
    usage = attempt.usage
    if usage is not None and not attempt.complete:
        # Said at the start of a stream that broke off: the prompt is right, the answer had only begun.
        seen = completion or (attempt.seen_completion, 0)
        return (
            (
                usage.input,
                usage.cache_read,
                usage.cache_write,
                usage.cache_write_1h,
                max(usage.output, seen[0]),
                max(usage.reasoning, seen[1]),
            ),
            None,
            "estimated",
        )
    if usage is not None:
        return (
            (
                usage.input,
                usage.cache_read,
                usage.cache_write,
                usage.cache_write_1h,
                usage.output,
                usage.reasoning,
            ),
            None,
            "exact",
        )
    if not attempt.reached_provider:
        return _NO_TOKENS, 0, ""
    error = attempt.error
    refused = attempt.status >= 400 or (isinstance(error, ProviderRefusal) and not attempt.first_content_at)
    if refused or exchange.dialect.operation not in ("chat", "embeddings"):
        # A refusal is free, as a status or as the first event of a stream, and so is counting tokens.
        return _NO_TOKENS, 0, "exact"
    if attempt.pots and not exchange.peek.stream and _may_be_made(attempt):
        return (exchange.body_tokens, 0, 0, 0, 0, 0), attempt.reserved_nanos, "estimated"
    silent = error is not None and not attempt.status
    if silent or (isinstance(error, UpstreamReset | UpstreamMalformed) and not attempt.first_content_at):
        # Nothing of an answer came: silence, a connection that was reset, a proxy's page.
        return _NO_TOKENS, 0, "estimated"
    output, reasoning = completion or (attempt.seen_completion, 0)
    return (exchange.body_tokens, 0, 0, 0, output, reasoning), None, "estimated"


def _may_be_made(attempt: Attempt) -> bool:
    """Has the provider got what to answer, and nobody waited for it? A whole answer is made to its end, and billed, whether
    somebody takes it or not: of money that was set aside nothing comes back for asking and leaving."""
    return not attempt.first_content_at and not isinstance(attempt.error, UpstreamReset | UpstreamMalformed)


_NOBODY = Caller(key_id="")
_NO_TOKENS = (0, 0, 0, 0, 0, 0)
_NO_ATTEMPT = AttemptRow(id=0, request_id=0, number=0, provider="", model="")


def _tokens(row: AttemptRow) -> tuple[int, ...]:
    return (
        row.input_tokens,
        row.cache_read_tokens,
        row.cache_write_tokens,
        row.cache_write_1h_tokens,
        row.output_tokens,
        row.reasoning_tokens,
    )


def _detail(error: GatewayError, *, words: bool) -> str:
    if words or not isinstance(error, _QUOTING):
        return (error.detail or error.message)[:_DETAIL]
    status = error.upstream_status if isinstance(error, ProviderRefusal) else 0
    return f"status {status}; {_UNTOLD}" if status else _UNTOLD


def _detail_of(attempt: Attempt, error: GatewayError, *, words: bool) -> str:
    # A rehearsed fault may be found out by whoever reads the bytes, who knows nothing of rehearsals; the reply's mark does.
    mark = attempt.upstream_request_id
    detail = _detail(error, words=words)
    if mark.startswith(_REHEARSAL) and not detail.startswith(_REHEARSAL):
        return f"{mark}: {detail}"
    return detail


def _text(words: dict[str, str]) -> str:
    return _json(words).decode()


def _since(moment: float, zero: float) -> int:
    """Microseconds; at least 1 for what happened, because 0 says that it did not."""
    return (int((moment - zero) * 1e6) or 1) if moment else 0
