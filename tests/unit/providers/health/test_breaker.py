"""The breaker: out after failures, back by itself, never confused by calls of another time."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.core.section import Duration
from headgate.providers.health.breaker import TRIAL_SECONDS, Breaker
from headgate.providers.health.settings import HealthSettings

__all__: list[str] = []

NOW = 1000.0


def breaker(**settings: Any) -> Breaker:
    return Breaker(HealthSettings(**settings))


def opened(**settings: Any) -> Breaker:
    """Opened at NOW, for a second."""
    one = breaker(**settings)
    for _ in range(one._settings.failures):
        one.failed(NOW, one.ticket)
    assert one.open_until == NOW + 1
    return one


def test_five_failures_in_a_row_open_it() -> None:
    """Four do not, and the fifth says so."""
    one = breaker()
    assert [one.failed(NOW, one.ticket) for _ in range(5)] == [False, False, False, False, True]
    assert one.blocked(NOW) == 1.0
    assert one.why == "5 failures in a row"
    assert one.admit(NOW + 0.5) == 0


def test_a_success_between_failures_begins_the_row_anew() -> None:
    """In a row means without a success between."""
    one = breaker()
    for _ in range(4):
        one.failed(NOW, one.ticket)
    one.succeeded(NOW, 0.1, one.ticket)
    assert not any(one.failed(NOW, one.ticket) for _ in range(4))


def test_half_of_enough_calls_failing_opens_it() -> None:
    """19 calls say nothing yet, 20 do, however failures and successes alternate."""
    one = breaker()
    said = []
    for _ in range(10):
        said += [one.succeeded(NOW, 0.1, one.ticket), one.failed(NOW, one.ticket)]
    assert said == [False] * 19 + [True]
    assert one.why == "10 of 20 calls failed"


def test_old_failures_are_forgotten() -> None:
    """What lies before the window does not count towards the rate."""
    one = breaker(failures=100)
    for _ in range(15):
        one.failed(NOW, one.ticket)
    for _ in range(15):
        one.succeeded(NOW + 11, 0.1, one.ticket)
    assert not any(one.failed(NOW + 11, one.ticket) for _ in range(14))
    assert one.failed(NOW + 11, one.ticket), "15 of 30 calls in the window"


def test_slow_calls_open_it_where_slow_is_set() -> None:
    """80 % of 20 calls; and without the setting no call is slow."""
    one, other = breaker(slow=Duration(2)), breaker()
    for _ in range(4):
        one.succeeded(NOW, 1.9, one.ticket)
    said = [one.succeeded(NOW, 2.0, one.ticket) for _ in range(16)]
    assert said == [False] * 15 + [True]
    assert one.why == "16 of 20 calls took 2 s or longer to begin"
    assert not any(other.succeeded(NOW, 50.0, other.ticket) for _ in range(50))


def test_after_the_cooldown_one_call_at_a_time_is_tried() -> None:
    """The second caller is sent elsewhere until the first is back."""
    one = opened()
    trial = one.admit(NOW + 1)
    assert trial
    assert one.admit(NOW + 1) == 0
    assert one.blocked(NOW + 1) > 0
    assert one.succeeded(NOW + 1.2, 0.2, trial)
    assert one.open_until == 0.0
    assert one.admit(NOW + 1.2)


def test_the_cooldown_doubles_with_each_failed_trial_up_to_its_most() -> None:
    """1, 2, 4 ... 60 seconds, and no longer."""
    one, now, cooldowns = opened(), NOW + 1, []
    for _ in range(8):
        trial = one.admit(now)
        assert one.failed(now, trial)
        cooldowns.append(one.blocked(now))
        now += one.blocked(now)
    assert cooldowns == [2, 4, 8, 16, 32, 60, 60, 60]


def test_an_endpoint_that_flaps_is_left_alone_for_longer_each_time() -> None:
    """Coming back for a moment does not make the next cooldown a short one."""
    one, now = opened(), NOW
    lengths = []
    for _ in range(3):
        now += one.blocked(now)
        assert one.succeeded(now, 0.1, one.admit(now))
        for _ in range(5):
            one.failed(now, one.ticket)
        lengths.append(one.blocked(now))
    assert lengths == [2, 4, 8]


def test_after_a_long_good_time_the_first_cooldown_is_short_again() -> None:
    """An outage a day later is a new one."""
    one = opened()
    one.succeeded(NOW + 1, 0.1, one.admit(NOW + 1))
    for _ in range(5):
        one.failed(NOW + 100, one.ticket)
    assert one.blocked(NOW + 100) == 1.0


def test_a_call_from_before_the_outage_changes_nothing_when_it_ends() -> None:
    """A hundred calls that time out together are one outage; a late success is no recovery."""
    one = breaker()
    before = one.ticket
    for _ in range(5):
        one.failed(NOW, before)
    for _ in range(50):
        assert not one.failed(NOW + 0.5, before)
        assert not one.succeeded(NOW + 0.5, 9.0, before)
    assert one.blocked(NOW) == 1.0
    trial = one.admit(NOW + 1)
    assert not one.failed(NOW + 1, before), "the trial is still under way"
    one.ignored(before)
    assert one.admit(NOW + 1) == 0, "and keeps its place"
    assert one.succeeded(NOW + 1.1, 0.1, trial)
    assert not any(one.failed(NOW + 1.2, before) for _ in range(50)), "nor do they open it again"


def test_an_ignored_trial_frees_its_place_and_says_nothing() -> None:
    """The caller hung up: the next one tries."""
    one = opened()
    one.ignored(one.admit(NOW + 1))
    assert one.open_until
    assert one.admit(NOW + 1)


def test_a_silent_trial_loses_its_place() -> None:
    """One call that never ends must not keep the endpoint out; its end, whenever it comes, counts no more."""
    one = opened()
    silent = one.admit(NOW + 1)
    later = one.admit(NOW + 1 + TRIAL_SECONDS)
    assert later
    assert not one.failed(NOW + 62, silent)
    assert one.succeeded(NOW + 62, 0.1, later)


def test_as_many_trials_as_asked_for_must_succeed() -> None:
    """`half_open_successes` in a row; a failure between begins the count anew."""
    one = opened(half_open_successes=2)
    assert not one.succeeded(NOW + 1, 0.1, one.admit(NOW + 1))
    assert one.failed(NOW + 1, one.admit(NOW + 1))
    assert not one.succeeded(NOW + 3, 0.1, one.admit(NOW + 3))
    assert one.succeeded(NOW + 3, 0.1, one.admit(NOW + 3))


def test_a_slow_trial_is_a_failed_one() -> None:
    """What was taken out for being slow must not come back slow."""
    one = opened(slow=Duration(2))
    assert one.succeeded(NOW + 1, 2.5, one.admit(NOW + 1))
    assert one.blocked(NOW + 1) == 2.0
    assert one.why == "the trial call took 2.5 s to begin"


def test_a_probe_brings_it_back_on_trial() -> None:
    """Listing models proves less than a call: the first call that fails takes it out again, a good one clears it."""
    one = opened()
    assert one.succeeded(NOW + 1, 0.0, one.admit(NOW + 1), by_probe=True)
    assert one.failed(NOW + 1, one.ticket)
    assert one.succeeded(NOW + 3, 0.0, one.admit(NOW + 3), by_probe=True)
    one.succeeded(NOW + 3, 0.2, one.ticket)
    assert not any(one.failed(NOW + 3, one.ticket) for _ in range(4))


def test_what_another_node_found_is_never_shortened() -> None:
    """The later of two moments holds, whoever said it, and nobody may say more than the longest cooldown."""
    one = opened()
    one.told(NOW, NOW + 0.5, "elsewhere")
    assert one.blocked(NOW) == 1.0
    one.told(NOW, NOW + 8, "elsewhere")
    assert one.blocked(NOW) == 8.0
    one.told(NOW, NOW + 1e9, "elsewhere")
    assert one.blocked(NOW) == 60.0


def test_what_another_node_found_opens_and_closes_it() -> None:
    """A told outage behaves as an own one; its next cooldown is longer than what was told."""
    one = breaker()
    before = one.ticket
    one.told(NOW, NOW + 4, "elsewhere")
    assert one.why == "elsewhere"
    assert not one.failed(NOW, before)
    assert one.failed(NOW + 4, one.admit(NOW + 4))
    assert one.blocked(NOW + 4) == 8.0
    assert one.told_closed(NOW + 5)
    assert not one.told_closed(NOW + 5), "no news"
    assert one.admit(NOW + 5)


def test_a_failed_trial_is_no_news_if_another_node_was_first() -> None:
    """It is left alone as long already."""
    one = opened()
    trial = one.admit(NOW + 1)
    one.told(NOW + 1, NOW + 61, "elsewhere")
    assert not one.failed(NOW + 1, trial)
    assert one.blocked(NOW + 1) == 60.0


def test_once_back_the_failures_before_count_no_more() -> None:
    """The rate begins anew: one failure among many calls is one."""
    one = breaker(failures=1000)
    while not one.failed(NOW, one.ticket):
        pass
    one.succeeded(NOW + 1, 0.1, one.admit(NOW + 1))
    for _ in range(20):
        one.succeeded(NOW + 1, 0.1, one.ticket)
    assert not one.failed(NOW + 1, one.ticket)


def test_news_that_came_too_late_open_nothing() -> None:
    """A cooldown that is over is over."""
    one = breaker()
    one.told(NOW, NOW - 1, "elsewhere")
    assert one.open_until == 0.0


@pytest.mark.parametrize("failures", [1, 3])
def test_settings_may_change_while_it_is_open(failures: int) -> None:
    """What is open stays open, the rest goes by the new word."""
    one = opened()
    one.configure(HealthSettings(failures=failures))
    assert one.blocked(NOW) == 1.0
    one.succeeded(NOW + 1, 0.1, one.admit(NOW + 1))
    said = [one.failed(NOW + 1, one.ticket) for _ in range(failures)]
    assert said == [False] * (failures - 1) + [True]


def test_a_call_without_a_ticket_counts_as_the_newest() -> None:
    """Who keeps no tickets still gets a breaker that opens and closes."""
    one = opened()
    assert one.admit(NOW + 1)
    assert one.succeeded(NOW + 1, 0.1, 0)
