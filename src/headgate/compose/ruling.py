"""What is watched all the time: rules of alerts, and contracts. One task in each gateway; of all of them one makes each round."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping

from headgate.alerts.rules.watching import RuleWatch
from headgate.alerts.telling import Alerting
from headgate.compose.stores import Stores
from headgate.config.model import Settings
from headgate.control.rules import reader_of
from headgate.core.clock import Clock
from headgate.core.tasks import ended
from headgate.quality.contracts.assessing import Assessor
from headgate.quality.contracts.settings import ContractSettings
from headgate.quality.contracts.watching import ContractWatch
from headgate.stores.errors import StoreUnavailable

__all__ = ["LOOK_SECONDS", "RulingService", "contracts_of"]

LOOK_SECONDS = 5.0
"""How soon a round that is due is begun."""
_COMPLAINT_SECONDS = 60.0

log = logging.getLogger("headgate")


def contracts_of(settings: Settings) -> Mapping[str, ContractSettings]:
    """By feature, those that promise something."""
    return {name: each.contract for name, each in settings.features.items() if each.contract is not None}


class RulingService:
    """Rules and contracts of a gateway."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        alerting: Alerting,
        clock: Clock,
        *,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._look_seconds = look_seconds
        reader = reader_of(stores.rollups, stores.scores)
        self._rules = RuleWatch(stores.rules, reader, alerting.publish, clock)
        assessor = Assessor(stores.rollups, stores.scores, remember=True)
        self._contracts = ContractWatch(stores.rules, assessor, alerting.publish, clock)
        self._task: asyncio.Task[None] | None = None
        self._complained = -math.inf

    def use(self, settings: Settings) -> None:
        """The configuration from now on."""
        self._settings = settings

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._go_on(), name="rules and contracts")

    async def aclose(self) -> None:
        """Look no more. What was told is kept."""
        if self._task is not None:
            await ended(self._task)
            self._task = None

    async def round(self) -> None:
        """One look at everything that is due. Raises StoreUnavailable."""
        await self._rules.round(self._settings.watch)
        await self._contracts.round(contracts_of(self._settings))

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(self._look_seconds)
            try:
                await self.round()
            except StoreUnavailable as failure:
                if self._clock.monotonic() - self._complained >= _COMPLAINT_SECONDS:
                    self._complained = self._clock.monotonic()
                    log.warning("rules and contracts wait for the database: %s", failure)
            except Exception:
                # One look that goes wrong must not be the last one.
                log.exception("looking at rules and contracts")
