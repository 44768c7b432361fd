"""One endpoint's health as a whole: what routing and dispatch see of it."""

from __future__ import annotations

import pytest

from headgate.core.section import Duration
from headgate.providers.health.health import Health
from headgate.providers.health.hints import Allowance
from headgate.providers.health.rates import Limits
from headgate.providers.health.settings import HealthSettings

__all__: list[str] = []

NOW = 1000.0
WALL = 1_795_000_000.0


def failing(health: Health, now: float = NOW, times: int = 5) -> Health:
    for _ in range(times):
        ticket = health.begin(now)
        assert ticket
        health.end(now, "failed", ticket=ticket)
    return health


def left(remaining: int, limit: int = 60, full_in: float = 60.0, subject: str = "requests") -> Allowance:
    return Allowance(subject, remaining, limit, full_in, -1.0)


def test_a_healthy_endpoint_takes_calls_and_counts_them() -> None:
    """Nothing holds it up; begin and end keep count."""
    health = Health("one")
    assert health.blocked(NOW) == 0.0
    tickets = [health.begin(NOW) for _ in range(3)]
    assert all(tickets)
    assert health.in_flight == 3
    for ticket in tickets:
        health.end(NOW + 1, "ok", seconds=0.5, ticket=ticket)
    assert health.in_flight == 0
    assert health.expected(NOW + 1) == 0.5
    assert health.why(NOW) == ""


def test_after_failures_it_is_left_alone_and_says_why() -> None:
    """Blocked for the cooldown, with the reason in words."""
    health = failing(Health("one"))
    assert health.blocked(NOW + 0.4) == pytest.approx(0.6)
    assert health.begin(NOW + 0.4) == 0
    assert health.why(NOW) == "left alone after 5 failures in a row"
    assert health.state(NOW) == "open"
    assert health.state(NOW + 1) == "half-open"


def test_who_wants_to_know_is_told_of_every_change() -> None:
    """Opened, opened for longer, closed; not what other nodes said."""
    told: list[str] = []
    health = Health("one", on_change=lambda one: told.append(one.state(NOW)))
    failing(health)
    assert told == ["open"]
    health.end(NOW + 1, "failed", ticket=health.begin(NOW + 1))
    health.end(NOW + 3, "ok", ticket=health.begin(NOW + 3))
    assert told == ["open", "open", "closed"]
    health.told(NOW + 4, NOW + 5, "elsewhere")
    health.told_closed(NOW + 4)
    assert told == ["open", "open", "closed"]


def test_a_long_stream_brings_it_back_with_its_first_content() -> None:
    """Nobody waits for the end of the trial's answer; how that ends counts as any call's end."""
    health = failing(Health("one"))
    trial = health.begin(NOW + 1)
    assert health.half_open
    health.answered(NOW + 1.2, 0.2, ticket=trial)
    assert health.blocked(NOW + 1.2) == 0.0
    assert not health.half_open
    others = [health.begin(NOW + 2) for _ in range(10)]
    assert all(others)
    health.end(NOW + 60, "ok", ticket=trial)
    assert health.in_flight == 10
    assert health.quantile(0.5) == 0.0
    assert health.expected(NOW + 1.2) >= 0.2


def test_an_answered_stream_may_still_fail() -> None:
    """Cut after the first content: a failure of an ordinary call."""
    health = Health("one")
    for _ in range(5):
        ticket = health.begin(NOW)
        health.answered(NOW, 0.2, ticket=ticket)
        health.end(NOW + 1, "failed", ticket=ticket)
    assert health.blocked(NOW + 1) == 1.0


def test_slow_streams_take_it_out_before_they_end() -> None:
    """By the share of those that have begun; calls whose first content is still to come say nothing yet."""
    slow = Health("one", HealthSettings(slow=Duration(2)))
    mixed = Health("two", HealthSettings(slow=Duration(2)))
    for number in range(40):
        if slow.breaker.open_until:
            break
        slow.answered(NOW, 3.0, ticket=slow.begin(NOW))
        mixed.answered(NOW, 3.0 if number % 2 else 0.5, ticket=mixed.begin(NOW))
    assert slow.why(NOW) == "left alone after 20 of 20 calls took 2 s or longer to begin"
    assert mixed.blocked(NOW) == 0.0


