"""Looks for a question that asks the same in other words, among those that are alike in everything else.

Nearness only brings candidates; whether one of them asks the same the check decides, number by number and word by word, and
whether that is sure enough the feature's threshold, or what its entries have learned (`bounds`).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from headgate.cache.identity import Identity
from headgate.cache.policy import CachePolicy
from headgate.cache.semantic.bounds import Bound, Bounds
from headgate.cache.semantic.comparing import same_answer, words_of
from headgate.cache.semantic.port import Check, Found, Verdict
from headgate.cache.semantic.reading import Vectors
from headgate.cache.settings import FeatureCacheSettings
from headgate.core.clock import Clock
from headgate.core.messages import Answer
from headgate.core.tasks import ended
from headgate.exchange.exchange import Exchange
from headgate.stores.answers import AnswerStore, CacheEntry, Judgement, Near
from headgate.stores.errors import StoreError

__all__ = ["FLOOR", "NEIGHBOURS", "Similar"]

SECONDS = 0.1
"""The longest a request waits for a look, embedding included; after that it is a miss."""
NEIGHBOURS = 6
MOST_QUESTION = 800
"""Characters of a question that is compared: the embedder reads 256 tokens, the check 80 words."""
FLOOR = 0.55
"""Cosine below which nobody asks the same: the check is spared."""
_LEAST_WORDS = 3
"""A question of fewer ("and now?", "more") says nothing by itself."""
_MOST_UNDER_WAY = 64
"""Comparisons of answers; what comes beyond is not learned from."""
_FRESH_SECONDS = 60.0
"""Between two looks at what other nodes and people have judged."""
_SINCE_NS = 90 * 86_400 * 1_000_000_000
_MOST_JUDGED = 5_000

log = logging.getLogger("headgate.cache")


class Similar:
    """Fulfils `Semantic`. As long as `vectors` or `check` is None nothing is found."""

    def __init__(
        self,
        store: AnswerStore,
        clock: Clock,
        *,
        draw: Callable[[], float] = random.random,
        seconds: float = SECONDS,
    ) -> None:
        """draw: chance, a number from 0 to 1. seconds: the longest a look takes."""
        self.vectors: Vectors | None = None
        self.check: Check | None = None
        self.bounds = Bounds()
        self.late = 0
        """Looks that took too long."""
        self.not_compared = 0
        """Answers that were not compared, for want of room."""
        self._store = store
        self._clock = clock
        self._draw = draw
        self._seconds = seconds
        # A check holds the interpreter for up to two milliseconds a neighbour: not in the middle of everybody's requests.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="check")
        self._tasks: set[asyncio.Task[None]] = set()
        self._loaded_at: dict[str, float] = {}
        self._loading: dict[str, asyncio.Task[None]] = {}

    @property
    def embedder(self) -> str:
        """See `Semantic`."""
        return self.vectors.reader.name if self.vectors is not None else ""

    async def find(
        self, identity: Identity, policy: CachePolicy, exchange: Exchange
    ) -> tuple[Found | None, bytes]:
        """See `Semantic`."""
        question = identity.question.strip()
        vectors, check = self.vectors, self.check
        if (
            vectors is None
            or check is None
            or len(question) > MOST_QUESTION
            or len(question.split()) < _LEAST_WORDS
        ):
            return None, b""
        vector = b""
        try:
            async with asyncio.timeout(self._seconds):
                await self._know(policy)
                vector = await vectors.of(question, exchange)
                if not vector:
                    return None, b""
                name = vectors.reader.name
                near = await self._store.nearest(identity.compat, name, vector, NEIGHBOURS)
                best = await self._best(check, question, identity.key, near)
        except TimeoutError:
            self.late += 1
            return None, vector
        except StoreError as failure:
            log.debug("similar questions cannot be looked for: %s", failure)
            return None, vector
        except Exception:
            # Whatever an engine's or a check's mistake may be: the question is then answered as if there were no neighbour.
            log.exception("looking for a similar question failed")
            return None, vector
        return (self._judged(best, policy) if best is not None else None), vector

    async def _best(
        self, check: Check, question: str, key: bytes, near: Sequence[Near]
    ) -> tuple[Near, Verdict] | None:
        now = self._clock.wall_ns()
        some = [
            each
            for each in near
            if each.cosine >= FLOOR
            and each.entry.key != key
            and each.entry.question
            and each.entry.fresh_ns > now
        ]
        if not some:
            return None
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, _best_of, check, question, some)

    def _judged(self, best: tuple[Near, Verdict], policy: CachePolicy) -> Found:
        near, verdict = best
        settings, entry = policy.settings, near.entry
        would, why = self._would(settings, policy.feature, entry, verdict)
        give = would and not settings.shadow
        if would and settings.shadow:
            why = "shadow mode: it would have been given"
        return Found(
            entry=entry,
            score=verdict.score,
            cosine=near.cosine,
            give=give,
            ask=give and self._draw() < settings.sample,
            why=why,
            would=would,
        )

    def _would(
        self, settings: FeatureCacheSettings, feature: str, entry: CacheEntry, verdict: Verdict
    ) -> tuple[bool, str]:
        score = verdict.score
        if not score:
            return False, verdict.why or "it does not ask the same"
        if settings.semantic == "adaptive":
            if self.bounds.allows(feature, entry.key, score, settings.most_wrong):
                return True, ""
            least = self.bounds.bound(feature, settings.most_wrong).threshold
            known = (
                f"{least:g} was learned to be enough" if least is not None else "too little was learned yet"
            )
            return False, f"sure to {score:.2f}; {known}"
        least = float(settings.semantic or 1.0)
        if score < least:
            return False, f"sure to {score:.2f}, and {least:g} is asked for"
        if self.bounds.refuses(entry.key, score):
            return False, "its answer was wrong for another question"
        return True, ""

    # Learning

    def compare(
        self, found: Found, policy: CachePolicy, *, question: str, answer: Answer, request_id: int
    ) -> None:
        """See `Semantic`."""
        self._later(self._compare(found, policy, question, answer, request_id))

    def learn(
        self, found: Found, policy: CachePolicy, *, question: str, right: bool, request_id: int
    ) -> None:
        """See `Semantic`."""
        self._later(self._learn(found, policy, question, right, request_id))

    def again(self, policy: CachePolicy, *, before: bytes, after: Answer) -> None:
        """See `Semantic`."""
        self._later(self._again(policy, before, after))

    def bound(self, policy: CachePolicy) -> Bound | None:
        """What an adaptive feature has learned; None if it is not adaptive."""
        settings = policy.settings
        return (
            self.bounds.bound(policy.feature, settings.most_wrong)
            if settings.semantic == "adaptive"
            else None
        )

    async def aclose(self) -> None:
        """Give up what is being compared. Idempotent."""
        await ended(*self._tasks, *self._loading.values())
        self._thread.shutdown(wait=False, cancel_futures=True)
        vectors, self.vectors = self.vectors, None
        if vectors is not None:
            vectors.close()

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        if len(self._tasks) >= _MOST_UNDER_WAY:
            self.not_compared += 1
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work, name="compare")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _compare(
        self, found: Found, policy: CachePolicy, question: str, answer: Answer, request_id: int
    ) -> None:
        kept, said = words_of(_answer_of(found.entry.answer)), words_of(answer)
        vectors = self.vectors
        if kept is None or said is None or vectors is None:
            return
        right = await same_answer(kept, said, vectors.cosine)
        if right is not None:
            await self._learn(found, policy, question, right, request_id)

    async def _learn(
        self, found: Found, policy: CachePolicy, question: str, right: bool, request_id: int
    ) -> None:
        sample = policy.settings.sample
        judgement = Judgement(
            key=found.entry.key,
            score=found.score,
            right=right,
            at_ns=self._clock.wall_ns(),
            source="sample" if found.give else "shadow" if found.would else "near",
            question=question if policy.durable else "",
            request_id=request_id,
            feature=policy.feature,
            weight=1 / sample if found.give and sample else 1.0,
        )
        self.bounds.learn(judgement)
        try:
            await self._store.judge([judgement])
        except StoreError as failure:
            log.debug("what was learned of a similar question is not kept: %s", failure)

    async def _again(self, policy: CachePolicy, before: bytes, after: Answer) -> None:
        kept, said = words_of(_answer_of(before)), words_of(after)
        vectors = self.vectors
        if kept is None or said is None or vectors is None:
            return
        same = await same_answer(kept, said, vectors.cosine)
        if same is not None:
            self.bounds.repeated(policy.feature, same=same)

    async def _know(self, policy: CachePolicy) -> None:
        """What was judged before this process began, and by others since."""
        feature, now = policy.feature, self._clock.monotonic()
        at, loading = self._loaded_at.get(feature), self._loading.get(feature)
        if loading is None and (at is None or now - at >= _FRESH_SECONDS):
            loading = asyncio.create_task(self._load(feature, now), name="judgements")
            self._loading[feature] = loading
            loading.add_done_callback(lambda _: self._loading.pop(feature, None))
        # For what others have learned in the last minute nobody waits; and who waits in vain leaves it to be read to its end.
        if loading is not None and at is None:
            await asyncio.wait([loading])

    async def _load(self, feature: str, now: float) -> None:
        try:
            since = self._clock.wall_ns() - _SINCE_NS
            self.bounds.load(feature, await self._store.judged(feature, since, _MOST_JUDGED))
            self._loaded_at[feature] = now
        except StoreError as failure:
            log.debug("what was learned of similar questions cannot be read: %s", failure)
        except Exception:
            log.exception("what was learned of similar questions cannot be read")


def _answer_of(data: bytes) -> Answer:
    return msgspec.json.decode(data, type=Answer)


def _best_of(check: Check, question: str, near: Sequence[Near]) -> tuple[Near, Verdict]:
    judged = [(each, check(question, each.entry.question, each.cosine)) for each in near]
    return max(judged, key=lambda one: (one[1].score, one[0].cosine))
