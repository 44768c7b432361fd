"""Orders of endpoints that can all answer."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.routing.chance import draw
from headgate.routing.pool import Pool, Waiting
from headgate.routing.spill import Spill
from headgate.routing.strategies import Moment, cheapest, fastest, least_busy, nearest, weighted
from tests.support.routes import NOW, FakeHealth, fake, names, place

__all__: list[str] = []

STRATEGIES = ("order", "weighted", "least-busy", "fastest", "cheapest", "nearest")


def moments(count=2000, **more):
    return [Moment(NOW, (5000 + number) << 22, **more) for number in range(count)]


def moment(number=0, **more):
    return Moment(NOW, number << 22, **more)


def firsts(pool_or_strategy, endpoints, count=2000, **more):
    return Counter(pool_or_strategy(endpoints, each)[0].provider for each in moments(count, **more))


def test_neighbouring_ids_draw_unrelated_numbers():
    """Ids are time-ordered with equal low bits; whoever took those would send everybody to the same place."""
    drawn = Counter(draw(number << 22) % 8 for number in range(8000))
    assert all(850 < count < 1150 for count in drawn.values()) and len(drawn) == 8


def test_traffic_is_spread_by_weight():
    """Three to one is three to one, within what chance allows."""
    found = firsts(weighted, [place("a", weight=3.0), place("b", weight=1.0)])
    assert 1400 < found["a"] < 1600


def test_whoever_comes_second_is_drawn_by_weight_too():
    """When the first fails, its traffic does not all go to the same neighbour."""
    endpoints = [place("a"), place("b", weight=3.0), place("c")]
    seconds = Counter(weighted(endpoints, each)[1].provider for each in moments())
    assert min(seconds.values()) > 300


def test_the_least_busy_is_asked_first_and_ties_go_round():
    """For its weight: twice the weight may have twice the calls."""
    a, b, c = (place(n, health=FakeHealth(in_flight=f)) for n, f in (("a", 2), ("b", 1), ("c", 1)))
    assert least_busy([a, b, c], moment())[-1] is a
    assert set(firsts(least_busy, [a, b, c])) == {"b", "c"}
    wide = place("w", weight=4.0, health=FakeHealth(in_flight=2))
    assert least_busy([b, wide], moment())[0] is wide


def test_of_two_drawn_the_quicker_is_asked_first():
    """The slowest of all is never first, the quickest not always: nobody is flooded."""
    endpoints = [
        place(n, health=FakeHealth(expected=s))
        for n, s in (("slow", 9.0), ("a", 0.2), ("b", 0.3), ("c", 0.4))
    ]
    found = firsts(fastest, endpoints)
    assert found["slow"] == 0 and found["a"] > found["b"] > found["c"] > 0


def test_calls_under_way_count_as_waiting_time():
    """A quick endpoint with a queue is slower than a slower idle one."""
    queue = place("queue", health=FakeHealth(expected=0.2, in_flight=9))
    idle = place("idle", health=FakeHealth(expected=0.5))
    assert fastest([queue, idle], moment())[0] is idle


def test_an_endpoint_never_measured_is_measured_and_not_flooded():
    """It goes first while it has no more calls under way than the other."""
    new, known = place("new"), place("known", health=FakeHealth(expected=0.2))
    assert fastest([known, new], moment())[0] is new
    fake(new).set(in_flight=1)
    assert fastest([known, new], moment())[0] is known


def test_the_cheapest_is_asked_first_and_an_unknown_price_last():
    """Ties keep the written order."""
    prices = {"a": 2.0, "b": None, "c": 1.0, "d": 2.0}
    endpoints = [place(name) for name in prices]
    assert names(cheapest(endpoints, lambda each: prices[each.provider])) == ["c", "a", "d", "b"]


def test_the_callers_region_goes_before_latency():
    """A part of the region counts, another region whose name begins alike does not."""
    endpoints = [
        place("us", region="us", health=FakeHealth(expected=0.1)),
        place("euro", region="europe", health=FakeHealth(expected=0.1)),
        place("west", region="eu-west-1", health=FakeHealth(expected=0.9)),
        place("eu", region="EU", health=FakeHealth(expected=0.5)),
    ]
    assert names(nearest(endpoints, moment(1, region="eu"))) == ["eu", "west", "us", "euro"]


def test_without_a_region_the_quickest_lately_is_nearest_and_the_others_are_looked_at_now_and_then():
    """Or a latency once measured badly would stand for ever."""
    endpoints = [place(n, health=FakeHealth(expected=s)) for n, s in (("far", 0.9), ("near", 0.1))]
    found = firsts(nearest, endpoints)
    assert 0 < found["far"] < 100


def test_a_session_stays_at_one_endpoint_and_only_those_of_a_lost_one_move():
    """Rendezvous: when an endpoint is out of order, sessions at others stay where they are."""
    endpoints = [place(name) for name in "abcd"]
    pool = Pool("m", endpoints, sticky_sessions=True, strategy_name="weighted")

    def at(session, number):
        return pool.order(Moment(NOW, number << 22, session=session), [])[0].provider

    homes = {f"s{n}": at(f"s{n}", 1) for n in range(200)}
    assert min(Counter(homes.values()).values()) > 25
    assert all(at(session, 99) == home for session, home in homes.items())
    fake(endpoints[0]).set(blocked=1.0)
    moved = {session for session, home in homes.items() if at(session, 5) != home}
    assert moved == {session for session, home in homes.items() if home == "a"}


def test_a_request_without_a_session_is_not_sticky():
    """It takes the model's strategy."""
    pool = Pool("m", [place("a"), place("b")], sticky_sessions=True, strategy_name="weighted")
    assert len({pool.order(each, [])[0].provider for each in moments(50)}) == 2


