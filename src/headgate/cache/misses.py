"""A request that has no answer: another one like it may have, a call under way may give it, else a model does, and what it says is kept."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from functools import partial
from time import monotonic

import msgspec

from headgate.cache.asking import Asking
from headgate.cache.calls import Calls, Place
from headgate.cache.flight import Flight
from headgate.cache.freshness import Asides
from headgate.cache.ground import Counts, Ground
from headgate.cache.headers import TOLD
from headgate.cache.hits import Hits, times
from headgate.cache.identity import Identity
from headgate.cache.keeping import entry_of, why_not_kept, why_not_told
from headgate.cache.policy import CachePolicy
from headgate.cache.semantic.port import Found, Semantic
from headgate.core.clock import Clock
from headgate.core.errors import GatewayError, NotInCache
from headgate.core.ids import request_id_text
from headgate.core.messages import Answer
from headgate.exchange.dialect import LocalReply
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed
from headgate.exchange.wish import Wish
from headgate.stores.answers import AnswerStore, CacheEntry
from headgate.telemetry.metrics import Metrics

__all__ = ["NOT_THERE", "Miss", "Misses", "bypass"]

NOT_THERE = "no answer to this request is kept, and no model is asked (`Cache-Control: only-if-cached`); send it without, to have it answered"
_NOTE = 300
_COUNTED = 10_000

log = logging.getLogger("headgate.cache")


class Miss:
    """A request that had no answer, on its way to one."""

    __slots__ = ("entry", "found", "identity", "place", "policy", "vector", "wish")

    def __init__(self, policy: CachePolicy, identity: Identity, wish: Wish, entry: CacheEntry | None) -> None:
        self.policy, self.identity, self.wish = policy, identity, wish
        self.entry = entry
        """What is there and too old."""
        self.found: Found | None = None
        """The neighbour that was not given."""
        self.vector = b""
        self.place: Place = identity.key
        """Where others look for its call."""


class Misses:
    """Has them answered. `ground` may be replaced between two requests."""

    def __init__(
        self,
        store: AnswerStore,
        ground: Ground,
        asides: Asides,
        clock: Clock,
        *,
        asking: Asking,
        hits: Hits,
        calls: Calls,
        counts: Counts,
        semantic: Semantic | None,
        metrics: Metrics,
    ) -> None:
        self.ground = ground
        self._asking = asking
        self._hits = hits
        self._calls = calls
        self._counts = counts
        self._semantic = semantic
        self._measures = metrics.measures
        self._store = store
        self._asides = asides
        self._clock = clock
        self._unkept: OrderedDict[bytes, str] = OrderedDict()
        """Why the answer to a request was not kept lately, by its key."""

    async def answer(self, exchange: Exchange, proceed: Proceed, miss: Miss) -> Reply:
        """The reply, from wherever it comes. Raises GatewayError."""
        policy, wish = miss.policy, miss.wish
        why = self._why_not_told(exchange)
        if why:
            if wish.only_if_cached and not exchange.purpose:
                raise NotInCache(NOT_THERE)
            return await bypass(exchange, proceed, why)
        if wish.read and not exchange.purpose:
            given = await self._similar(exchange, miss)
            if given is not None:
                return given
        if wish.only_if_cached and not exchange.purpose:
            raise NotInCache(NOT_THERE)
        try:
            return await self._answered(exchange, proceed, miss)
        except GatewayError as error:
            old = miss.entry
            if old is None or exchange.hung_up or not self._hits.instead(old, policy, wish, error):
                raise
            reply = await self._instead(exchange, miss, old, error)
            if reply is None:
                raise
            return reply

    def _why_not_told(self, exchange: Exchange) -> str:
        if exchange.dialect.operation == "count_tokens":
            return ""
        try:
            return why_not_told(exchange.request, why_never_fitting=self.ground.schemas.why_never)
        except GatewayError:
            return "it cannot be read"

    async def _instead(
        self, exchange: Exchange, miss: Miss, old: CacheEntry, error: GatewayError
    ) -> Reply | None:
        """The old answer, if it may be given in place of this error."""
        await exchange.granted()
        # It may have been removed while the models were asked.
        entry = self._store.at_hand(old.key) or await self._asking.get(old.key)
        if entry is None or not self._hits.instead(entry, miss.policy, miss.wish, error):
            return None
        reply = self._hits.give(exchange, miss.policy, entry, "stale")
        if reply is not None:
            exchange.degraded = "stale"
            exchange.notes["degraded"] = f"stale, after {error.code}"
            exchange.reply_headers.append((b"x-headgate-degraded", b"stale"))
            log.debug("request %s gets an old answer after %s", request_id_text(exchange.id), error.code)
        return reply

    async def _similar(self, exchange: Exchange, miss: Miss) -> Reply | None:
        semantic, policy, identity = self._semantic, miss.policy, miss.identity
        if semantic is None or policy.settings.semantic is None or not identity.question:
            return None
        began = monotonic()
        found, miss.vector = await semantic.find(identity, policy, exchange)
        self._measures.looked_up("semantic", monotonic() - began)
        if found is None:
            return None
        entry = found.entry
        suits = (
            entry.compat == identity.compat
            and entry.tenant == identity.tenant
            and entry.scope == identity.scope
            and entry.owner == identity.owner
        )
        if not suits:
            log.error("a neighbour of another %s was found: it is not given", "compat or owner")
            return None
        if not found.give:
            self._counts.shadowed += 1
            miss.found = found
            exchange.notes["cache"] = f"a similar question was not taken for the same: {found.why}"[:_NOTE]
            return None
        age, left = times(entry, policy, self._clock.wall_ns())
        if left <= 0 or not miss.wish.takes(age, left):
            return None
        await exchange.granted()
        reply = self._hits.give(exchange, policy, entry, "semantic", similarity=found.score)
        if reply is not None and found.ask:
            told = partial(self._learn, found, policy, identity.question, exchange.id)
            self._asides.ask(exchange, "sample", identity.key, told)
        return reply

    def _learn(
        self, found: Found, policy: CachePolicy, question: str, request_id: int, answer: LocalReply
    ) -> None:
        """The question has got an answer of its own: was the neighbour's right?"""
        if self._semantic is not None and isinstance(answer, Answer):
            self._semantic.compare(found, policy, question=question, answer=answer, request_id=request_id)

    async def _answered(self, exchange: Exchange, proceed: Proceed, miss: Miss) -> Reply:
        """By a call of somebody else's that is under way, or by one of its own."""
        policy, wish = miss.policy, miss.wish
        shares = policy.settings.join and wish.read and wish.keep and not exchange.purpose
        if shares:
            joined, shares = await self._calls.join(exchange, miss.identity, policy)
            if joined is not None:
                return joined
        how = "miss" if wish.read and not exchange.purpose else "refreshed"
        exchange.cache = how
        if not shares and not wish.keep:
            reply = await proceed(exchange)
            exchange.reply_headers += TOLD[how]
            return reply
        if unkept := self._unkept.get(miss.identity.key):
            exchange.notes.setdefault("cache", f"the last answer to this was not kept: {unkept}"[:_NOTE])
        flight = Flight(exchange, miss.identity.person)
        miss.place = self._calls.place(miss.identity)
        if shares:
            self._calls.begin(miss.place, flight)
        exchange.on_close(partial(self._closing, flight, miss))
        try:
            reply = await flight.lead(proceed)
        except GatewayError:
            self._calls.forget(miss.place, flight)
            raise
        exchange.reply_headers += TOLD[how]
        return reply

    def _closing(self, flight: Flight, miss: Miss) -> None:
        """The caller has its last byte."""
        if flight.complete:
            asyncio.get_running_loop().call_soon(self._keep, flight, miss)
        else:
            self._calls.forget(miss.place, flight)

    def _keep(self, flight: Flight, miss: Miss) -> None:
        exchange, policy = flight.leader, miss.policy
        try:
            answer = flight.answer()
            if answer is None:
                return
            if miss.found is not None and not exchange.degraded:
                self._learn(miss.found, policy, miss.identity.question, exchange.id, answer)
            entry = self._entry(flight, miss, answer)
            if entry is not None:
                self._counts.kept += 1
                self._calls.together(entry.key)
                self._unkept.pop(entry.key, None)
                self._store.put(entry)
        except (GatewayError, msgspec.MsgspecError, TypeError, ValueError):
            log.exception("request %s: its answer cannot be kept", request_id_text(exchange.id))
        finally:
            self._calls.forget(miss.place, flight)

    def _entry(self, flight: Flight, miss: Miss, answer: LocalReply) -> CacheEntry | None:
        """What is kept; None if nothing is."""
        exchange, policy, ground = flight.leader, miss.policy, self.ground
        if not miss.wish.keep:
            self._counts.not_kept += 1
            return None
        why = (
            "the model refused"
            if flight.refused
            else why_not_kept(
                exchange,
                answer,
                miss.identity,
                policy,
                personal=ground.personal,
                why_not_fitting=ground.schemas.why_not,
            )
        )
        if why:
            self._note_unkept(exchange, miss.identity.key, why)
            return None
        entry = entry_of(
            exchange,
            answer,
            miss.identity,
            policy,
            now_ns=self._clock.wall_ns(),
            seconds=float(policy.settings.exact or 0.0),
            cost_nanos=ground.cost_of(exchange),
            took_us=flight.took_us,
            vector=miss.vector,
            embedder=self._semantic.embedder if self._semantic is not None else "",
        )
        if entry is None:
            self._note_unkept(exchange, miss.identity.key, "it is too long")
        return entry

    def _note_unkept(self, exchange: Exchange, key: bytes, why: str) -> None:
        """Its record is closed; the next one of the same key says it."""
        self._counts.not_kept += 1
        self._unkept[key] = why
        if len(self._unkept) > _COUNTED:
            self._unkept.popitem(last=False)
        log.debug("request %s: its answer is not kept: %s", request_id_text(exchange.id), why)


async def bypass(exchange: Exchange, proceed: Proceed, why: str) -> Reply:
    """Have it answered without memory, which says so."""
    if not exchange.purpose:
        exchange.cache = "bypass"
        exchange.notes["cache"] = why
        exchange.reply_headers += TOLD["bypass"]
    return await proceed(exchange)
