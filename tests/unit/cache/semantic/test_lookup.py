"""Looking for a question that asks the same: what is given, what is not, and what is learned from it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import pytest

from headgate.cache.identity import Identity
from headgate.cache.policy import CachePolicy
from headgate.cache.semantic.lookup import Similar
from headgate.cache.semantic.port import Found, Verdict
from headgate.cache.semantic.reading import Vectors
from headgate.core.messages import Answer, Choice, Text
from headgate.exchange.exchange import Exchange
from headgate.stores.answers import Judgement, Near
from headgate.stores.backends.memory.answers import MemoryAnswers
from headgate.stores.errors import StoreUnavailable
from headgate.testing.clock import FakeClock
from tests.support.aio import aio
from tests.support.identities import asks, chat, policy
from tests.support.remembering import entry_about

__all__: list[str] = []

ASKED = "How high is the water at the weir?"
KEPT = "What is the water level at the weir?"


class Reads:
    """Every text has one of two vectors: what speaks of water, and the rest."""

    name = "fake"

    async def read(self, text: str, exchange: Exchange | None) -> Sequence[float] | None:
        return [1.0, 0.1] if "water" in text.lower() else [0.0, 1.0]

    def close(self) -> None: ...


class Rig:
    """A `Similar` with one entry; the check says `score`."""

    def __init__(self, score: float = 0.96, *, store: Any = None, draw: float = 0.5, **entry: Any) -> None:
        self.clock = FakeClock()
        self.store = store or MemoryAnswers(10_000_000, now_ns=self.clock.wall_ns)
        self.score = score
        self.similar = Similar(self.store, self.clock, draw=lambda: draw, seconds=0.2)
        self.similar.vectors = Vectors(Reads())
        self.similar.check = lambda asked, kept, cosine: Verdict(
            self.score, "" if self.score else "numbers differ"
        )
        self._entry = entry

    async def __aenter__(self) -> Self:
        assert self.similar.vectors is not None
        vector = await self.similar.vectors.of(KEPT, None)
        now = self.clock.wall_ns()
        times = {"made_ns": now, "fresh_ns": now + 10**12, "until_ns": now + 10**13}
        self.entry = entry_about(
            KEPT, "It is at two metres.", **({"vector": vector, "embedder": "fake", **times} | self._entry)
        )
        if isinstance(self.store, MemoryAnswers):
            self.store.put(self.entry)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.similar.aclose()

    async def find(self, question: str = ASKED, *, key: bytes = b"n" * 16, **settings: Any) -> Found | None:
        identity = Identity(key, b"c" * 16, "", "feature", "", question)
        return (await self.similar.find(identity, self.policy(**settings), asks(chat(question))))[0]

    def policy(self, **settings: Any) -> CachePolicy:
        return policy(**{"semantic": 0.95, **settings})

    async def compared(self, found: Found, says: str, policy: CachePolicy) -> list[Judgement]:
        answer = Answer(model="small", choices=[Choice(parts=[Text(says)])])
        self.similar.compare(found, policy, question=ASKED, answer=answer, request_id=77)
        while self.similar._tasks:
            await asyncio.wait(set(self.similar._tasks))
        return list(await self.store.judged("faq", 0, 100))


@aio
async def test_what_is_sure_enough_is_given() -> None:
    """At the feature's threshold or above; below it is told how sure it was."""
    async with Rig(0.95) as rig:
        found = await rig.find()
        assert found is not None and found.give and found.would and found.score == 0.95
        assert found.entry == rig.entry and 0.9 < found.cosine <= 1.01
        rig.score = 0.94
        found = await rig.find()
        assert found is not None and not found.give and not found.would and "0.94" in found.why
        rig.score = 0.0
        found = await rig.find()
        assert found is not None and not found.give and found.why == "numbers differ"


