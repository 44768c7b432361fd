"""Recall: a request whose answer is there already gets that answer; one that is being answered joins in; only then is a model asked,
and what it says is kept.

Nothing here may make a request fail or wait that could be answered without it: whatever cannot be told in time is a miss."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Protocol

import msgspec

from headgate.cache.asking import Asking
from headgate.cache.freshness import Asides
from headgate.cache.identity import Identity, Look
from headgate.cache.joining import Flight, LeaderFailed, NotForOthers
from headgate.cache.keeping import FitsSchema, entry_of, why_not_kept, why_not_shared, why_not_told
from headgate.cache.policy import CachePolicy
from headgate.cache.retelling import Retelling
from headgate.cache.semantic.port import Found, Semantic
from headgate.core.clock import Clock
from headgate.core.errors import GatewayError, NotInCache, ProviderFault
from headgate.core.ids import request_id_text
from headgate.core.messages import Answer
from headgate.exchange.dialect import LocalReply
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed
from headgate.exchange.wish import NO_WISH, Wish, wish_of
from headgate.stores.answers import AnswerStore, CacheEntry
from headgate.stores.spans import GIVEN
from headgate.telemetry.metrics import Metrics

__all__ = ["WRITES", "Ground", "Recall"]

WRITES = frozenset({"refresh", "warm"})
"""Purposes of requests that are there to fill the cache: they read nothing from it."""
_TRIES = 2
"""Calls of others that a request sees fail at the provider before it fails as well."""
_LEADERS = 5
"""Calls of others that failed for reasons of their own, after which a request goes on alone."""
MOST_WAIT = 30.0
"""Seconds that a request waits for the whole of an answer which another user's request is getting; less where its own time is short."""
_POPULAR = 2
"""Times that an entry was given here before it is renewed ahead of time."""
_COUNTED = 10_000
_NOTE = 300

log = logging.getLogger("headgate.cache")


Place = bytes | tuple[bytes, tuple[object, ...]]
"""Under which a call that is under way is found: the request's key, and the user if answers to it are for one user each."""


class Looks(Protocol):
    """`identity.Identities.look`."""

    def __call__(self, exchange: Exchange, policy: CachePolicy, /) -> Look: ...


@dataclass(frozen=True, slots=True)
class Ground:
    """What the stage is told by others."""

    policy_of: Callable[[Exchange], CachePolicy | None]
    """What the configuration says of this request's feature; None: it has no cache. Raises GatewayError where the name is unknown."""
    look: Looks
    personal: Callable[[Answer], str]
    """What personal data an answer holds, in words; "" if none."""
    cost_of: Callable[[Exchange], int]
    """What the attempts of a request have cost, nano-dollars; 0 if that is not known."""
    judge: Callable[[Exchange], Awaitable[str]] | None = None
    """Where rules decide about each request: the model that they let answer this one. Raises GatewayError where they let none."""
    fits: FitsSchema | None = None
    total_of: Callable[[str], float] | None = None
    """Feature -> seconds after which its requests have to be over."""


