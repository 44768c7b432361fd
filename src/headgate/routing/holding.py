"""Ask again whom has read the beginning of this prompt lately, as long as that costs nobody their turn. Pure."""

from __future__ import annotations

from headgate.providers.port import Endpoint
from headgate.providers.prefixes import Hold, place_of

__all__ = ["in_front"]

_BALANCING = frozenset({"weighted", "least-busy", "fastest"})
"""Strategies whose order is one of several that are as good. In the others it is the operator's word, and only the keys of one place
are alike."""
_MORE = 4
"""Calls under way beside twice as many as the first has: above that a conversation moves."""


def in_front(endpoints: list[Endpoint], hold: Hold, strategy: str) -> list[Endpoint]:
    """The order with the endpoint that holds the beginning first, among those it may be exchanged with.

    A conversation stays where it is unless that is much busier than where it would go. Instructions alone, which many
    conversations share, keep a request only as long as their place is no busier: so calls at the same time still spread, until all
    places have read them. Then the order is as it would be; and weights hold for all but conversations."""
    if not hold.conversation and strategy == "weighted":
        return endpoints
    places = [place_of(each) for each in endpoints]
    for place in hold.places:
        if place not in places:
            continue
        at = places.index(place)
        first = 0 if strategy in _BALANCING else _first_alike(places, place)
        if at == first or (not hold.conversation and places[first] in hold.places):
            return endpoints
        held, other = endpoints[at], endpoints[first]
        busy, spare = held.health.in_flight / held.weight, other.health.in_flight / other.weight
        if busy > (2 * spare + _MORE / held.weight if hold.conversation else spare):
            return endpoints
        order = endpoints.copy()
        order.insert(first, order.pop(at))
        return order
    return endpoints


def _first_alike(places: list[tuple[str, str, str, str]], place: tuple[str, str, str, str]) -> int:
    return next(at for at, each in enumerate(places) if each[:3] == place[:3])
