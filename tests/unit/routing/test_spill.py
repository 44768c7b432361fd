"""Own machines first, managed ones when those are full."""

from __future__ import annotations

from headgate.routing.pool import Pool
from headgate.routing.spill import Spill
from headgate.routing.strategies import Moment
from tests.support.routes import NOW, fake, names, place

__all__: list[str] = []


def order(pool, now=NOW):
    return names(pool.order(Moment(now, 1), []))


def made(*, first_token=0.0, own=("house",)):
    endpoints = [place("cloud"), *(place(name, self_hosted=True) for name in own)]
    pool = Pool("m", endpoints, spill=Spill(in_flight=8, first_token=first_token))
    return pool, endpoints[1:]


def test_own_machines_go_first_wherever_they_are_written():
    """Until one is full."""
    pool, _ = made()
    assert order(pool) == ["house", "cloud"]


def test_a_full_machine_comes_after_the_managed_ones_and_returns_when_it_eases():
    """Not at the very edge: at three quarters, or every other request would go elsewhere."""
    pool, [house] = made()
    steps = ((7, "house"), (8, "cloud"), (9, "cloud"), (7, "cloud"), (6, "house"), (7, "house"))
    for in_flight, first in steps:
        fake(house).set(in_flight=in_flight)
        assert order(pool)[0] == first, in_flight


def test_each_machine_is_full_by_itself():
    """The next own machine goes before the cloud."""
    pool, [a, _] = made(own=("a", "b"))
    fake(a).set(in_flight=8)
    assert order(pool) == ["b", "cloud", "a"]


def test_a_slow_machine_is_full_and_asked_again_now_and_then():
    """Nothing else would measure it: one request every two seconds does, until it is quick again."""
    pool, [house] = made(first_token=1.0)
    fake(house).set(expected=3.0)
    assert order(pool, NOW)[0] == "cloud"
    assert order(pool, NOW + 1.9)[0] == "cloud"
    assert order(pool, NOW + 2.1)[0] == "house"
    assert order(pool, NOW + 2.2)[0] == "cloud"
    fake(house).set(expected=0.9)
    assert order(pool, NOW + 2.3)[0] == "cloud", "four fifths, not the very edge"
    fake(house).set(expected=0.7)
    assert order(pool, NOW + 2.4)[0] == "house"


def test_a_machine_that_is_slow_and_crowded_is_not_asked_to_measure_it():
    """That would make it worse."""
    pool, [house] = made(first_token=1.0)
    fake(house).set(expected=3.0, in_flight=8)
    order(pool)
    assert order(pool, NOW + 60)[0] == "cloud"


def test_what_is_full_is_remembered_across_narrowed_pools():
    """A rule that cuts a pool must not make a full machine look empty."""
    pool, [house] = made()
    fake(house).set(in_flight=8)
    order(pool)
    fake(house).set(in_flight=7)
    assert order(pool.only(lambda each: True))[0] == "cloud"
