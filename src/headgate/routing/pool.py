"""The endpoints of one model, and the order in which a request asks them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from headgate.providers.port import Endpoint
from headgate.routing.chance import draw, salt
from headgate.routing.spill import Spill
from headgate.routing.strategies import Moment, PriceOf, cheapest, sticky, strategy

__all__ = ["May", "Pool", "Waiting", "no_price"]

May = Callable[[Endpoint], bool]

Waiting = list[tuple[float, Endpoint]]
"""(seconds until it may be asked, endpoint)"""


def no_price(endpoint: Endpoint) -> float | None:  # noqa: ARG001 - a PriceOf
    """For models whose order does not depend on money."""
    return None


class Pool:
    """A model's endpoints. Asks their health; changes nothing but what it remembers of full machines."""

    __slots__ = (
        "_arrange",
        "_keyed",
        "_salts",
        "_spill",
        "_tiers",
        "endpoints",
        "lacks",
        "least_context",
        "looks_at_region",
        "model",
        "plain",
        "price_of",
        "sticky",
        "strategy",
    )

    def __init__(
        self,
        model: str,
        endpoints: Sequence[Endpoint],
        *,
        strategy_name: str = "order",
        sticky_sessions: bool = False,
        spill: Spill | None = None,
        price_of: PriceOf = no_price,
    ) -> None:
        """endpoints: as written; neighbours that differ in nothing but their key are one place with several keys."""
        self.model = model
        self.endpoints = tuple(endpoints)
        self.strategy = strategy_name
        self.sticky = sticky_sessions
        self.price_of = price_of
        self._spill = spill
        self._arrange = strategy(strategy_name)
        ranks = sorted({each.priority for each in endpoints})
        self._tiers = tuple(tuple(e for e in endpoints if e.priority == rank) for rank in ranks)
        self._keyed = any(each.credential for each in endpoints)
        self._salts = (
            {id(each): salt(f"{each.name} {each.region} {each.credential}") for each in endpoints}
            if sticky_sessions
            else {}
        )
        self.looks_at_region = strategy_name == "nearest"
        # Whether an answer can be gone on with is a question for whoever resumes one, not for who routes a request.
        self.lacks = any(each.lacks - {"prefill"} for each in endpoints)
        self.least_context = min((each.context for each in endpoints if each.context), default=0)
        in_tiers = tuple(each for tier in self._tiers for each in tier)
        simple = strategy_name == "order" and not sticky_sessions and spill is None and not self._keyed
        self.plain = simple and in_tiers == self.endpoints
        """Always in the order written, as long as all can be asked."""

    def only(self, may: May) -> Pool:
        """The same, of those endpoints alone; what is remembered of full machines is shared."""
        return Pool(
            self.model,
            [each for each in self.endpoints if may(each)],
            strategy_name=self.strategy,
            sticky_sessions=self.sticky,
            spill=self._spill,
            price_of=self.price_of,
        )

    @property
    def spills(self) -> bool:
        return self._spill is not None

    def order(self, moment: Moment, waiting: Waiting, may: May | None = None) -> list[Endpoint]:
        """Those that can be asked now, best first; outliers behind them. The others are added to `waiting`.

        may: which endpoints can serve this request at all; None: all of them."""
        now = moment.now
        found: list[Endpoint] = []
        outliers: list[Endpoint] = []
        for tier in self._tiers:
            good: list[Endpoint] = []
            for each in self._rotated(tier, moment.seed) if self._keyed else tier:
                if may is not None and not may(each):
                    continue
                health = each.health
                wait = health.blocked(now)
                if wait:
                    waiting.append((wait, each))
                elif health.ejected(now):
                    outliers.append(each)
                else:
                    good.append(each)
            if len(good) > 1:
                good = self._in_order(good, moment)
            found = found + good if found else good
        if self._spill is not None:
            found = self._spill.arrange(found, now)
        return found + outliers if outliers else found

    def _in_order(self, endpoints: list[Endpoint], moment: Moment) -> list[Endpoint]:
        if self.sticky and moment.session:
            salts = [self._salts[id(each)] for each in endpoints]
            return sticky(endpoints, salts, salt(moment.session))
        if self._arrange is not None:
            return self._arrange(endpoints, moment)
        return cheapest(endpoints, self.price_of) if self.strategy == "cheapest" else endpoints

    @staticmethod
    def _rotated(tier: Iterable[Endpoint], seed: int) -> list[Endpoint]:
        """Each place's keys begin with another one at every request."""
        found: list[Endpoint] = []
        for _, group in groupby(tier, key=_place):
            keys = list(group)
            start = draw(seed, 1) % len(keys)
            found += keys[start:] + keys[:start]
        return found


def _place(endpoint: Endpoint) -> tuple[str, str, str]:
    return (endpoint.provider, endpoint.model, endpoint.region)
