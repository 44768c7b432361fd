"""The endpoints of one model, and the order in which a request asks them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from headgate.providers.port import Endpoint
from headgate.routing.chance import draw, salt
from headgate.routing.holding import in_front
from headgate.routing.spill import Spill
from headgate.routing.strategies import Moment, PriceOf, cheapest, sticky, strategy

__all__ = ["May", "Pool", "Waiting", "no_price"]

May = Callable[[Endpoint], bool]

Waiting = list[tuple[float, Endpoint]]
"""(seconds until it may be asked, endpoint)"""


_PRICED_SECONDS = 60.0
_SESSIONS = 4096


def no_price(endpoint: Endpoint) -> float | None:  # noqa: ARG001 - a PriceOf
    """For models whose order does not depend on money."""
    return None


class Pool:
    """A model's endpoints. Asks their health; changes nothing but what it remembers of full machines."""

    __slots__ = (
        "_arrange",
        "_even",
        "_keyed",
        "_priced",
        "_priced_until",
        "_salts",
        "_sessions",
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
        self._even = len({each.weight for each in endpoints}) < 2
        self._sessions: dict[str, list[Endpoint]] = {}
        self._priced: list[Endpoint] = []
        self._priced_until = 0.0
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
                # One look says that nothing is wrong, as it nearly always does; there may be many endpoints.
                wait = 0.0 if health.calm else health.blocked(now)
                if wait:
                    waiting.append((wait, each))
                elif health.ejected_until > now:
                    outliers.append(each)
                else:
                    good.append(each)
            if len(good) > 1:
                good = self._in_order(good, moment)
                if moment.hold is not None and not (self.sticky and moment.session):
                    good = in_front(good, moment.hold, self.strategy)
            found = found + good if found else good
        if self._spill is not None:
            found = self._spill.arrange(found, now)
        return found + outliers if outliers else found

    def _in_order(self, endpoints: list[Endpoint], moment: Moment) -> list[Endpoint]:
        if self.sticky and moment.session:
            return self._stuck(endpoints, moment.session)
        if self._arrange is not None:
            return self._arrange(endpoints, moment)
        return self._by_price(endpoints, moment.now) if self.strategy == "cheapest" else endpoints

    def _stuck(self, endpoints: list[Endpoint], session: str) -> list[Endpoint]:
        """A session's order; that of lately seen ones is remembered for as long as nobody is missing."""
        everybody = len(endpoints) == len(self.endpoints)
        known = self._sessions.get(session) if everybody else None
        if known is None:
            salts = [self._salts[id(each)] for each in endpoints]
            known = sticky(endpoints, salts, salt(session), even=self._even)
            if everybody:
                if len(self._sessions) >= _SESSIONS:
                    self._sessions.clear()
                self._sessions[session] = known
        return known.copy()

    def _by_price(self, endpoints: list[Endpoint], now: float) -> list[Endpoint]:
        """Prices hardly change: the order of all is worked out once a minute, and whoever is missing left out of it."""
        if now >= self._priced_until:
            self._priced = cheapest(list(self.endpoints), self.price_of)
            self._priced_until = now + _PRICED_SECONDS
        if len(endpoints) == len(self._priced):
            return self._priced.copy()
        here = {id(each) for each in endpoints}
        return [each for each in self._priced if id(each) in here]

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
