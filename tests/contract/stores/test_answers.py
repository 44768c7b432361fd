"""What every store of answers promises; run on each engine."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from headgate.stores.answers import MOST_JUDGEMENTS, AnswerStore, CacheEntry, Judgement, Selection
from tests.support.aio import aio
from tests.support.answers import (
    ENGINES,
    SECOND,
    SHARED_ENGINES,
    comes_true,
    key_of,
    made,
    opened,
    spot,
    vector_of,
)

__all__: list[str] = []

every = pytest.mark.parametrize("backend", ENGINES)
shared = pytest.mark.parametrize("backend", SHARED_ENGINES)


@every
def test_an_answer_comes_back_whole(backend: str, place: Path | str) -> None:
    """At once from memory, and as it was from the engine, zero bytes and all."""

    @aio
    async def run() -> None:
        async with spot(backend, place) as where:
            entry = made(
                "moon",
                tags={"customer": "ac\x00me", "ü": "ß"},
                question="How\x00 far? \ud83d".encode("utf-8", "replace").decode(),
                vector=vector_of(1, 2, 3),
                embedder="local",
                request=b"{}",
                dialect="openai",
                user="a\x00da",
            )
            async with opened(backend, where) as store:
                assert await store.get(entry.key) is None
                store.put(entry)
                assert store.at_hand(entry.key) == entry
                assert not store.absent(entry.key)
                assert await store.get(entry.key) == entry
                assert await store.get(key_of("sun")) is None
                await store.sizes()
                await store.browse(Selection(), order="newest", limit=1)
                if backend != "memory":
                    async with opened(backend, where) as other:
                        assert other.at_hand(entry.key) is None
                        assert await other.get(entry.key) == entry
                        assert other.at_hand(entry.key) == entry

    run()


@every
def test_nothing_is_given_after_its_time(backend: str, place: Path | str) -> None:
    """Neither from memory nor from the engine; what is over is not even put."""

    @aio
    async def run() -> None:
        ahead = 0

        def now() -> int:
            return time.time_ns() + ahead

        async with spot(backend, place) as where, opened(backend, where, now_ns=now) as store:
            entry = made(
                "short", until_ns=time.time_ns() + 100 * SECOND, vector=vector_of(1, 0), embedder="e"
            )
            over = made("over", until_ns=time.time_ns() - 1)
            store.put(entry)
            store.put(over)
            assert store.at_hand(over.key) is None
            assert await store.get(over.key) is None
            assert await store.get(entry.key) == entry
            found = await store.browse(Selection(), order="newest", limit=9)
            assert [each.entry.key for each in found] == [entry.key]
            ahead = 101 * SECOND
            assert store.at_hand(entry.key) is None
            assert await store.get(entry.key) is None
            assert await store.browse(Selection(), order="newest", limit=9) == []
            assert list(await store.nearest(entry.compat, "e", vector_of(1, 0), 3)) == []

    run()


@every
def test_the_later_answer_of_a_key_counts(backend: str, place: Path | str) -> None:
    """In place of the earlier one, and the room is not counted twice."""

    @aio
    async def run() -> None:
        async with spot(backend, place) as where, opened(backend, where) as store:
            first = made("same")
            store.put(first)
            await store.browse(Selection(), order="hits", limit=1)
            before = await store.sizes()
            second = made("same", origin_id=99)
            store.put(second)
            found = await store.browse(Selection(), order="hits", limit=9)
            assert [each.entry.origin_id for each in found] == [99]
            assert await store.get(second.key) == second
            after = await store.sizes()
            assert after.entries == before.entries == 1
            assert after.bytes == before.bytes

    run()


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
def test_a_selection_means_what_it_says(backend: str, place: Path | str) -> None:
    """All that is said has to hold. A dry run removes nothing; what is browsed is what would be removed."""

    @aio
    async def run() -> None:
        async with spot(backend, place) as where, opened(backend, where) as store:
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

    run()


@every
@pytest.mark.parametrize(("which", "expected"), SELECTIONS)
def test_what_is_removed_is_gone(backend: str, place: Path | str, which: Selection, expected: str) -> None:
    """From memory and from the engine; the others stay."""

    @aio
    async def run() -> None:
        async with spot(backend, place) as where, opened(backend, where) as store:
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

    run()


@shared
def test_other_nodes_let_go_within_a_second(backend: str, place: Path | str) -> None:
    """Of what they had at hand, also of what is never written anywhere; the rest they find again."""

    @aio
    async def run() -> None:
        async with (
            spot(backend, place) as where,
            opened(backend, where) as one,
            opened(backend, where) as two,
        ):
            gone, kept = made("gone", user="bob"), made("kept")
            secret = made("secret", user="bob", durable=False)
            for entry in (gone, kept):
                one.put(entry)
            two.put(secret)
            await one.browse(Selection(), order="hits", limit=1)
            await comes_true(lambda: not two.absent(kept.key))
            assert await two.get(gone.key) == gone
            assert await two.get(kept.key) == kept
            assert two.at_hand(gone.key) == gone
            await one.remove(Selection(user="bob"))
            removed_at = time.monotonic()
            assert one.at_hand(gone.key) is None
            await comes_true(lambda: two.at_hand(gone.key) is None)
            assert time.monotonic() - removed_at < 1.2
            assert two.at_hand(secret.key) is None
            assert await two.get(gone.key) is None
            assert await two.get(kept.key) == kept

    run()


@shared
def test_a_batch_of_a_node_that_has_not_heard_is_turned_away(backend: str, place: Path | str) -> None:
    """It hears first, lets go of what was meant, and comes again with the rest."""

    @aio
    async def run() -> None:
        async with (
            spot(backend, place) as where,
            opened(backend, where) as one,
            opened(backend, where) as two,
        ):
            await one.sizes()
            entry, other = made("late"), made("other", feature="mail")
            backing = two._backing  # type: ignore[attr-defined]
            write, held = backing.write, asyncio.Event()

            async def slowly(entries: object, removed: int) -> int:
                await held.wait()
                return int(await write(entries, removed))

            backing.write = slowly
            two.put(entry)
            two.put(other)
            # Its batch has left, with the number of the last removal that it knew of.
            await asyncio.sleep(0.1)
            await one.remove(Selection(feature="shop"))
            held.set()
            await comes_true(lambda: has(one, other))
            assert await one.get(entry.key) is None
            await comes_true(lambda: two.at_hand(entry.key) is None)
            assert await two.get(entry.key) is None

    async def has(store: object, entry: CacheEntry) -> bool:
        return await store.get(entry.key) is not None  # type: ignore[attr-defined]

    run()


@shared
def test_removals_overtake_what_is_under_way(backend: str, place: Path | str) -> None:
    """Two nodes put and look without a pause, and remove in between: nothing from before a removal is there after it."""

    @aio
    async def run() -> None:
        async with (
            spot(backend, place) as where,
            opened(backend, where) as one,
            opened(backend, where) as two,
        ):
            count, over = 0, False

            async def busy(store: AnswerStore) -> None:
                nonlocal count
                while not over:
                    for _ in range(3):
                        count += 1
                        store.put(made(f"k{count % 40}", origin_id=count))
                    await store.get(key_of(f"k{count * 7 % 40}"))
                    await asyncio.sleep(0.001)

            working = [asyncio.create_task(busy(store)) for store in (one, two)]
            for turn in range(4):
                await asyncio.sleep(0.05)
                before = count
                await (one, two)[turn % 2].remove(Selection(text="far"))
                for store in (one, two):
                    await store._hear()  # type: ignore[attr-defined]
                for store in (one, two):
                    for number in range(40):
                        for found in (
                            store.at_hand(key_of(f"k{number}")),
                            await store.get(key_of(f"k{number}")),
                        ):
                            assert found is None or found.origin_id > before
            over = True
            await asyncio.gather(*working)

    run()


@shared
def test_an_answer_that_was_on_its_way_when_it_was_removed_does_not_stay(
    backend: str, place: Path | str
) -> None:
    """Read before the removal, it arrives after this node has heard of it."""

    @aio
    async def run() -> None:
        async with (
            spot(backend, place) as where,
            opened(backend, where) as one,
            opened(backend, where) as two,
        ):
            entry = made("slow")
            one.put(entry)
            await one.sizes()
            await one.browse(Selection(), order="hits", limit=1)
            backing = two._backing  # type: ignore[attr-defined]
            fetch, held = backing.fetch, asyncio.Event()

            async def slowly(keys: object) -> object:
                found = await fetch(keys)
                await held.wait()
                return found

            backing.fetch = slowly
            await comes_true(lambda: not two.absent(entry.key))
            asked = asyncio.create_task(two.get(entry.key))
            await asyncio.sleep(0.1)
            await one.remove(Selection(feature="shop"))
            await comes_true(lambda: two._removed > 0)  # type: ignore[attr-defined]
            held.set()
            assert await asked is None
            assert two.at_hand(entry.key) is None

    run()


@every
def test_what_is_put_after_a_removal_stays(backend: str, place: Path | str) -> None:
    """The answer that is fetched anew at once is no victim of the removal that it follows."""

    @aio
    async def run() -> None:
        async with spot(backend, place) as where, opened(backend, where) as store:
            for turn in range(3):
                store.put(made("a"))
                await store.remove(Selection(feature="shop"))
                new = made("a")
                store.put(new)
                assert store.at_hand(new.key) == new, turn
                found = await store.browse(Selection(feature="shop"), order="newest", limit=9)
                assert [each.entry for each in found] == [new], turn
                assert await store.get(new.key) == new

    run()


@every
def test_neighbours_are_found_within_their_group(backend: str, place: Path | str) -> None:
    """Nearest first; never of another group or embedder, never removed ones; new ones at once."""

    @aio
    async def run() -> None:
        async with spot(backend, place) as where, opened(backend, where) as store:
            for name, vector, changes in (
                ("near", vector_of(1, 0.1, 0, 0), {}),
                ("nearer", vector_of(1, 0, 0, 0), {}),
                ("far", vector_of(0, 0, 1, 0), {}),
                ("elsewhere", vector_of(1, 0, 0, 0), {"compat": key_of("other")}),
                ("foreign", vector_of(1, 0, 0, 0), {"embedder": "hosted"}),
            ):
                store.put(made(name, vector=vector, **{"embedder": "local", **changes}))
            await store.browse(Selection(), order="hits", limit=1)
            asked = (key_of("compat"), "local", vector_of(1, 0, 0, 0))
            found = await store.nearest(*asked, 2)
            assert [each.entry.key for each in found] == [key_of("nearer"), key_of("near")]
            assert found[0].cosine == pytest.approx(1, abs=1e-3)
            assert found[1].cosine == pytest.approx(0.995, abs=1e-3)
            assert found[0].entry.vector == vector_of(1, 0, 0, 0)
            await store.remove(Selection(keys=[key_of("nearer")]))
            store.put(made("new", vector=vector_of(1, 0.05, 0, 0), embedder="local"))
            await store.browse(Selection(), order="hits", limit=1)
            found = await store.nearest(*asked, 2)
            assert [each.entry.key for each in found] == [key_of("new"), key_of("near")]
            # A newer answer of the same key without a vector is no neighbour any more.
            store.put(made("new"))
            await store.browse(Selection(), order="hits", limit=1)
            found = await store.nearest(*asked, 2)
            assert [each.entry.key for each in found] == [key_of("near"), key_of("far")]
            assert list(await store.nearest(key_of("nobody"), "local", vector_of(1, 0, 0, 0), 2)) == []

    run()


@shared
def test_neighbours_of_other_nodes_are_found_soon(backend: str, place: Path | str) -> None:
    """Also in a group that this node has read before they came."""

    @aio
    async def run() -> None:
        async with (
            spot(backend, place) as where,
            opened(backend, where) as one,
            opened(backend, where) as two,
        ):
            one.put(made("first", vector=vector_of(1, 0), embedder="local"))
            await one.browse(Selection(), order="hits", limit=1)
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

    run()


@every
def test_what_is_given_often_comes_first_and_pages_follow(backend: str, place: Path | str) -> None:
    """By hits, most first; by age, newest first. A page begins after the key that the one before ended with."""

    @aio
    async def run() -> None:
        async with spot(backend, place) as where, opened(backend, where) as store:
            entries = [made(f"e{number}", made_ns=10**18 + number * 10**9) for number in range(7)]
            for entry in entries:
                store.put(entry)
            await store.browse(Selection(), order="hits", limit=1)
            at = time.time_ns()
            for number, entry in enumerate(entries):
                for _ in range(number % 4):
                    store.hit(entry.key, at)
            store.hit(key_of("unknown"), at)
            seen: list[int] = []
            after = b""
            while page := await store.browse(Selection(feature="shop"), order="hits", limit=3, after=after):
                after = page[-1].entry.key
                seen += [each.hits for each in page]
                assert all(abs(each.last_ns - at) <= 10**6 for each in page if each.hits)
                assert all(each.last_ns == 0 for each in page if not each.hits)
            assert seen == [3, 2, 2, 1, 1, 0, 0]
            newest = await store.browse(Selection(), order="newest", limit=3)
            following = await store.browse(Selection(), order="newest", limit=9, after=newest[-1].entry.key)
            order = [each.entry.made_ns for each in (*newest, *following)]
            assert order == sorted((entry.made_ns for entry in entries), reverse=True)

    run()


@every
def test_the_bound_is_held_and_who_was_not_asked_for_goes_first(backend: str, place: Path | str) -> None:
    """In bytes, whatever is put. What is larger than a hundredth of the room is passed over."""

    @aio
    async def run() -> None:
        most = 300_000
        async with (
            spot(backend, place) as where,
            opened(backend, where, memory_bytes=most, most_bytes=most) as store,
        ):
            popular = made("popular")
            store.put(popular)
            await store.browse(Selection(), order="hits", limit=1)
            sizes = await store.sizes()
            for number in range(60):
                for each in range(10):
                    store.put(made(f"e{number}-{each}", answer=b'"' + b"x" * 700 + b'"'))
                store.hit(popular.key, time.time_ns())
                if backend != "memory":
                    await store._write_hits()  # type: ignore[attr-defined]
                if number % 10 == 9:
                    await store.browse(Selection(), order="hits", limit=1)
                    sizes = await store.sizes()
                    assert sizes.bytes <= sizes.most_bytes == most
            assert sizes.evicted > 300
            assert 100 < sizes.entries < 400
            assert await store.get(popular.key) == popular
            assert await store.get(key_of("e0-0")) is None
            huge = made("huge", answer=b'"' + b"x" * (most // 50) + b'"')
            store.put(huge)
            assert store.at_hand(huge.key) is None
            assert await store.get(huge.key) is None

    run()


@shared
def test_contents_that_are_not_to_be_written_stay_in_this_process(backend: str, place: Path | str) -> None:
    """Given again from memory, by nobody else."""

    @aio
    async def run() -> None:
        async with spot(backend, place) as where:
            entry = made("secret", durable=False, vector=vector_of(1, 0), embedder="local")
            async with opened(backend, where) as one, opened(backend, where) as two:
                one.put(made("open"))
                one.put(entry)
                await one.browse(Selection(), order="hits", limit=1)
                assert await one.get(entry.key) == entry
                assert await two.get(entry.key) is None
                assert (await one.sizes()).entries == 1
                assert (await one.remove(Selection(keys=[entry.key]), dry_run=True)).entries == 1
            async with opened(backend, where) as one:
                assert await one.get(entry.key) is None
                assert await one.get(key_of("open")) is not None

    run()


@every
def test_judgements_are_kept_and_found(backend: str, place: Path | str) -> None:
    """By entry, oldest first, the latest of them; by feature, newest first. They outlive the entry, not the request."""

    @aio
    async def run() -> None:
        async with spot(backend, place) as where, opened(backend, where) as store:
            now = time.time_ns() // 1_000_000 * 1_000_000
            key, other = key_of("a"), key_of("b")
            one = Judgement(
                key=key,
                score=0.5,
                right=True,
                at_ns=now,
                source="sample",
                question="How\x00?",
                feature="shop",
            )
            many = [
                replace(one, at_ns=now + at * 1_000, right=bool(at % 2)) for at in range(MOST_JUDGEMENTS + 5)
            ]
            mail = replace(one, key=other, at_ns=now + 10**9, feature="mail", request_id=7, source="person")
            await store.judge(many)
            await store.judge([mail, mail])
            await store.judge([])
            found = await store.judgements([key, other, key_of("c")])
            assert list(found[key]) == many[5:]
            assert list(found[other]) == [mail, mail]
            assert key_of("c") not in found
            assert await store.judgements([]) == {}
            latest = await store.judged(None, now, 3)
            assert list(latest) == [mail, mail, many[-1]]
            assert list(await store.judged("shop", now + (MOST_JUDGEMENTS + 3) * 1_000 - 500, 9)) == [
                many[-1],
                many[-2],
            ]
            assert list(await store.judged("nobody", now, 9)) == []
            await store.remove(Selection(keys=[key]))
            assert len((await store.judgements([key]))[key]) == MOST_JUDGEMENTS
            await store.unlearn([7, 0])
            assert other not in await store.judgements([other])
            assert all(each.feature == "shop" for each in await store.judged(None, now - 500, 999))

    run()


@shared
def test_answers_survive_a_restart(backend: str, place: Path | str) -> None:
    """What was put before the stop is there after the start, and what is not there costs no look."""

    @aio
    async def run() -> None:
        async with spot(backend, place) as where:
            entries = [made(f"e{number}") for number in range(450)]
            async with opened(backend, where) as store:
                for entry in entries:
                    store.put(entry)
            async with opened(backend, where) as store:
                for entry in entries[::50]:
                    assert await store.get(entry.key) == entry
                if backend == "sqlite":
                    await comes_true(lambda: store.absent(key_of("nowhere")))
                    assert not any(store.absent(entry.key) for entry in entries)
                    new = made("new")
                    store.put(new)
                    assert not store.absent(new.key)
                    # Of another process.
                    async with opened(backend, where, started=False) as other:
                        warm = made("warm")
                        other.put(warm)
                    await comes_true(lambda: not store.absent(warm.key))
                    assert await store.get(warm.key) == warm

    run()


@every
def test_a_store_that_was_not_started_may_be_asked(backend: str, place: Path | str) -> None:
    """By the command line, beside a gateway or without one."""

    @aio
    async def run() -> None:
        async with spot(backend, place) as where, opened(backend, where, started=False) as store:
            assert (await store.sizes()).entries == 0
            entry = made("a")
            store.put(entry)
            assert (await store.remove(Selection(text="far"))).entries == 1
            assert await store.get(entry.key) is None

    run()


@shared
def test_what_is_over_is_tidied_away_and_old_judgements_quote_nobody(backend: str, place: Path | str) -> None:
    """Entries when their time is over; the questions of judgements after a week, judgements after ninety days."""

    @aio
    async def run() -> None:
        ahead = 0

        def now() -> int:
            return time.time_ns() + ahead

        async with spot(backend, place) as where, opened(backend, where, now_ns=now) as store:
            backing = store._backing  # type: ignore[attr-defined]
            store.put(made("short", until_ns=now() + 5 * SECOND))
            store.put(made("long", until_ns=now() + 200 * 86_400 * SECOND))
            at = time.time_ns() // 1_000_000 * 1_000_000
            first = Judgement(
                key=key_of("long"), score=1, right=True, at_ns=at, source="sample", question="Me?"
            )
            second = replace(first, at_ns=at + 4 * 86_400 * SECOND, question="You?")
            await store.judge([first, second])
            await store.browse(Selection(), order="hits", limit=1)
            ahead = 8 * 86_400 * SECOND
            while await backing.tidy():
                pass
            assert (await store.sizes()).entries == 1
            found = await store.judgements([first.key])
            assert list(found[first.key]) == [replace(first, question=""), second]
            ahead = 92 * 86_400 * SECOND
            while await backing.tidy():
                pass
            assert [each.at_ns for each in await store.judged(None, 0, 9)] == [second.at_ns]

    run()


@every
def test_whoever_keeps_answers_elsewhere_hears_of_a_removal(backend: str, place: Path | str) -> None:
    """On every node, and not of one that was only tried: what people have removed is not to come back from another memory."""

    @aio
    async def run() -> None:
        async with spot(backend, place) as where, opened(backend, where) as store:
            heard: list[str] = []
            store.on_removed = lambda: heard.append("here")  # type: ignore[attr-defined]
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

    run()


@shared
def test_what_another_node_reads_while_it_is_removed_does_not_stay_there(
    backend: str, place: Path | str
) -> None:
    """It has heard of the removal already, and the engine still had the entry."""

    @aio
    async def run() -> None:
        async with (
            spot(backend, place) as where,
            opened(backend, where) as one,
            opened(backend, where) as two,
        ):
            entry = made("kept")
            one.put(entry)
            await one.sizes()
            await one.browse(Selection(), order="newest", limit=1)
            backing = one._backing  # type: ignore[attr-defined]
            drop = backing.drop

            async def late(keys: list[bytes]) -> None:
                await two._hear()  # type: ignore[attr-defined]
                await two.get(entry.key)
                await drop(keys)

            backing.drop = late
            assert (await one.remove(Selection(feature="shop"))).entries == 1
            await two._hear()  # type: ignore[attr-defined]
            assert two.at_hand(entry.key) is None and await two.get(entry.key) is None

    run()
