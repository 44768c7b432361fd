"""A request and an attempt, as they are told: neither prompt nor answer."""

from __future__ import annotations

from datetime import datetime

import msgspec

from headgate.control.http.moments import moment
from headgate.control.traces import object_of
from headgate.core.ids import request_id_text
from headgate.core.money import usd
from headgate.stores.spans import AttemptRow, Outcome, RequestRow

__all__ = ["AttemptTold", "RequestTold", "Tokens", "attempt_told", "request_told"]


class Tokens(msgspec.Struct, kw_only=True):
    """Tokens; no two of these overlap."""

    input: int
    """Of the prompt, neither read from a provider's cache nor written to it."""
    cache_read: int
    cache_write: int
    output: int
    reasoning: int


class RequestTold(msgspec.Struct, kw_only=True):
    """One request, without what was asked and answered."""

    id: str
    at: datetime
    """When it came."""
    outcome: Outcome
    """ok: answered. refused: the caller's mistake. failed: ours or the provider's. hung_up: the caller left. cut_off: this
    process died in the middle."""
    status: int
    """HTTP status sent, or 499 if the caller had gone."""
    error: str
    """The code of the error; empty if there was none."""
    key: str
    """The id of the key."""
    team: str
    tenant: str
    user: str
    session: str
    feature: str
    tags: dict[str, str]
    operation: str
    dialect: str
    stream: bool
    requested_model: str
    """What the caller asked for."""
    routed_model: str
    """What was chosen."""
    reported_model: str
    """What the provider says answered."""
    provider: str
    region: str
    attempts: int
    degraded: str
    """The rung of the degrade ladder that answered; empty if a model of the route did."""
    difficulty: str
    purpose: str
    """Empty for a caller's own request; `shadow` for a copy of one."""
    tokens: Tokens
    cost_usd: str | None
    """A decimal number; null: no price is known."""
    cost_label: str
    """exact, estimated, reconciled or unknown; empty where nothing was asked of a provider."""
    queued_ms: float
    first_content_ms: float
    """From the request's coming to the first content; 0: there was none."""
    total_ms: float
    overhead_ms: float
    """Our own share of the total."""
    trace: str
    """The trace's id (W3C)."""
    config: str
    """The hash of the configuration that served it."""
    prompt: str
    """Name and version of the prompt; empty if the caller's messages are all there is."""
    replay_of: str
    """The request that this one repeats; empty if it repeats none."""
    cache: str
    """exact, semantic, joined, stale: it was answered without a call of its own. miss: it could have been. bypass: it was not to be.
    refreshed: it renewed an answer. Empty: its feature has no cache."""
    origin: str
    """The request whose answer it was given; empty if it got one of its own."""
    saved_usd: str
    """What that answer had cost, a decimal number."""
    saved_ms: float
    """How much longer that answer took when it was made."""
    similarity: float
    """How sure it was, 0 to 1, that the question is the same; 0 where it was not a question of being sure."""


class AttemptTold(msgspec.Struct, kw_only=True):
    """One call to one endpoint."""

    number: int
    kind: str
    """Why the call was made: empty for the first, else retry, failover, hedge, resume, degrade."""
    provider: str
    model: str
    region: str
    reported_model: str
    outcome: Outcome
    status: int
    """The provider's; 0: no answer came."""
    error: str
    error_detail: str
    """The provider's own words; empty without the right to read content."""
    finish: str
    """Why the model stopped."""
    started_ms: float
    """Since the request came, as the next three; 0: did not happen."""
    first_byte_ms: float
    first_content_ms: float
    ended_ms: float
    tokens: Tokens
    cost_usd: str | None
    cost_label: str
    upstream_request: str
    """The provider's own id of the call."""
    fingerprint: str
    """What the provider says of the system that answered; empty if it says nothing."""


def request_told(row: RequestRow) -> RequestTold:
    """As it is told; neither prompt nor answer."""
    return RequestTold(
        id=request_id_text(row.id),
        at=moment(row.started_ns),
        outcome=row.outcome,
        status=row.status,
        error=row.error_class,
        key=row.key_id,
        team=row.team,
        tenant=row.tenant,
        user=row.user,
        session=row.session,
        feature=row.feature,
        tags={name: str(value) for name, value in object_of(row.tags).items()},
        operation=row.operation,
        dialect=row.dialect,
        stream=row.stream,
        requested_model=row.requested_model,
        routed_model=row.routed_model,
        reported_model=row.reported_model,
        provider=row.provider,
        region=row.region,
        attempts=row.attempts,
        degraded=row.degraded,
        difficulty=row.tier,
        purpose=row.purpose,
        tokens=_tokens(row),
        cost_usd=_cost(row),
        cost_label=row.cost_label,
        queued_ms=row.queued_us / 1000,
        first_content_ms=row.first_content_us / 1000,
        total_ms=row.total_us / 1000,
        overhead_ms=row.overhead_us / 1000,
        trace=row.trace_id,
        config=row.config_hash,
        prompt=row.prompt,
        replay_of=request_id_text(row.replay_of) if row.replay_of else "",
        cache=row.cache,
        origin=request_id_text(row.origin_id) if row.origin_id else "",
        saved_usd=f"{usd(row.avoided_nanos):f}",
        saved_ms=row.avoided_us / 1000,
        similarity=row.similarity / 1e6,
    )


def attempt_told(row: AttemptRow, *, content: bool) -> AttemptTold:
    """content: with the provider's own words."""
    return AttemptTold(
        number=row.number,
        kind=row.kind,
        provider=row.provider,
        model=row.model,
        region=row.region,
        reported_model=row.reported_model,
        outcome=row.outcome,
        status=row.status,
        error=row.error_class,
        error_detail=row.error_detail if content else "",
        finish=row.finish_reason,
        started_ms=row.started_us / 1000,
        first_byte_ms=row.first_byte_us / 1000,
        first_content_ms=row.first_content_us / 1000,
        ended_ms=row.ended_us / 1000,
        tokens=_tokens(row),
        cost_usd=_cost(row),
        cost_label=row.cost_label,
        upstream_request=row.upstream_request_id,
        fingerprint=row.fingerprint,
    )


def _tokens(row: RequestRow | AttemptRow) -> Tokens:
    return Tokens(
        input=row.input_tokens,
        cache_read=row.cache_read_tokens,
        cache_write=row.cache_write_tokens + row.cache_write_1h_tokens,
        output=row.output_tokens,
        reasoning=row.reasoning_tokens,
    )


def _cost(row: RequestRow | AttemptRow) -> str | None:
    return None if row.cost_nanos is None else f"{usd(row.cost_nanos):f}"
