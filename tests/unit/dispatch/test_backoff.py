"""The wait before an endpoint is called again: exponential, drawn from all of its range, bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.dispatch.course import backoff
from headgate.dispatch.settings import RetrySettings

__all__: list[str] = []

SECONDS = st.floats(0.001, 100)


def test_the_defaults_are_one_two_and_four_seconds() -> None:
    """The longest wait that can be drawn, by the number of failed calls."""
    retry = RetrySettings()
    assert [backoff(tries, retry.base, retry.most, 1.0) for tries in (1, 2, 3, 4, 5)] == [1, 2, 4, 8, 8]


@given(tries=st.integers(1, 10), base=SECONDS, most=SECONDS, draw=st.floats(0, 1))
def test_a_wait_is_never_longer_than_its_ceiling(tries: int, base: float, most: float, draw: float) -> None:
    """Neither over `most` nor over base, twice base, four times base."""
    wait = backoff(tries, base, most, draw)
    assert 0 <= wait <= min(most, base * 2 ** (tries - 1))


@given(tries=st.integers(1, 10), base=SECONDS, most=SECONDS, share=st.floats(0, 1))
def test_every_part_of_the_range_is_drawn_alike(tries: int, base: float, most: float, share: float) -> None:
    """Full jitter: half the draw is half the wait, so callers that failed together do not come back together."""
    whole = backoff(tries, base, most, 1.0)
    assert abs(backoff(tries, base, most, share) - share * whole) <= 1e-9 * whole
    assert backoff(tries, base, most, 0.0) == 0


@given(base=SECONDS, most=SECONDS, draw=st.floats(0, 1))
def test_a_later_wait_is_never_shorter_by_rule(base: float, most: float, draw: float) -> None:
    """With the same luck."""
    waits = [backoff(tries, base, most, draw) for tries in range(1, 11)]
    assert waits == sorted(waits)
