"""What a configuration says of budgets, what endpoints charge, and what was put into prepaid ones."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable

from headgate.budgets.plan import Deposits, Plan, plan_of
from headgate.budgets.uses import Uses
from headgate.config.model import Settings
from headgate.core.clock import Clock
from headgate.core.tasks import ended
from headgate.providers.catalog.book import PriceBook
from headgate.providers.catalog.rates import Rates
from headgate.providers.port import Endpoint
from headgate.stores.errors import StoreUnavailable
from headgate.stores.ledger import LedgerStore

__all__ = ["DEPOSIT_SECONDS", "BookPrices", "KnownDeposits", "budgets_of"]

log = logging.getLogger("headgate")

DEPOSIT_SECONDS = 1.0
"""How soon a deposit counts here."""
_COMPLAINT_SECONDS = 60.0
_PRICE_SECONDS = 3.0
"""How long a request waits for the price list: at the start it takes half a second to read."""
_LOOK_SECONDS = 0.02


def budgets_of(settings: Settings) -> Plan:
    """Its budgets, and how long answers may be."""
    features = settings.features
    return plan_of(
        settings.budgets,
        {name: each.budget for name, each in features.items()},
        {name: each.answer_tokens for name, each in features.items()},
        settings.defaults.answer_tokens,
    )


class BookPrices:
    """Fulfils `budgets.purse.Prices`: the operator's price, else the list's."""

    def __init__(self, book: PriceBook, clock: Clock) -> None:
        self._book = book
        self._clock = clock

    def rates(self, endpoint: Endpoint) -> Rates | None:
        """See `Prices`."""
        own = endpoint.own_price
        if isinstance(own, Rates):
            return own
        return self._book.dearest(endpoint.price_key, endpoint.model, self._clock.wall_ns())

    async def looked_up(self, endpoint: Endpoint) -> Rates | None:
        """See `Prices`. The record writer's thread looks up what was asked for."""
        until = self._clock.monotonic() + _PRICE_SECONDS
        while True:
            known = self._book.looked_up(endpoint.price_key, endpoint.model)
            rates = self.rates(endpoint)
            if rates is not None or known or self._clock.monotonic() >= until:
                return rates
            await asyncio.sleep(_LOOK_SECONDS)


class KnownDeposits:
    """Tells `uses` what was put into prepaid budgets, again and again, until stopped; only if there are any."""

    def __init__(self, ledger: LedgerStore, uses: Uses, plan: Callable[[], Plan], clock: Clock) -> None:
        self._ledger = ledger
        self._uses = uses
        self._plan = plan
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def read(self) -> None:
        """Know them now. Raises StoreUnavailable."""
        if any(rule.prepaid for rule in self._plan().rules):
            deposits: Deposits = await self._ledger.deposits()
            self._uses.deposits = deposits

    def start(self) -> None:
        """Read again from time to time."""
        self._task = asyncio.create_task(self._keep_fresh(), name="deposits")

    async def stop(self) -> None:
        """Read no more."""
        if self._task is not None:
            await ended(self._task)

    async def _keep_fresh(self) -> None:
        complained = -math.inf
        while True:
            await asyncio.sleep(DEPOSIT_SECONDS)
            try:
                await self.read()
            except StoreUnavailable as failure:
                if self._clock.monotonic() - complained >= _COMPLAINT_SECONDS:
                    complained = self._clock.monotonic()
                    log.warning("deposits stay as they are known: %s", failure)
            except Exception:
                log.exception("cannot read deposits from the database")
