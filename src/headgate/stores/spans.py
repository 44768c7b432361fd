"""Spans: one immutable wide row about a request, and one about each of its attempts. Written once, when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

__all__ = ["ASKED", "CACHED", "GIVEN", "AttemptRow", "Content", "Outcome", "Page", "RequestRow", "SpanStore"]

Outcome = Literal["ok", "refused", "failed", "hung_up", "cut_off", "abandoned"]
"""ok: answered. refused: the caller's mistake. failed: ours or the provider's. hung_up: the caller left.
cut_off: this process died in the middle; settled as estimated when the journal was read again.
abandoned: an attempt that we gave up because another one was faster."""


GIVEN = frozenset({"exact", "semantic", "joined", "stale"})
"""What `RequestRow.cache` says of a request that was answered without a call of its own."""
ASKED = GIVEN | {"miss"}
"""And of one that could have been."""
CACHED = ("exact", "semantic", "joined", "stale", "miss", "bypass", "refreshed")
"""All that it says."""


class RequestRow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One request. Times in microseconds since `started_ns` unless the name says otherwise; 0 = did not happen.

    New fields go to the end and have a default: rows of older journals stay readable.
    """

    id: int
    started_ns: int
    """Wall clock, nanoseconds since 1970-01-01 UTC."""
    trace_id: str
    parent_id: str = ""
    """The caller's span, from its `traceparent`."""
    key_id: str = ""
    team: str = ""
    tenant: str = ""
    user: str = ""
    session: str = ""
    feature: str = ""
    tags: str = ""
    """JSON object, "" if none."""
    operation: str = ""
    dialect: str = ""
    stream: bool = False
    requested_model: str = ""
    routed_model: str = ""
    reported_model: str = ""
    provider: str = ""
    region: str = ""
    config_hash: str = ""
    status: int = 0
    """HTTP status sent, or 499 if the caller had gone."""
    outcome: Outcome = "ok"
    error_class: str = ""
    error_detail: str = ""
    finish_reason: str = ""
    attempts: int = 0
    queued_us: int = 0
    """Waited for a slot."""
    first_upstream_us: int = 0
    first_content_us: int = 0
    total_us: int = 0
    overhead_us: int = 0
    """Our own share of `total_us`: total minus waiting for the provider and for a slot."""
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nanos: int | None = None
    """None: no price is known. Sum over the attempts."""
    cost_label: str = ""
    """exact, estimated, reconciled or unknown; "" where nothing was asked of a provider."""
    bytes_in: int = 0
    bytes_out: int = 0
    request_content: str = ""
    """Hash of the caller's body in `content`; "" if not kept."""
    reply_content: str = ""
    notes: str = ""
    """JSON object of decisions in words, "" if none."""
    tier: str = ""
    """simple, medium or complex, where the route depends on difficulty."""
    degraded: str = ""
    """The rung of the degrade ladder that answered; "" if a model of the route did."""
    purpose: str = ""
    """"" for a caller's own request; `shadow` for a copy of one; `replay` for one that was asked again."""
    avoided_nanos: int = 0
    """What the answer would have cost, had it not been there already."""
    prompt: str = ""
    """Name and version of the prompt, such as `greeting@7`; "" if the caller's messages are all there is."""
    replay_of: int = 0
    """The request that this one repeats; 0 if it repeats none."""
    cache: str = ""
    """exact, semantic, joined or stale: it was answered without a call of its own; miss: it could have been; bypass: it was not to be
    (`notes` says why); refreshed: it was asked to renew an entry; "": its feature has no cache."""
    origin_id: int = 0
    """The request whose answer it was given; 0 if it got one of its own."""
    avoided_us: int = 0
    """How much longer that answer took when it was made."""
    similarity: int = 0
    """How sure it was that the question is the same, in millionths; 0 where it was not a question of being sure."""
    variables: str = ""
    """What the prompt's variables were, a JSON object; "" if there were none, or if contents are not kept."""
    cache_read_saved_nanos: int = 0
    """What the provider's prompt cache has saved: its tokens at the price of others, less what they cost. Of all attempts together."""
    cache_write_extra_nanos: int = 0
    """What it has cost: tokens written to it at their price, less what they would have cost as others."""


class AttemptRow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One attempt; its parent is its request. Times in microseconds since the request's `started_ns`; 0 = did not happen."""

    id: int
    request_id: int
    number: int
    provider: str
    model: str
    wire: str = ""
    reported_model: str = ""
    region: str = ""
    status: int = 0
    outcome: Outcome = "ok"
    error_class: str = ""
    error_detail: str = ""
    finish_reason: str = ""
    started_us: int = 0
    connected_us: int = 0
    sent_us: int = 0
    first_byte_us: int = 0
    first_content_us: int = 0
    ended_us: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nanos: int | None = None
    cost_label: str = ""
    upstream_request_id: str = ""
    kind: str = ""
    """Why the call was made: "" the first, retry, failover, hedge, resume, degrade."""
    credential: str = ""
    """Which key of the provider's pool; "" if there is only one."""
    reserved_nanos: int = 0
    """Nano-dollars that were set aside for it before it left; what it did not cost was given back."""
    fingerprint: str = ""
    """What the provider says of the system that answered (OpenAI's `system_fingerprint`); "" if it says nothing."""


class Content(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """A prompt or an answer, kept once under its hash."""

    hash: str
    """128 bits of BLAKE2b over kind and data, in hex; of the whole size too if `data` was cut."""
    kind: str
    """How to read `data`: the wire's name for a vendor's own JSON, `canonical` for an `Answer` folded from a stream."""
    data: bytes
    size: int
    """Bytes it had. More than `data` has: what is over `records.content_limit` was cut off."""

    @property
    def truncated(self) -> bool:
        """Was the end cut off?"""
        return self.size > len(self.data)


class Page(msgspec.Struct, frozen=True):
    """Requests in the order they were stored, and where the next page begins."""

    position: int
    rows: Sequence[RequestRow]


class SpanStore(Protocol):
    """Keeps spans and contents. This is the reading side; `SpanSink` is the writing side, which comes in batches."""

    async def request(self, request_id: int) -> RequestRow | None:
        """One request, or None. Raises StoreUnavailable, like all of these."""
        ...

    async def attempts(self, request_id: int) -> Sequence[AttemptRow]:
        """Its attempts, in order."""
        ...

    async def content(self, content_hash: str) -> Content | None:
        """A prompt or answer, or None if it was never kept or has been deleted."""
        ...

    async def latest(self, limit: int) -> Page:
        """The requests stored last, oldest of them first, and the position after them."""
        ...

    async def after(self, position: int, limit: int) -> Page:
        """Up to `limit` requests stored after `position`, in the order they were stored.

        Not in the order of their ids: a long request has an old id and is stored late, and nobody may miss it."""
        ...
