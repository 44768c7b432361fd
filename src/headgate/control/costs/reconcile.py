"""A provider's report beside our own records, day by day and model by model; the difference into the ledger if wanted."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from headgate.control.costs.matching import match_models
from headgate.control.costs.provider_reports.lines import ProviderReport, ReportLine, add_usage
from headgate.core.money import usd
from headgate.core.usage import Usage
from headgate.providers.catalog.charging import cost_nanos
from headgate.providers.catalog.rates import Rates
from headgate.stores.audit import AuditEntry
from headgate.stores.ledger import Entry, LedgerStore, Movement
from headgate.stores.totals import AttemptUsage, TotalsStore, Which

__all__ = ["ALL_MODELS", "Compared", "RatesOf", "Reconciliation", "apply", "reconcile"]

RatesOf = Callable[[str, int], Rates | None]
"""(model, nanoseconds since 1970) -> what it cost then; None if nobody knows."""

ALL_MODELS = "all models"
"""Stands where a report does not say which model."""

_DAY_NS = 86_400_000_000_000
_PAGE = 5_000
_ENTRIES = ("orphan", "void", "reconcile")


@dataclass(slots=True)
class Compared:
    """One day and model on both sides."""

    day: str
    model: str
    """Our name if it is one, else theirs."""
    theirs: Usage | None = None
    """None: the report has no tokens of it."""
    theirs_nanos: int | None = None
    """None: nobody knows."""
    priced: bool = False
    """Theirs was reckoned from their tokens at our prices, because the report has no money."""
    in_report: bool = False
    ours: Usage = field(default_factory=Usage)
    ours_nanos: int = 0
    """What the ledger says: calls, orphans, and what was reconciled before."""
    calls: int = 0
    unknown: int = 0
    """Calls whose cost is not known; they add nothing to ours."""
    last: int = 0
    """The number of its last reconciliation; 0: there was none."""

    @property
    def in_ours(self) -> bool:
        """Do we know of it?"""
        return bool(self.calls or self.last)

    @property
    def tokens_difference(self) -> int | None:
        """Theirs less ours."""
        return None if self.theirs is None else self.theirs.total - self.ours.total

    @property
    def difference(self) -> int | None:
        """Nano-dollars, theirs less ours; None where theirs is not known."""
        return None if self.theirs_nanos is None else self.theirs_nanos - self.ours_nanos


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What came of comparing."""

    provider: str
    """Whose report it is, and under which name of ours differences are entered."""
    providers: tuple[str, ...]
    """Our providers that were compared with it."""
    report: ProviderReport
    lines: Sequence[Compared]
    """By day, then model."""

    def to_apply(self, *, everything: bool) -> list[Compared]:
        """What differs. everything: also what only the report has. What only we have is never touched: a report may leave
        out other projects, and that is no reason to forget what was spent."""
        return [
            line for line in self.lines if line.in_report and line.difference and (everything or line.in_ours)
        ]


async def reconcile(
    spans: TotalsStore,
    ledger: LedgerStore,
    report: ProviderReport,
    providers: Collection[str],
    rates_of: RatesOf,
) -> Reconciliation:
    """Compare. providers: our names of the provider whose report it is. Raises StoreUnavailable."""
    name = next(iter(providers)) if len(providers) == 1 else report.provider
    days = sorted({line.day for line in report.lines})
    which = Which(since_ns=_start_ns(days[0]), until_ns=_start_ns(days[-1]) + _DAY_NS)
    ours: dict[str, dict[str, Compared]] = {day: {} for day in days}
    await _calls(spans, which, frozenset(providers), ours)
    await _entries(ledger, which, frozenset({*providers, name}), ours)
    lines = [
        one
        for day in days
        for one in _day(day, [line for line in report.lines if line.day == day], ours[day], rates_of)
    ]
    return Reconciliation(name, tuple(providers), report, lines)


async def apply(
    ledger: LedgerStore, found: Reconciliation, *, everything: bool, actor: str
) -> tuple[int, int]:
    """Enter what differs, audited. Returns (entries that were new, those that would have been). Again: nothing is new.

    Where somebody else has entered a difference since `reconcile`, that one is left; reconcile again then.
    Raises StoreUnavailable."""
    entries = [_entry(found, line) for line in found.to_apply(everything=everything)]
    if not entries:
        return 0, 0
    now = time.time_ns()
    facts = {
        "provider": found.provider,
        "from": min(line.day for line in found.lines),
        "to": max(line.day for line in found.lines),
        "report": ", ".join(found.report.forms),
        "entries": len(entries),
        "usd": f"{usd(sum(entry.nanos for entry in entries)):f}",
    }
    audit = AuditEntry(
        at_ns=now,
        actor=actor,
        action="ledger.reconcile",
        subject=found.provider,
        after=msgspec.json.encode(facts).decode(),
    )
    return await ledger.add(entries, audit), len(entries)


