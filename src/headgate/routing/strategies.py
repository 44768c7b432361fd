"""Put endpoints that can all answer in the order in which to ask them. Pure: no I/O, no clock, chance is handed in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import inf
from typing import Any

from headgate.providers.port import Endpoint
from headgate.providers.prefixes import Hold
from headgate.routing.chance import STIR, WORD, draw, log_draw, log_draws, unit

__all__ = [
    "Moment",
    "PriceOf",
    "Strategy",
    "cheapest",
    "fastest",
    "in_region",
    "least_busy",
    "nearest",
    "sticky",
    "strategy",
    "weighted",
]

PriceOf = Callable[[Endpoint], float | None]
"""USD per million tokens, prompt and answer blended; None: not known."""

_UNMEASURED = -inf
_DRAW_ALL = 6
_EXPLORED_BITS = 64 - 6
"""One request in so many asks another endpoint than the nearest, or latencies would never be measured again."""


@dataclass(slots=True)
class Moment:
    """What an order depends on besides the endpoints."""

    now: float
    """`time.monotonic()` seconds."""
    seed: int
    """What chance is drawn from: the request's id."""
    session: str = ""
    region: str = ""
    """Where the caller says to be."""
    hold: Hold | None = None
    """Who has read the beginning of the prompt lately."""


Strategy = Callable[[list[Endpoint], Moment], list[Endpoint]]


@lru_cache(maxsize=1024)
def in_region(region: str, wanted: str) -> bool:
    """Is `region` the wanted one or a part of it? `eu-west-1` is in `eu`; nowhere is in nothing."""
    region, wanted = region.lower(), wanted.lower()
    return region == wanted or (bool(wanted) and region.startswith((f"{wanted}-", f"{wanted}/")))


def weighted(endpoints: list[Endpoint], moment: Moment) -> list[Endpoint]:
    """Drawn by weight, without putting back: whoever is second is drawn by weight, too. Of many, the first
    is drawn so; the rest follows as written, begun anywhere: few requests get that far."""
    if len(endpoints) <= _DRAW_ALL:
        draws = log_draws(moment.seed, len(endpoints))
        return _by([drawn / each.weight for drawn, each in zip(draws, endpoints, strict=True)], endpoints)
    chance = draw(moment.seed)
    ends = list(accumulate([each.weight for each in endpoints]))
    first = min(bisect_right(ends, unit(chance) * ends[-1]), len(ends) - 1)
    start = (chance & 0xFF) % len(endpoints)
    around = endpoints[start:] + endpoints[:start]
    around.insert(0, around.pop((first - start) % len(endpoints)))
    return around


def least_busy(endpoints: list[Endpoint], moment: Moment) -> list[Endpoint]:
    """Fewest calls under way for its weight; ties go round."""
    start = draw(moment.seed) % len(endpoints)
    around = endpoints[start:] + endpoints[:start]
    return sorted(around, key=_load)


def fastest(endpoints: list[Endpoint], moment: Moment) -> list[Endpoint]:
    """Of two drawn, the one with the lower peak-sensitive waiting time first, then the other, then the rest as written.

    Two instead of all: whoever asked all at once would send everybody to the same one. An endpoint that was never
    measured is preferred only while it has no more calls under way than the other, so that it is measured, not flooded.
    """
    count = len(endpoints)
    chance = draw(moment.seed)
    i = chance % count
    j = (chance >> 32) % (count - 1)
    if j >= i:
        j += 1
    one, other = endpoints[i], endpoints[j]
    now = moment.now
    a, b = one.health.pressure(now), other.health.pressure(now)
    if a and b:
        swap = b < a
    else:
        busy, waiting = one.health.in_flight, other.health.in_flight
        swap = waiting < busy or (waiting == busy and b < a)
    first = [other, one] if swap else [one, other]
    if count == 2:
        return first
    if i > j:
        i, j = j, i
    return first + endpoints[:i] + endpoints[i + 1 : j] + endpoints[j + 1 :]


def cheapest(endpoints: list[Endpoint], price_of: PriceOf) -> list[Endpoint]:
    """By price; those without a known one last."""
    prices = [price_of(each) for each in endpoints]
    return _by([float("inf") if price is None else price for price in prices], endpoints)


def nearest(endpoints: list[Endpoint], moment: Moment) -> list[Endpoint]:
    """Those in the caller's region, then the rest; among equals the quickest to answer lately.

    Never measured and idle counts as quick, to be measured; one in 64 requests looks whether another is quicker by now."""
    region = moment.region
    near, far = endpoints, list[Endpoint]()
    if region:
        near = []
        for each in endpoints:
            (near if in_region(each.region, region) else far).append(each)
    ordered = _quickest(near)
    if far:
        ordered += _quickest(far)
    level = len(near) or len(far)
    if level > 1 and not ((moment.seed * STIR) & WORD) >> _EXPLORED_BITS:
        ordered.insert(0, ordered.pop(1 + (draw(moment.seed) >> 32) % (level - 1)))
    return ordered


def _quickest(endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """By how soon they answered lately. Never measured and idle counts as at once; never measured and busy comes last."""
    healths = [each.health for each in endpoints]
    keys = [health.latency.rank for health in healths]
    if _UNMEASURED in keys:
        keys = [
            inf if key == _UNMEASURED and health.in_flight else key
            for key, health in zip(keys, healths, strict=True)
        ]
    return _by(keys, endpoints)


def sticky(
    endpoints: list[Endpoint], salts: Sequence[int], session: int, *, even: bool = False
) -> list[Endpoint]:
    """By rendezvous: each endpoint draws a number with the session, weighted, and the lowest is asked first.

    Whoever loses an endpoint moves; nobody else does. salts: a number for each endpoint, `session` one for the session. even: all weights are alike."""
    if even:
        # Salts are hashes: one multiplication stirs them enough, and the largest number is as good as the lowest.
        drawn = [((each ^ session) * STIR) & WORD for each in salts]
        ranks = sorted(range(len(endpoints)), key=drawn.__getitem__)
        return [endpoints[rank] for rank in ranks]
    keys = [
        log_draw(draw(each_salt ^ session)) / each.weight
        for each, each_salt in zip(endpoints, salts, strict=True)
    ]
    return _by(keys, endpoints)


def strategy(name: str) -> Strategy | None:
    """The strategy of that name that needs nothing but the moment; None for `order` and `cheapest`."""
    return _STRATEGIES.get(name)


def _load(endpoint: Endpoint) -> float:
    return endpoint.health.in_flight / endpoint.weight


def _by(keys: Sequence[Any], endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    ranks = sorted(range(len(endpoints)), key=keys.__getitem__)
    return [endpoints[rank] for rank in ranks]


_STRATEGIES = {"weighted": weighted, "least-busy": least_busy, "fastest": fastest, "nearest": nearest}
