"""How often somebody may try to sign in."""

from __future__ import annotations

from headgate.control.tries import FREE, Tries
from headgate.testing.clock import FakeClock

__all__: list[str] = []


def test_a_few_mistakes_cost_nothing_and_then_each_wait_is_twice_as_long() -> None:
    """Up to a quarter of an hour; by address and by account alike."""
    clock = FakeClock()
    tries = Tries(clock)
    for _ in range(FREE):
        assert tries.wait("from:a", "at:ann") <= 0
        tries.failed("from:a", "at:ann")
    waits = []
    for _ in range(12):
        waits.append(round(tries.wait("at:ann")))
        clock.advance(waits[-1])
        assert tries.wait("at:ann", "from:b") <= 0
        tries.failed("at:ann")
    assert waits[:4] == [2, 4, 8, 16] and waits[-1] == 900


def test_a_right_try_forgets_the_wrong_ones_and_so_does_an_hour() -> None:
    """Nobody is locked out for ever."""
    clock = FakeClock()
    tries = Tries(clock)
    for _ in range(FREE + 2):
        tries.failed("at:ann", "at:bo")
    tries.worked("at:ann")
    assert tries.wait("at:ann") <= 0 < tries.wait("at:bo")
    clock.advance(3601)
    tries.failed("at:bo")
    assert tries.wait("at:bo") <= 0


def test_what_is_remembered_is_bounded() -> None:
    """A stranger with many addresses fills no memory."""
    tries = Tries(FakeClock())
    for number in range(10_100):
        tries.failed(f"from:{number}")
    assert len(tries._known) == 10_000
