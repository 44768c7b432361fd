"""What is known of one endpoint now: told by dispatch and the prober, asked by routing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from headgate.providers.health.breaker import Breaker
from headgate.providers.health.hints import Allowance, RateHints
from headgate.providers.health.latency import Latency
from headgate.providers.health.rates import FULL_SECONDS, NO_LIMITS, Limits, Rates
from headgate.providers.health.retry_budget import RetryBudget
from headgate.providers.health.settings import HealthSettings

__all__ = ["Health", "Verdict"]

Verdict = Literal["ok", "failed", "ignored"]
"""How a call went, as far as the endpoint is to blame. ignored: it ended for reasons of the caller's or our own."""

LOW = 16
"""When a vendor says that fewer requests are left, no more than these are under way at a time."""
UNTOLD_SECONDS = 1.0
"""How long a vendor's word holds that does not say until when."""
TOKENS_SHARE = 0.1
"""After a vendor's tokens are used up we wait until this share of them is refilled: a request needs more than one."""
MOST_SECONDS = 3600.0
"""A vendor may say nonsense, and nothing else ends a rest: nobody waits longer than an hour for what its headers say."""

_DEFAULTS = HealthSettings()


class Health:
    """One per endpoint, kept over configuration changes. Pure: moments are `time.monotonic()` seconds, and given."""

    __slots__ = (
        "_resting_until",
        "_resting_why",
        "_spare",
        "_spare_until",
        "breaker",
        "calm",
        "budget",
        "ejected_until",
        "ejections",
        "in_flight",
        "latency",
        "name",
        "on_change",
        "rates",
        "settings",
    )

    def __init__(
        self,
        name: str = "",
        settings: HealthSettings = _DEFAULTS,
        limits: Limits = NO_LIMITS,
        *,
        on_change: Callable[[Health], None] | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.in_flight = 0
        self.on_change = on_change
        """Called when the breaker opens or closes by what happened here; not for what other nodes told."""
        self.breaker = Breaker(settings)
        self.latency = Latency()
        self.budget = RetryBudget(settings.retry_share)
        self.rates: Rates | None = Rates(limits) if limits else None
        self.ejected_until = 0.0
        self.ejections = 0
        """How often in a row; see `ejection`."""
        self._resting_until = 0.0
        self._resting_why = ""
        self._spare = 0
        self._spare_until = 0.0
        self.calm = not limits
        """Breaker closed, nothing to wait for, no limits: what an endpoint nearly always is, told by one look."""

    def configure(self, settings: HealthSettings | None = None, limits: Limits | None = None) -> None:
        """Go by these from now on; None: as before. What is known, and what is open, stays."""
        if settings is not None and settings != self.settings:
            self.settings = settings
            self.breaker.configure(settings)
            self.budget.share = settings.retry_share
        if limits is not None and limits != (self.rates.limits if self.rates is not None else NO_LIMITS):
            self.rates = Rates(limits) if limits else None
            self.calm = False

    # Asked by routing and dispatch

    def blocked(self, now: float) -> float:
        """Seconds until a call may be tried; 0.0: now."""
        if self.calm:
            return 0.0
        wait = self.breaker.blocked(now) if self.breaker.open_until else 0.0
        wait = max(wait, self._resting_until - now)
        if now < self._spare_until and self.in_flight >= self._spare and wait < FULL_SECONDS:
            wait = FULL_SECONDS
        if self.rates is None:
            if not wait:
                self._look_around(now)
            return wait
        return max(wait, self.rates.wait(now, self.in_flight))

    def why(self, now: float) -> str:
        """In words why it is blocked; "" if it is not."""
        if not self.blocked(now):
            return ""
        if self.breaker.open_until:
            return f"left alone after {self.breaker.why}"
        if self._resting_until > now:
            return self._resting_why
        limited = self.rates.why(now, self.in_flight) if self.rates is not None else ""
        return limited or f"the provider says that {self._spare} more requests are left"

    def expected(self, now: float) -> float:
        """Seconds to the first content, as it has been lately (peak-sensitive); 0.0: never measured."""
        return self.latency.expected(now)

    def quantile(self, share: float) -> float:
        """Seconds to the first content that `share` of recent calls stayed below; 0.0: too few calls to say."""
        return self.latency.quantile(share)

    def pressure(self, now: float) -> float:
        """What one more call would have to expect: lower is better. Compare it with that of other endpoints only."""
        return self.latency.pressure(now, self.in_flight)

    def ejected(self, now: float) -> bool:
        """Does it fail or drag far more than its peers? Then it is asked after them."""
        return self.ejected_until > now

    def may_retry(self, now: float) -> bool:
        """Take one retry from the endpoint's budget; False: it is spent."""
        return self.budget.take(now)

    @property
    def half_open(self) -> bool:
        """Is a trial call under way, that decides whether the breaker closes?"""
        return bool(self.breaker.open_until) and self.breaker.trying(0)

    def state(self, now: float) -> Literal["closed", "open", "half-open"]:
        """Of the breaker, for people."""
        until = self.breaker.open_until
        if not until:
            return "closed"
        return "open" if now < until else "half-open"

    # Told of calls

    def begin(self, now: float, *, tokens: int = 0) -> int:
        """Take a place for a call of about so many tokens: its ticket. 0: it has none now.

        Each ticket comes back with one `end`."""
        breaker = self.breaker
        if self.calm:
            self.in_flight += 1
            self.budget.calls += 1
            return breaker.ticket
        if self._resting_until > now or (now < self._spare_until and self.in_flight >= self._spare):
            return 0
        if self.rates is not None and self.rates.wait(now, self.in_flight, tokens):
            return 0
        ticket = breaker.admit(now)
        if not ticket:
            return 0
        self.in_flight += 1
        self.budget.calls += 1
        if self.rates is not None:
            self.rates.take(now, tokens)
        else:
            self._look_around(now)
        return ticket

    def answered(self, now: float, seconds: float, *, ticket: int = 0) -> None:
        """The first content of a stream has come, after so long. If it was a trial, that was its success.

        May be left out; then `end` is told the seconds. ticket: what `begin` gave; 0 stands for the newest."""
        self.latency.observe(now, seconds)
        breaker = self.breaker
        if breaker.open_until:
            if breaker.succeeded(now, seconds, ticket):
                self._changed()
        elif breaker.timed(now, seconds, ticket):
            self._changed()

    def end(self, now: float, verdict: Verdict, *, seconds: float = 0.0, ticket: int = 0) -> None:
        """The call is over. seconds: from sending to the first content (whole answers: to the answer); 0.0: none came, or
        `answered` was told. ticket: what `begin` gave; 0 stands for the newest."""
        if self.in_flight > 0:
            self.in_flight -= 1
        if verdict == "ok":
            if seconds > 0.0:
                self.latency.observe(now, seconds)
            if self.breaker.succeeded(now, seconds, ticket):
                self._changed()
        elif verdict == "failed":
            self.latency.failed(now)
            if self.breaker.failed(now, ticket):
                self._changed()
        else:
            self.breaker.ignored(ticket)

    def rest(self, until: float, why: str) -> None:
        """Ask nothing of it until then; a later moment already known stays."""
        if until > self._resting_until:
            self._resting_until, self._resting_why = until, why
            self.calm = False

    def shun(self, until: float) -> None:
        """Ask it after its peers until then, for a reason that says nothing about its speed, such as an empty account."""
        self.ejected_until = max(self.ejected_until, until)

    def renewed(self) -> None:
        """The provider was configured anew, maybe with another key or account: what it said of the old one is void.

        What was found out about the machines behind it (the breaker, speed) stays."""
        self._resting_until = self._spare_until = 0.0
        self._resting_why, self._spare = "", 0
        self.ejected_until, self.ejections = 0.0, 0

    def hint(self, hints: RateHints, now: float, wall_now: float) -> None:
        """A vendor said how much more may be asked. wall_now: seconds since 1970, for vendors that say dates."""
        for allowance in hints:
            if allowance.remaining == 0:
                pause = _pause(allowance, allowance.seconds_to_full(wall_now))
                if pause:
                    self.rest(now + pause, f"the provider says that its {allowance.subject} are used up")
            elif allowance.subject == "requests":
                if allowance.remaining > max(LOW, self.in_flight):
                    self._spare_until = 0.0
                    continue
                full_in = allowance.seconds_to_full(wall_now)
                self._spare = allowance.remaining
                self._spare_until = now + (min(full_in, MOST_SECONDS) if full_in >= 0 else UNTOLD_SECONDS)
                self.calm = False

    # Told by the prober and by other nodes

    def wants_probe(self, now: float) -> bool:
        """Is its cooldown over, and nobody trying it?"""
        return bool(self.breaker.open_until) and not self.breaker.blocked(now) and self._resting_until <= now

    def probed(self, now: float, verdict: Verdict, *, ticket: int) -> None:
        """A background probe, begun with `begin`, is over. It shows that somebody is there, not how fast the model is."""
        if self.in_flight > 0:
            self.in_flight -= 1
        breaker = self.breaker
        if verdict == "ignored":
            breaker.ignored(ticket)
        elif (
            breaker.succeeded(now, 0.0, ticket, by_probe=True)
            if verdict == "ok"
            else breaker.failed(now, ticket)
        ):
            self._changed()

    def told(self, now: float, open_until: float, why: str) -> None:
        """Another node found it failing, and leaves it alone until then."""
        self.breaker.told(now, open_until, why)
        self.calm = False

    def told_closed(self, now: float) -> bool:
        """Another node found it well again. True: that was news."""
        return self.breaker.told_closed(now)

    def eject(self, until: float) -> None:
        """Ask it after its peers until then. What was measured of its speed is to be measured anew."""
        self.ejected_until = until
        self.ejections += 1
        self.latency.forget()

    def _changed(self) -> None:
        self.calm = False
        if self.on_change is not None:
            self.on_change(self)

    def _look_around(self, now: float) -> None:
        self.calm = (
            self.rates is None
            and not self.breaker.open_until
            and self._resting_until <= now
            and self._spare_until <= now
        )


def _pause(allowance: Allowance, full_in: float) -> float:
    """How long to wait for the first of what is used up. It comes back bit by bit, and the vendor says when all is back."""
    if full_in < 0:
        return UNTOLD_SECONDS
    if not allowance.limit:
        return min(full_in, MOST_SECONDS)
    return min(
        full_in / allowance.limit if allowance.subject == "requests" else full_in * TOKENS_SHARE, MOST_SECONDS
    )
