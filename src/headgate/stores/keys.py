"""Keys: who may ask, stored as hashes; and the secret of this installation that the hashes are made with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

__all__ = ["Installation", "KeyRecord", "KeyStore"]


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One key. The key itself is shown once, when it is made, and kept nowhere."""

    id: str
    """Public, such as `key_0akr…`; written into every record of its use."""
    name: str
    """The operator's word for it; unique."""
    hash: str
    """Hex of BLAKE2b over the key, keyed with the installation's secret."""
    created_ns: int
    """Wall clock, nanoseconds since 1970-01-01 UTC, as the two below."""
    expires_ns: int | None = None
    revoked_ns: int | None = None
    team: str = ""
    tenant: str = ""
    models: tuple[str, ...] = ()
    """Features and models it may ask for; empty: all."""


class KeyStore(Protocol):
    """Keys of this installation. Never on the request path: they are read into memory. All raise StoreUnavailable."""

    async def all(self) -> Sequence[KeyRecord]:
        """Every key, revoked and expired ones too, oldest first."""
        ...

    async def add(self, record: KeyRecord) -> None:
        """Raises KeyExists if id, name or hash is taken."""
        ...

    async def revoke(self, key_id: str, at_ns: int) -> bool:
        """From `at_ns` on it is not valid. False if there is no such key or it was revoked before."""
        ...


class Installation(Protocol):
    """What is true of this installation for as long as its database lives."""

    async def secret(self) -> bytes:
        """32 random bytes, made when first asked for, the same for every process on this store."""
        ...
