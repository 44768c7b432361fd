"""Where a request goes after a failure, and after which wait. Pure: errors, moments and chance are given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import (
    ContentFiltered,
    ContextTooLong,
    FirstContentTimeout,
    GatewayError,
    NothingAvailable,
    ProviderAuthFailed,
    ProviderFailed,
    ProviderOverloaded,
    ProviderQuotaSpent,
    ProviderRateLimited,
    ProviderRejected,
    UnsupportedRequest,
    UpstreamReset,
)
from headgate.core.section import Duration
from headgate.dispatch.course import MAX_ATTEMPTS, Course, Step
from headgate.dispatch.manner import Manner, OnContentFilter
from headgate.dispatch.settings import RetrySettings
from headgate.providers.health.health import Health
from headgate.providers.health.settings import HealthSettings
from headgate.providers.port import Endpoint

__all__: list[str] = []

FAILED = ProviderFailed("it broke")
GENEROUS = HealthSettings(failures=1_000_000, least_calls=1_000_000, retry_share=1.0)


def place(name: str, *, context: int = 0, model: str = "", settings: HealthSettings = GENEROUS) -> Endpoint:
    unused: Any = None
    return Endpoint(name, model or name, unused, unused, context=context, health=Health(name, settings))


def course(
    *endpoints: Endpoint,
    draw: float = 1.0,
    deadline: float = 1000.0,
    on_content_filter: OnContentFilter = "refuse",
    **retry: Any,
) -> Course:
    manner = Manner(retry=RetrySettings(**retry), on_content_filter=on_content_filter)
    return Course(endpoints, manner, deadline=deadline, draw=lambda: draw)


def went(way: Course, first: Endpoint, *errors: GatewayError, now: float = 0.0) -> list[tuple[str, str]]:
    """What is done when each attempt fails so in turn: (provider, kind)."""
    at, steps = first, []
    for error in errors:
        way.failed(at, error, now)
        step = way.next(now)
        if step is None:
            steps.append(("", ""))
            break
        now += step.seconds
        at = step.endpoint
        # As dispatch does: each call takes a place, and earns its endpoint a share of a retry.
        at.health.begin(now)
        at.health.end(now, "ignored")
        steps.append((at.provider, step.kind))
    return steps


def one_step(way: Course, now: float = 0.0) -> Step:
    step = way.next(now)
    assert step is not None
    return step


# In which order


def test_the_next_one_is_asked_at_once_and_only_then_the_first_again() -> None:
    """Two healthy places are better than one that has just failed."""
    a, b, c = place("a"), place("b"), place("c")
    way = course(a, b, c, attempts=2)
    way.failed(a, FAILED, 0.0)
    step = one_step(way)
    assert (step.endpoint, step.kind, step.seconds, step.alone) == (b, "failover", 0.0, False)
    way.failed(b, FAILED, 0.0)
    step = one_step(way)
    assert (step.endpoint, step.seconds, step.alone) == (c, 0.0, True)
    way.failed(c, FAILED, 0.0)
    step = one_step(way)
    assert (step.endpoint, step.kind) == (a, "retry") and step.seconds == 1.0


def test_each_is_asked_as_often_as_allowed_and_no_oftener() -> None:
    """`retry.attempts` counts the calls to one endpoint."""
    a, b = place("a"), place("b")
    assert went(course(a, b, attempts=3), a, *[FAILED] * 6) == [
        ("b", "failover"),
        ("a", "retry"),
        ("b", "retry"),
        ("a", "retry"),
        ("b", "retry"),
        ("", ""),
    ]


def test_the_same_one_goes_first_where_that_is_asked_for() -> None:
    """`retry.first = "same"`, each with its waits."""
    a, b = place("a"), place("b")
    assert went(course(a, b, attempts=2, first="same"), a, *[FAILED] * 4) == [
        ("a", "retry"),
        ("b", "failover"),
        ("b", "retry"),
        ("", ""),
    ]


def test_a_place_that_is_named_twice_is_one_place() -> None:
    """A model in the route and again as its own fallback gives nobody more tries."""
    a = place("a")
    assert went(course(a, replace(a), attempts=2), a, FAILED, FAILED) == [("a", "retry"), ("", "")]


def test_the_log_of_attempts_is_bounded() -> None:
    """Whatever the settings say."""
    places = [place(str(number)) for number in range(10)]
    steps = went(course(*places, attempts=10, deadline=1e6), places[0], *[FAILED] * 200)
    assert len(steps) == MAX_ATTEMPTS and steps[-1] == ("", "")


# What kind of error


def test_who_was_silent_or_has_no_credit_is_not_asked_again() -> None:
    """Another one is."""
    for error in (FirstContentTimeout(detail="x"), ProviderAuthFailed("x")):
        a, b = place("a"), place("b")
        assert went(course(a, b), a, error, error) == [("b", "failover"), ("", "")]


@pytest.mark.parametrize("error", [ProviderRejected("x"), ContentFiltered("x")], ids=lambda error: error.code)
def test_the_callers_mistake_ends_it(error: GatewayError) -> None:
    """No other endpoint is asked, now or later."""
    a, b = place("a"), place("b")
    way = course(a, b)
    way.failed(a, error, 0.0)
    assert way.next(0.0) is None and way.error is error


def test_a_content_filter_goes_on_where_the_operator_says_so() -> None:
    """To another endpoint, never to the same one."""
    a, b = place("a"), place("b")
    way = course(a, b, on_content_filter="failover")
    assert went(way, a, ContentFiltered("x"), ContentFiltered("x")) == [("b", "failover"), ("", "")]


def test_too_long_goes_to_longer_contexts_only() -> None:
    """Those that are known to hold more, and other models of which nothing is known; not the same model elsewhere."""
    first = place("first", context=8000, model="m")
    shorter, longer = place("shorter", context=4000), place("longer", context=32_000)
    same, unknown = place("same", model="m"), place("unknown")
    way = course(first, shorter, same, longer, unknown)
    error = ContextTooLong("x")
    assert went(way, first, error, error) == [("longer", "failover"), ("unknown", "failover")]
    way = course(first, shorter, same)
    way.failed(first, error, 0.0)
    assert way.next(0.0) is None and way.error is error


def test_a_longer_context_that_is_too_short_as_well_asks_for_a_still_longer_one() -> None:
    """Never back to what was already ruled out."""
    small, middle, large = (place(str(size), context=size) for size in (1000, 2000, 3000))
    error = ContextTooLong("x")
    assert went(course(middle, small, large), middle, error, error) == [("3000", "failover"), ("", "")]


# What is told at the end


def test_the_last_failure_is_told() -> None:
    """Of two places that failed."""
    a, b = place("a"), place("b")
    way, last = course(a, b, attempts=1), ProviderOverloaded("busy")
    way.failed(a, FAILED, 0.0)
    way.failed(b, last, 0.0)
    assert way.next(0.0) is None and way.error is last


def test_what_is_wrong_with_the_request_is_told_whatever_came_later() -> None:
    """A prompt that is too long stays so when the larger model is down."""
    a, b = place("a"), place("b")
    way, first = course(a, b, attempts=1), ContextTooLong("x")
    way.failed(a, first, 0.0)
    way.failed(b, ProviderOverloaded("busy"), 0.0)
    assert way.error is first


def test_that_one_cannot_do_it_says_less_than_that_another_failed() -> None:
    """In whichever order."""
    a, b = place("a"), place("b")
    way = course(a, b, attempts=1)
    way.failed(a, FAILED, 0.0)
    way.failed(b, UnsupportedRequest("x"), 0.0)
    assert way.error is FAILED
    way = course(a, b, attempts=1)
    way.failed(a, UnsupportedRequest("x"), 0.0)
    way.failed(b, FAILED, 0.0)
    assert way.error is FAILED


def test_when_all_are_resting_longer_than_patience_it_says_until_when() -> None:
    """Nobody was asked; the earliest recovery is told, and why each of them rests. By a vendor's word it is a rate limit."""
    a, b = place("a"), place("b")
    a.health.rest(100.0, "said so")
    b.health.rest(50.0, "said so too")
    way = course(a, b)
    way.refused(a, 0.0)
    assert way.next(0.0) is None
    assert isinstance(way.error, ProviderRateLimited) and way.error.retry_after == 50
    assert "a/a: said so" in way.error.detail and "b/b: said so too" in way.error.detail


