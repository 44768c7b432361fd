"""The keys in memory: a look-up on the hot path asks no database."""

from __future__ import annotations

import time
from collections.abc import Iterable

from headgate.admission.keys import hash_key
from headgate.exchange.caller import Caller
from headgate.stores.keys import KeyRecord

__all__ = ["KeyRing"]


class KeyRing:
    """All valid keys, by hash. Replaced whole when keys change."""

    def __init__(self, records: Iterable[KeyRecord], pepper: bytes) -> None:
        self._pepper = pepper
        self._callers: dict[bytes, tuple[Caller, int | None]] = {}
        self.know(records, pepper)

    def __len__(self) -> int:
        return len(self._callers)

    def know(self, records: Iterable[KeyRecord], pepper: bytes) -> None:
        """Know these keys and no others."""
        self._pepper = pepper
        self._callers = {
            bytes.fromhex(record.hash): (
                Caller(key_id=record.id, key_name=record.name, team=record.team, models=tuple(record.models)),
                record.expires_ns,
            )
            for record in records
            if record.revoked_ns is None
        }

    def caller(self, key: bytes) -> Caller | None:
        """Whose key this is; None if it is unknown, revoked or expired."""
        # Looked up by digest: comparing secrets byte by byte, and so leaking time, does not happen.
        found = self._callers.get(hash_key(key, self._pepper))
        if found is None:
            return None
        caller, expires_ns = found
        if expires_ns is not None and time.time_ns() >= expires_ns:
            return None
        return caller
