"""Switched off is off: of one request, of a feature, of the installation. A store that writes down every call has none to show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.cache.identity import Identities
from headgate.cache.stage import NothingKept
from headgate.compose.caching import policies_of
from headgate.config.loader import parse
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.stores.backends.memory.answers import MemoryAnswers
from tests.support.aio import aio
from tests.support.recalling import Remembering, body, remembering, settled
from tests.support.small_gateway import answer

__all__: list[str] = []


class Watched:
    """Fulfils `AnswerStore` by another one, and keeps the name of everything that is asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.store = MemoryAnswers(10_000_000)

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return getattr(self.store, name)


def gateway(count: int = 4, **settings: Any) -> tuple[Remembering, Watched]:
    store = Watched()
    made = remembering(*(answer() for _ in range(count)), store=store, **settings)
    store.store = MemoryAnswers(10_000_000, now_ns=made.clock.wall_ns)
    store.asked.clear()
    return made, store


@pytest.mark.parametrize("value", ["off", "OFF", " off ", "false", "no"])
@aio
async def test_off_for_one_request_neither_reads_nor_writes(value: str) -> None:
    """Nor does it join a call under way, nor say how many times an entry was given."""
    gate, store = gateway()
    for calls in (1, 2):
        told = await gate.ask(headers={"x-headgate-cache": value})
        await settled()
        assert told.status == 200
        assert told.headers["x-cache"] == "BYPASS"
        assert (store.asked, gate.calls) == ([], calls)
    assert gate.seen[-1].notes["cache"]


@aio
async def test_the_same_request_without_the_switch_would_have_been_answered() -> None:
    """Else the test before proved nothing: the answer is there, and is not looked at."""
    gate, store = gateway()
    await gate.ask()
    await settled()
    assert "put" in store.asked
    store.asked.clear()
    off = await gate.ask(headers={"x-headgate-cache": "off"})
    await settled()
    assert (off.headers["x-cache"], store.asked, gate.calls) == ("BYPASS", [], 2)
    assert (await gate.ask()).headers["x-cache"].startswith("HIT")
    assert gate.calls == 2


@aio
async def test_a_feature_without_a_cache_asks_nothing_of_the_store() -> None:
    """Nor does a model that is asked for directly."""
    gate, store = gateway()
    ground = gate.recall.ground
    gate.recall.ground = type(ground)(**{**_fields(ground), "policy_of": lambda _exchange: None})
    for _ in range(2):
        told = await gate.ask()
        await settled()
        assert "x-cache" not in told.headers
    assert (store.asked, gate.calls) == ([], 2)


@pytest.mark.parametrize(
    "content",
    [
        body("What is the weather today?"),
        body("Where is my order?"),
        body("Ask Mr Brook."),
        body(temperature=0.7),
        body(tools=[{"type": "function", "function": {"name": "f"}}]),
        b'{"model":"small","temperature":0,"messages":[],"messages":[{"role":"user","content":"a"}]}',
    ],
)
@aio
async def test_what_is_not_to_be_kept_is_not_looked_for_either(content: bytes) -> None:
    """The reason stands on the record; the store is left alone."""
    gate, store = gateway()
    for _ in range(2):
        told = await gate.ask(content)
        await settled()
        assert (told.status, told.headers["x-cache"]) == (200, "BYPASS")
    assert (store.asked, gate.calls) == ([], 2)
    note = gate.seen[-1].notes["cache"]
    assert note
    assert "Brook" not in note


@aio
async def test_no_store_reads_and_does_not_write() -> None:
    """As RFC 9111 has it: nothing of the request or its answer is kept."""
    gate, store = gateway()
    await gate.ask(headers={"cache-control": "no-store"})
    await settled()
    assert "put" not in store.asked
    await gate.ask()
    await settled()
    assert "put" in store.asked
    assert (await gate.ask(headers={"cache-control": "no-store"})).headers["x-cache"].startswith("HIT")


CONFIG = """
[providers.sim]
kind = "simulated"
[features.on]
route = "sim/x"
cache = { exact = "1h" }
[features.off]
route = "sim/x"
[features.empty]
route = "sim/x"
cache = {}
"""


