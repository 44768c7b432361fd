"""What recorded traffic would have cost at another model's price. Nobody is called; tokens are taken as they were counted.

Each attempt is priced by itself, as it was when it was recorded: long prompts have a price of their own, and a sum of
tokens would not say which they were. The price is that of the moment at which the request came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from headgate.core.usage import Usage
from headgate.providers.catalog.charging import cost_nanos
from headgate.providers.catalog.rates import Rates
from headgate.stores.totals import AttemptUsage, TotalsStore, Which

__all__ = ["Compared", "Comparison", "RatesAt", "Target", "whatif"]

RatesAt = Callable[[int], Rates | None]
"""Nanoseconds since 1970 -> the prices of that moment; None if there were none."""

_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Target:
    """A model and what it costs."""

    name: str
    rates_at: RatesAt


@dataclass(slots=True)
class Compared:
    """The attempts of one feature. Only those of which both sides are known are in `attempts` and in before and after."""

    feature: str
    requests: int = 0
    attempts: int = 0
    repriced: int = 0
    """Attempts that were priced anew; the others keep their cost, because the question does not concern them."""
    before_nanos: int = 0
    after_nanos: int = 0
    estimated: int = 0
    """Attempts whose tokens are estimated."""
    unknown: int = 0
    """Attempts whose recorded cost is not known: on neither side, but what they would cost is known."""
    unknown_after_nanos: int = 0


_SUMS = (
    "requests",
    "attempts",
    "repriced",
    "before_nanos",
    "after_nanos",
    "estimated",
    "unknown",
    "unknown_after_nanos",
)


@dataclass(slots=True)
class Comparison:
    """Before and after, per feature. What could not be priced is left out, and counted by reason."""

    target: Target | None
    """For all that no tier of its own goes before; None: those keep their cost."""
    by_tier: Mapping[str, Target] = field(default_factory=dict)
    """simple, medium or complex -> another target."""
    operation: str = "chat"
    """Attempts of other operations are left out: vectors are no chats."""
    features: dict[str, Compared] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    """Reason -> attempts."""
    _last: int = -1

    def add(self, row: AttemptUsage) -> None:
        """Take in one attempt; they come in the order of their requests."""
        after, reason = self._after(row)
        if reason:
            self.left_out[reason] = self.left_out.get(reason, 0) + 1
            return
        line = self.features.setdefault(row.feature, Compared(row.feature))
        line.requests += row.request_id != self._last
        self._last = row.request_id
        if row.cost_nanos is None:
            line.unknown += 1
            line.unknown_after_nanos += after or 0
            return
        line.attempts += 1
        line.estimated += row.cost_label == "estimated"
        line.before_nanos += row.cost_nanos
        if after is None:
            line.after_nanos += row.cost_nanos
        else:
            line.repriced += 1
            line.after_nanos += after

    @property
    def total(self) -> Compared:
        """All features together."""
        total = Compared("")
        for line in self.features.values():
            for name in _SUMS:
                setattr(total, name, getattr(total, name) + getattr(line, name))
        return total

    def _after(self, row: AttemptUsage) -> tuple[int | None, str]:
        """(the new cost, or None if the old one stays; why it cannot be told)."""
        if row.purpose:
            return None, f"made besides what callers asked for ({row.purpose})"
        if row.operation != self.operation:
            return None, f"{row.operation or 'another operation'}, not {self.operation}"
        target = self.by_tier.get(row.tier, self.target)
        usage = _usage(row)
        if target is None and row.cost_nanos is None:
            return None, "its recorded cost is not known, and stays as it is"
        if target is None or (not usage.total and row.cost_nanos == 0):
            # Refused, or it never reached a provider: free then, and free at any price.
            return None, ""
        rates = target.rates_at(row.started_ns)
        if rates is None:
            return None, f"no price of {target.name} is known for its day"
        return cost_nanos(rates, usage), ""


async def whatif(store: TotalsStore, comparison: Comparison, which: Which) -> Comparison:
    """Put every attempt that is meant through `comparison`, and hand it back. Raises StoreUnavailable."""
    after = (0, -1)
    while rows := await store.usages(which, after=after, limit=_PAGE):
        for row in rows:
            comparison.add(row)
        after = (rows[-1].request_id, rows[-1].number)
    return comparison


def _usage(row: AttemptUsage) -> Usage:
    return Usage(
        input=row.input_tokens,
        cache_read=row.cache_read_tokens,
        cache_write=row.cache_write_tokens,
        cache_write_1h=row.cache_write_1h_tokens,
        output=row.output_tokens,
        reasoning=row.reasoning_tokens,
    )
