"""What callers may take, put together: limits and budgets, the counts behind them, and who is told when money runs out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from headgate.admission.limits.away import SharedMeters
from headgate.admission.limits.stage import Limit, WhatIsAsked
from headgate.budgets.away import SharedPurses
from headgate.budgets.purse import Till
from headgate.budgets.stage import Budget
from headgate.budgets.uses import Uses
from headgate.compose.budgets import BookPrices, KnownDeposits, budgets_of
from headgate.compose.manners import limits_of
from headgate.compose.purses import PurseKeeper, watch_purses
from headgate.compose.stores import Stores, meters_of, outbox_of, purses_of
from headgate.config.model import Settings
from headgate.control.budget_metrics import watch_budgets
from headgate.control.limit_metrics import watch_limits
from headgate.core.clock import Clock
from headgate.exchange.stage import Stage
from headgate.providers.catalog.book import PriceBook
from headgate.stores.alerts import AlertSink
from headgate.stores.meters import Meters
from headgate.telemetry.metrics import Metrics

__all__ = ["LIMIT_LOOK_SECONDS", "Metering"]

LIMIT_LOOK_SECONDS = 0.05
"""How often a waiting request looks for what other nodes have given back."""


class Metering:
    """The stages `limit` and `budget` of a gateway, with all they need."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        book: PriceBook,
        clock: Clock,
        asked: WhatIsAsked,
        alerts: AlertSink,
        recovered: Callable[[], bool],
    ) -> None:
        """recovered: are the records of earlier processes stored, so that the database knows all they spent?"""
        self._outbox = outbox_of(settings)
        look_every = math.inf if self._outbox is None else LIMIT_LOOK_SECONDS
        self.meters: Meters = meters_of(settings, self._outbox)
        self.limit = Limit(self.meters, limits_of(settings), asked, look_every=look_every)
        self._purses = purses_of(settings, stores.ledger, self._outbox, recovered)
        self.till = Till(
            self._purses, BookPrices(book, clock), clock, Uses(clock, alerts), look_every=look_every
        )
        self._purses.on_freed = self.till.line.freed
        self.budget = Budget(self.till, budgets_of(settings), asked)
        self._deposits = KnownDeposits(stores.ledger, self.till.uses, lambda: self.till.uses.plan, clock)
        self._keeper = PurseKeeper(self._purses, stores.ledger, recovered, clock)
        self._started = False
        self._overlap()

    def stages(self) -> Mapping[str, Stage]:
        """Those that have anything to do: without limits and budgets none is there, and costs nothing."""
        found: dict[str, Stage] = {}
        if self.limit.plan.rules:
            found["limit"] = self.limit
        if self.till.uses.plan:
            found["budget"] = self.budget
        return found

    def prepared(self, settings: Settings) -> Callable[[], None]:
        """What makes these settings count, ready to be done; nothing of it can fail. Raises ValueError where they are wrong."""
        limits, budgets = limits_of(settings), budgets_of(settings)

        def use() -> None:
            self.limit.plan = limits
            self.budget.use(budgets)
            self._overlap()
            if self._started:
                self._keep()

        return use

    def report(self, metrics: Metrics) -> None:
        """Have `metrics` read what is counted here."""
        meters = self.meters
        watch_limits(metrics, self.limit, lambda: meters.away if isinstance(meters, SharedMeters) else 0)
        watch_budgets(metrics, self.till)
        watch_purses(metrics, self._purses)

    async def start(self) -> None:
        """Begin to know what was spent and put in. Raises StoreUnavailable."""
        self._started = True
        await self._deposits.read()
        self._deposits.start()
        self._keep()

    async def aclose(self) -> None:
        """What is still to be told is told, for a bounded time."""
        await self._deposits.stop()
        await self._keeper.stop()
        await self._purses.aclose()
        await self.meters.aclose()
        if self._outbox is not None:
            await self._outbox.aclose()

    def _keep(self) -> None:
        if self.till.uses.plan.rules:
            self._keeper.start()

    def _overlap(self) -> None:
        # Only where both have something to ask of the same place.
        self.limit.overlaps = isinstance(self._purses, SharedPurses) and bool(self.till.uses.plan.rules)