@aio
async def test_in_shadow_mode_nothing_is_given() -> None:
    """It is said that it would have been, and nothing is asked besides: the question is answered anyway."""
    async with Rig(draw=0.0) as rig:
        found = await rig.find(shadow=True, sample=1.0)
        assert found is not None and (found.give, found.would, found.ask) == (False, True, False)
        assert "shadow" in found.why


@aio
async def test_adaptive_begins_by_giving_nothing_and_learns() -> None:
    """Near misses teach; what people called wrong is refused."""
    async with Rig() as rig:
        found = await rig.find(semantic="adaptive", most_wrong=0.05)
        assert found is not None and not found.give and "too little" in found.why
        bound = rig.similar.bound(rig.policy(semantic="adaptive", most_wrong=0.05))
        assert bound is not None and bound.threshold is None
        assert rig.similar.bound(rig.policy()) is None
        for number in range(121):
            key = number.to_bytes(16, "big")
            rig.similar.bounds.learn(Judgement(key, 0.96, True, number, "near", feature="faq"))
        found = await rig.find(semantic="adaptive", most_wrong=0.05)
        assert found is not None and found.give
        wrong = Judgement(rig.entry.key, 0.97, False, 100, "person", feature="faq")
        rig.similar.bounds.learn(wrong)
        found = await rig.find(semantic="adaptive", most_wrong=0.05)
        assert found is not None and not found.give
        found = await rig.find(semantic=0.9)
        assert found is not None and not found.give and "wrong for another question" in found.why


@aio
async def test_what_was_judged_before_is_known() -> None:
    """By an earlier process, or on another node."""
    async with Rig() as rig:
        now = rig.clock.wall_ns()
        some = [
            Judgement(n.to_bytes(16, "big"), 0.96, True, now + n, "near", feature="faq") for n in range(130)
        ]
        await rig.store.judge(some)
        found = await rig.find(semantic="adaptive", most_wrong=0.05)
        assert found is not None and found.give


@pytest.mark.parametrize("question", ["", "And now?", "more", "water " * 200])
def test_what_says_too_little_or_too_much_is_not_looked_for(question: str) -> None:
    """Fewer than three words, or more than the embedder reads."""

    async def main() -> None:
        async with Rig() as rig:
            assert await rig.find(question) is None

    asyncio.run(main())


@aio
async def test_far_and_stale_and_equal_entries_are_passed_over() -> None:
    """Nobody is told what is about something else, is over, or is the very same entry (that is the exact side's business)."""
    async with Rig() as rig:
        assert await rig.find("When does the shop close on Sundays?") is None
        assert await rig.find(key=rig.entry.key) is None
    async with Rig(fresh_ns=0) as rig:
        assert await rig.find() is None
    async with Rig(embedder="another") as rig:
        assert await rig.find() is None
    async with Rig(compat=b"x" * 16) as rig:
        assert await rig.find() is None


class Hangs(MemoryAnswers):
    async def nearest(self, compat: bytes, embedder: str, vector: bytes, count: int) -> Sequence[Near]:
        await asyncio.Event().wait()
        return []


class Fails(MemoryAnswers):
    failure: Exception = StoreUnavailable("gone")

    async def nearest(self, compat: bytes, embedder: str, vector: bytes, count: int) -> Sequence[Near]:
        raise self.failure

    async def judged(self, feature: str | None, since_ns: int, limit: int) -> Sequence[Judgement]:
        raise self.failure


@aio
async def test_a_look_that_takes_too_long_is_a_miss() -> None:
    """Counted; the vector is kept with the answer that is fetched now."""
    async with Rig(store=Hangs(1_000_000)) as rig:
        identity = Identity(b"n" * 16, b"c" * 16, "", "feature", "", ASKED)
        found, vector = await rig.similar.find(identity, rig.policy(), asks(chat(ASKED)))
        assert found is None and len(vector) == 4 and rig.similar.late == 1