def test_endpoints_that_are_out_after_failures_are_no_rate_limit() -> None:
    """One of them is enough: the caller's pace is not to blame then."""
    a, b = place("a"), place("b")
    a.health.rest(100.0, "said so")
    b.health.told(0.0, 50.0, "5 failures in a row")
    way = course(a, b)
    way.refused(a, 0.0)
    assert way.next(0.0) is None
    assert isinstance(way.error, NothingAvailable) and way.error.retry_after == 50


# Waits


def test_a_resting_place_is_waited_for_within_patience() -> None:
    """If there is nobody else: the earliest one."""
    a, b = place("a"), place("b")
    a.health.rest(20.0, "x")
    b.health.rest(10.0, "x")
    way = course(a, b)
    way.refused(a, 0.0)
    step = one_step(way)
    assert (step.endpoint, step.seconds, step.kind) == (b, 10.0, "")


def test_a_place_that_is_free_goes_before_one_that_rests() -> None:
    """Without a wait."""
    a, b, c = place("a"), place("b"), place("c")
    b.health.rest(1.0, "x")
    way = course(a, b, c)
    way.failed(a, FAILED, 0.0)
    assert (one_step(way).endpoint, one_step(way).seconds) == (c, 0.0)


def test_retry_after_is_honoured_within_patience() -> None:
    """And longer than the drawn wait; a shorter one does not shorten it."""
    a = place("a")
    way = course(a)
    way.failed(a, ProviderRateLimited("x", retry_after=7.0), 0.0)
    assert one_step(way).seconds == 7.0
    way = course(a, base=Duration(4))
    way.failed(a, ProviderRateLimited("x", retry_after=1.0), 0.0)
    assert one_step(way).seconds == 4.0


