"""The rolling window."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from headgate.providers.health.window import Window

__all__: list[str] = []


@given(
    some.lists(some.tuples(some.floats(0, 3), some.booleans()), max_size=120),
    some.floats(0.5, 60),
)
def test_it_counts_what_lies_in_the_last_seconds(steps: list[tuple[float, bool]], seconds: float) -> None:
    """Everything of the newest 9 tenths is counted, nothing older than the whole."""
    window, now, seen = Window(seconds), 1000.0, []
    for step, failed in steps:
        now += step
        window.turn(now)
        window.all_calls += 1
        window.all_failures += failed
        seen.append((now, failed))
    now += 0.3
    calls, failures, *_ = window.counts(now)
    surely = [failed for at, failed in seen if now - at < 0.9 * seconds - 1e-6]
    perhaps = [failed for at, failed in seen if now - at <= seconds + 1e-6]
    assert len(surely) <= calls <= len(perhaps)
    assert sum(surely) <= failures <= sum(perhaps)


def test_what_was_cleared_counts_no_more() -> None:
    """A breaker that has closed begins with an empty window."""
    window = Window(10)
    window.turn(5.0)
    window.all_calls, window.all_slow = 7, 3
    assert window.counts(5.0) == (7, 0, 0, 3)
    window.clear(5.0)
    assert window.counts(5.0) == (0, 0, 0, 0)


def test_a_long_silence_costs_no_time() -> None:
    """Nobody turns a year of buckets one by one."""
    window = Window(0.5)
    window.turn(5.0)
    window.all_calls = 7
    assert window.counts(1e12) == (0, 0, 0, 0)
