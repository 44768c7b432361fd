"""Own machines first, until they are full; back when it eases. The one piece of routing that remembers."""

from __future__ import annotations

from headgate.providers.port import Endpoint

__all__ = ["Spill"]

_EASED_IN_FLIGHT = 0.75
_EASED_WAIT = 0.8
_LOOK_AGAIN = 2.0
"""Seconds after which an endpoint that is full only by its latency gets one request: nothing else would measure it."""


class Spill:
    """Which of the own endpoints are full. One per model; what it decides depends on nothing but what it is told."""

    __slots__ = ("_full", "_in_flight", "_wait")

    def __init__(self, *, in_flight: int, first_token: float = 0.0) -> None:
        """in_flight: calls at one endpoint, first_token: seconds to the first content, from which on it is full; 0.0: none."""
        self._in_flight = in_flight
        self._wait = first_token
        self._full: dict[int, float] = {}

    def arrange(self, endpoints: list[Endpoint], now: float) -> list[Endpoint]:
        """Own machines with room, then managed endpoints, then own machines that are full; each part in its order."""
        room, managed, full = [], [], []
        for each in endpoints:
            if not each.self_hosted:
                managed.append(each)
            elif self._is_full(each, now):
                full.append(each)
            else:
                room.append(each)
        return room + managed + full

    def _is_full(self, endpoint: Endpoint, now: float) -> bool:
        health = endpoint.health
        in_flight = health.in_flight
        wait = health.expected(now) if self._wait else 0.0
        since = self._full.get(id(endpoint))
        if since is None:
            if in_flight < self._in_flight and wait <= self._wait:
                return False
            self._full[id(endpoint)] = now
            return True
        # A little below where it became full: at the very edge every other request would go elsewhere.
        if in_flight > self._in_flight * _EASED_IN_FLIGHT:
            return True
        if wait > self._wait * _EASED_WAIT:
            if now - since < _LOOK_AGAIN:
                return True
            self._full[id(endpoint)] = now
            return False
        del self._full[id(endpoint)]
        return False
