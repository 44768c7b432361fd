"""One call to one endpoint, as it goes on."""

from __future__ import annotations

from typing import Literal

from headgate.core.errors import GatewayError
from headgate.core.messages import StopReason
from headgate.core.usage import Usage
from headgate.providers.port import Endpoint

__all__ = ["Attempt", "AttemptKind"]

AttemptKind = Literal["", "retry", "failover", "hedge", "resume", "degrade"]
"""Why a call was made. "": it was the first. retry: the same endpoint again. failover: another one, after a failure.
hedge: another one beside a slow one. resume: to finish a stream that broke off. degrade: a rung of the ladder."""


class Attempt:
    """What is known of one call. Dispatch fills it; the record stage reads it when the exchange closes.

    Times are `time.monotonic()` seconds (uvloop's own clock has steps of 1 ms); 0.0 means "did not happen".
    """

    __slots__ = (
        "abandoned",
        "connected_at",
        "cut_short",
        "endpoint",
        "ended_at",
        "error",
        "fingerprint",
        "finish_reason",
        "first_byte_at",
        "first_content_at",
        "id",
        "kind",
        "number",
        "pots",
        "reached_provider",
        "reported_model",
        "reserved_nanos",
        "seen_completion",
        "sent_at",
        "settled",
        "started_at",
        "status",
        "ticket",
        "upstream_request_id",
        "usage",
        "wire",
    )

    def __init__(
        self,
        id: int,  # noqa: A002
        number: int,
        endpoint: Endpoint,
        wire: str,
        started_at: float,
        kind: AttemptKind = "",
    ) -> None:
        self.id = id
        """Time-ordered, like a request's."""
        self.number = number
        """From 1."""
        self.kind = kind
        self.abandoned = False
        """We gave it up because another attempt was first: nobody's failure, and billed for what it has used."""
        self.cut_short = False
        """A stream that was left, or broke off, before its end."""
        self.endpoint = endpoint
        self.wire = wire
        self.started_at = started_at
        self.connected_at = 0.0
        """0.0 on a reused connection."""
        self.sent_at = 0.0
        self.first_byte_at = 0.0
        self.first_content_at = 0.0
        self.ended_at = 0.0
        self.status = 0
        """The provider's HTTP status; 0 if none came."""
        self.reported_model = ""
        self.fingerprint = ""
        """What the provider says of the system that answers; "" if it says nothing."""
        self.upstream_request_id = ""
        self.finish_reason: StopReason | None = None
        self.usage: Usage | None = None
        """As the provider reported it; None if it did not."""
        self.seen_completion = 0
        """Estimate of answer tokens that came, for when `usage` is None; 0 if there was nothing to estimate."""
        self.error: GatewayError | None = None
        self.ticket = 0
        """Of the place taken at the endpoint, to be given back with it."""
        self.reserved_nanos = 0
        """Nano-dollars that were set aside for it."""
        self.pots: tuple[tuple[str, str, int], ...] = ()
        """Budget, subject and period of each sum it is paid from."""
        self.settled = False
        """Has whoever pays been told what it cost?"""
        self.reached_provider = False
        """May the provider have seen the request, so that it may bill it?"""

    @property
    def complete(self) -> bool:
        """Has it said all, its usage included?"""
        return self.usage is not None and (
            self.finish_reason is not None or not (self.error or self.abandoned or self.cut_short)
        )
