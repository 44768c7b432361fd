"""Names and what they stand for: features, models, provider/model, vendors' own names, and near misses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import UnknownModel
from headgate.core.messages import ModelList
from headgate.edge.dialects.models import OpenAIModels
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.exchange.caller import Caller
from headgate.exchange.dialect import Peek
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.providers.port import Endpoint
from headgate.routing.directory import Directory
from headgate.routing.stage import Router
from tests.support.aio import aio

__all__: list[str] = []

NOTHING: Any = None


def made(provider: str, model: str) -> Endpoint:
    return Endpoint(provider=provider, model=model, adapter=NOTHING, upstream=NOTHING)


def directory(**changes: Any) -> Directory:
    given: dict[str, Any] = {
        "features": {"support-chat": ["small", "house/llama"], "search": ["large"]},
        "models": {
            "small": [made("openai", "gpt-4o-mini"), made("house", "llama")],
            "large": [made("openai", "gpt-4o")],
        },
        "providers": {"openai": "openai", "house": "openai", "claude": "anthropic"},
        "make": made,
        **changes,
    }
    return Directory(**given)


def names(route: Any) -> list[str]:
    return [f"{one.provider}/{one.model}" for one in route.candidates]


def test_a_feature_stands_for_its_route_and_then_its_fallbacks() -> None:
    """In the order the operator wrote."""
    route = directory().resolve("support-chat")
    assert (route.feature, route.model) == ("support-chat", "small")
    assert names(route) == ["openai/gpt-4o-mini", "house/llama", "house/llama"]


def test_a_model_stands_for_its_endpoints() -> None:
    """Without a feature."""
    route = directory().resolve("large")
    assert (route.feature, route.model, names(route)) == ("", "large", ["openai/gpt-4o"])


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("house/some/model:7b", "house/some/model:7b"),
        ("gpt-4.1", "openai/gpt-4.1"),
        ("claude-sonnet-4-5", "claude/claude-sonnet-4-5"),
    ],
)
def test_a_model_can_be_asked_for_directly(name: str, asked: str) -> None:
    """As provider/model, or by a name only one vendor gives; asked again it is the same route."""
    found = directory()
    assert names(found.resolve(name)) == [asked]
    assert found.resolve(name) is found.resolve(name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("suport-chat", "`support-chat`"),
        ("smal", "`small`"),
        ("gemini-pro", "known are"),
        ("", "known are"),
        ("house/", "`house/…`"),
        ("a\nb", ""),
        ("x" * 5000, ""),
    ],
)
def test_an_unknown_name_is_told_what_is_near(name: str, hint: str) -> None:
    """Or, if nothing is, what there is; however long the name, the message is short."""
    with pytest.raises(UnknownModel) as raised:
        directory().resolve(name)
    assert hint in raised.value.message and raised.value.param == "model"
    assert len(raised.value.message) < 600


def test_a_route_to_nowhere_is_refused_when_it_is_built() -> None:
    """Not at the first request."""
    with pytest.raises(UnknownModel, match="smal"):
        directory(features={"a": ["smal"]})


def test_one_provider_may_take_every_vendors_models() -> None:
    """The simulated one does, when nothing else is configured; other names stay unknown."""
    found = directory(features={}, models={}, providers={"sim": "simulated"}, catch_all="sim")
    assert names(found.resolve("gpt-9")) == ["sim/gpt-9"]
    for name in ("", "support-chat"):
        with pytest.raises(UnknownModel):
            found.resolve(name)


def test_names_of_strangers_do_not_fill_memory() -> None:
    """A thousand are remembered."""
    found = directory()
    for number in range(1500):
        found.resolve(f"house/model-{number}")
    assert len(found._direct) == 1000


@given(st.text(max_size=300))
def test_any_name_resolves_or_is_refused(name: str) -> None:
    """Nothing else comes of it."""
    try:
        assert directory().resolve(name).candidates
    except UnknownModel as error:
        assert len(error.message) < 1200


def exchange(dialect: Any, model: str = "") -> Exchange:
    made_up = Exchange(id=1, dialect=dialect, body=b"", headers=[], received_at=0.0, started_ns=0)
    made_up.peek = Peek(model=model)
    return made_up


async def nobody(exchange: Exchange) -> Reply:
    return Reply(status=299)


@aio
async def test_the_router_sets_candidates_and_proceeds() -> None:
    """Feature and model too, for the record."""
    found = exchange(OpenAIChat(), "search")
    assert (await Router(directory())(found, nobody)).status == 299
    assert (found.feature, found.routed_model, len(found.candidates)) == ("search", "large", 1)


@aio
async def test_the_list_of_models_is_what_the_key_may_ask_for() -> None:
    """All that is configured, for a key without bounds."""
    found = exchange(OpenAIModels())
    reply = await Router(directory())(found, nobody)
    assert isinstance(reply.answer, ModelList)
    assert [card.id for card in reply.answer.models] == ["small", "large", "support-chat", "search"]
    found.caller = Caller(key_id="k", key_name="n", models=("search",))
    reply = await Router(directory())(found, nobody)
    assert isinstance(reply.answer, ModelList)
    assert [card.id for card in reply.answer.models] == ["search"]


@aio
async def test_one_model_can_be_asked_about() -> None:
    """By a name of the configuration; an unknown one is refused like everywhere."""
    reply = await Router(directory())(exchange(OpenAIModels(one=True), "search"), nobody)
    assert isinstance(reply.answer, ModelList)
    assert [card.id for card in reply.answer.models] == ["search"]
    with pytest.raises(UnknownModel, match="search"):
        await Router(directory())(exchange(OpenAIModels(one=True), "serch"), nobody)
