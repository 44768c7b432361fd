"""What it has cost, by whatever somebody asks: sums from the records, how sure they are, copies of our own apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

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
    "day": "day",
    "month": "day",
}
"""What people may ask by -> what the records are grouped by. Besides, `tag:NAME`."""

_TAG = "tag:"
_TIMES = ("day", "month")


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


def dimensions(text: str) -> list[str]:
    """`feature,tag:task,day` as a list. Raises ValueError with what there is."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in DIMENSIONS and not (name.startswith(_TAG) and len(name) > len(_TAG)):
            raise ValueError(f"no report by `{name}`; there are {', '.join(DIMENSIONS)} and tag:NAME")
    return list(dict.fromkeys(names))


async def report(store: TotalsStore, by: Sequence[str], which: Which) -> CostReport:
    """Add up the requests that are meant. by: from `dimensions`. Raises StoreUnavailable."""
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
    in_time = bool(by) and by[0] in _TIMES
    return CostReport(
        by,
        _sorted(callers, in_time=in_time),
        _sum(callers),
        _sorted(others, in_time=False),
        _sum(others),
    )


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
