"""The stage: what it leaves on the exchange, and what it does not look at."""

from __future__ import annotations

import pytest

from headgate.routing.constraints import Requirement
from headgate.routing.directory import Directory
from headgate.routing.feature import Feature
from headgate.routing.pool import Pool
from headgate.routing.stage import Router
from tests.support.aio import aio
from tests.support.routes import FakeHealth, fake, names, place, request

__all__: list[str] = []


def made(provider, model):
    return place(f"{provider}/{model}", credential="key 1"), place(f"{provider}/{model}", credential="key 2")


def directory(**more):
    given = {
        "features": {"chat": Feature(models=("small", "a/spare"), reserves=("a/spare",))},
        "models": {"small": [place("a"), place("b")]},
        "providers": {"a": "openai"},
        "make": made,
        **more,
    }
    return Directory(**given)


async def passed(router, exchange):
    async def proceed(_):
        return None

    await router(exchange, proceed)
    return exchange


@aio
async def test_a_request_that_no_rule_concerns_is_not_read():
    """Its body may be anything; the dialect is never asked."""
    router = Router(directory())
    exchange = request(model="chat")
    exchange.body = b"not JSON"
    await passed(router, exchange)
    assert (exchange.feature, exchange.routed_model, names(exchange.candidates)[:2]) == (
        "chat",
        "small",
        ["a", "b"],
    )
    assert names(exchange.reserves["a/spare"]) == ["a", "a"] and exchange.notes == {}


@aio
async def test_the_same_list_serves_every_plain_request():
    """Nothing is put together anew."""
    router = Router(directory())
    first, second = [await passed(router, request(model="small", number=n)) for n in (1, 2)]
    assert first.candidates is second.candidates


@pytest.mark.parametrize("state", [{"blocked": 2.0}, {"ejected": True}])
@aio
async def test_written_order_bends_to_health(state):
    """And straightens again."""
    endpoints = [place("a", health=FakeHealth(**state)), place("b")]
    router = Router(directory(models={"small": endpoints}))
    assert names((await passed(router, request(model="small"))).candidates) == ["b", "a"]
    fake(endpoints[0]).set()
    assert names((await passed(router, request(model="small"))).candidates) == ["a", "b"]


@aio
async def test_a_provider_with_several_keys_is_several_endpoints_of_a_model_asked_for_directly():
    """They go round there, too."""
    router = Router(directory())
    firsts = {
        (await passed(router, request(model="a/x", number=n))).candidates[0].credential for n in range(40)
    }
    assert firsts == {"key 1", "key 2"}


@aio
async def test_a_feature_named_beside_a_model_lends_its_rules():
    """A model's name is no way around them."""
    rule = Requirement("feature `chat`", providers=("b",))
    router = Router(directory(features={"chat": Feature(models=("small",), rule=rule)}))
    assert names((await passed(router, request(model="small", feature="chat"))).candidates) == ["b"]
    assert names((await passed(router, request(model="small"))).candidates) == ["a", "b"]


@aio
async def test_the_callers_region_counts_where_a_model_asks_the_nearest():
    """By header."""
    pool = Pool("small", [place("a", region="us"), place("b", region="eu-1")], strategy_name="nearest")
    router = Router(directory(models={"small": pool}))
    exchange = request(model="small", headers={"x-headgate-region": "EU"})
    assert names((await passed(router, exchange)).candidates) == ["b", "a"]


def test_every_model_is_known_with_its_endpoints():
    """Those of the configuration, those that features name, those asked for directly so far."""
    found = directory()
    found.resolve("a/y")
    assert {name: names(each) for name, each in found.models().items()} == {
        "small": ["a", "b"],
        "a/spare": ["a", "a"],
        "a/y": ["a", "a"],
    }
    assert names(found.reached("small")) == ["a", "b"] and not found.reached("none")
    assert len(found.endpoints()) == 4
