"""Endpoints that do far worse than their peers are asked last."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from headgate.providers.health.ejection import eject_outliers
from headgate.providers.health.health import Health
from headgate.providers.health.settings import HealthSettings

__all__: list[str] = []

NOW = 1000.0
CALM = HealthSettings(failures=1000, least_calls=1000)


def endpoint(
    name: str, *, seconds: float = 0.3, failing: int = 0, calls: int = 20, now: float = NOW
) -> Health:
    """failing: of `calls`, so many fail."""
    health = Health(name, CALM)
    for number in range(calls):
        if number < failing:
            health.end(now, "failed")
        else:
            health.end(now, "ok", seconds=seconds)
    return health


def test_one_that_fails_far_more_than_its_peers_is_asked_last() -> None:
    """For thirty seconds; its peers are not."""
    bad = endpoint("bad", failing=6)
    peers = [endpoint("a"), endpoint("b", failing=1), bad]
    assert eject_outliers(peers, NOW) == [(bad, "30% of its calls fail, of its peers' 2%")]
    assert bad.ejected(NOW + 29)
    assert not bad.ejected(NOW + 30)
    assert bad.blocked(NOW) == 0.0, "it still serves if nothing else is left"
    assert not any(peer.ejected(NOW) for peer in peers[:2])


def test_one_that_drags_is_asked_last() -> None:
    """Four times the median of its peers' speed."""
    bad = endpoint("bad", seconds=1.3)
    peers = [endpoint("a", seconds=0.2), endpoint("b", seconds=0.3), endpoint("c", seconds=0.4), bad]
    assert eject_outliers(peers, NOW) == [(bad, "it takes 1.30 s to begin, its peers 0.30 s")]


def test_what_all_share_is_nobody_s_fault() -> None:
    """An outage of the vendor ejects nobody, nor does a small difference."""
    assert eject_outliers([endpoint(name, failing=10) for name in "abcd"], NOW) == []
    assert eject_outliers([endpoint("a", failing=4), *(endpoint(n, failing=3) for n in "bcd")], NOW) == []
    assert eject_outliers([endpoint("a", failing=3), *(endpoint(n) for n in "bcd")], NOW) == [], "below 20 %"


def test_of_two_nobody_is_the_odd_one() -> None:
    """There must be three with enough calls."""
    assert eject_outliers([endpoint("a"), endpoint("b", failing=10)], NOW) == []
    assert eject_outliers([endpoint("a"), endpoint("b", failing=10), endpoint("c", calls=5)], NOW) == []


def test_an_endpoint_may_be_left_in_by_its_settings() -> None:
    """`eject = false`."""
    bad = endpoint("bad", failing=12)
    bad.configure(HealthSettings(eject=False))
    assert eject_outliers([endpoint("a"), endpoint("b"), bad], NOW) == []


def test_each_time_it_is_longer_and_forgiven_at_last() -> None:
    """30, 60, 90 seconds; after five good minutes 30 again."""
    bad, now, lengths = endpoint("bad"), NOW, []
    for pause in (0.0, 0.0, 0.0, 400.0):
        now = max(bad.ejected_until, now) + pause
        for _ in range(15):
            bad.end(now, "failed")
        peers = [endpoint("a", now=now), endpoint("b", now=now), bad]
        assert [health for health, _ in eject_outliers(peers, now)] == [bad]
        lengths.append(bad.ejected_until - now)
    assert lengths == [30, 60, 90, 30]


def test_old_slowness_does_not_eject_twice() -> None:
    """After an ejection the speed is measured anew."""
    bad = endpoint("bad", seconds=9.0)
    peers = [endpoint("a"), endpoint("b"), bad]
    assert eject_outliers(peers, NOW)
    assert eject_outliers([endpoint("a"), endpoint("b"), bad], NOW + 31) == []


def test_an_open_endpoint_is_not_looked_at() -> None:
    """It is left alone already, and its calls say nothing of now."""
    bad = endpoint("bad", failing=12)
    bad.told(NOW, NOW + 30, "elsewhere")
    assert eject_outliers([endpoint("a"), endpoint("b"), endpoint("c"), bad], NOW) == []


@given(
    some.lists(
        some.tuples(some.integers(0, 20), some.sampled_from([0.1, 0.3, 2.0, 20.0])), min_size=1, max_size=9
    ),
    some.integers(1, 4),
)
def test_never_more_than_half_are_ejected(shape: list[tuple[int, float]], rounds: int) -> None:
    """Whatever the figures, in one look or in several."""
    healths = [
        endpoint(str(at), failing=failing, seconds=seconds) for at, (failing, seconds) in enumerate(shape)
    ]
    for number in range(rounds):
        eject_outliers(healths, NOW + number)
        assert sum(health.ejected(NOW + number) for health in healths) <= len(healths) // 2
        if len(healths) < 3:
            assert not any(health.ejected(NOW) for health in healths)