@pytest.mark.parametrize("failure", [StoreUnavailable("gone"), ValueError("a mistake of ours")])
def test_a_store_that_fails_is_a_miss(failure: Exception) -> None:
    """Whatever it raises, also where its judgements are read: no request fails of it."""

    async def main() -> None:
        store = Fails(1_000_000)
        store.failure = failure
        async with Rig(store=store) as rig:
            assert await rig.find() is None and await rig.find(semantic="adaptive") is None

    asyncio.run(main())


@aio
async def test_a_check_that_fails_is_a_miss() -> None:
    """It is not to; but if it does, no request fails of it."""

    def broken(asked: str, kept: str, cosine: float) -> Verdict:
        raise RuntimeError("a mistake of ours")

    async with Rig() as rig:
        rig.similar.check = broken
        assert await rig.find() is None


@aio
async def test_without_an_embedder_nothing_is_looked_for() -> None:
    """And there is no vector to keep."""
    async with Rig() as rig:
        rig.similar.vectors = None
        assert await rig.find() is None and rig.similar.embedder == ""


@pytest.mark.parametrize(("draw", "asked"), [(0.04, True), (0.06, False)])
def test_a_share_of_the_hits_is_asked_all_the_same(draw: float, asked: bool) -> None:
    """As many as `sample` says."""

    async def main() -> None:
        async with Rig(draw=draw) as rig:
            found = await rig.find(sample=0.05)
            assert found is not None and found.give and found.ask is asked

    asyncio.run(main())


@pytest.mark.parametrize(
    ("score", "settings", "source", "weight"),
    [
        (0.96, {"sample": 0.05}, "sample", 20.0),
        (0.9, {}, "near", 1.0),
        (0.96, {"shadow": True}, "shadow", 1.0),
    ],
)
def test_what_is_learned_says_where_from(
    score: float, settings: dict[str, Any], source: str, weight: float
) -> None:
    """A sample speaks for all the hits it was drawn from. Contents of a feature that keeps none are not written down."""

    async def main() -> None:
        async with Rig(score, draw=0.0) as rig:
            found = await rig.find(**settings)
            assert found is not None
            (one,) = await rig.compared(found, "It is at two metres.", rig.policy(**settings))
            assert (one.source, one.right, one.question, one.request_id) == (source, True, ASKED, 77)
            assert one.weight == pytest.approx(weight) and one.score == score and one.key == rig.entry.key
            quiet = dataclasses.replace(rig.policy(**settings), durable=False)
            latest = (await rig.compared(found, "No, at 3.5 metres.", quiet))[0]
            assert latest.question == "" and latest.right is False
            assert rig.similar.bounds.refuses(rig.entry.key, score)

    asyncio.run(main())


@aio
async def test_comparisons_are_bounded_and_end_with_the_process() -> None:
    """What comes beyond is counted, and not learned from."""
    async with Rig() as rig:
        found = await rig.find()
        assert found is not None
        hold = asyncio.Event()

        async def judge(judgements: Sequence[Judgement]) -> None:
            await hold.wait()

        rig.store.judge = judge  # type: ignore[method-assign]
        for _ in range(70):
            rig.similar.learn(found, rig.policy(), question=ASKED, right=True, request_id=1)
        assert rig.similar.not_compared == 70 - 64
        await rig.similar.aclose()
        await rig.similar.aclose()
        assert not rig.similar._tasks


@aio
async def test_the_same_question_asked_anew_shows_how_often_comparing_is_mistaken() -> None:
    """Two answers to one question that are taken for different are a mistake of the comparison."""
    async with Rig() as rig:
        for says in ("It is at two metres.", "It is at 7.5 metres."):
            rig.similar.again(
                rig.policy(),
                before=rig.entry.answer,
                after=Answer(model="s", choices=[Choice(parts=[Text(says)])]),
            )
        while rig.similar._tasks:
            await asyncio.wait(set(rig.similar._tasks))
        assert rig.similar.bounds._repeats["faq"] == (2, 1)
