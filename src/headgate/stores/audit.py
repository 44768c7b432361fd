"""The audit log: who changed what, and when. It is only ever added to; of a user who is forgotten the name in it is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

__all__ = ["AuditEntry", "AuditLog"]


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change. Holds no secret and no hash of one."""

    id: int = 0
    """Given by the log, from 1, in the order of the changes."""
    at_ns: int
    """Wall clock, nanoseconds since 1970-01-01 UTC."""
    actor: str
    """Who did it, such as `cli:ann` or `gateway`."""
    action: str
    """What was done: `key.create`, `key.rotate`, `key.revoke`, `rehearsal.start`, `rehearsal.stop`, `budget.deposit`, `ledger.reconcile`,
    `config.change`, `rule.add`, `rule.pause`, `rule.resume`, `rule.remove`, `cache.clear`, `cache.wrong`."""
    subject: str = ""
    """To what: the id of the key or the rehearsal."""
    before: str = ""
    """How it was, as a JSON object; "" if it was not there."""
    after: str = ""
    """How it is now, as a JSON object; "" if it is not there any more."""


class AuditLog(Protocol):
    """Entries are made by the stores that carry a change out, in the change's own transaction. All raise StoreUnavailable."""

    async def add(self, entry: AuditEntry) -> None:
        """Note a change that is made elsewhere; the id it comes with does not count."""
        ...

    async def serves(self, configuration: bytes) -> bytes | None:
        """From now on this configuration serves (JSON, without secrets). Returns the one noted before; None if none was."""
        ...

    async def since(self, at_ns: int, limit: int) -> Sequence[AuditEntry]:
        """The newest entries from `at_ns` on, oldest of them first."""
        ...

    async def before(self, entry_id: int, at_ns: int, limit: int) -> Sequence[AuditEntry]:
        """The newest entries from `at_ns` on whose id is less than `entry_id`, newest first."""
        ...
