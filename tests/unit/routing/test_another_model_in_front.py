"""Whoever asks for a feature may be given another model, because its budget is nearly spent: the feature's rules hold for that too."""

from __future__ import annotations

from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.routing.constraints import Requirement
from headgate.routing.directory import Directory
from headgate.routing.feature import Feature
from headgate.routing.stage import Router
from tests.support.aio import aio
from tests.support.routes import names, place, request

__all__: list[str] = []

LARGE, SMALL, LAST = place("large"), place("small"), place("last")
ABROAD = place("abroad")


async def routed(feature: Feature, asked: str = "shop", to: str = "small") -> Exchange:
    directory = Directory(
        features={"shop": feature},
        models={"large": [LARGE], "small": [SMALL, ABROAD], "last": [LAST]},
        providers={},
        make=lambda _provider, _model: LARGE,
    )
    exchange = request(model=asked)
    exchange.route_as = to

    async def proceed(_: Exchange) -> Reply:
        return Reply()

    await Router(directory)(exchange, proceed)
    return exchange


def places(exchange: Exchange) -> list[str]:
    return names(exchange.candidates)


@aio
async def test_it_takes_the_first_place_of_the_route() -> None:
    """Fallbacks stay behind it, and the feature stays the feature."""
    exchange = await routed(Feature(models=("large", "last")))
    assert places(exchange) == names([SMALL, ABROAD, LAST])
    assert (exchange.feature, exchange.routed_model) == ("shop", "small")


@aio
async def test_it_takes_the_place_of_all_difficulties() -> None:
    """A hard request is no exception: the money is gone."""
    exchange = await routed(
        Feature(models=("large",), tiers={"simple": "last", "medium": "last", "complex": "large"})
    )
    assert places(exchange) == names([SMALL, ABROAD])


@aio
async def test_the_features_rules_hold_for_it() -> None:
    """Cheaper is no reason to send data where it must not go."""
    rule = Requirement("shop", not_providers=(ABROAD.provider,))
    exchange = await routed(Feature(models=("large",), rule=rule))
    assert places(exchange) == names([SMALL])


@aio
async def test_a_model_that_was_asked_for_directly_is_replaced_too() -> None:
    """Without a feature there are no rules of one."""
    exchange = await routed(Feature(models=("large",)), asked="large")
    assert places(exchange) == names([SMALL, ABROAD])
    assert exchange.feature == ""
