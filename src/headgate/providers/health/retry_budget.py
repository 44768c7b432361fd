"""How many retries an endpoint may be asked for: a share of its calls, so that retries cannot keep it down."""

from __future__ import annotations

__all__ = ["RetryBudget"]

BURST = 10.0
"""So many retries may be saved up."""
QUIET_EVERY = 2.0
"""Seconds; one retry in so long is allowed however few calls there are, so that a quiet service may retry too."""
QUIET_BURST = 3.0


class RetryBudget:
    """Of the retries asked for, at most `share` of the first calls are allowed, and one in two seconds besides."""

    __slots__ = ("_quiet", "_quiet_at", "_saved", "_seen", "calls", "share")

    def __init__(self, share: float) -> None:
        self.share = share
        self.calls = 0
        """All calls, retries too; counted up by whoever makes them."""
        self._seen = 0
        self._saved = 0.0
        self._quiet = QUIET_BURST
        self._quiet_at = 0.0

    def take(self, now: float) -> bool:
        """Take one retry. False: none is left."""
        self._saved = min(self._saved + (self.calls - self._seen) * self.share, BURST)
        self._seen = self.calls
        # The retry will count as a call and save up `share` of a retry: that is taken back beforehand.
        if self._saved >= 1.0 + self.share:
            self._saved -= 1.0 + self.share
            return True
        self._quiet = min(self._quiet + max(now - self._quiet_at, 0.0) / QUIET_EVERY, QUIET_BURST)
        self._quiet_at = now
        if self._quiet >= 1.0:
            self._quiet -= 1.0
            self._saved -= self.share
            return True
        return False
