"""Recall: a request whose answer is there already gets that answer; one that is being answered joins in; only then is a model asked,
and what it says is kept.

Nothing here may make a request fail or wait that could be answered without it: whatever cannot be told in time is a miss."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

from headgate.cache.asking import Asking
from headgate.cache.calls import Calls
from headgate.cache.freshness import Asides
from headgate.cache.ground import Counts, Ground
from headgate.cache.hits import Hits, belongs
from headgate.cache.misses import NOT_THERE, Miss, Misses, bypass
from headgate.cache.policy import CachePolicy
from headgate.cache.semantic.port import Semantic
from headgate.core.clock import Clock
from headgate.core.errors import GatewayError, NotInCache
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed
from headgate.exchange.wish import NO_WISH, Wish, wish_of
from headgate.stores.answers import AnswerStore, CacheEntry
from headgate.telemetry.metrics import Metrics

__all__ = ["WRITES", "NothingKept", "Recall"]

WRITES: Final = frozenset({"refresh", "warm"})
"""Purposes of requests that are there to fill the cache: they read nothing from it."""
_COUNTED: Final = 10_000
_NO_CACHE: Final = "no answers are kept of what is asked here (`features.NAME.cache`), and no model is asked (`Cache-Control: only-if-cached`); send it without, to have it answered"
_OFF: Final = "the request wants no answer from memory (`x-headgate-cache: off`), and none from a model (`Cache-Control: only-if-cached`); send it without one of them"


class Recall:
    """See `Stage`. `ground` may be replaced between two requests."""

    def __init__(
        self,
        store: AnswerStore,
        ground: Ground,
        asides: Asides,
        clock: Clock,
        *,
        semantic: Semantic | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        metrics = metrics or Metrics()
        self.asking = Asking(store, clock)
        self.counts = Counts()
        self._ground = ground
        self._hits = Hits(store, asides, clock, semantic)
        self.retelling = self._hits.retelling
        self._calls = Calls(ground)
        self._misses = Misses(
            store,
            ground,
            asides,
            clock,
            asking=self.asking,
            hits=self._hits,
            calls=self._calls,
            counts=self.counts,
            semantic=semantic,
            metrics=metrics,
        )
        self._measures = metrics.measures
        self._store = store
        self._asides = asides
        self._judged: dict[tuple[str, bytes, str], CachePolicy] = {}

    @property
    def ground(self) -> Ground:
        """What it goes by."""
        return self._ground

    @ground.setter
    def ground(self, ground: Ground) -> None:
        self._ground = self._calls.ground = self._misses.ground = ground

    def __call__(self, exchange: Exchange, proceed: Proceed, /) -> Awaitable[Reply]:
        """See `Stage`. What has no cache only passes, without a coroutine around it."""
        purpose = exchange.purpose
        if purpose and purpose not in WRITES:
            return proceed(exchange)
        policy = self._ground.policy_of(exchange)
        # A call that fills the cache repeats somebody's request, whose wishes were theirs.
        wish = wish_of(exchange.headers) if exchange.heard.wishes and not purpose else NO_WISH
        if policy is not None:
            return self._recall(exchange, proceed, policy, wish)
        if wish.only_if_cached:
            raise NotInCache(_NO_CACHE)
        return proceed(exchange)

    async def _recall(self, exchange: Exchange, proceed: Proceed, policy: CachePolicy, wish: Wish) -> Reply:
        ground, purpose = self._ground, exchange.purpose
        if wish.off:
            if wish.only_if_cached:
                raise NotInCache(_OFF)
            return await bypass(exchange, proceed, "the caller wants no cache")
        if ground.judge is not None:
            try:
                policy = self._as_judged(policy, await ground.judge(exchange))
            except GatewayError:
                # Whoever decides says so, in the right words and with the right record.
                return await proceed(exchange)
        identity, why = ground.look(exchange, policy)
        if identity is None or why:
            if wish.only_if_cached:
                raise NotInCache(NOT_THERE)
            return await bypass(exchange, proceed, why)
        entry = None
        if wish.read and not purpose:
            entry = self._store.at_hand(identity.key)
            if entry is None and not self._store.absent(identity.key):
                began = monotonic()
                entry = await self.asking.get(identity.key)
                self._measures.looked_up("exact", monotonic() - began)
            if entry is not None and (how := self._hits.how(entry, identity, policy, wish)):
                if exchange.grant is not None:
                    await exchange.granted()
                reply = self._hits.give(exchange, policy, entry, how)
                if reply is not None:
                    self._hits.renew(exchange, policy, entry, stale=how == "stale")
                    return reply
                entry = None
        return await self._misses.answer(exchange, proceed, Miss(policy, identity, wish, entry))

    async def last(self, exchange: Exchange) -> CacheEntry | None:
        """An answer of any age to the same request, for when no model answers. Never raises."""
        try:
            policy = self._ground.policy_of(exchange)
            if policy is None or exchange.purpose or not wish_of(exchange.headers).read:
                return None
            if self._ground.judge is not None:
                policy = self._as_judged(policy, await self._ground.judge(exchange))
        except GatewayError:
            return None
        identity, _ = self._ground.look(exchange, policy)
        if identity is None:
            return None
        entry = self._store.at_hand(identity.key) or await self.asking.get(identity.key)
        return entry if entry is not None and belongs(entry, identity) else None

    async def key_of(self, exchange: Exchange) -> tuple[bytes, str]:
        """Under which an answer to this would be kept; (b"", why) if it would not be. Raises GatewayError."""
        policy = self._ground.policy_of(exchange)
        if policy is None:
            return b"", "its feature has no cache"
        if self._ground.judge is not None:
            policy = self._as_judged(policy, await self._ground.judge(exchange))
        identity, why = self._ground.look(exchange, policy)
        return (identity.key, "") if identity is not None and not why else (b"", why)

    @property
    def under_way(self) -> int:
        """Calls that may be joined."""
        return self._calls.under_way

    @property
    def beside(self) -> int:
        """Requests that share a call of another one."""
        return self._calls.beside

    async def aclose(self) -> None:
        """Give up what nobody waits for, and calls that others went on with."""
        await self._asides.aclose()
        await self._calls.aclose()

    def _as_judged(self, policy: CachePolicy, model: str) -> CachePolicy:
        """Rules of use may have one model answer some callers, and another one others."""
        if not model or model == policy.model:
            return policy
        about = (policy.feature, policy.route, model)
        found = self._judged.get(about)
        if found is None or found.settings is not policy.settings:
            if len(self._judged) > _COUNTED:
                self._judged.clear()
            found = self._judged[about] = policy.answered_by(model)
        return found


class NothingKept:
    """See `Check`: where no feature keeps answers. Only who asks for nothing but a kept one is told so."""

    def __init__(self, known: Callable[[Exchange], object]) -> None:
        """known: raises GatewayError where nobody knows what is asked for."""
        self._known = known

    async def __call__(self, exchange: Exchange, proceed: Proceed, /) -> Reply:
        """See `Stage`."""
        self.check(exchange)
        return await proceed(exchange)

    def check(self, exchange: Exchange, /) -> None:
        """See `Check`."""
        if exchange.heard.wishes and not exchange.purpose and wish_of(exchange.headers).only_if_cached:
            self._known(exchange)
            raise NotInCache(_NO_CACHE)
