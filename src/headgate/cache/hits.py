"""An entry that may be given, and how it is: with whose answer it was, and fetched anew in time."""

from __future__ import annotations

import logging
from collections import OrderedDict
from functools import partial
from time import monotonic

import msgspec

from headgate.cache.freshness import Asides
from headgate.cache.headers import FREE, TOLD, origin_header
from headgate.cache.identity import Identity
from headgate.cache.policy import CachePolicy
from headgate.cache.retelling import Retelling
from headgate.cache.semantic.port import Semantic
from headgate.core.clock import Clock
from headgate.core.errors import GatewayError, ProviderFault
from headgate.core.ids import request_id_text
from headgate.core.messages import Answer
from headgate.exchange.dialect import LocalReply
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.wish import Wish
from headgate.stores.answers import AnswerStore, CacheEntry

__all__ = ["Hits", "belongs", "times"]

_POPULAR = 2
"""Times that an entry was given here before it is renewed ahead of time."""
_COUNTED = 10_000

log = logging.getLogger("headgate.cache")


class Hits:
    """Gives entries."""

    def __init__(self, store: AnswerStore, asides: Asides, clock: Clock, semantic: Semantic | None) -> None:
        self.retelling = Retelling()
        self._semantic = semantic
        self._store = store
        self._asides = asides
        self._clock = clock
        self._given: OrderedDict[bytes, int] = OrderedDict()
        self._origins: dict[int, tuple[bytes, bytes]] = {}

    def how(self, entry: CacheEntry, identity: Identity, policy: CachePolicy, wish: Wish) -> str:
        """exact, stale, or "": may this entry be given?"""
        if not belongs(entry, identity):
            return ""
        now = self._clock.wall_ns()
        if now >= entry.until_ns:
            return ""
        age, left = times(entry, policy, now)
        if age > policy.longest or not wish.takes(age, left, stale=policy.settings.stale):
            return ""
        return "exact" if left > 0 else "stale"

    def instead(self, entry: CacheEntry, policy: CachePolicy, wish: Wish, error: GatewayError) -> bool:
        """May an old answer be given in place of this error?"""
        if not isinstance(error, ProviderFault) or error.fault != "provider":
            return False
        now = self._clock.wall_ns()
        age, left = times(entry, policy, now)
        if now >= entry.until_ns or age > policy.longest:
            return False
        return wish.takes_on_error(age, left, if_error=policy.settings.if_error)

    def give(
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
        exchange.avoided_us = max(entry.took_us - int((monotonic() - exchange.received_at) * 1e6), 0)
        headers = exchange.reply_headers
        headers += TOLD[how]
        headers.append((b"age", b"%d" % max((now - entry.made_ns) // 1_000_000_000, 0)))
        headers.append(self._origin(entry.origin_id))
        if similarity:
            exchange.similarity = similarity
            headers.append((b"x-headgate-cache-similarity", b"%.3f" % similarity))
        if not exchange.attempts:
            headers.append(FREE)
        return reply

    def renew(self, exchange: Exchange, policy: CachePolicy, entry: CacheEntry, *, stale: bool) -> None:
        """Fetch it anew, if it is time to."""
        share = policy.settings.refresh
        if not (stale or share):
            return
        renewed = partial(self._renewed, policy, entry.answer)
        if stale:
            self._asides.ask(exchange, "refresh", entry.key, renewed)
            return
        given = self._given.pop(entry.key, 0) + 1
        self._given[entry.key] = given
        if len(self._given) > _COUNTED:
            self._given.popitem(last=False)
        left = entry.fresh_ns - self._clock.wall_ns()
        if (
            given >= _POPULAR
            and left < share * (entry.fresh_ns - entry.made_ns)
            and self._asides.ask(exchange, "refresh", entry.key, renewed)
        ):
            del self._given[entry.key]

    def _origin(self, request_id: int) -> tuple[bytes, bytes]:
        """The header that names it: the same for all hits of an entry."""
        known = self._origins.get(request_id)
        if known is None:
            if len(self._origins) >= _COUNTED:
                self._origins.clear()
            known = self._origins[request_id] = origin_header(request_id)
        return known

    def _renewed(self, policy: CachePolicy, before: bytes, answer: LocalReply) -> None:
        if self._semantic is not None and isinstance(answer, Answer) and policy.settings.semantic is not None:
            self._semantic.again(policy, before=before, after=answer)


def belongs(entry: CacheEntry, identity: Identity) -> bool:
    """Is it really this request's? Its key says so already; nothing depends on that alone."""
    return (
        entry.key == identity.key
        and entry.tenant == identity.tenant
        and entry.scope == identity.scope
        and entry.owner == identity.owner
    )


def times(entry: CacheEntry, policy: CachePolicy, now_ns: int) -> tuple[float, float]:
    """How old it is, and how much longer it is fresh, in seconds: as long as was meant when it was made, and as long as is meant now."""
    age = (now_ns - entry.made_ns) / 1e9
    return age, min((entry.fresh_ns - now_ns) / 1e9, (policy.settings.exact or 0.0) - age)