def test_rest_is_never_shortened() -> None:
    """The later moment holds, with its reason; after it calls are taken again."""
    health = Health("one")
    health.rest(NOW + 9, "it said: retry after 9 s")
    health.rest(NOW + 2, "it said: retry after 2 s")
    assert health.blocked(NOW) == 9.0
    assert health.why(NOW) == "it said: retry after 9 s"
    assert health.begin(NOW + 5) == 0
    assert health.begin(NOW + 9)
    assert health.why(NOW + 9) == ""


def test_the_longest_of_all_reasons_holds() -> None:
    """A breaker that closes earlier does not end a rest, nor the other way round."""
    health = failing(Health("one"))
    health.rest(NOW + 30, "quota")
    assert health.blocked(NOW) == 30.0
    assert not health.wants_probe(NOW + 5)
    assert health.wants_probe(NOW + 30)


def test_limits_of_the_operator_hold() -> None:
    """No place beyond the concurrency; a place is free when a call ends."""
    health = Health("one", limits=Limits(concurrency=2))
    first, second = health.begin(NOW), health.begin(NOW)
    assert first and second
    assert health.begin(NOW) == 0
    assert health.blocked(NOW) > 0
    assert health.why(NOW) == "2 calls are under way, its limit is 2"
    health.end(NOW, "ignored", ticket=first)
    assert health.blocked(NOW) == 0.0
    assert health.begin(NOW)


def test_a_refused_call_takes_nothing() -> None:
    """A call that finds no place uses up no rate, no trial and no count."""
    health = failing(Health("one", limits=Limits(requests_per_minute=60)), times=5)
    for _ in range(50):
        assert health.begin(NOW + 0.5) == 0
    health.end(NOW + 9, "ok", ticket=health.begin(NOW + 9))
    begun = 0
    while health.begin(NOW + 9):
        begun += 1
    assert begun == 9
    assert health.in_flight == 9


def test_when_the_vendor_s_requests_are_used_up_it_waits_for_the_next() -> None:
    """All 60 come back within 60 s, bit by bit: the first one after a second."""
    health = Health("one")
    health.hint((left(0),), NOW, WALL)
    assert health.blocked(NOW) == pytest.approx(1.0)
    assert health.why(NOW) == "the provider says that its requests are used up"
    assert health.begin(NOW + 1)


@pytest.mark.parametrize(
    ("hint", "seconds"),
    [
        (left(0, limit=0, full_in=7.0), 7.0),
        (left(0, full_in=-1.0), 1.0),
        (left(0, full_in=0.0), 0.0),
        (left(0, subject="tokens", limit=30_000), 6.0),
        (left(0, subject="output tokens", limit=0, full_in=5.0), 5.0),
        (Allowance("requests", 0, 0, -1.0, WALL + 12), 12.0),
    ],
)
def test_how_long_a_vendor_s_limit_is_waited_for(hint: Allowance, seconds: float) -> None:
    """All of it if nobody says how much there is; a second if nobody says when; a tenth of the tokens."""
    health = Health("one")
    health.hint((hint,), NOW, WALL)
    assert health.blocked(NOW) == pytest.approx(seconds)


def test_when_few_requests_are_left_no_more_are_under_way() -> None:
    """Two left: two at a time, until all is refilled or the vendor says that there are more."""
    health = Health("one")
    health.hint((left(2),), NOW, WALL)
    assert health.begin(NOW)
    assert health.begin(NOW)
    assert health.begin(NOW) == 0
    assert health.blocked(NOW) > 0
    assert health.why(NOW) == "the provider says that 2 more requests are left"
    assert health.begin(NOW + 60), "refilled"
    health.hint((left(2),), NOW + 60, WALL)
    assert health.begin(NOW + 60) == 0
    health.hint((left(500),), NOW + 61, WALL)
    assert health.begin(NOW + 61)


