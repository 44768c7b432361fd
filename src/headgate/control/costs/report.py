"""What it has cost, by whatever somebody asks: sums from the records, how sure they are, copies of our own apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from headgate.stores.ledger import LedgerStore, Movement
from headgate.stores.totals import Totals, TotalsStore, Which

__all__ = ["DIMENSIONS", "CostReport", "dimensions", "report"]

DIMENSIONS = {
    "feature": "feature",
    "model": "model",
    "routed": "routed_model",
    "requested": "requested_model",
    "provider": "provider",
    "region": "region",
    "user": "user",
    "team": "team",
    "key": "key_id",
    "tenant": "tenant",
    "session": "session",
    "tier": "tier",
    "dialect": "dialect",
    "operation": "operation",
    "outcome": "outcome",
    "degraded": "degraded",
    "cache": "cache",
    "day": "day",
    "month": "day",
}
"""What people may ask by -> what the records are grouped by. Besides, `tag:NAME`."""

_TAG = "tag:"
_TIMES = ("day", "month")
_DIFFERENCES = ("orphan", "void", "reconcile")
"""Entries of the ledger that change what was spent; a deposit does not."""
_ENTRY_HAS = frozenset({"feature", "model", "provider", "user", "team", "key", "tenant", "day", "month"})
"""What an entry can say of itself, of DIMENSIONS."""
_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class CostReport:
    """The answer. Everything in `lines` together is `total`; everything in `apart` together is `total_apart`."""

    by: Sequence[str]
    lines: Sequence[Totals]
    """What callers asked for, dearest first; in order of time if the first thing asked by is one."""
    total: Totals
    apart: Sequence[Totals]
    """What was made besides, such as copies sent to a shadow; its purpose stands before the group."""
    total_apart: Totals
    differences: Sequence[Totals] = ()
    """What the ledger adds to it: the kind of entry stands before the group, which is empty where entries do not say. Only
    `requests` (entries, here), cost and its estimated part are filled in."""
    total_differences: Totals = field(default_factory=lambda: Totals(()))

    @property
    def spent_nanos(self) -> int:
        """Everything together."""
        return self.total.cost_nanos + self.total_apart.cost_nanos + self.total_differences.cost_nanos


def dimensions(text: str) -> list[str]:
    """`feature,tag:task,day` as a list. Raises ValueError with what there is."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in DIMENSIONS and not (name.startswith(_TAG) and len(name) > len(_TAG)):
            raise ValueError(f"no report by `{name}`; there are {', '.join(DIMENSIONS)} and tag:NAME")
    return list(dict.fromkeys(names))


async def report(
    store: TotalsStore, by: Sequence[str], which: Which, ledger: LedgerStore | None = None
) -> CostReport:
    """Add up the requests that are meant. by: from `dimensions`. ledger: what adds to them. Raises StoreUnavailable."""
    columns = list(dict.fromkeys(["purpose", *(_column(name) for name in by)]))
    callers: dict[tuple[str, ...], Totals] = {}
    others: dict[tuple[str, ...], Totals] = {}
    for found in await store.totals(columns, which):
        values = dict(zip(columns, found.group, strict=True))
        group = tuple(_shown(name, values) for name in by)
        if values["purpose"]:
            _add(others, (values["purpose"], *group), found)
        else:
            _add(callers, group, found)
    differences = await _differences(ledger, by, which) if ledger is not None else {}
    in_time = bool(by) and by[0] in _TIMES
    return CostReport(
        by,
        _sorted(callers, in_time=in_time),
        _sum(callers),
        _sorted(others, in_time=False),
        _sum(others),
        _sorted(differences, in_time=False),
        _sum(differences),
    )


async def _differences(ledger: LedgerStore, by: Sequence[str], which: Which) -> dict[tuple[str, ...], Totals]:
    found: dict[tuple[str, ...], Totals] = {}
    after = (0, "")
    while page := await ledger.movements(which, kinds=_DIFFERENCES, after=after, limit=_PAGE):
        for one in page:
            nanos = one.nanos or 0
            estimated = nanos if one.label == "estimated" else 0
            group = (one.kind, *(_said(one, name) for name in by))
            _add(found, group, Totals(group, 1, cost_nanos=nanos, estimated_nanos=estimated))
        after = (page[-1].at_ns, page[-1].event)
    return found


def _said(one: Movement, name: str) -> str:
    if name not in _ENTRY_HAS:
        return ""
    if name in _TIMES:
        day = f"{datetime.fromtimestamp(one.at_ns // 1_000_000_000, tz=UTC):%Y-%m-%d}"
        return day if name == "day" else day[:7]
    return str(getattr(one, DIMENSIONS[name]))


def _column(name: str) -> str:
    return "tags" if name.startswith(_TAG) else DIMENSIONS[name]


def _shown(name: str, values: dict[str, str]) -> str:
    value = values[_column(name)]
    if name == "month":
        return value[:7]
    return _tag(value, name.removeprefix(_TAG)) if name.startswith(_TAG) else value


def _tag(tags: str, name: str) -> str:
    if not tags:
        return ""
    try:
        return msgspec.json.decode(tags, type=dict[str, str]).get(name, "")
    except msgspec.DecodeError:
        # A row somebody else has written; it belongs to no tag, and its cost still counts.
        return ""


def _add(sums: dict[tuple[str, ...], Totals], group: tuple[str, ...], found: Totals) -> None:
    known = sums.get(group)
    sums[group] = known.plus(found) if known else msgspec.structs.replace(found, group=group)


def _sorted(sums: dict[tuple[str, ...], Totals], *, in_time: bool) -> list[Totals]:
    if in_time:
        return sorted(sums.values(), key=lambda one: one.group)
    return sorted(sums.values(), key=lambda one: (-one.cost_nanos, -one.requests, one.group))


def _sum(sums: dict[tuple[str, ...], Totals]) -> Totals:
    total = Totals(())
    for one in sums.values():
        total = total.plus(one)
    return total
