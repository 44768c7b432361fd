"""From an attempt to its row: what is known when the call leaves, and what is known when it is over. Runs on the event loop.

Rows are lists, their values in the order of the fields; the last ones may be missing, as `Plain` says.
"""

from __future__ import annotations

from typing import Final, Literal, final

from msgspec.structs import astuple

from headgate.core.errors import (
    GatewayError,
    InternalFault,
    InvalidRequest,
    ProviderRefusal,
    UpstreamCut,
    UpstreamMalformed,
    UpstreamReset,
)
from headgate.core.money import CostLabel
from headgate.exchange.attempt import Attempt
from headgate.exchange.exchange import Exchange
from headgate.records.entries import Plain
from headgate.records.places import Place
from headgate.stores.spans import Outcome

__all__ = [
    "NO_TOKENS",
    "Ended",
    "Tokens",
    "detail",
    "ended_attempt",
    "leaving_attempt",
    "outcome_of",
    "since",
]

_REHEARSAL: Final = "rehearsal "
"""What the mark of `headgate chaos` begins with."""
_DETAIL: Final = 2_000
"""Characters kept of an error's words."""
_QUOTING: Final = (ProviderRefusal, UpstreamCut, UpstreamMalformed, InvalidRequest, InternalFault)
"""Errors whose words may be somebody else's, who may repeat a prompt or an answer in them."""
_UNTOLD: Final = "the words of the error are not kept, as contents are not"

Tokens = tuple[int, int, int, int, int, int]
"""input, cache_read, cache_write, cache_write_1h, output, reasoning."""
NO_TOKENS: Final = (0, 0, 0, 0, 0, 0)

# Compiled, each look at a field of a Struct costs as much as this does for half of them.
_fields: Final = astuple


@final
class Ended:
    """An attempt that is over: its row, and of it what the request's row and the metrics are made of."""

    __slots__ = (
        "attempt",
        "ended_us",
        "error_class",
        "first_byte_us",
        "first_content_us",
        "label",
        "nanos",
        "outcome",
        "place",
        "row",
        "started_us",
        "tokens",
    )

    def __init__(
        self,
        attempt: Attempt,
        place: Place,
        outcome: Outcome,
        error_class: str,
        tokens: Tokens,
        nanos: int | None,
        label: str,
    ) -> None:
        self.attempt = attempt
        self.place = place
        self.outcome: Outcome = outcome
        self.error_class = error_class
        self.tokens = tokens
        self.nanos = nanos
        """What it cost, if no price is needed to say so."""
        self.label = label
        self.started_us = 0
        self.first_byte_us = 0
        self.first_content_us = 0
        self.ended_us = 0
        self.row: Plain = []


def outcome_of(error: GatewayError | None, *, hung_up: bool) -> Outcome:
    """How it ended, by who is to blame. A caller who left is nobody's failure, whatever broke afterwards."""
    if hung_up or (error is not None and error.category == "hung_up"):
        return "hung_up"
    if error is None:
        return "ok"
    return "refused" if error.fault == "caller" else "failed"


def leaving_attempt(exchange: Exchange, attempt: Attempt, place: Place) -> Plain:
    """An attempt that is about to leave."""
    started = since(attempt.started_at, exchange.received_at)
    row: Plain = [
        attempt.id,
        exchange.id,
        attempt.number,
        place.provider,
        place.model,
        attempt.wire,
        "",
        place.region,
        0,
        "ok",
        "",
        "",
        "",
        started,
    ]
    if attempt.kind or place.credential or attempt.reserved_nanos:
        # From connected_us to upstream_request_id: nothing has come yet.
        row += [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, None, "", ""]
        row += [attempt.kind, place.credential, attempt.reserved_nanos]
    return row


