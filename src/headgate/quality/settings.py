"""Feedback: what an installation says of it."""

from __future__ import annotations

import re

import msgspec

from headgate.core.section import Duration, Section

__all__ = ["FeedbackSettings"]

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?|https?://\[[0-9a-fA-F:]+\](:[0-9]{1,5})?")
_LONGEST = 90 * 86_400.0


class FeedbackSettings(Section, frozen=True):
    """What users of your product may say of answers, from the browser. What applications say over `/api/feedback` needs none of this."""

    tokens: bool = False
    """Send a token with each answer, as the header `x-headgate-feedback`: whoever has it may judge this one answer at
    `POST /feedback`, without a key."""
    valid: Duration = Duration(7 * 86_400.0)
    """How long such a token is good; 90 days at most."""
    origins: list[str] = msgspec.field(default_factory=list)
    """Web pages that may send it: `["https://shop.example.com"]`. Others' scripts are refused by the browser."""
    per_second: float = 20.0
    """How many messages `/feedback` takes from all together, on average; more are told to come later (429)."""

    def __post_init__(self) -> None:
        if not 60 <= float(self.valid) <= _LONGEST:
            raise ValueError("`valid` must be between 1m and 90d")
        if not 0 < self.per_second <= 10_000:
            raise ValueError("`per_second` must be between 0 and 10,000")
        for origin in self.origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f'"{origin[:100]}" is no origin: scheme, host and port, such as "https://shop.example.com"'
                )

    @property
    def is_open(self) -> bool:
        """Is `/feedback` served?"""
        return self.tokens or bool(self.origins)
