"""How long each phase of a call may take."""

from __future__ import annotations

from headgate.core.section import Duration, Section
from headgate.providers.port import Timeouts

__all__ = ["TimeoutSettings"]


class TimeoutSettings(Section, frozen=True):
    """Deadlines of one call to a provider, by phase. A phase that takes longer ends the attempt with an error of its own."""

    connect: Duration = Duration(5)
    """Name, TCP, TLS, and waiting for a free connection."""
    first_token: Duration = Duration(60)
    """From sending the request to the first content; for whole answers, to the reply's head."""
    between_tokens: Duration = Duration(60)
    """The longest silence inside an answer."""
    total: Duration = Duration(600)
    """The whole attempt."""

    def phases(self, *, stream: bool) -> Timeouts:
        """As the transport counts them. A whole answer's head comes when the model is done, so it has the total time."""
        return Timeouts(
            connect=self.connect,
            headers=self.first_token if stream else self.total,
            first_content=self.first_token,
            between=self.between_tokens,
            total=self.total,
        )
