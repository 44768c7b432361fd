"""What every store of answers promises of neighbours; run on each engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.stores.answers import Selection
from tests.support.aio import aio
from tests.support.answers import (
    comes_true,
    every,
    key_of,
    made,
    one_store,
    shared,
    two_nodes,
    vector_of,
    written,
)

__all__: list[str] = []


@every
@aio
async def test_neighbours_are_found_within_their_group(backend: str, place: Path | str) -> None:
    """Nearest first; never of another group or embedder, never removed ones; new ones at once."""
    async with one_store(backend, place) as store:
        for name, vector, changes in (
            ("near", vector_of(1, 0.1, 0, 0), {}),
            ("nearer", vector_of(1, 0, 0, 0), {}),
            ("far", vector_of(0, 0, 1, 0), {}),
            ("elsewhere", vector_of(1, 0, 0, 0), {"compat": key_of("other")}),
            ("foreign", vector_of(1, 0, 0, 0), {"embedder": "hosted"}),
        ):
            store.put(made(name, vector=vector, **{"embedder": "local", **changes}))
        await written(store)
        asked = (key_of("compat"), "local", vector_of(1, 0, 0, 0))
        found = await store.nearest(*asked, 2)
        assert [each.entry.key for each in found] == [key_of("nearer"), key_of("near")]
        assert found[0].cosine == pytest.approx(1, abs=1e-3)
        assert found[1].cosine == pytest.approx(0.995, abs=1e-3)
        assert found[0].entry.vector == vector_of(1, 0, 0, 0)
        await store.remove(Selection(keys=[key_of("nearer")]))
        store.put(made("new", vector=vector_of(1, 0.05, 0, 0), embedder="local"))
        await written(store)
        found = await store.nearest(*asked, 2)
        assert [each.entry.key for each in found] == [key_of("new"), key_of("near")]
        # A newer answer of the same key without a vector is no neighbour any more.
        store.put(made("new"))
        await written(store)
        found = await store.nearest(*asked, 2)
        assert [each.entry.key for each in found] == [key_of("near"), key_of("far")]
        assert list(await store.nearest(key_of("nobody"), "local", vector_of(1, 0, 0, 0), 2)) == []


@shared
@aio
async def test_neighbours_of_other_nodes_are_found_soon(backend: str, place: Path | str) -> None:
    """Also in a group that this node has read before they came."""
    async with two_nodes(backend, place) as (one, two):
        one.put(made("first", vector=vector_of(1, 0), embedder="local"))
        await written(one)
        asked = (key_of("compat"), "local", vector_of(1, 0.2), 5)
        assert len(await two.nearest(*asked)) == 1
        one.put(made("second", vector=vector_of(1, 0.2), embedder="local"))

        async def both() -> bool:
            return [each.entry.key for each in await two.nearest(*asked)] == [
                key_of("second"),
                key_of("first"),
            ]

        await comes_true(both)
        await one.remove(Selection(keys=[key_of("second")]))

        async def one_left() -> bool:
            return [each.entry.key for each in await two.nearest(*asked)] == [key_of("first")]

        await comes_true(one_left, 1.2)
