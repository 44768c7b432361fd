"""What tests prove of limits from outside: too many are found, a refusal without need is found, a slow machine is neither."""

from __future__ import annotations

from tests.support.buckets import Asked, Bucket

__all__: list[str] = []

TEN = Bucket(burst=10, rate=10)


def at(*moments: float, status: int = 200, takes: float = 0.001) -> list[Asked]:
    return [Asked(moment, moment + takes, status) for moment in moments]


def test_as_many_as_may_are_not_too_many() -> None:
    """Ten at once, then ten a second."""
    even = at(*[0.0] * 10, *(0.1 + second / 10 for second in range(50)))
    assert TEN.excess(even) <= 0.5
    assert TEN.excess(even + at(*[2.0] * 3)) > 1.9


def test_a_stretch_with_too_many_is_found_beside_quiet_ones() -> None:
    """Twelve at once after a long rest are too many, however few passed before."""
    assert TEN.excess(at(0.0, 20.0, *[40.0] * 12)) > 1.5


def test_whoever_waited_long_for_an_answer_proves_nothing() -> None:
    """They may have been counted at any time in between."""
    assert TEN.excess(at(*[0.0] * 60, takes=5.0)) <= 0
    assert TEN.excess(at(*[0.0] * 62, takes=5.0)) > 1


def test_a_refusal_is_needless_where_there_was_room() -> None:
    """Eight of ten were taken; ten more are refused rightly; a second later all have come back."""
    taken = at(*[0.0] * 8)
    early, late = at(0.01, 3.0, status=429)
    assert TEN.needless([*taken, early]) == [early]
    full = [*taken, *at(0.0, 0.0)]
    assert TEN.needless([*full, early]) == []
    assert TEN.needless([*full, early, late]) == [late]


def test_who_may_have_been_counted_later_leaves_less_room() -> None:
    """Asked before, answered after, or asked while the refused one waited: any of them may have come just before it."""
    (refused,) = at(1.0, status=429)
    assert TEN.needless([*at(*[0.0] * 10, takes=2.0), refused]) == []
    assert TEN.needless([*at(*[0.0] * 10, takes=0.1), refused]) == [refused]
    (waited,) = at(1.0, status=429, takes=1.0)
    assert TEN.needless([*at(*[1.5] * 10), waited]) == []
    assert TEN.needless([*at(*[2.5] * 10), waited]) == [waited]


def test_what_is_not_known_is_no_room() -> None:
    """A time before the first request, and requests that nobody knows the fate of."""
    early, late = at(0.1, 0.3, status=429)
    assert TEN.needless([early, late]) == [early, late]
    assert TEN.needless([early, late], empty_at=0.0) == [late]
    assert TEN.needless([*at(*[0.0] * 9, status=503), late]) == []
