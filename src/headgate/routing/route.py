"""What a requested name stands for, worked out when the configuration is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from types import MappingProxyType

from headgate.providers.port import Endpoint
from headgate.routing.constraints import Dropped, Requirement, not_asked, sieve
from headgate.routing.difficulty.port import TIERS, Grader, Tier
from headgate.routing.outcomes import Learner
from headgate.routing.pool import Pool

__all__ = ["Route", "narrowed", "routed", "stronger"]

_NO_TIERS: Mapping[Tier, Pool] = MappingProxyType({})
_NO_RESERVES: Mapping[str, Sequence[Endpoint]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Route:
    """What a requested name stands for."""

    feature: str
    """The feature's name; "" if a model was asked for directly."""
    model: str
    """The model of our configuration; for `provider/model`, that text."""
    candidates: tuple[Endpoint, ...]
    """As written, best first."""
    pools: tuple[Pool, ...] = ()
    """The route's model, then its fallbacks; of a route by difficulty, the model for requests in between."""
    tiers: Mapping[Tier, Pool] = field(default_factory=lambda: _NO_TIERS)
    """The pool of each tier, all three; empty if the route does not go by difficulty."""
    reserves: Mapping[str, Sequence[Endpoint]] = field(default_factory=lambda: _NO_RESERVES)
    """The models of the degrade ladder, by the ladder's name of them."""
    grader: Grader | None = None
    """Who judges difficulty here; None: the signals."""
    learner: Learner | None = None
    """Who learns from what became of its answers."""
    confidence: float = 0.0
    """Below this the next stronger model is asked."""
    sensitive: bool = False
    """Its data always is."""
    rules: tuple[Requirement, ...] = ()
    """What has been applied to the pools already."""
    dropped: tuple[Dropped, ...] = ()
    """What the rules took away."""
    note: str = ""
    """That in words, for the record."""
    confined: bool = False
    """One of the rules keeps requests to certain places."""
    free: bool = False
    """What a request says cannot change the candidates: only their health can, the strategy, and where the caller is."""
    plain: bool = False
    """Not even those: as long as all can be asked, the order is the one written."""


def routed(
    route: Route, pools: Sequence[Pool], tiers: Mapping[Tier, Pool], reserves: Mapping[str, Pool]
) -> Route:
    """`route` with its pools, and what follows from them."""
    candidates = tuple(chain.from_iterable(pool.endpoints for pool in pools))
    everything = (*pools, *tiers.values())
    free = not tiers and bool(candidates) and not any(each.lacks or each.least_context for each in everything)
    return replace(
        route,
        candidates=candidates,
        pools=tuple(pools),
        tiers=MappingProxyType(dict(tiers)),
        reserves=MappingProxyType({name: pool.endpoints for name, pool in reserves.items()}),
        free=free,
        plain=free and all(pool.plain for pool in pools),
    )


def narrowed(route: Route, rules: Sequence[Requirement]) -> Route:
    """The route as far as `rules` let it, on top of those that hold already."""
    new = [rule for rule in rules if rule not in route.rules]
    if not new:
        return route
    dropped: list[Dropped] = []
    may = sieve(new, dropped)
    kept: dict[int, Pool] = {}

    def cut(pools: Iterable[Pool]) -> list[Pool]:
        return [kept.setdefault(id(pool), pool.only(may)) for pool in pools]

    pools = cut(route.pools)
    tiers = dict(zip(route.tiers, cut(route.tiers.values()), strict=True))
    reserves = {
        name: Pool(name, [each for each in endpoints if not any(rule.against(each) for rule in new)])
        for name, endpoints in route.reserves.items()
    }
    smaller = routed(route, pools, tiers, reserves)
    unique = {id(each.endpoint): each for each in dropped}
    gone = (*route.dropped, *unique.values())
    note = not_asked(gone) if gone else ""
    rules = (*route.rules, *new)
    confined = any(rule.confines for rule in rules)
    return replace(smaller, rules=rules, dropped=gone, note=note, confined=confined)


def stronger(tiers: Mapping[Tier, Pool], tier: Tier) -> Tier:
    """The next harder tier that another model serves; `tier` itself if there is none."""
    model = tiers[tier].model
    harder = TIERS[TIERS.index(tier) + 1 :]
    return next((each for each in harder if tiers[each].model != model), tier)