def ended_attempt(
    exchange: Exchange,
    attempt: Attempt,
    place: Place,
    *,
    ended_at: float,
    hung_up: bool,
    completion: tuple[int, int] | None,
    words: bool = True,
) -> Ended:
    """An attempt that is over.

    ended_at:   when, if the attempt does not say.
    completion: (answer, reasoning) tokens estimated from what came, for an attempt without usage.
    words:      as in `closed_request`."""
    error = attempt.error
    zero = exchange.received_at
    tokens, cost, label = _bill(exchange, attempt, completion)
    error_class = error.code if error is not None else ""
    ended = Ended(attempt, place, _outcome(attempt, hung_up=hung_up), error_class, tokens, cost, label)
    ended.started_us = since(attempt.started_at, zero)
    ended.first_byte_us = since(attempt.first_byte_at, zero)
    ended.first_content_us = since(attempt.first_content_at, zero)
    ended.ended_us = since(attempt.ended_at or ended_at, zero)
    row: Plain = [
        attempt.id,
        exchange.id,
        attempt.number,
        place.provider,
        place.model,
        attempt.wire,
        attempt.reported_model,
        place.region,
        attempt.status,
        ended.outcome,
        error_class,
        _detail_of(attempt, error, words=words) if error is not None else "",
        attempt.finish_reason or "",
        ended.started_us,
        since(attempt.connected_at, zero),
        since(attempt.sent_at, zero),
        ended.first_byte_us,
        ended.first_content_us,
        ended.ended_us,
        tokens[0],
        tokens[1],
        tokens[2],
        tokens[3],
        tokens[4],
        tokens[5],
        cost,
        label,
    ]
    named = attempt.upstream_request_id
    if named or attempt.fingerprint or attempt.kind or place.credential or attempt.reserved_nanos:
        row += [named, attempt.kind, place.credential, attempt.reserved_nanos, attempt.fingerprint]
    ended.row = row
    return ended


def _outcome(attempt: Attempt, *, hung_up: bool) -> Outcome:
    if attempt.abandoned:
        return "abandoned"
    return outcome_of(attempt.error, hung_up=hung_up) if attempt.error or hung_up else "ok"


def _bill(
    exchange: Exchange, attempt: Attempt, completion: tuple[int, int] | None
) -> tuple[Tokens, int | None, CostLabel | Literal[""]]:
    """Tokens, cost if it needs no price, and how the tokens were got."""
    usage = attempt.usage
    if usage is not None:
        used: Tokens = _fields(usage)
        input_, cache_read, cache_write, output, reasoning, cache_write_1h = used
        if attempt.complete:
            return (input_, cache_read, cache_write, cache_write_1h, output, reasoning), None, "exact"
        # Said at the start of a stream that broke off: the prompt is right, the answer had only begun.
        seen = completion or (attempt.seen_completion, 0)
        output, reasoning = max(output, seen[0]), max(reasoning, seen[1])
        return (input_, cache_read, cache_write, cache_write_1h, output, reasoning), None, "estimated"
    if not attempt.reached_provider:
        return NO_TOKENS, 0, ""
    error = attempt.error
    refused = attempt.status >= 400 or (isinstance(error, ProviderRefusal) and not attempt.first_content_at)
    if refused or exchange.dialect.operation not in ("chat", "embeddings"):
        # A refusal is free, as a status or as the first event of a stream, and so is counting tokens.
        return NO_TOKENS, 0, "exact"
    if attempt.pots and not exchange.peek.stream and _may_be_made(attempt):
        return (exchange.body_tokens, 0, 0, 0, 0, 0), attempt.reserved_nanos, "estimated"
    silent = error is not None and not attempt.status
    if silent or (isinstance(error, UpstreamReset | UpstreamMalformed) and not attempt.first_content_at):
        # Nothing of an answer came: silence, a connection that was reset, a proxy's page.
        return NO_TOKENS, 0, "estimated"
    output, reasoning = completion or (attempt.seen_completion, 0)
    return (exchange.body_tokens, 0, 0, 0, output, reasoning), None, "estimated"


def _may_be_made(attempt: Attempt) -> bool:
    """Has the provider got what to answer, and nobody waited for it? A whole answer is made to its end, and billed, whether
    somebody takes it or not: of money that was set aside nothing comes back for asking and leaving."""
    return not attempt.first_content_at and not isinstance(attempt.error, UpstreamReset | UpstreamMalformed)


def detail(error: GatewayError, *, words: bool) -> str:
    """What it says of itself, within bounds. words: may it be written down if it may be somebody else's?"""
    if words or not isinstance(error, _QUOTING):
        return (error.detail or error.message)[:_DETAIL]
    status = error.upstream_status if isinstance(error, ProviderRefusal) else 0
    return f"status {status}; {_UNTOLD}" if status else _UNTOLD


def _detail_of(attempt: Attempt, error: GatewayError, *, words: bool) -> str:
    # A rehearsed fault may be found out by whoever reads the bytes, who knows nothing of rehearsals; the reply's mark does.
    mark = attempt.upstream_request_id
    said = detail(error, words=words)
    if mark.startswith(_REHEARSAL) and not said.startswith(_REHEARSAL):
        return f"{mark}: {said}"
    return said


def since(moment: float, zero: float) -> int:
    """Microseconds; at least 1 for what happened, because 0 says that it did not."""
    return (int((moment - zero) * 1e6) or 1) if moment else 0
