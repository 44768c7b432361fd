"""Calls under way: where those who ask the same find them, and what becomes of those who joined one."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from time import monotonic

from headgate.cache.flight import Flight, LeaderFailed, NotForOthers
from headgate.cache.ground import Ground
from headgate.cache.headers import FREE, TOLD, origin_header
from headgate.cache.identity import Identity
from headgate.cache.keeping import why_not_shared
from headgate.cache.policy import CachePolicy
from headgate.core.errors import ProviderFault
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply

__all__ = ["Calls", "Place"]

_TRIES = 2
"""Calls of others that a request sees fail at the provider before it fails as well."""
_LEADERS = 5
"""Calls of others that failed for reasons of their own, after which a request goes on alone."""
MOST_WAIT = 30.0
"""Seconds that a request waits for the whole of an answer which another user's request is getting; less where its own time is short."""
_COUNTED = 10_000

Place = bytes | tuple[bytes, tuple[object, ...]]
"""Under which a call that is under way is found: the request's key, and the user if answers to it are for one user each."""


class Calls:
    """Those under way in this process. `ground` may be replaced between two requests."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self._flights: dict[Place, Flight] = {}
        self._apart: OrderedDict[bytes, None] = OrderedDict()
        """Keys of requests whose answers were not for others lately: users do not wait for each other there."""

    @property
    def under_way(self) -> int:
        """Calls that may be joined."""
        return len(self._flights)

    @property
    def beside(self) -> int:
        """Requests that share a call of another one."""
        return sum(flight.beside for flight in self._flights.values())

    async def aclose(self) -> None:
        """Give up calls that others went on with."""
        for flight in list(self._flights.values()):
            await flight.aclose()

    def place(self, identity: Identity) -> Place:
        """Whose call, for this request, may be joined: anybody's who may share the answer, or the same user's alone."""
        key = identity.key
        return (key, identity.person) if key in self._apart else key

    def begin(self, place: Place, flight: Flight) -> None:
        """From now on it may be joined."""
        self._flights[place] = flight

    def forget(self, place: Place, flight: Flight) -> None:
        """It may not be joined any more."""
        if self._flights.get(place) is flight:
            del self._flights[place]

    def together(self, key: bytes) -> None:
        """An answer to it is for others as well, after all."""
        self._apart.pop(key, None)

    async def join(
        self, exchange: Exchange, identity: Identity, policy: CachePolicy
    ) -> tuple[Reply | None, bool]:
        """The reply of a call under way; or None, and whether others may join the one that is made now."""
        failed = others = 0
        until = 0.0
        if self.place(identity) in self._flights:
            await exchange.granted()
            now = monotonic()
            until = now + MOST_WAIT
            if self.ground.total_of is not None:
                total = self.ground.total_of(policy.feature)
                until = min(until, now + total / 2)
                # If it comes to nothing, the waiting was part of its time.
                exchange.deadline = now + total
        while True:
            place = self.place(identity)
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
                self.forget(place, flight)
                continue
            self._note_joined(exchange, flight)
            return reply, False

    async def _heard(self, exchange: Exchange, flight: Flight, identity: Identity, seconds: float) -> Reply:
        """Another user hears nothing that may turn out to be personal: they wait for all of it, and for somebody to look."""
        if flight.person == identity.person:
            return await flight.heard(exchange)
        personal = self.ground.personal
        return await flight.heard_whole(
            exchange, lambda answer: not why_not_shared(answer, personal=personal), seconds=seconds
        )

    def _part(self, key: bytes) -> None:
        self._apart[key] = None
        if len(self._apart) > _COUNTED:
            self._apart.popitem(last=False)

    def _note_joined(self, exchange: Exchange, flight: Flight) -> None:
        leader = flight.leader
        exchange.feature = leader.feature
        exchange.routed_model = leader.routed_model
        exchange.cache = "joined"
        exchange.origin_id = leader.id
        exchange.degraded = leader.degraded
        headers = exchange.reply_headers
        headers += TOLD["joined"]
        headers += (
            (b"age", b"0"),
            origin_header(leader.id),
            FREE,
        )
        if leader.degraded:
            headers += [header for header in leader.reply_headers if header[0] == b"x-headgate-degraded"]
        exchange.on_close(partial(self._note_avoided, exchange, flight))

    def _note_avoided(self, exchange: Exchange, flight: Flight) -> None:
        if flight.complete:
            exchange.avoided_nanos = self.ground.cost_of(flight.leader)
            waited_us = int((monotonic() - exchange.received_at) * 1e6)
            exchange.avoided_us = max(flight.took_us - waited_us, 0)
