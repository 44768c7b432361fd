"""The circuit breaker of one endpoint: out after failures, back by itself.

closed      every call is let through.
open        none is, until the cooldown is over.
half-open   the cooldown is over: one trial call at a time. Its success closes, its failure opens for longer.

Every call carries a ticket. A call that was let through before the breaker opened ends with an old one and changes
nothing any more: a hundred calls that time out together are one outage, not a hundred.
"""

from __future__ import annotations

from headgate.providers.health.settings import HealthSettings
from headgate.providers.health.window import Window

__all__ = ["Breaker"]

TRIAL_SECONDS = 60.0
"""A trial call that takes longer loses its place to the next one: one silent call must not keep an endpoint out."""
RECHECK_SECONDS = 0.1
"""What is said to those who wait while a trial call is under way: nobody knows when it ends."""
CALM = 2.0
"""An outage so many cooldowns after the last one (at least one window) is a new one, and begins with the first cooldown."""


class Breaker:
    """Pure: moments are given."""

    __slots__ = (
        "_closed_at",
        "_cooldown",
        "_settings",
        "_slow",
        "_streak",
        "_successes",
        "_trial",
        "_trial_until",
        "open_until",
        "ticket",
        "why",
        "window",
    )

    def __init__(self, settings: HealthSettings) -> None:
        self.open_until = 0.0
        """End of the cooldown; 0.0: closed."""
        self.ticket = 1
        """What a call gets that is let through while closed; never 0."""
        self.why = ""
        """Why it opened, in words."""
        self._cooldown = 0.0
        self._closed_at = 0.0
        self._streak = 0
        self._successes = 0
        self._trial = 0
        self._trial_until = 0.0
        self.configure(settings)

    def configure(self, settings: HealthSettings) -> None:
        """Go by other settings from now on; what is open stays open."""
        self._settings = settings
        self._slow = float(settings.slow)
        self.window = Window(settings.window)

    def blocked(self, now: float) -> float:
        """Seconds until a call may be let through; 0.0: now."""
        if not self.open_until:
            return 0.0
        if now < self.open_until:
            return self.open_until - now
        return RECHECK_SECONDS if self._trial and now < self._trial_until else 0.0

    def admit(self, now: float) -> int:
        """A ticket for a call, 0 if none is let through. Each ticket comes back once, with how the call went."""
        if not self.open_until:
            return self.ticket
        if now < self.open_until or (self._trial and now < self._trial_until):
            return 0
        self.ticket += 1
        self._trial = self.ticket
        self._trial_until = now + TRIAL_SECONDS
        return self.ticket

    def trying(self, ticket: int) -> bool:
        """Is this the trial call?"""
        return bool(self._trial) and ticket in (0, self._trial)

    def succeeded(self, now: float, seconds: float, ticket: int, *, by_probe: bool = False) -> bool:
        """A call went well. True: the breaker has closed or opened by it.

        seconds: to the first content; 0.0: not known. ticket: 0 stands for the newest."""
        if self.open_until:
            if not self.trying(ticket):
                return False
            if self._slow and seconds >= self._slow:
                return self._reopen(now, f"the trial call took {seconds:.1f} s to begin")
            return self._tried_well(now, by_probe=by_probe)
        if ticket and ticket != self.ticket:
            return False
        window = self.window
        if now >= window.turns_at:
            window.turn(now)
        window.all_calls += 1
        # A probe shows that somebody listens there, not that the model answers: calls alone clear its name.
        if not by_probe:
            self._streak = 0
        return bool(self._slow) and seconds > 0.0 and self.timed(now, seconds, ticket)

    def timed(self, now: float, seconds: float, ticket: int) -> bool:
        """A call took so long to its first content; how it ends is told later. True: the breaker has opened by it."""
        if not self._slow or self.open_until or (ticket and ticket != self.ticket):
            return False
        window = self.window
        window.turn(now)
        window.all_timed += 1
        if seconds < self._slow:
            return False
        window.all_slow += 1
        return self._judge(now)

    def failed(self, now: float, ticket: int) -> bool:
        """A call went wrong, by the endpoint's fault. True: the breaker has opened by it, or for longer."""
        if self.open_until:
            return self.trying(ticket) and self._reopen(now, "the trial call failed")
        if ticket and ticket != self.ticket:
            return False
        window = self.window
        if now >= window.turns_at:
            window.turn(now)
        window.all_calls += 1
        window.all_failures += 1
        self._streak += 1
        if self._streak >= self._settings.failures:
            self._open(now, f"{self._streak} failures in a row" if self._streak > 1 else "a failure")
            return True
        return self._judge(now)

    def ignored(self, ticket: int) -> None:
        """A call ended for reasons of the caller's or our own: it says nothing, and frees its place."""
        if self.trying(ticket):
            self._trial = 0

    def told(self, now: float, until: float, why: str) -> None:
        """Another node has found it failing. What is open here longer stays open longer."""
        until = min(until, now + self._settings.cooldown_most)
        if until <= now:
            return
        if not self.open_until:
            self._begin_outage(now)
            self.open_until, self.why = until, why
        elif until > self.open_until:
            self.open_until, self.why = until, why
        self._cooldown = max(self._cooldown, until - now)

    def told_closed(self, now: float) -> bool:
        """Another node has found it well. True: it was open here."""
        if not self.open_until:
            return False
        self._close(now)
        return True

    def _judge(self, now: float) -> bool:
        settings = self._settings
        calls, failures, timed, slow = self.window.counts(now)
        if calls >= settings.least_calls and failures >= settings.failure_rate * calls:
            self._open(now, f"{failures} of {calls} calls failed")
        elif timed >= settings.least_calls and slow >= settings.slow_rate * timed:
            self._open(now, f"{slow} of {timed} calls took {self._slow:g} s or longer to begin")
        else:
            return False
        return True

    def _open(self, now: float, why: str) -> None:
        self._begin_outage(now)
        self._cool_down(now)
        self.why = why

    def _begin_outage(self, now: float) -> None:
        if now - self._closed_at > max(CALM * self._cooldown, self._settings.window):
            self._cooldown = 0.0
        self.ticket += 1
        self._trial = self._successes = self._streak = 0

    def _reopen(self, now: float, why: str) -> bool:
        before = self.open_until
        self._trial = self._successes = 0
        self._cool_down(now)
        self.why = why
        return self.open_until > before  # not if another node has found as much meanwhile

    def _cool_down(self, now: float) -> None:
        settings = self._settings
        longer = 2 * self._cooldown if self._cooldown else settings.cooldown
        self._cooldown = min(longer, settings.cooldown_most)
        self.open_until = max(self.open_until, now + self._cooldown)

    def _tried_well(self, now: float, *, by_probe: bool) -> bool:
        self._trial = 0
        self._successes += 1
        if self._successes < self._settings.half_open_successes:
            return False
        self._close(now)
        # As above: the first call that fails after a probe was answered takes it out again.
        self._streak = self._settings.failures - 1 if by_probe else 0
        return True

    def _close(self, now: float) -> None:
        self.open_until = 0.0
        self.why = ""
        self._closed_at = now
        self._trial = self._successes = self._streak = 0
        self.window.clear(now)