def test_keys_of_one_place_go_round_and_places_keep_their_order():
    """Each request begins with another key; the next place still comes after all keys."""
    keys = [place("a", credential=f"key {n}") for n in (1, 2, 3)]
    pool = Pool("m", [*keys, place("b")])
    orders = [pool.order(each, []) for each in moments(60)]
    assert all(names(order) == ["a", "a", "a", "b"] for order in orders)
    assert {order[0].credential for order in orders} == {"key 1", "key 2", "key 3"}


def test_a_key_that_rests_is_behind_everything_else():
    """So the other keys carry its share."""
    keys = [place("a", credential="key 1", health=FakeHealth(blocked=9)), place("a", credential="key 2")]
    waiting: Waiting = []
    assert [each.credential for each in Pool("m", keys).order(moment(), waiting)] == ["key 2"]
    assert waiting == [(9, keys[0])]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_lower_priority_number_goes_first_whatever_the_strategy(strategy):
    """Tiers are strict."""
    endpoints = [place("b", priority=1), place("a", priority=0, health=FakeHealth(expected=9.0, in_flight=9))]
    pool = Pool("m", endpoints, strategy_name=strategy)
    assert all(names(pool.order(each, [])) == ["a", "b"] for each in moments(50))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_outliers_come_after_the_healthy_of_every_tier(strategy):
    """But they are not dropped."""
    endpoints = [place("a", health=FakeHealth(ejected=True)), place("b", priority=1)]
    assert names(Pool("m", endpoints, strategy_name=strategy).order(moment(), [])) == ["b", "a"]


ENDPOINTS = st.lists(
    st.builds(
        lambda weight, priority, key, region, own, **health: (
            {"weight": weight, "priority": priority, "credential": key, "region": region, "self_hosted": own},
            health,
        ),
        weight=st.floats(0.001, 1000),
        priority=st.integers(0, 2),
        key=st.sampled_from(["", "key 1", "key 2"]),
        region=st.sampled_from(["", "eu", "us"]),
        own=st.booleans(),
        blocked=st.sampled_from([0.0, 0.0, 1.0, 60.0]),
        ejected=st.booleans(),
        expected=st.floats(0, 100),
        in_flight=st.integers(0, 20),
    ),
    min_size=1,
    max_size=8,
)


@given(
    ENDPOINTS, st.sampled_from(STRATEGIES), st.booleans(), st.booleans(), st.integers(0, 2**63 - 1), st.data()
)
def test_every_order_is_a_permutation_and_the_same_again(described, strategy, sticky, spills, seed, data):
    """Nothing is lost, nothing twice; whoever cannot be asked is told apart; the same request gets the same order."""
    endpoints = [
        place(f"p{n}", **fields, health=FakeHealth(**health)) for n, (fields, health) in enumerate(described)
    ]
    price = data.draw(st.sampled_from([None, 1.0]))

    def order():
        spill = Spill(in_flight=3, first_token=1.0) if spills else None
        pool = Pool(
            "m",
            endpoints,
            strategy_name=strategy,
            sticky_sessions=sticky,
            spill=spill,
            price_of=lambda each: price,
        )
        waiting: Waiting = []
        return pool.order(Moment(NOW, seed, session="s", region="eu"), waiting), waiting

    found, waiting = order()
    assert sorted(names([*found, *(each for _, each in waiting)])) == sorted(names(endpoints))
    assert all(each.health.blocked(NOW) == 0 for each in found)
    assert all(wait == each.health.blocked(NOW) > 0 for wait, each in waiting)
    assert (found, waiting) == order()
