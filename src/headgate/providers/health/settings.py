"""When an endpoint is taken out, for how long, and how often it may be asked again."""

from __future__ import annotations

from typing import Annotated

import msgspec

from headgate.core.section import Duration, Section

__all__ = ["HealthSettings"]

Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]


class HealthSettings(Section, frozen=True):
    """When an endpoint that fails is left alone, and how it comes back. Holds for each endpoint by itself."""

    failures: Count = 5
    """So many failures in a row take it out."""
    window: Duration = Duration(10)
    """The time over which the two rates below are counted."""
    least_calls: Count = 20
    """Calls there must be in the window before a rate says anything."""
    failure_rate: Share = 0.5
    """This share of failures in the window takes it out."""
    slow: Duration = Duration(0)
    """A call is slow if its first content takes this long. 0: none is."""
    slow_rate: Share = 0.8
    """This share of slow calls in the window takes it out."""
    cooldown: Duration = Duration(1)
    """How long it is left alone the first time; each time it fails again, twice as long."""
    cooldown_most: Duration = Duration(60)
    """The longest that it is left alone."""
    half_open_successes: Count = 1
    """After that time one call at a time is let through; so many successes bring it back."""
    probe: bool = True
    """Ask it in the background whether it is back, with the provider's cheapest request (mostly: list the models)."""
    probe_every: Duration = Duration(0)
    """Ask it so often also while it is well. 0: never; calls themselves show how it is."""
    retry_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1
    """The most retries, as a share of first calls. One in two seconds is allowed besides."""
    eject: bool = True
    """Ask it last while it fails or drags far more than the other endpoints of its model (three or more of them)."""
    eject_for: Duration = Duration(30)
    """How long the first time; each time again so much longer, up to ten times."""

    def __post_init__(self) -> None:
        for name in ("window", "cooldown", "cooldown_most", "eject_for"):
            if getattr(self, name) <= 0:
                raise ValueError(f"`{name}` must be more than 0")
        if self.cooldown_most < self.cooldown:
            raise ValueError("`cooldown_most` must not be less than `cooldown`")
