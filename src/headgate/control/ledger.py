"""The ledger for people: its lines, their sums, and whether it adds up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Protocol, get_args

from headgate.core.money import usd
from headgate.stores.ledger import EntryKind, LedgerStore, Movement
from headgate.stores.ledger_checks import FAULTS, LedgerChecks
from headgate.stores.totals import Which

__all__ = ["KINDS", "Checked", "MovementSums", "check_ledger", "last_movements", "movements"]

KINDS = ("call", *get_args(EntryKind))
"""What a line can be."""

_PAGE = 10_000
_SECOND_NS = 1_000_000_000
_HOUR_NS = 3_600 * _SECOND_NS
_1970 = date(1970, 1, 1).toordinal()
_DAY_SECONDS = 86_400
_DAY_NS = _DAY_SECONDS * _SECOND_NS
_SLACK_DAYS = 1
"""A call may begin in one period and be counted in the next."""


class _Ledger(LedgerStore, LedgerChecks, Protocol):
    """Reads lines, and answers questions about all of them."""


@dataclass(slots=True)
class MovementSums:
    """Lines added up. Nano-dollars."""

    lines: int = 0
    spent: int = 0
    """All but deposits."""
    deposited: int = 0
    estimated: int = 0
    """The part of `spent` that is estimated."""
    reserved: int = 0
    refunded: int = 0
    """Of what was set aside, what was given back. Calls of unknown cost give nothing back."""
    unknown: int = 0
    """Lines whose cost is not known."""
    kinds: dict[str, tuple[int, int]] = field(default_factory=dict)
    """kind -> (lines, nano-dollars)"""

    def add(self, one: Movement) -> None:
        """Take in a line."""
        nanos = one.nanos or 0
        self.lines += 1
        self.unknown += one.nanos is None
        if one.kind == "deposit":
            self.deposited -= nanos
        else:
            self.spent += nanos
            self.estimated += nanos if one.label == "estimated" else 0
        if one.kind == "call":
            self.reserved += one.reserved_nanos
            self.refunded += max(one.reserved_nanos - nanos, 0) if one.nanos is not None else 0
        lines, sum_ = self.kinds.get(one.kind, (0, 0))
        self.kinds[one.kind] = (lines + 1, sum_ + nanos)


async def movements(ledger: LedgerStore, which: Which, kinds: Sequence[str] = ()) -> AsyncIterator[Movement]:
    """Every line that is meant, oldest first, a page in memory at a time. Raises StoreUnavailable."""
    at, after, width = which.since_ns, (0, ""), _HOUR_NS
    while at < which.until_ns:
        # A store sorts all that a question is about for each page, so a question is about as much time as a page has held.
        end = min(at + width, which.until_ns)
        part = replace(which, since_ns=at, until_ns=end)
        page = await ledger.movements(part, kinds=kinds, after=after, limit=_PAGE)
        for one in page:
            yield one
        if page:
            after = (page[-1].at_ns, page[-1].event)
        if len(page) == _PAGE:
            at, width = after[0], max(after[0] - max(at, page[0].at_ns), _SECOND_NS)
        else:
            at, width = end, 2 * width


async def last_movements(
    ledger: LedgerStore, which: Which, kinds: Sequence[str], limit: int
) -> tuple[list[Movement], MovementSums]:
    """The newest lines, newest last, and the sums of all that are meant."""
    kept: list[Movement] = []
    sums = MovementSums()
    async for one in movements(ledger, which, kinds):
        sums.add(one)
        kept.append(one)
        if len(kept) >= 2 * limit:
            del kept[:-limit]
    return kept[-limit:], sums


@dataclass(slots=True)
class Checked:
    """What came of checking."""

    requests: int = 0
    request_nanos: int = 0
    calls: int = 0
    call_nanos: int = 0
    partly_nanos: int = 0
    """Of calls whose request has another call of unknown cost: the request says nothing then."""
    unknown: int = 0
    """Calls of unknown cost."""
    entries: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """kind -> (how many, nano-dollars)"""
    pots: int = 0
    pot_nanos: int = 0
    wrong: list[str] = field(default_factory=list)
    """What does not add up, in words."""

    @property
    def entered_nanos(self) -> int:
        """What entries come to, deposits apart."""
        return sum(nanos for kind, (_, nanos) in self.entries.items() if kind != "deposit")


async def check_ledger(ledger: _Ledger) -> Checked:
    """Add up everything in more than one way. Raises StoreUnavailable."""
    found = Checked()
    ((found.requests, request_nanos),) = await ledger.check("requests")
    ((found.calls, call_nanos, partly, _, unknown),) = await ledger.check("calls")
    found.request_nanos, found.call_nanos = int(request_nanos or 0), int(call_nanos or 0)
    found.partly_nanos, found.unknown = int(partly or 0), int(unknown or 0)
    found.entries = {kind: (count, int(nanos)) for kind, count, nanos in await ledger.check("entries")}
    if found.call_nanos != found.request_nanos + found.partly_nanos:
        found.wrong.append(
            f"calls come to {_text(found.call_nanos)} USD, their requests to "
            f"{_text(found.request_nanos + found.partly_nanos)}"
        )
    for question, words in FAULTS.items():
        found.wrong += [words.format(*row) for row in await ledger.check(question)]
    await _pots(ledger, found)
    return found


async def _pots(ledger: _Ledger, found: Checked) -> None:
    """A pot cannot have less than nothing, nor all of a budget's together more than all calls have cost since its period
    began. Which calls it was is not kept."""
    days = [(int(day), int(nanos or 0)) for day, nanos in await ledger.check("days")]
    swept = [int(bytes(value)) // _DAY_NS for (value,) in await ledger.check("swept")]
    for budget, period, subjects, nanos, least in await ledger.check("pots"):
        found.pots += int(subjects)
        found.pot_nanos += int(nanos)
        name = f"budget `{budget}`{_since(period)}"
        if least < 0:
            found.wrong.append(f"{name} has spent less than nothing for somebody: {_text(int(least))} USD")
        first = int(period) // _DAY_SECONDS - _SLACK_DAYS
        if swept and first <= swept[0]:
            continue  # its calls are not kept any more
        most = sum(amount for day, amount in days if day >= first)
        if nanos > most:
            found.wrong.append(
                f"{name} has spent {_text(int(nanos))} USD, and all calls since then come to {_text(most)}"
            )


def _since(period: int) -> str:
    return f" since {date.fromordinal(_1970 + period // _DAY_SECONDS)}" if period else ""


def _text(nanos: int) -> str:
    return f"{usd(nanos):f}"
