"""The ledger: every movement of money, only ever added to.

A call's own row in `attempt` is its settlement: what it cost, what had been set aside for it, and whether the figure is
exact or estimated. Movements that are no call's have rows of their own here (`Entry`): money put in, a call whose node died
before it could say, a provider's bill that says otherwise. Readers get both as one list of `Movement`s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from headgate.stores.audit import AuditEntry
from headgate.stores.purses import Orphan, PotKey
from headgate.stores.totals import Which

__all__ = ["Entry", "EntryKind", "LedgerStore", "Movement"]

EntryKind = Literal["orphan", "void", "deposit", "reconcile"]
"""orphan: set aside by a node that died; counted as spent, estimated. void: takes an orphan back, whose call's own row has
turned up. deposit: money put into a prepaid budget (negative: taken out). reconcile: the difference between a provider's
bill and what was recorded of it."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """A movement that is no call's own."""

    event: str
    """What happened, as a name that comes once: told a second time, it changes nothing. `orphan:17`, `reconcile:3f2a…`."""
    at_ns: int
    kind: EntryKind
    nanos: int
    """Nano-dollars spent; negative: fewer than was recorded, or money put in."""
    label: str = ""
    """exact, estimated or reconciled."""
    attempt_id: int = 0
    request_id: int = 0
    provider: str = ""
    model: str = ""
    feature: str = ""
    key_id: str = ""
    user: str = ""
    team: str = ""
    tenant: str = ""
    budget: str = ""
    """Of a deposit: the budget and whom it is for."""
    subject: str = ""
    note: str = ""
    """In words: for people."""


class Movement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A line of the ledger."""

    at_ns: int
    kind: str
    """`call`, or an EntryKind."""
    nanos: int | None
    """Nano-dollars; None: the price is not known."""
    label: str
    reserved_nanos: int = 0
    """What had been set aside for it; the rest was given back."""
    event: str = ""
    attempt_id: int = 0
    request_id: int = 0
    provider: str = ""
    model: str = ""
    feature: str = ""
    key_id: str = ""
    user: str = ""
    team: str = ""
    tenant: str = ""
    budget: str = ""
    subject: str = ""
    note: str = ""


class LedgerStore(Protocol):
    """Reads the ledger, and adds to it what people do. All raise StoreUnavailable."""

    async def movements(
        self, which: Which, *, kinds: Sequence[str] = (), after: tuple[int, str] = (0, ""), limit: int = 1000
    ) -> Sequence[Movement]:
        """Up to `limit` lines in order of (at_ns, event); calls have `call:<attempt id>` as event. after: go on behind this
        one. kinds: of these only; empty: of all."""
        ...

    async def add(self, entries: Sequence[Entry], audit: AuditEntry | None = None) -> int:
        """Add those whose event is not there yet, all in one transaction with the audit's entry; how many were new. If none
        was, the audit has no entry either."""
        ...

    async def orphaned(self, orphans: Sequence[Orphan]) -> int:
        """Write down what holds of dead nodes were worth, as estimated entries `orphan:<attempt id>`, and count it as spent of
        their pots; not for calls whose own row is there, nor twice. How many were new."""
        ...

    async def deposits(self) -> Mapping[tuple[str, str], int]:
        """(budget, subject) -> nano-dollars put in, all together (positive)."""
        ...

    async def uses(self, *, since: int, budget: str = "") -> Mapping[PotKey, int]:
        """See `headgate.stores.purses.UseStore`."""
        ...
