"""Every contract against what happened, at one moment: what pages, the API, CI and the watch go by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headgate.quality.contracts.judging import Report, report
from headgate.quality.contracts.measuring import Measured, ends, measure, spans_of
from headgate.quality.contracts.settings import ContractSettings
from headgate.stores.rollups import RollupStore
from headgate.stores.scores import ScoreStore

__all__ = ["Assessor"]


class Assessor:
    """Measures contracts. What a long window holds is kept for a while: it hardly changes in half a minute."""

    def __init__(self, rollups: RollupStore, scores: ScoreStore, *, remember: bool = False) -> None:
        """remember: keep long windows for a 300th of their length, five minutes at most."""
        self._rollups = rollups
        self._scores = scores
        self._remember = remember
        self._known: dict[int, tuple[int, Mapping[str, ContractSettings], Mapping[str, Measured]]] = {}

    async def reports(
        self,
        contracts: Mapping[str, ContractSettings],
        now: int,
        standing: Mapping[tuple[str, str], str] | None = None,
    ) -> Sequence[Report]:
        """In the order of the features. standing: (feature, promise) -> how it stood. Raises StoreUnavailable."""
        wanted: dict[int, dict[str, ContractSettings]] = {}
        for feature, contract in contracts.items():
            for seconds in (*spans_of(contract), int(contract.window)):
                wanted.setdefault(seconds, {})[feature] = contract
        found = {seconds: await self._measured(seconds, group, now) for seconds, group in wanted.items()}
        self._known = {seconds: known for seconds, known in self._known.items() if seconds in wanted}
        stood = standing or {}
        return [
            report(
                feature,
                contract,
                found[int(contract.window)][feature],
                {seconds: found[seconds][feature] for seconds in spans_of(contract)},
                {promise: state for (name, promise), state in stood.items() if name == feature},
            )
            for feature, contract in contracts.items()
        ]

    async def _measured(
        self, seconds: int, contracts: Mapping[str, ContractSettings], now: int
    ) -> Mapping[str, Measured]:
        if self._remember and seconds in self._known:
            at, about, measured = self._known[seconds]
            if 0 <= now - at < min(seconds // 300, 300) and about == contracts:
                return measured
        found = await measure(self._rollups, self._scores, contracts, *ends(now, seconds))
        self._known[seconds] = (now, contracts, found)
        return found
