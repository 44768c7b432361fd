"""Which fault, if any, a request meets: what it asks for itself, what was ordered at run time, the schedule, or chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from headgate.providers.simulated.chance import Chance
from headgate.providers.simulated.faults import FaultOrder, parse_fault
from headgate.providers.simulated.profiles import Profile

__all__ = ["FaultChoice"]


class FaultChoice:
    """Decides per request. The first of the four that speaks decides; an order of `none` decides too."""

    def __init__(self) -> None:
        self._ordered: dict[str, tuple[tuple[FaultOrder, ...], float]] = {}
        self._flaps: Counter[str] = Counter()

    def order(self, faults: Sequence[str], rate: float, model: str) -> None:
        """From now on a share of `rate` of the requests for `model` ("*": all) meet one of `faults`, each as likely
        as the next. No faults: the order ends. Raises ValueError for an unknown fault or a rate outside 0 to 1."""
        if not 0 <= rate <= 1:
            raise ValueError(f"a rate lies between 0 and 1, not {rate}")
        if faults:
            self._ordered[model] = (tuple(parse_fault(fault) for fault in faults), rate)
        else:
            self._ordered.pop(model, None)

    def choose(
        self, model: str, profile: Profile, asked: Sequence[FaultOrder], seconds: float, chance: Chance
    ) -> FaultOrder | None:
        """The fault to meet, or None. seconds: since the start."""
        chosen = self._candidate(model, profile, asked, seconds, chance)
        if chosen is None or chosen.name == "none":
            return None
        if chosen.name == "flapping":
            bad, good = chosen.pair
            turn = self._flaps[model] % (bad + good)
            self._flaps[model] += 1
            return FaultOrder("overloaded_503") if turn < bad else None
        return chosen

    def _candidate(
        self, model: str, profile: Profile, asked: Sequence[FaultOrder], seconds: float, chance: Chance
    ) -> FaultOrder | None:
        for order in asked:
            if not order.model or order.model == model:
                return order
        if self._ordered and (found := self._ordered.get(model) or self._ordered.get("*")):
            faults, rate = found
            return chance.pick(faults) if chance.uniform() < rate else None
        for outage in profile.outage:
            if outage.begins <= seconds < outage.ends:
                return outage.fault
        if profile.error_rate and profile.faults and chance.uniform() < profile.error_rate:
            return chance.pick(profile.faults)
        return None
