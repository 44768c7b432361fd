"""What budgets count, for the metrics: read when somebody looks, never before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from headgate.budgets.purse import Till
from headgate.core.money import usd
from headgate.telemetry.metrics import Metrics, Series
from headgate.telemetry.names import (
    BUDGET_DOWNGRADED,
    BUDGET_LIMIT,
    BUDGET_REFUSED,
    BUDGET_SETTLED,
    BUDGET_SPENT,
    BUDGET_USED,
    BUDGET_WAITING,
)

__all__ = ["watch_budgets"]


def watch_budgets(metrics: Metrics, till: Till) -> None:
    """Have `metrics` read these from the till. By budget, never by whom: that is what the ledger is for."""
    metrics.read(BUDGET_SPENT, lambda: _spent(till))
    metrics.read(
        BUDGET_LIMIT,
        lambda: [((rule.name,), float(usd(rule.amount))) for rule in till.uses.plan.rules],
    )
    metrics.read(BUDGET_USED, lambda: _used(till))
    metrics.read(
        BUDGET_SETTLED,
        lambda: [
            (name, float(usd(int(nanos)))) for name, nanos in _counted(till, till.settled_nanos, lasting=True)
        ],
    )
    metrics.read(BUDGET_REFUSED, lambda: _counted(till, till.refused))
    metrics.read(BUDGET_DOWNGRADED, lambda: _counted(till, till.downgraded, lasting=True))
    metrics.read(BUDGET_WAITING, lambda: [((), till.line.waiting)])


def _spent(till: Till) -> Series:
    sums = dict.fromkeys((rule.name for rule in till.uses.plan.rules if not rule.alone), 0)
    for rule, known in till.uses.now():
        sums[rule.name] = sums.get(rule.name, 0) + known.spent
    return [((name,), float(usd(nanos))) for name, nanos in sums.items()]


def _used(till: Till) -> Series:
    parts = dict.fromkeys((rule.name for rule in till.uses.plan.rules if not rule.alone), 0.0)
    for rule, known in till.uses.now():
        parts[rule.name] = max(parts.get(rule.name, 0.0), known.fraction)
    return [((name,), part) for name, part in parts.items()]


def _counted(till: Till, counter: Counter[str], *, lasting: bool = False) -> Series:
    """Each budget of the configuration, from 0 on, so that the first event is seen as a rise; and those that were."""
    found: Mapping[str, int] = (
        dict.fromkeys((rule.name for rule in till.uses.plan.rules if not (lasting and rule.alone)), 0)
        | counter
    )
    return [((name,), number) for name, number in found.items()]
