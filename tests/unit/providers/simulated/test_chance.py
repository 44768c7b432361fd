"""Chance repeats, and its parts do not disturb each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.providers.simulated.chance import Chance, draws

__all__: list[str] = []


@given(st.integers(0, 2**64 - 1))
def test_the_same_start_gives_the_same_row(start: int) -> None:
    """Numbers, choices and durations."""

    def row(chance: Chance) -> list[float]:
        return [
            chance.uniform(),
            chance.below(10),
            chance.pick([1, 2, 3]),
            chance.lognormal(1, 2),
            chance.bits(),
        ]

    assert row(Chance(start)) == row(Chance(start))
    assert 0 <= Chance(start).uniform() < 1
    assert Chance(start).lognormal(1, 2) > 0


def test_the_row_is_the_same_on_every_machine() -> None:
    """The first numbers of SplitMix64 from 0, as its authors publish them."""
    chance = Chance(0)
    assert [chance.bits() for _ in range(2)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


def test_a_turn_changes_luck_and_not_words() -> None:
    """With `vary` the same request has other faults and latencies, and the same name and answer."""
    first, second = draws(1, "m", b"text", 0), draws(1, "m", b"text", 1)
    assert (first.name, first.answer.bits()) == (second.name, second.answer.bits())
    assert first.fault.bits() != second.fault.bits()
    assert first.latency.bits() != second.latency.bits()
    assert first.quality.bits() != second.quality.bits()


def test_no_spread_is_the_median() -> None:
    """A p95 at or below the median means: always the same."""
    assert [Chance(5).lognormal(2, 2), Chance(5).lognormal(2, 1), Chance(5).lognormal(0, 1)] == [2, 2, 0]
