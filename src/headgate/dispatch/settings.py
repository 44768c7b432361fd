"""How calls to providers are made: how long each phase may take, what is tried again, when a second call helps."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from headgate.core.section import Duration, Section
from headgate.providers.port import Timeouts

__all__ = ["HedgeSettings", "RetrySettings", "TimeoutSettings"]


class TimeoutSettings(Section, frozen=True):
    """Deadlines, by phase. A phase that takes longer ends the attempt with an error of its own; another endpoint may then
    be tried, as long as the request has time left."""

    connect: Duration = Duration(5)
    """Name, TCP, TLS, and waiting for a free connection."""
    first_token: Duration = Duration(60)
    """From sending the request to the first content of a stream."""
    between_tokens: Duration = Duration(60)
    """The longest silence inside an answer."""
    total: Duration = Duration(600)
    """The whole request: all attempts and the waiting between them."""
    attempt: Duration = Duration(0)
    """One attempt that is answered whole. 0: half of the time that is left as long as there is another endpoint to ask,
    all of it at the last one."""
    least_rate: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """Tokens per second (of four characters) that a stream must keep up after its first content, over any 10 seconds;
    0: any rate will do."""

    def phases(self, *, stream: bool) -> Timeouts:
        """As the transport counts them. A whole answer's head comes when the model is done, so it has the total time."""
        return Timeouts(
            connect=self.connect,
            headers=self.first_token if stream else self.total,
            first_content=self.first_token,
            between=self.between_tokens,
            total=self.total,
        )


class RetrySettings(Section, frozen=True):
    """What is tried again, and after which wait. Only what can heal is: 408, 409, 429, 5xx, 529, broken connections; never
    the caller's mistakes, and never an endpoint that was silent."""

    attempts: Annotated[int, msgspec.Meta(ge=1, le=10)] = 3
    """The most calls to one endpoint for one request."""
    base: Duration = Duration(1)
    """The wait before an endpoint is called again is drawn between 0 and this, then twice this, then four times this."""
    most: Duration = Duration(8)
    """The most that such a wait may be. A provider's own `Retry-After` goes before."""
    patience: Duration | None = None
    """The longest wait for an endpoint to be available again, be it a `Retry-After` or its rest after failures. If it
    takes longer, the request is not kept waiting for it. Left out: 30 s; 2 s for a feature with a degrade ladder."""
    first: Literal["next", "same"] = "next"
    """next: another endpoint at once, if there is one, and only then the same one again, after a wait. same: the same
    endpoint again, after a wait, and only then the next."""


class HedgeSettings(Section, frozen=True):
    """A second call to another endpoint when the first one is slow; whoever answers first serves, the other is cancelled.
    Both are billed."""

    after: str = "p95"
    """How long the first call may take: a duration such as `"800ms"`, or `"p50"` to `"p99"`: the time that so many of the
    endpoint's own recent calls stayed below."""
    share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.05
    """The most hedged requests, as a share of all requests of the feature."""

    def __post_init__(self) -> None:
        if self.quantile is None:
            Duration.parse(self.after)

    @property
    def quantile(self) -> float | None:
        """0.95 for `p95`; None if `after` is a duration."""
        digits = self.after.removeprefix("p")
        if self.after.startswith("p") and digits.isascii() and digits.isdigit() and 50 <= int(digits) <= 99:
            return int(digits) / 100
        return None

    @property
    def seconds(self) -> float:
        """`after` as a duration; 0.0 if it is a quantile."""
        return 0.0 if self.quantile is not None else float(Duration.parse(self.after))