class Counts:
    """What is told to whoever watches, and is on no record."""

    def __init__(self) -> None:
        self.kept = 0
        self.not_kept = 0
        self.shadowed = 0
        """Semantic answers that were found and, in shadow mode or for want of certainty, not given."""


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
        self.ground = ground
        self.semantic = semantic
        self.asking = Asking(store, clock)
        self.retelling = Retelling()
        self.counts = Counts()
        self._measures = (metrics or Metrics()).measures
        self._store = store
        self._asides = asides
        self._clock = clock
        self._flights: dict[Place, Flight] = {}
        self._apart: OrderedDict[bytes, None] = OrderedDict()
        """Keys of requests whose answers were not for others lately: users do not wait for each other there."""
        self._given: OrderedDict[bytes, int] = OrderedDict()
        self._origins: dict[int, tuple[bytes, bytes]] = {}
        self._judged: dict[tuple[str, bytes, str], CachePolicy] = {}

    async def __call__(self, exchange: Exchange, proceed: Proceed, /) -> Reply:
        """See `Stage`."""
        ground, purpose = self.ground, exchange.purpose
        if purpose and purpose not in WRITES:
            return await proceed(exchange)
        policy = ground.policy_of(exchange)
        if policy is None:
            return await proceed(exchange)
        # A call that fills the cache repeats somebody's request, whose wishes were theirs.
        wish = wish_of(exchange.headers) if not purpose else NO_WISH
        if wish.off:
            return await _bypass(exchange, proceed, "the caller wants no cache")
        if ground.judge is not None:
            try:
                policy = self._as_judged(policy, await ground.judge(exchange))
            except GatewayError:
                # Whoever decides says so, in the right words and with the right record.
                return await proceed(exchange)
        identity, why = ground.look(exchange, policy)
        if identity is None or why:
            if wish.only_if_cached and not purpose:
                raise NotInCache(_NOT_THERE)
            return await _bypass(exchange, proceed, why)
        entry = None
        if wish.read and not purpose:
            entry = self._store.at_hand(identity.key)
            if entry is None and not self._store.absent(identity.key):
                began = monotonic()
                entry = await self.asking.get(identity.key)
                self._measures.looked_up("exact", monotonic() - began)
            if entry is not None and (how := self._how(entry, identity, policy, wish)):
                if exchange.grant is not None:
                    await exchange.granted()
                reply = self._give(exchange, policy, entry, how)
                if reply is not None:
                    self._renew(exchange, policy, entry, stale=how == "stale")
                    return reply
                entry = None
        return await self._without(exchange, proceed, _Miss(policy, identity, wish, entry))

    async def last(self, exchange: Exchange) -> CacheEntry | None:
        """An answer of any age to the same request, for when no model answers. Never raises."""
        try:
            policy = self.ground.policy_of(exchange)
            if policy is None or exchange.purpose or not wish_of(exchange.headers).read:
                return None
            if self.ground.judge is not None:
                policy = self._as_judged(policy, await self.ground.judge(exchange))
        except GatewayError:
            return None
        identity, _ = self.ground.look(exchange, policy)
        if identity is None:
            return None
        entry = self._store.at_hand(identity.key) or await self.asking.get(identity.key)
        return entry if entry is not None and _belongs(entry, identity) else None

    async def key_of(self, exchange: Exchange) -> tuple[bytes, str]:
        """Under which an answer to this would be kept; (b"", why) if it would not be. Raises GatewayError."""
        policy = self.ground.policy_of(exchange)
        if policy is None:
            return b"", "its feature has no cache"
        if self.ground.judge is not None:
            policy = self._as_judged(policy, await self.ground.judge(exchange))
        identity, why = self.ground.look(exchange, policy)
        return (identity.key, "") if identity is not None and not why else (b"", why)

    @property
    def under_way(self) -> int:
        """Calls that may be joined."""
        return len(self._flights)

    @property
    def beside(self) -> int:
        """Requests that share a call of another one."""
        return sum(flight.beside for flight in self._flights.values())

    async def aclose(self) -> None:
        """Give up what nobody waits for, and calls that others went on with."""
        await self._asides.aclose()
        for flight in list(self._flights.values()):
            await flight.aclose()

    # A hit

    def _how(self, entry: CacheEntry, identity: Identity, policy: CachePolicy, wish: Wish) -> str:
        """exact, stale, or "": may this entry be given?"""
        if not _belongs(entry, identity):
            return ""
        now = self._clock.wall_ns()
        if now >= entry.until_ns:
            return ""
        age, left = _times(entry, policy, now)
        if age > policy.longest or not wish.takes(age, left, stale=policy.settings.stale):
            return ""
        return "exact" if left > 0 else "stale"

    def _give(
        self, exchange: Exchange, policy: CachePolicy, entry: CacheEntry, how: str, *, similarity: float = 0.0
    ) -> Reply | None:
        """The reply; None if the entry holds no answer."""
        try:
            reply = self.retelling.tell(exchange, entry, natural=policy.settings.pace == "natural")
        except (msgspec.MsgspecError, ValueError):
            log.exception("what is kept of request %s is no answer", request_id_text(entry.origin_id))
            return None
        now = self._clock.wall_ns()
        self._store.hit(entry.key, now)
        exchange.feature = policy.feature
        exchange.routed_model = entry.model
        exchange.cache = how
        exchange.origin_id = entry.origin_id
        exchange.avoided_nanos = entry.cost_nanos
        exchange.avoided_us = _avoided(entry.took_us, exchange)
        headers = exchange.reply_headers
        headers += _told(how)
        headers.append((b"age", b"%d" % max((now - entry.made_ns) // 1_000_000_000, 0)))
        headers.append(self._origin(entry.origin_id))
        if similarity:
            exchange.similarity = similarity
            headers.append((b"x-headgate-cache-similarity", b"%.3f" % similarity))
        if not exchange.attempts:
            headers.append(_FREE)
        return reply

    def _origin(self, request_id: int) -> tuple[bytes, bytes]:
        """The header that names it: the same for all hits of an entry."""
        known = self._origins.get(request_id)
        if known is None:
            if len(self._origins) >= _COUNTED:
                self._origins.clear()
            known = self._origins[request_id] = _origin_header(request_id)
        return known

    def _renew(self, exchange: Exchange, policy: CachePolicy, entry: CacheEntry, *, stale: bool) -> None:
        """Fetch it anew, if it is time to."""
        share = policy.settings.refresh
        if not (stale or share):
            return
        renewed = partial(self._renewed, policy, entry.answer)
        if stale:
            self._asides.ask(exchange, "refresh", entry.key, renewed)
            return
        times = self._given.pop(entry.key, 0) + 1
        self._given[entry.key] = times
        if len(self._given) > _COUNTED:
            self._given.popitem(last=False)
        left = entry.fresh_ns - self._clock.wall_ns()
        if (
            times >= _POPULAR
            and left < share * (entry.fresh_ns - entry.made_ns)
            and self._asides.ask(exchange, "refresh", entry.key, renewed)
        ):
            del self._given[entry.key]

    # No hit

    async def _without(self, exchange: Exchange, proceed: Proceed, miss: _Miss) -> Reply:
        policy, wish = miss.policy, miss.wish
        why = _why_not_told(exchange)
        if why:
            if wish.only_if_cached and not exchange.purpose:
                raise NotInCache(_NOT_THERE)
            return await _bypass(exchange, proceed, why)
        if wish.read and not exchange.purpose:
            given = await self._similar(exchange, miss)
            if given is not None:
                return given
        if wish.only_if_cached and not exchange.purpose:
            raise NotInCache(_NOT_THERE)
        try:
            return await self._answered(exchange, proceed, miss)
        except GatewayError as error:
            old = miss.entry
            if old is None or exchange.hung_up or not self._if_error(old, policy, wish, error):
                raise
            await exchange.granted()
            # It may have been removed while the models were asked.
            old = self._store.at_hand(old.key) or await self.asking.get(old.key)
            if old is None or not self._if_error(old, policy, wish, error):
                raise
            reply = self._give(exchange, policy, old, "stale")
            if reply is None:
                raise
            exchange.degraded = "stale"
            exchange.notes["degraded"] = f"stale, after {error.code}"
            exchange.reply_headers.append((b"x-headgate-degraded", b"stale"))
            log.debug("request %s gets an old answer after %s", request_id_text(exchange.id), error.code)
            return reply

    async def _similar(self, exchange: Exchange, miss: _Miss) -> Reply | None:
        semantic, policy, identity = self.semantic, miss.policy, miss.identity
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
            self.counts.shadowed += 1
            miss.found = found
            exchange.notes["cache"] = f"a similar question was not taken for the same: {found.why}"[:_NOTE]
            return None
        age, left = _times(entry, policy, self._clock.wall_ns())
        if left <= 0 or not miss.wish.takes(age, left):
            return None
        await exchange.granted()
        reply = self._give(exchange, policy, entry, "semantic", similarity=found.score)
        if reply is not None and found.ask:
            told = partial(self._learn, found, policy, identity.question, exchange.id)
            self._asides.ask(exchange, "sample", identity.key, told)
        return reply

    def _learn(
        self, found: Found, policy: CachePolicy, question: str, request_id: int, answer: LocalReply
    ) -> None:
        """The question has got an answer of its own: was the neighbour's right?"""
        if self.semantic is not None and isinstance(answer, Answer):
            self.semantic.compare(found, policy, question=question, answer=answer, request_id=request_id)

    def _renewed(self, policy: CachePolicy, before: bytes, answer: LocalReply) -> None:
        if self.semantic is not None and isinstance(answer, Answer) and policy.settings.semantic is not None:
            self.semantic.again(policy, before=before, after=answer)

    async def _answered(self, exchange: Exchange, proceed: Proceed, miss: _Miss) -> Reply:
        """By a call of somebody else's that is under way, or by one of its own."""
        policy, wish = miss.policy, miss.wish
        shares = policy.settings.join and wish.read and wish.keep and not exchange.purpose
        if shares:
            joined, shares = await self._join(exchange, miss.identity, policy)
            if joined is not None:
                return joined
        how = "miss" if wish.read and not exchange.purpose else "refreshed"
        exchange.cache = how
        if not shares and not wish.keep:
            reply = await proceed(exchange)
            exchange.reply_headers += _told(how)
            return reply
        flight = Flight(exchange, miss.identity.person)
        miss.place = self._place(miss.identity)
        if shares:
            self._flights[miss.place] = flight
        exchange.on_close(partial(self._closing, flight, miss))
        try:
            reply = await flight.lead(proceed)
        except GatewayError:
            self._forget(miss.place, flight)
            raise
        exchange.reply_headers += _told(how)
        return reply

    def _place(self, identity: Identity) -> Place:
        """Whose call, for this request, may be joined: anybody's who may share the answer, or the same user's alone."""
        key = identity.key
        return (key, identity.person) if key in self._apart else key

    def _part(self, key: bytes) -> None:
        self._apart[key] = None
        if len(self._apart) > _COUNTED:
            self._apart.popitem(last=False)

    async def _heard(self, exchange: Exchange, flight: Flight, identity: Identity, seconds: float) -> Reply:
        """Another user hears nothing that may turn out to be personal: they wait for all of it, and for somebody to look."""
        if flight.person == identity.person:
            return await flight.heard(exchange)
        personal = self.ground.personal
        return await flight.heard_whole(
            exchange, lambda answer: not why_not_shared(answer, personal=personal), seconds=seconds
        )

    async def _join(
        self, exchange: Exchange, identity: Identity, policy: CachePolicy
    ) -> tuple[Reply | None, bool]:
        """The reply of a call under way; or None, and whether others may join the one that is made now."""
        failed = others = 0
        until = 0.0
        if self._place(identity) in self._flights:
            await exchange.granted()
            now = monotonic()
            until = now + MOST_WAIT
            if self.ground.total_of is not None:
                total = self.ground.total_of(policy.feature)
                until = min(until, now + total / 2)
                # If it comes to nothing, the waiting was part of its time.
                exchange.deadline = now + total
        while True:
            place = self._place(identity)
            flight = self._flights.get(place)
            if flight is None:
                return None, True
            if not flight.open:
                # A new one may take the place of what has failed; of one that is full, or too far on, not.
                return None, flight.failure is not None
            try:
                reply = await self._heard(exchange, flight, identity, until - monotonic())
            except (NotForOthers, TimeoutError):
                self._part(identity.key)
                continue
            except LeaderFailed as failure:
                error = failure.error
                if isinstance(error, ProviderFault):
                    failed += 1
                    if error.fault == "caller" or failed >= _TRIES:
                        raise error from None
                else:
                    others += 1
                    if others >= _LEADERS:
                        return None, False
                self._forget(place, flight)
                continue
            self._note_joined(exchange, flight)
            return reply, False

    def _note_joined(self, exchange: Exchange, flight: Flight) -> None:
        leader = flight.leader
        exchange.feature = leader.feature
        exchange.routed_model = leader.routed_model
        exchange.cache = "joined"
        exchange.origin_id = leader.id
        exchange.degraded = leader.degraded
        headers = exchange.reply_headers
        headers += _told("joined")
        headers += (
            (b"age", b"0"),
            _origin_header(leader.id),
            _FREE,
        )
        if leader.degraded:
            headers += [header for header in leader.reply_headers if header[0] == b"x-headgate-degraded"]
        exchange.on_close(partial(self._note_avoided, exchange, flight))

    def _note_avoided(self, exchange: Exchange, flight: Flight) -> None:
        if flight.complete:
            exchange.avoided_nanos = self.ground.cost_of(flight.leader)
            exchange.avoided_us = _avoided(_took(flight), exchange)

    # The end of a call

    def _closing(self, flight: Flight, miss: _Miss) -> None:
        """The caller has its last byte."""
        if flight.complete:
            asyncio.get_running_loop().call_soon(self._keep, flight, miss)
        else:
            self._forget(miss.place, flight)

    def _forget(self, place: Place, flight: Flight) -> None:
        if self._flights.get(place) is flight:
            del self._flights[place]

    def _keep(self, flight: Flight, miss: _Miss) -> None:
        exchange, policy = flight.leader, miss.policy
        try:
            answer = flight.answer()
            if answer is None:
                return
            if miss.found is not None and not exchange.degraded:
                self._learn(miss.found, policy, miss.identity.question, exchange.id, answer)
            ground = self.ground
            refused = flight.refused or not miss.wish.keep
            if refused or why_not_kept(
                exchange, answer, miss.identity, policy, personal=ground.personal, fits=ground.fits
            ):
                self.counts.not_kept += 1
                return
            entry = entry_of(
                exchange,
                answer,
                miss.identity,
                policy,
                now_ns=self._clock.wall_ns(),
                seconds=float(policy.settings.exact or 0.0),
                cost_nanos=ground.cost_of(exchange),
                took_us=_took(flight),
                vector=miss.vector,
                embedder=self.semantic.embedder if self.semantic is not None else "",
            )
            if entry is not None:
                self.counts.kept += 1
                self._apart.pop(entry.key, None)
                self._store.put(entry)
        except (GatewayError, msgspec.MsgspecError, TypeError, ValueError):
            log.exception("request %s: its answer cannot be kept", request_id_text(exchange.id))
        finally:
            self._forget(miss.place, flight)

    def _if_error(self, entry: CacheEntry, policy: CachePolicy, wish: Wish, error: GatewayError) -> bool:
        """May an old answer be given in place of this error?"""
        if not isinstance(error, ProviderFault) or error.fault != "provider":
            return False
        now = self._clock.wall_ns()
        age, left = _times(entry, policy, now)
        if now >= entry.until_ns or age > policy.longest:
            return False
        return wish.takes_on_error(age, left, if_error=policy.settings.if_error)

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


class _Miss:
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


_NOT_THERE = "no answer to this request is kept, and no model is asked (`Cache-Control: only-if-cached`); send it without, to have it answered"
_FREE = (b"x-headgate-cost-usd", b"0")
_X_CACHE = {how: b"HIT (%b)" % how.encode() for how in GIVEN} | {
    "miss": b"MISS",
    "bypass": b"BYPASS",
    "refreshed": b"REFRESH",
}
_TOLD = {how: ((b"x-cache", said), (b"x-headgate-cache", how.encode())) for how, said in _X_CACHE.items()}


def _origin_header(request_id: int) -> tuple[bytes, bytes]:
    return b"x-headgate-cache-origin", request_id_text(request_id).encode()


def _told(how: str) -> tuple[tuple[bytes, bytes], ...]:
    return _TOLD[how]


def _belongs(entry: CacheEntry, identity: Identity) -> bool:
    """Is it really this request's? Its key says so already; nothing depends on that alone."""
    return (
        entry.key == identity.key
        and entry.tenant == identity.tenant
        and entry.scope == identity.scope
        and entry.owner == identity.owner
    )


def _times(entry: CacheEntry, policy: CachePolicy, now_ns: int) -> tuple[float, float]:
    """How old it is, and how much longer it is fresh: as long as was meant when it was made, and as long as is meant now."""
    age = (now_ns - entry.made_ns) / 1e9
    return age, min((entry.fresh_ns - now_ns) / 1e9, (policy.settings.exact or 0.0) - age)


def _avoided(took_us: int, exchange: Exchange) -> int:
    return max(took_us - int((monotonic() - exchange.received_at) * 1e6), 0)


def _took(flight: Flight) -> int:
    leader = flight.leader
    return max(int((flight.ended_at - leader.received_at - leader.queued_seconds) * 1e6), 0)


def _why_not_told(exchange: Exchange) -> str:
    if exchange.dialect.operation == "count_tokens":
        return ""
    try:
        return why_not_told(exchange.request)
    except GatewayError:
        return "it cannot be read"


async def _bypass(exchange: Exchange, proceed: Proceed, why: str) -> Reply:
    if not exchange.purpose:
        exchange.cache = "bypass"
        exchange.notes["cache"] = why
        exchange.reply_headers += _told("bypass")
    return await proceed(exchange)