def test_retry_after_over_patience_is_told_instead_of_waited_for() -> None:
    """With the time it named, so that the caller can wait itself."""
    a, error = place("a"), ProviderRateLimited("x", retry_after=31.0)
    way = course(a)
    way.failed(a, error, 0.0)
    assert way.next(0.0) is None and way.error is error and error.retry_after == 31.0


def test_nothing_is_waited_for_beyond_the_deadline() -> None:
    """A call that would begin when the request must be over is none."""
    a = place("a")
    way = course(a, deadline=0.9)
    way.failed(a, FAILED, 0.0)
    assert way.next(0.0) is None and way.error is FAILED


def test_a_place_that_had_none_after_all_is_not_asked_in_a_circle() -> None:
    """Another one first; then it, after a moment: no loop without a wait."""
    a, b = place("a"), place("b")
    way = course(a, b)
    way.refused(a, 0.0)
    assert one_step(way).endpoint is b
    way.refused(b, 0.0)
    step = one_step(way)
    assert step.seconds > 0
    assert way.error is None


@given(
    draw=st.floats(0, 1),
    attempts=st.integers(1, 10),
    first=st.sampled_from(["next", "same"]),
    kinds=st.lists(st.sampled_from(["fail", "reset", "limit", "late", "full"]), max_size=80),
    count=st.integers(1, 4),
)
def test_no_course_waits_beyond_its_patience_or_deadline_or_goes_on_for_ever(
    draw: float, attempts: int, first: str, kinds: list[str], count: int
) -> None:
    """Whatever happens, in whichever order."""
    places = [place(str(number)) for number in range(count)]
    way = course(*places, draw=draw, deadline=50.0, attempts=attempts, first=first)
    at, now, calls = places[0], 0.0, 0
    for kind in kinds:
        if kind == "full":
            way.refused(at, now)
        else:
            calls += 1
            error: dict[str, GatewayError] = {
                "fail": FAILED,
                "reset": UpstreamReset(detail="x"),
                "limit": ProviderRateLimited("x", retry_after=5.0),
                "late": FirstContentTimeout(detail="x"),
            }
            way.failed(at, error[kind], now)
        step = way.next(now)
        if step is None:
            assert way.error is not None
            return
        assert 0 <= step.seconds <= 30 and now + step.seconds < 50
        now, at = now + step.seconds, step.endpoint
    assert calls <= MAX_ATTEMPTS and calls <= attempts * count


# Budgets


