"""How fast an endpoint is believed to be."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as some

from headgate.providers.health.latency import Latency

__all__: list[str] = []


def test_a_peak_counts_at_once_and_fades() -> None:
    """One slow call is believed, and down to 37 % after ten seconds."""
    latency = Latency()
    latency.observe(100.0, 0.2)
    latency.observe(101.0, 5.0)
    assert latency.expected(101.0) == 5.0
    assert math.isclose(latency.expected(111.0), 5.0 / math.e)


def test_faster_calls_are_believed_slowly() -> None:
    """A fast call right after a slow one changes little, after a while much."""
    latency = Latency()
    latency.observe(100.0, 5.0)
    latency.observe(100.1, 0.2)
    assert 4.9 < latency.expected(100.1) < 5.0
    latency.observe(130.0, 0.2)
    assert 0.2 < latency.expected(130.0) < 0.5


def test_an_endpoint_that_fails_fast_does_not_look_fast() -> None:
    """A failure counts as a call of at least a second, and of four times what is usual, but not for ever more."""
    latency = Latency()
    latency.observe(100.0, 0.5)
    latency.failed(100.0)
    assert latency.expected(100.0) == 2.0
    quick = Latency()
    quick.failed(100.0)
    assert quick.expected(100.0) == 1.0
    for _ in range(50):
        quick.failed(100.0)
    assert quick.expected(100.0) == 60.0


def test_of_an_unknown_endpoint_one_call_finds_out() -> None:
    """Nothing under way: first in line. One under way: behind everybody who is known."""
    unknown, known = Latency(), Latency()
    known.observe(100.0, 8.0)
    assert unknown.expected(100.0) == 0.0
    assert unknown.pressure(100.0, 0) < known.pressure(100.0, 0)
    assert unknown.pressure(100.0, 1) > known.pressure(100.0, 50)


def test_an_endpoint_nobody_measured_lately_is_tried_by_one_call() -> None:
    """A slow one may have recovered; a crowd must not go and see."""
    latency = Latency()
    latency.observe(100.0, 8.0)
    assert latency.pressure(120.0, 0) > 1.0
    assert latency.pressure(131.0, 0) == 0.0
    assert latency.pressure(131.0, 1) > 1000


def test_pressure_grows_with_what_is_under_way() -> None:
    """Twice as fast with three calls under way is slower than with none."""
    fast, slow = Latency(), Latency()
    fast.observe(100.0, 0.5)
    slow.observe(100.0, 1.0)
    assert fast.pressure(100.0, 0) < slow.pressure(100.0, 0) < fast.pressure(100.0, 3)


def test_too_few_calls_have_no_spread() -> None:
    """Below 20 nobody can tell a p95; recent wants 16."""
    latency = Latency()
    for _ in range(15):
        latency.observe(1.0, 0.3)
    assert latency.quantile(0.5) == 0.0 == latency.recent()
    for _ in range(5):
        latency.observe(1.0, 0.3)
    assert latency.quantile(0.5) == 0.3 == latency.recent()


def test_the_spread_is_that_of_the_newest_calls() -> None:
    """What was slow 300 calls ago is no longer in it."""
    latency = Latency()
    for _ in range(100):
        latency.observe(1.0, 9.0)
    assert latency.quantile(0.95) == 9.0
    for number in range(300):
        latency.observe(2.0, 0.1 + number % 10 / 100)
    assert latency.quantile(0.95) < 0.2
    assert math.isclose(latency.quantile(0.5), 0.15)
    assert latency.recent() < 0.2


def test_what_is_forgotten_is_measured_anew() -> None:
    """After an ejection old measurements must not eject again."""
    latency = Latency()
    for _ in range(40):
        latency.observe(1.0, 9.0)
    latency.forget()
    assert latency.recent() == 0.0 == latency.quantile(0.5)
    for _ in range(20):
        latency.observe(2.0, 0.1)
    assert latency.recent() == 0.1 == latency.quantile(0.99)


@given(some.lists(some.floats(0.001, 100), min_size=20, max_size=600), some.floats(0, 1))
def test_a_quantile_lies_among_the_calls(seconds: list[float], share: float) -> None:
    """Never beyond what was measured, and about the right share lies below."""
    latency = Latency()
    for number, one in enumerate(seconds):
        latency.observe(float(number), one)
        latency.expected(float(number))
    assert min(seconds) <= latency.quantile(share) <= max(seconds)
    kept = seconds[-256:] if len(seconds) > 256 else seconds
    exact = Latency()
    for one in kept:
        exact.observe(1.0, one)
    below = sum(one < exact.quantile(share) for one in kept)
    assert below <= share * len(kept)


@given(
    some.lists(some.tuples(some.floats(0.001, 100), some.floats(0, 60)), min_size=1, max_size=6),
    some.lists(some.tuples(some.floats(0.001, 100), some.floats(0, 60)), min_size=1, max_size=6),
)
def test_ranks_order_as_what_is_expected_does(
    ours: list[tuple[float, float]], theirs: list[tuple[float, float]]
) -> None:
    """At any later moment: all fade alike."""
    one, other = Latency(), Latency()
    for latency, calls in ((one, ours), (other, theirs)):
        for seconds, moment in sorted(calls, key=lambda call: call[1]):
            latency.observe(moment, seconds)
    a, b = one.expected(70.0), other.expected(70.0)
    if not math.isclose(a, b, rel_tol=1e-6):
        assert (one.rank < other.rank) == (a < b)
    assert Latency().rank < one.rank