def test_only_features_that_say_how_long_have_a_cache() -> None:
    """And none, if the installation says so."""
    assert set(policies_of(parse(CONFIG, {}).settings)) == {"on"}
    assert policies_of(parse(f"{CONFIG}[cache]\nenabled = false\n", {}).settings) == {}


def test_looking_at_a_request_asks_no_store() -> None:
    """Whether it may be cached is known from the request and the configuration alone."""
    assert not [name for name in vars(Identities()) if "store" in name]


def _fields(ground: Any) -> dict[str, Any]:
    return {name: getattr(ground, name) for name in type(ground).__dataclass_fields__}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
@aio
async def test_only_if_cached_asks_no_model(path: str) -> None:
    """504, as RFC 9111 has it, in the caller's dialect; and SDKs are told not to try again."""
    gate, _ = gateway()
    asked = json.loads(body("hello", max_tokens=9))
    if path == "/v1/responses":
        asked = {"model": "small", "temperature": 0, "input": "hello"}
    told = await gate.ask(json.dumps(asked).encode(), path=path, headers={"cache-control": "only-if-cached"})
    assert (told.status, told.headers["x-should-retry"], gate.calls) == (504, "false", 0)
    assert b"not_in_cache" in told.body
    assert (b'"type":"error"' in told.body) == (path == "/v1/messages")


PATHS = ["/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/embeddings"]
ALONE = {"cache-control": "only-if-cached"}


def asked(path: str, **more: Any) -> bytes:
    if path in ("/v1/responses", "/v1/embeddings"):
        return json.dumps({"model": "small", "input": "hello", **more}).encode()
    return body(max_tokens=9, **more)


def assert_none_kept(told: Any, path: str, calls: int) -> None:
    assert (told.status, told.headers["x-should-retry"], calls) == (504, "false", 0)
    assert b"not_in_cache" in told.body and b"only-if-cached" in told.body
    assert (b'"type":"error"' in told.body) == (path == "/v1/messages")
    assert "x-cache" not in told.headers


@pytest.mark.parametrize("path", PATHS)
@aio
async def test_only_if_cached_asks_no_model_where_the_feature_has_no_cache(path: str) -> None:
    """There is nothing that could be given, whatever is asked: RFC 9111 has the same 504 for it."""
    gate, store = gateway()
    ground = gate.recall.ground
    gate.recall.ground = type(ground)(**{**_fields(ground), "policy_of": lambda _exchange: None})
    told = await gate.ask(asked(path), path=path, headers=ALONE)
    assert_none_kept(told, path, gate.calls)
    assert b"features." in told.body and store.asked == []


@pytest.mark.parametrize("path", PATHS)
@aio
async def test_only_if_cached_asks_no_model_where_the_request_wants_no_cache(path: str) -> None:
    """Who says both wants nothing."""
    gate, store = gateway()
    told = await gate.ask(asked(path), path=path, headers={**ALONE, "x-headgate-cache": "off"})
    assert_none_kept(told, path, gate.calls)
    assert b"x-headgate-cache: off" in told.body and store.asked == []


@pytest.mark.parametrize("purpose", ["replay", "shadow", "refresh", "warm"])
@aio
async def test_what_repeats_a_request_does_not_repeat_its_wish(purpose: str) -> None:
    """A copy of a request that wanted a kept answer alone is made to hear a model."""
    gate, _ = gateway()
    ground = gate.recall.ground
    gate.recall.ground = type(ground)(**{**_fields(ground), "policy_of": lambda _exchange: None})
    reached: list[str] = []

    async def proceed(exchange: Exchange) -> Reply:
        reached.append(exchange.purpose)
        return Reply()

    for stage in (gate.recall, NothingKept(lambda _exchange: None)):
        await gate.ask(asked(PATHS[0]))
        exchange = gate.seen[-1]
        exchange.purpose, exchange.headers = purpose, [(b"cache-control", b"only-if-cached")]
        await stage(exchange, proceed)
    assert reached == [purpose, purpose]
