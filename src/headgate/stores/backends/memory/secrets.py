"""Sealed secrets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.memory import MemoryAudit
from headgate.stores.secrets import Audited, SecretRecord

__all__ = ["MemorySecrets"]


class MemorySecrets:
    """See `SecretStore`."""

    def __init__(self, audit: MemoryAudit | None = None) -> None:
        self._records: dict[str, SecretRecord] = {}
        self._audit = audit or MemoryAudit()

    async def all(self) -> Sequence[SecretRecord]:
        """See `SecretStore`."""
        return [self._records[name] for name in sorted(self._records)]

    async def put(self, record: SecretRecord, audit: AuditEntry | None = None) -> None:
        """See `SecretStore`."""
        before = self._records.get(record.name)
        created_ns = record.created_ns if before is None else before.created_ns
        self._records[record.name] = msgspec.structs.replace(record, created_ns=created_ns)
        self._audit.note(audit)

    async def remove(self, name: str, audit: AuditEntry | None = None) -> bool:
        """See `SecretStore`."""
        if self._records.pop(name, None) is None:
            return False
        self._audit.note(audit)
        return True

    async def reseal(
        self, again: Callable[[SecretRecord], SecretRecord], audit: Audited
    ) -> Sequence[SecretRecord]:
        """See `SecretStore`."""
        records = [again(record) for record in await self.all()]
        self._audit.note(audit(records))
        self._records = {record.name: record for record in records}
        return records
