"""What every store of answers promises of removing them; run on each engine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from headgate.stores.answers import CacheEntry, Selection
from tests.support.aio import aio
from tests.support.answers import comes_true, every, key_of, made, one_store, opened, spot

__all__: list[str] = []


SELECTIONS = [
    (Selection(), "abcd"),
    (Selection(tenant="other"), "d"),
    (Selection(feature="shop"), "abd"),
    (Selection(feature="mail"), "c"),
    (Selection(prompt="greeting"), "abd"),
    (Selection(prompt="greeting@8"), "b"),
    (Selection(prompt="greet"), ""),
    (Selection(tag="team"), "ab"),
    (Selection(tag="team=red"), "b"),
    (Selection(tag="tea"), ""),
    (Selection(text="PARIS"), "a"),
    (Selection(text="caf\u00c9\nau"), "c"),
    (Selection(user="bob"), "bc"),
    (Selection(user="ada"), "a"),
    (Selection(keys=[key_of("a"), key_of("d")]), "ad"),
    (Selection(origins=[7, 8]), "bc"),
    (Selection(feature="shop", user="bob"), "b"),
    (Selection(before_ns=1_000), "a"),
]


def four() -> list[CacheEntry]:
    later = time.time_ns()
    return [
        made("a", question="Where is Paris?", made_ns=999, origin_id=1),
        made("b", prompt="greeting@8", tags={"team": "red"}, user="bob", made_ns=later, origin_id=7),
        made(
            "c",
            feature="mail",
            prompt="",
            tags={},
            answer='{"parts": [{"text": "caf\u00e9\\nau lait"}]}'.encode(),
            scope="user",
            owner="bob",
            user="",
            made_ns=later + 1,
            origin_id=8,
        ),
        made("d", tenant="other", tags={"te": "team"}, user="carl", made_ns=later + 2, origin_id=9),
    ]


@every
@aio
async def test_a_selection_means_what_it_says(backend: str, place: Path | str) -> None:
    """All that is said has to hold. A dry run removes nothing; what is browsed is what would be removed."""
    async with one_store(backend, place) as store:
        for entry in four():
            store.put(entry)
        names = {key_of(name): name for name in "abcd"}
        for which, expected in SELECTIONS:
            found = await store.browse(which, order="newest", limit=9)
            shown = "".join(sorted(names[each.entry.key] for each in found))
            assert shown == expected, which
            removal = await store.remove(which, dry_run=True)
            assert removal.entries == len(expected), which
            assert "".join(sorted(names[each.key] for each in removal.some)) == expected, which
            assert (removal.bytes > 0) == bool(expected)
        assert (await store.sizes()).entries == 4


@every
@pytest.mark.parametrize(("which", "expected"), SELECTIONS)
@aio
async def test_what_is_removed_is_gone(
    backend: str, place: Path | str, which: Selection, expected: str
) -> None:
    """From memory and from the engine; the others stay."""
    async with one_store(backend, place) as store:
        for entry in four():
            store.put(entry)
        removal = await store.remove(which)
        assert removal.entries == len(expected)
        for name in "abcd":
            kept = name not in expected
            assert (store.at_hand(key_of(name)) is not None) == kept, name
            assert (await store.get(key_of(name)) is not None) == kept, name
        assert (await store.sizes()).entries == 4 - len(expected)
        again = made("a")
        store.put(again)
        assert await store.get(again.key) == again


@every
@aio
async def test_what_is_put_after_a_removal_stays(backend: str, place: Path | str) -> None:
    """The answer that is fetched anew at once is no victim of the removal that it follows."""
    async with one_store(backend, place) as store:
        for turn in range(3):
            store.put(made("a"))
            await store.remove(Selection(feature="shop"))
            new = made("a")
            store.put(new)
            assert store.at_hand(new.key) == new, turn
            found = await store.browse(Selection(feature="shop"), order="newest", limit=9)
            assert [each.entry for each in found] == [new], turn
            assert await store.get(new.key) == new


@every
@aio
async def test_whoever_keeps_answers_elsewhere_hears_of_a_removal(backend: str, place: Path | str) -> None:
    """On every node, and not of one that was only tried: what people have removed is not to come back from another memory."""
    async with spot(backend, place) as where, opened(backend, where) as store:
        heard: list[str] = []
        watched: Any = store
        watched.on_removed = lambda: heard.append("here")
        store.put(made("kept"))
        await store.remove(Selection(), dry_run=True)
        assert heard == []
        if backend == "memory":
            await store.remove(Selection(feature="other"))
            assert heard == ["here"]
            return
        async with opened(backend, where) as other:
            await other.remove(Selection(feature="other"))
        await comes_true(lambda: "here" in heard)