def test_an_endpoint_with_more_trouble_than_retries_can_heal_is_not_retried() -> None:
    """Its budget: at most a tenth of its calls, and one in two seconds. Others are still asked."""
    a, b = place("a", settings=HealthSettings(failures=1_000_000, least_calls=1_000_000)), place("b")
    spent = 0
    while a.health.may_retry(0.0):
        spent += 1
    assert spent == 3, "what a quiet endpoint may have saved up"
    assert went(course(a, attempts=3), a, FAILED) == [("", "")]
    assert went(course(a, b, attempts=3, first="same"), a, FAILED) == [("b", "failover")]


def test_failing_over_costs_no_retry() -> None:
    """A first call to another endpoint is no retry of that one."""
    strict = HealthSettings(failures=1_000_000, least_calls=1_000_000, retry_share=0.0)
    a, b = place("a", settings=strict), place("b", settings=strict)
    while b.health.may_retry(0.0):
        pass
    assert went(course(a, b, attempts=1), a, FAILED) == [("b", "failover")]


# Keys, and places that stay taken


@pytest.mark.parametrize("error", [ProviderAuthFailed("no"), ProviderQuotaSpent("empty")])
def test_after_a_key_that_is_not_taken_another_key_of_the_place_is_asked_first(error: GatewayError) -> None:
    """Then another provider, wherever the order had put it."""
    one, two = (replace(place("a"), credential=f"key {number}") for number in (1, 2))
    other = place("b")
    way = course(one, other, replace(two, health=Health("a2")))
    way.failed(one, error, 0.0)
    step = one_step(way)
    assert (step.endpoint.provider, step.endpoint.credential) == ("a", "key 2")
    way.failed(step.endpoint, error, 0.0)
    assert one_step(way).endpoint is other


def test_after_any_other_failure_the_order_holds() -> None:
    """An outage is the place's, not the key's."""
    one, two = (replace(place("a"), credential=f"key {number}") for number in (1, 2))
    other = place("b")
    way = course(one, other, replace(two, health=Health("a2")))
    way.failed(one, FAILED, 0.0)
    assert one_step(way).endpoint is other


def test_a_place_that_stays_taken_is_waited_for_no_longer_than_patience_in_all() -> None:
    """Not for each wait anew: a full endpoint would keep its callers until their deadline."""
    a = place("a")
    way = course(a, patience=Duration(2), deadline=1000.0)
    now, waited = 0.0, 0.0
    way.refused(a, now)
    while (step := way.next(now)) is not None:
        now += step.seconds
        waited += step.seconds
        assert waited <= 2.01
        way.refused(a, now)
    assert waited > 1.5 and isinstance(way.error, ProviderRateLimited)


def test_a_place_whose_trial_goes_on_is_waited_for_no_longer_than_patience_in_all() -> None:
    """Whether the trial call will ever be answered, nobody knows."""
    a = place("a", settings=HealthSettings(failures=1, cooldown=Duration(1)))
    a.health.end(0.0, "failed", ticket=a.health.begin(0.0))
    now = 10.0
    assert a.health.begin(now), "the trial"
    way = course(a, patience=Duration(2), deadline=1000.0)
    began = now
    way.refused(a, now)
    while (step := way.next(now)) is not None:
        now += step.seconds
        assert now - began <= 2.01
        assert not a.health.begin(now)
        way.refused(a, now)
    assert now - began > 1.0 and isinstance(way.error, NothingAvailable)


def test_a_call_begins_the_waiting_anew() -> None:
    """Patience is for places that are not to be had, not for all the waits of a request."""
    a = place("a")
    way = course(a, patience=Duration(2), attempts=3, base=Duration(1.5), most=Duration(1.5))
    now = 0.0
    for _ in range(2):
        way.failed(a, FAILED, now)
        step = way.next(now)
        assert step is not None and step.kind == "retry"
        now += step.seconds
    assert now > 2.0


def test_asking_again_for_a_place_takes_one_retry_from_the_budget() -> None:
    """However often it had none: only the call that is made in the end counts."""
    a = place("a", settings=HealthSettings(failures=1_000_000, least_calls=1_000_000))
    way, now = course(a, draw=0.0), 0.0
    way.failed(a, FAILED, now)
    for _ in range(6):
        step = one_step(way, now)
        assert step.kind == "retry"
        now += step.seconds
        way.refused(a, now)
    assert [a.health.may_retry(now) for _ in range(3)] == [True, True, False]
    way.failed(a, FAILED, now)
    assert way.next(now) is None, "the next call would cost one more, and there is none left"
