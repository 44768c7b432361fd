"""Whatever is done in whatever order on two nodes: nobody gets an answer of another key, one that was removed, or one that is over,
and the bound is held."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from headgate.stores.answer_choice import Choice
from headgate.stores.answers import CacheEntry, Selection
from tests.support.answers import ENGINES, SECOND, hears, key_of, made, opened, spot, vector_of

__all__: list[str] = []

MOST = 400_000
NODES, KEYS = st.integers(0, 1), st.integers(0, 5)
FEATURES = st.sampled_from(["shop", "mail"])
EXAMPLES = {"memory": 60, "sqlite": 25, "postgres": 6, "redis": 8}


class AnyOrder(RuleBasedStateMachine):
    """Two nodes of one installation (memory: twice the same one), and what was done so far."""

    def __init__(self, engine: str, place: Path | str) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.ahead = 0
        self.moment = 0
        self.put_at: dict[int, int] = {}
        self.removals: list[tuple[int, Choice]] = []
        self.stack = AsyncExitStack()
        self.engine = engine
        self.nodes: list[Any] = self.run(self.open(place))

    def run(self, what: Any) -> Any:
        return self.loop.run_until_complete(what)

    async def open(self, place: Path | str) -> list[Any]:
        facts: dict[str, Any] = {"memory_bytes": MOST, "most_bytes": MOST, "now_ns": self.now}
        one: Any = await self.stack.enter_async_context(opened(self.engine, place, **facts))
        if self.engine == "memory":
            return [one, one]
        two: Any = await self.stack.enter_async_context(opened(self.engine, place, **facts))
        await one.remove(Selection())  # what the example before has left
        await hears(two)
        return [one, two]

    def now(self) -> int:
        return time.time_ns() + self.ahead

    @rule(node=NODES, key=KEYS, feature=FEATURES, seconds=st.integers(-1, 90), durable=st.booleans())
    def put(self, node: int, key: int, feature: str, seconds: int, durable: bool) -> None:
        self.moment += 1
        entry = made(
            f"k{key}",
            feature=feature,
            answer=b'"' + b"x" * 2_000 + b'"',
            until_ns=self.now() + seconds * SECOND,
            vector=vector_of(1, key / 10),
            embedder="local",
            durable=durable or self.engine == "memory",
        )
        self.put_at[entry.origin_id] = self.moment
        self.nodes[node].put(entry)

    @rule(node=NODES, feature=FEATURES)
    def put_many(self, node: int, feature: str) -> None:
        self.moment += 1
        for number in range(70):
            entry = made(f"b{number}", feature=feature, answer=b'"' + b"y" * 2_500 + b'"')
            self.put_at[entry.origin_id] = self.moment
            self.nodes[node].put(entry)

    @rule(node=NODES, key=KEYS)
    def get(self, node: int, key: int) -> None:
        found = self.run(self.nodes[node].get(key_of(f"k{key}")))
        self.may_be_given(found, key)
        self.may_be_given(self.nodes[node].at_hand(key_of(f"k{key}")), key)

    @rule(node=NODES, key=KEYS)
    def nearest(self, node: int, key: int) -> None:
        asked = (key_of("compat"), "local", vector_of(1, key / 10), 4)
        for near in self.run(self.nodes[node].nearest(*asked)):
            self.may_be_given(near.entry, None)
            assert near.entry.compat == asked[0]

    @rule(node=NODES)
    def written(self, node: int) -> None:
        self.run(self.nodes[node].browse(Selection(), order="hits", limit=1))

    @rule(seconds=st.integers(1, 60))
    def time_goes_by(self, seconds: int) -> None:
        self.ahead += seconds * SECOND

    @rule(node=NODES, feature=FEATURES, key=KEYS, by_key=st.booleans())
    def remove(self, node: int, feature: str, key: int, by_key: bool) -> None:
        which = Selection(keys=[key_of(f"k{key}")]) if by_key else Selection(feature=feature)
        self.moment += 1
        self.run(self.nodes[node].remove(which))
        self.removals.append((self.moment, Choice(which)))
        other = self.nodes[1 - node]
        if self.engine != "memory":
            self.run(hears(other))  # as it does by itself within a second

    @rule(node=NODES)
    def tidied(self, node: int) -> None:
        if self.engine != "memory":
            self.run(self.nodes[node].backing.tidy())

    @invariant()
    def the_bound_is_held(self) -> None:
        node = self.nodes[0]
        shelf = node._shelf if self.engine == "memory" else node._hand.shelf
        assert shelf.bytes <= MOST
        sizes = self.run(self.nodes[0].sizes())
        assert 0 <= sizes.bytes <= MOST

    def may_be_given(self, entry: CacheEntry | None, key: int | None) -> None:
        if entry is None:
            return
        assert key is None or entry.key == key_of(f"k{key}")
        assert entry.until_ns > self.now()
        put_at = self.put_at[entry.origin_id]
        for removed_at, choice in self.removals:
            assert not (put_at < removed_at and choice(entry)), "it was removed"

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.loop.close()


@pytest.mark.parametrize("backend", ENGINES)
def test_nothing_is_given_that_must_not_be(backend: str, place: Path | str, tmp_path: Path) -> None:
    """See above."""
    loop = asyncio.new_event_loop()
    stack = AsyncExitStack()
    where = loop.run_until_complete(stack.enter_async_context(spot(backend, place)))
    number = 0

    def machine() -> AnyOrder:
        nonlocal number
        number += 1
        return AnyOrder(backend, tmp_path / str(number) if backend == "sqlite" else where)

    try:
        run_state_machine_as_test(
            machine,  # type: ignore[arg-type]  # it is called, whatever it is
            settings=settings(
                max_examples=EXAMPLES[backend],
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        loop.run_until_complete(stack.aclose())
        loop.close()