def _entry(found: Reconciliation, line: Compared) -> Entry:
    said = "its tokens at our prices" if line.priced else "its costs"
    return Entry(
        # The number, not the figure: the same difference may have to be entered twice, and of two who enter one at the same
        # time the second finds it there.
        event=f"reconcile:{found.provider}:{line.day}:{line.model}:{line.last + 1}",
        at_ns=_start_ns(line.day),
        kind="reconcile",
        nanos=line.difference or 0,
        label="reconciled",
        provider=found.provider,
        model="" if line.model == ALL_MODELS else line.model,
        note=(
            f"{found.report.provider}'s report of {line.day}, {said}: {usd(line.theirs_nanos or 0):f} USD; "
            f"recorded before: {usd(line.ours_nanos):f} USD"
        ),
    )


async def _calls(
    spans: TotalsStore, which: Which, providers: frozenset[str], ours: dict[str, dict[str, Compared]]
) -> None:
    after = (0, -1)
    while rows := await spans.usages(which, after=after, limit=_PAGE):
        for row in rows:
            day = _day_of(row.started_ns)
            if row.provider in providers and day in ours:
                _add_call(_of(ours[day], day, row.reported_model or row.model), row)
        after = (rows[-1].request_id, rows[-1].number)


def _add_call(line: Compared, row: AttemptUsage) -> None:
    line.ours = add_usage(
        line.ours,
        Usage(
            input=row.input_tokens,
            cache_read=row.cache_read_tokens,
            cache_write=row.cache_write_tokens,
            output=row.output_tokens,
            reasoning=row.reasoning_tokens,
            cache_write_1h=row.cache_write_1h_tokens,
        ),
    )
    line.calls += 1
    line.unknown += row.cost_nanos is None
    line.ours_nanos += row.cost_nanos or 0


async def _entries(
    ledger: LedgerStore, which: Which, providers: frozenset[str], ours: dict[str, dict[str, Compared]]
) -> None:
    after = (0, "")
    while found := await ledger.movements(which, kinds=_ENTRIES, after=after, limit=_PAGE):
        for one in found:
            day = _day_of(one.at_ns)
            if one.provider in providers and day in ours:
                _add_entry(_of(ours[day], day, one.model), one)
        after = (found[-1].at_ns, found[-1].event)


def _add_entry(line: Compared, one: Movement) -> None:
    line.ours_nanos += one.nanos or 0
    if one.kind == "reconcile":
        number = one.event.rpartition(":")[2]
        line.last = max(line.last, int(number) if number.isdecimal() else 0)
    else:
        line.calls += 1 if one.kind == "orphan" else -1


def _of(lines: dict[str, Compared], day: str, model: str) -> Compared:
    return lines.setdefault(model, Compared(day, model))


def _day(
    day: str, lines: Sequence[ReportLine], ours: dict[str, Compared], rates_of: RatesOf
) -> list[Compared]:
    theirs = {line.model or line.item: line for line in lines}
    if set(theirs) == {""}:
        return [_together(day, ALL_MODELS, lines, list(ours.values()), rates_of)]
    money = any(line.nanos is not None for line in lines)
    found = []
    for match in match_models(theirs, ours):
        own = [ours[name] for name in match.ours]
        names = [one.model for one in own if one.calls] or match.theirs or match.ours
        found.append(
            _together(day, min(names) or ALL_MODELS, [theirs[name] for name in match.theirs], own, rates_of)
        )
    for one in found:
        if money and one.last and not one.calls and not one.in_report:
            # Entered from an earlier report, which did not tell models apart or was wrong: this one has nothing of it.
            one.in_report, one.theirs_nanos = True, 0
    return sorted(found, key=lambda one: one.model)


def _together(
    day: str, model: str, lines: Sequence[ReportLine], ours: Iterable[Compared], rates_of: RatesOf
) -> Compared:
    one = Compared(day, model, in_report=bool(lines))
    for own in ours:
        one.ours = add_usage(one.ours, own.ours)
        one.ours_nanos += own.ours_nanos
        one.calls += own.calls
        one.unknown += own.unknown
        one.last = max(one.last, own.last)
    for line in lines:
        if line.usage is not None:
            one.theirs = add_usage(one.theirs or Usage(), line.usage)
    if any(line.nanos is not None for line in lines):
        one.theirs_nanos = sum(line.nanos or 0 for line in lines)
    elif one.theirs is not None:
        one.theirs_nanos, one.priced = _priced(one, lines, rates_of), True
    return one


def _priced(one: Compared, lines: Sequence[ReportLine], rates_of: RatesOf) -> int | None:
    if one.theirs is not None and _buckets(one.theirs) == _buckets(one.ours) and not one.unknown:
        # The same tokens: rounding of each call against rounding of their sum is no difference.
        return one.ours_nanos
    total = 0
    for line in lines:
        rates = rates_of(line.model, _start_ns(line.day) + _DAY_NS // 2)
        if rates is None or line.usage is None:
            return None
        # Steps for long prompts go by the prompt of one call, and here is the sum of many.
        total += (
            cost_nanos(Rates(rates.steps[:1]), line.usage)
            + max((line.requests or 1) - 1, 0) * rates.per_request
        )
    return total


def _buckets(usage: Usage) -> tuple[int, ...]:
    return usage.input, usage.cache_read, usage.cache_write, usage.cache_write_1h, usage.completion


def _start_ns(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def _day_of(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns // 1_000_000_000, tz=UTC):%Y-%m-%d}"
