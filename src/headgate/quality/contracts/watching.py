"""Looks at contracts again and again: of all nodes one makes each round, and each transition is told before it is written down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from headgate.core.clock import Clock
from headgate.quality.contracts.assessing import Assessor
from headgate.quality.contracts.judging import Kept, Report, alert_of
from headgate.quality.contracts.settings import ContractSettings
from headgate.stores.alerts import Alert
from headgate.stores.rules import Standing, Watching, seen

__all__ = ["EVERY_SECONDS", "LOOKS_BETTER", "LOOKS_WORSE", "ContractWatch", "rule_of"]

EVERY_SECONDS = 30
LOOKS_WORSE, LOOKS_BETTER = 2, 10
"""So many looks one after another must find that it stands worse, or better."""
_NS = 1_000_000_000
_ORDER = ("unknown", "no data", "kept", "at risk", "broken")


def rule_of(feature: str) -> str:
    """As a contract's standings name it."""
    return f"contract:{feature}"


class ContractWatch:
    """What one node does about contracts. Belongs to one event loop."""

    def __init__(
        self,
        store: Watching,
        assessor: Assessor,
        publish: Callable[[Alert], Awaitable[object]],
        clock: Clock,
    ) -> None:
        """publish: returns when the alert is kept."""
        self._store = store
        self._assessor = assessor
        self._publish = publish
        self._clock = clock
        self._asked = -1
        """The last round that was asked for: the store is asked once for each."""

    async def round(self, contracts: Mapping[str, ContractSettings]) -> bool:
        """Look, if it is time and no other node does. Raises StoreUnavailable."""
        if not contracts:
            return False
        now_ns = self._clock.wall_ns()
        if now_ns // (EVERY_SECONDS * _NS) == self._asked:
            return False
        self._asked = now_ns // (EVERY_SECONDS * _NS)
        if not await self._store.claim_round("contracts", now_ns, EVERY_SECONDS * _NS):
            return False
        await self.look(contracts)
        return True

    async def look(self, contracts: Mapping[str, ContractSettings]) -> None:
        """Look now. Raises StoreUnavailable."""
        now_ns = self._clock.wall_ns()
        rules = {rule_of(feature): feature for feature in contracts}
        known = {(rules[each.rule], each.subject): each for each in await self._store.standings(rules)}
        states = {key: each.state for key, each in known.items()}
        changes: list[tuple[Standing, Standing]] = []
        for report in await self._assessor.reports(contracts, now_ns // _NS, states):
            for kept in report.promises:
                before = known.get((report.feature, kept.promise.name))
                changes.append(await self._seen(report, kept, before, now_ns))
        await self._store.stand(changes)

    async def _seen(
        self, report: Report, kept: Kept, known: Standing | None, now_ns: int
    ) -> tuple[Standing, Standing]:
        before = known or Standing(rule=rule_of(report.feature), subject=kept.promise.name)
        after = seen(before, kept.state, kept.value, now_ns, looks=_looks(before.state, kept.state))
        if (alert := alert_of(report.feature, before, after, kept, report.contract)) is not None:
            await self._publish(alert)
        return before, after


def _looks(before: str, state: str) -> int:
    if _ORDER.index(state) > _ORDER.index(before if before in _ORDER else "unknown"):
        return 1 if state in ("no data", "kept") else LOOKS_WORSE
    return LOOKS_BETTER