def test_plenty_holds_nobody_up() -> None:
    """Many requests and few tokens left are no reason to wait."""
    health = Health("one")
    health.hint((left(500), left(3, subject="tokens")), NOW, WALL)
    assert all(health.begin(NOW) for _ in range(100))


def test_settings_and_limits_may_change_under_way() -> None:
    """What is known stays: calls under way, the breaker, the speed."""
    health = failing(Health("one"))
    health.latency.observe(NOW, 0.7)
    health.configure(HealthSettings(failures=2, slow=Duration(3)), Limits(concurrency=1))
    assert health.blocked(NOW) == 1.0
    assert health.expected(NOW) >= 0.7
    health.end(NOW + 1, "ok", ticket=health.begin(NOW + 1))
    assert health.begin(NOW + 1)
    assert health.begin(NOW + 1) == 0, "one at a time now"
    health.configure(HealthSettings())
    assert health.begin(NOW + 1) == 0, "of limits nothing was said"
    health.configure(limits=Limits())
    assert health.begin(NOW + 1)
    assert health.settings.failures == 5


def test_a_probe_counts_as_a_call_but_not_as_a_measurement() -> None:
    """It frees its place, closes the breaker, and says nothing of the model's speed."""
    health = failing(Health("one"))
    before = health.expected(NOW + 1)
    ticket = health.begin(NOW + 1)
    assert not health.wants_probe(NOW + 1), "somebody is trying"
    health.probed(NOW + 1, "ignored", ticket=ticket)
    assert health.wants_probe(NOW + 1)
    health.probed(NOW + 1, "failed", ticket=health.begin(NOW + 1))
    assert health.blocked(NOW + 1) == 2.0
    health.probed(NOW + 3, "ok", ticket=health.begin(NOW + 3))
    assert health.state(NOW + 3) == "closed"
    assert health.in_flight == 0
    assert health.expected(NOW + 1) == before


def test_the_retry_budget_is_fed_by_calls() -> None:
    """Calls save up retries."""
    health = Health("one")
    while health.may_retry(NOW):
        pass
    for _ in range(30):
        health.end(NOW, "ok", ticket=health.begin(NOW))
    assert health.may_retry(NOW)


@pytest.mark.parametrize("limit", [0, 1])
def test_no_header_of_a_vendor_keeps_an_endpoint_out_for_more_than_an_hour(limit: int) -> None:
    """Nothing else ends such a rest."""
    day = Allowance("requests", 0, limit, 86_400.0, -1.0)
    health = Health()
    health.hint((day,), NOW, WALL)
    assert health.blocked(NOW) == 3600
    health = Health()
    health.hint((Allowance("requests", 1, 0, 86_400.0, -1.0),), NOW, WALL)
    ticket = health.begin(NOW)
    assert health.blocked(NOW + 3599) > 0
    assert health.blocked(NOW + 3601) == 0
    health.end(NOW, "ok", ticket=ticket)


def test_a_provider_with_another_key_begins_without_what_was_said_of_the_old_one() -> None:
    """Its rest, what was left, and that others go first; what was found out about its machines stays."""
    health = Health()
    health.rest(NOW + 500, "the quota is spent")
    health.shun(NOW + 500)
    health.hint((Allowance("requests", 1, 0, 500.0, -1.0),), NOW, WALL)
    health.in_flight = 1
    health.renewed()
    assert health.blocked(NOW) == 0 and not health.ejected(NOW) and not health.why(NOW)
    assert health.begin(NOW)
    failing = Health(settings=HealthSettings(failures=1))
    failing.end(NOW, "failed", ticket=failing.begin(NOW))
    failing.renewed()
    assert failing.blocked(NOW) > 0
