"""The breaker under any order of events."""

from __future__ import annotations

from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from headgate.providers.health.breaker import TRIAL_SECONDS
from headgate.providers.health.health import Health, Verdict
from headgate.providers.health.settings import HealthSettings

__all__: list[str] = []

SECONDS = strategies.sampled_from([0.0, 0.01, 0.4, 1.0, 2.5, 10.0, 45.0, 61.0])


class Calls(RuleBasedStateMachine):
    """Calls begin and end in any order, time passes, other nodes tell things."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 5000.0
        self.said = 0
        self.health = Health("one", HealthSettings(failures=3, least_calls=6), on_change=self._hear)
        self.under_way: list[tuple[int, float]] = []
        self.trials: list[tuple[int, float]] = []
        self.longest = 0.0

    def _hear(self, _: Health) -> None:
        self.said += 1

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def a_call_begins(self) -> None:
        was = self.health.state(self.now)
        ticket = self.health.begin(self.now)
        assert was != "open" or not ticket
        assert was != "closed" or ticket
        if ticket:
            self.under_way.append((ticket, self.now))
            if was == "half-open":
                living = [one for one in self.trials if self.now - one[1] < TRIAL_SECONDS]
                assert not living, "a second trial beside the first"
                self.trials.append((ticket, self.now))

    @precondition(lambda self: self.under_way)
    @rule(which=strategies.integers(0, 50), verdict=strategies.sampled_from(["ok", "failed", "ignored"]))
    def a_call_ends(self, which: int, verdict: Verdict) -> None:
        call = self.under_way.pop(which % len(self.under_way))
        if call in self.trials:
            self.trials.remove(call)
        before, said = self.health.breaker.open_until, self.said
        self.health.end(self.now, verdict, seconds=0.2 if verdict == "ok" else 0.0, ticket=call[0])
        after = self.health.breaker.open_until
        assert (before != after) == (self.said > said), "every change is told, and nothing else"
        if before and after:
            assert after >= before, "a cooldown was shortened"
        if not after:
            self.trials.clear()

    @rule(seconds=SECONDS)
    def another_node_opens_it(self, seconds: float) -> None:
        before, said = self.health.breaker.open_until, self.said
        self.health.told(self.now, self.now + seconds, "elsewhere")
        assert self.health.breaker.open_until >= before
        assert self.said == said, "what was told is not told on"

    @rule()
    def another_node_closes_it(self) -> None:
        said = self.said
        self.health.told_closed(self.now)
        assert self.health.state(self.now) == "closed"
        assert self.said == said
        self.trials.clear()

    @invariant()
    def in_flight_is_what_is_under_way(self) -> None:
        assert self.health.in_flight == len(self.under_way)

    @invariant()
    def it_is_never_out_for_good(self) -> None:
        """After the cooldown, and a silent trial's time, there is a place."""
        assert self.health.blocked(self.now) <= 60.0
        assert self.health.blocked(self.now + 60.0 + TRIAL_SECONDS) == 0.0


TestCalls = Calls.TestCase
TestCalls.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
