"""Whom has read the beginning of a prompt lately is asked again, within what the strategy, health and load allow."""

from __future__ import annotations

import pytest

from headgate.providers.prefixes import Hold, Prefixes, place_of
from headgate.routing.directory import Directory
from headgate.routing.holding import in_front
from headgate.routing.pool import Pool, Waiting
from headgate.routing.stage import Router
from headgate.routing.strategies import Moment
from tests.support.aio import aio
from tests.support.routes import NOW, fake, names, place, request

__all__: list[str] = []


def held(*endpoints, conversation=True):
    return Hold(tuple(place_of(each) for each in endpoints), conversation=conversation)


@pytest.mark.parametrize("strategy", ["weighted", "least-busy", "fastest"])
def test_a_conversation_stays_where_the_strategy_has_a_choice(strategy):
    """Places that are as good may be exchanged."""
    a, b, c = place("a"), place("b"), place("c")
    assert names(in_front([a, b, c], held(c), strategy)) == ["c", "a", "b"]


@pytest.mark.parametrize("strategy", ["order", "cheapest", "nearest"])
def test_the_operators_order_holds_but_for_keys_of_one_place(strategy):
    """A conversation that a fallback has answered comes back; between keys of one place there is nothing to choose."""
    a, b1, b2 = place("a"), place("b", credential="key 1"), place("b", credential="key 2")
    assert in_front([a, b1, b2], held(b2), strategy) == [a, b2, b1]
    assert in_front([a, b1], held(b1), strategy) == [a, b1]


def test_a_conversation_moves_from_a_place_that_is_much_busier():
    """Twice as busy as the first, and some more."""
    a, b = place("a"), place("b")
    fake(b).in_flight = 4
    assert names(in_front([a, b], held(b), "least-busy")) == ["b", "a"]
    fake(b).in_flight = 5
    assert names(in_front([a, b], held(b), "least-busy")) == ["a", "b"]


def test_instructions_stay_only_as_long_as_that_costs_nobody_their_turn():
    """So calls at the same time spread until all places have read them."""
    a, b = place("a"), place("b")
    assert names(in_front([a, b], held(b, conversation=False), "least-busy")) == ["b", "a"]
    fake(b).in_flight = 1
    assert names(in_front([a, b], held(b, conversation=False), "least-busy")) == ["a", "b"]


def test_what_all_have_read_changes_no_order():
    """The first has read the instructions too."""
    a, b = place("a"), place("b")
    assert names(in_front([a, b], held(b, a, conversation=False), "fastest")) == ["a", "b"]


def test_weights_hold_for_all_but_conversations():
    """A tenth of the requests is a tenth, also if all share a system prompt."""
    a, b = place("a"), place("b")
    assert names(in_front([a, b], held(b, conversation=False), "weighted")) == ["a", "b"]


def test_who_is_not_there_is_passed_over():
    """It may be blocked, or of another model's pool."""
    a, b = place("a"), place("b")
    assert names(in_front([a, b], held(place("gone"), b), "fastest")) == ["b", "a"]
    assert names(in_front([a, b], held(place("gone")), "fastest")) == ["a", "b"]


def test_a_blocked_place_is_not_asked_because_it_holds():
    """Health goes first."""
    a, b = place("a"), place("b")
    pool = Pool("small", [a, b], strategy_name="least-busy")
    moment = Moment(NOW, 0, hold=held(b))
    assert names(pool.order(moment, [])) == ["b", "a"]
    fake(b)._blocked = 5.0
    fake(b).calm = False
    waiting: Waiting = []
    assert names(pool.order(moment, waiting)) == ["a"]
    assert [each.provider for _, each in waiting] == ["b"]


def test_a_sticky_session_is_stickier():
    """It has an endpoint already, on all nodes the same."""
    ends = [place(name) for name in "abcd"]
    pool = Pool("small", ends, strategy_name="fastest", sticky_sessions=True)
    usual = pool.order(Moment(NOW, 0, "s"), [])
    other = next(each for each in ends if each is not usual[0])
    assert pool.order(Moment(NOW, 0, "s", hold=held(other)), []) == usual


def router(*endpoints, prefixes):
    pool = Pool("small", list(endpoints), strategy_name="weighted")
    directory = Directory(
        features={}, models={"small": pool}, providers={}, make=lambda _provider, _model: endpoints[0]
    )
    return Router(directory, prefixes=prefixes)


async def asked(stage, exchange):
    async def proceed(_exchange):
        return None

    await stage(exchange, proceed)
    return names(exchange.candidates)


@aio
async def test_the_next_turn_of_a_conversation_goes_where_the_last_one_went():
    """Without a session's name: by its words, and never to another tenant's."""
    ends = [place(name) for name in "abcd"]
    prefixes = Prefixes({"": "5m"})
    stage = router(*ends, prefixes=prefixes)
    turns = [{"role": "user", "content": "one"}]
    first = request(messages=turns)
    went = (await asked(stage, first))[0]
    assert first.prefix is not None
    prefixes.answered(first.prefix, first.candidates[0], NOW)
    turns += [{"role": "assistant", "content": "yes"}, {"role": "user", "content": "two"}]
    for number in range(20):
        assert (await asked(stage, request(messages=turns, number=number)))[0] == went
    others = {(await asked(stage, request(messages=turns[2:], number=number)))[0] for number in range(40)}
    assert others == set("abcd")


@aio
async def test_where_nothing_is_to_be_kept_nothing_is_looked_at():
    """Who does not ask for it pays nothing."""
    exchange = request()
    await asked(router(place("a"), place("b"), prefixes=Prefixes()), exchange)
    assert exchange.prefix is None
