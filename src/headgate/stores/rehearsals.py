"""Rehearsals: faults an operator has ordered for a time, written by the command line, carried out by running gateways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from headgate.stores.audit import AuditEntry

__all__ = ["RehearsalRecord", "RehearsalStore"]


class RehearsalRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One order. It ends by itself; nothing is ever deleted, so that a record that names it can be understood later."""

    id: int = 0
    """Given by the store, from 1; stands in the record of every call that met it."""
    endpoint: str
    """What the operator wrote: a provider, `provider/model`, a model of the configuration, or `*`."""
    targets: tuple[str, ...]
    """What that meant when it was ordered: providers, `provider/model`s, or `*`."""
    fault: str
    """`name` or `name:argument`, as `headgate chaos faults` lists them."""
    share: float = 1.0
    """Of the calls it is for, how many meet it: more than 0, at most 1."""
    feature: str = ""
    """Only this feature's calls; "": everybody's."""
    started_ns: int
    """Wall clock, nanoseconds since 1970-01-01 UTC, as the two below."""
    until_ns: int
    """When it ends by itself."""
    stopped_ns: int | None = None
    """When somebody ended it before."""


class RehearsalStore(Protocol):
    """Orders of this installation. Never on the request path. All raise StoreUnavailable.

    Where an `audit` entry is given it is kept together with the change, or neither is."""

    async def all(self) -> Sequence[RehearsalRecord]:
        """Every order there ever was, oldest first."""
        ...

    async def active(self, now_ns: int) -> Sequence[RehearsalRecord]:
        """Those that are neither over nor stopped, oldest first."""
        ...

    async def add(self, record: RehearsalRecord, audit: AuditEntry | None = None) -> RehearsalRecord:
        """Keep it under an id of its own, which the returned one has; the id it comes with does not count, nor does the
        subject of the audit entry, which becomes that id."""
        ...

    async def stop(self, rehearsal_id: int, at_ns: int, audit: AuditEntry | None = None) -> bool:
        """From `at_ns` on it is over. False if there is no such order, or it was stopped or over by then."""
        ...
