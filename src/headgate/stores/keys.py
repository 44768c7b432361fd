"""Keys: who may ask, stored as hashes; and the secret of this installation that the hashes are made with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from headgate.stores.audit import AuditEntry

__all__ = ["Installation", "KeyRecord", "KeyStore", "OldHash", "outlived"]


class OldHash(msgspec.Struct, frozen=True):
    """What a key was before it was rotated. Kept for ever, so that a key that was once made is known again."""

    hash: str
    until_ns: int
    """Until then it is as good as the new one. Wall clock, nanoseconds since 1970-01-01 UTC."""


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One key. The key itself is shown once, when it is made, and kept nowhere."""

    id: str
    """Public, such as `key_0akr…`; written into every record of its use."""
    name: str
    """The operator's word for it; unique."""
    hash: str
    """Hex of BLAKE2b over the key, keyed with the installation's secret."""
    created_ns: int
    """Wall clock, nanoseconds since 1970-01-01 UTC, as all moments here."""
    expires_ns: int | None = None
    revoked_ns: int | None = None
    team: str = ""
    tenant: str = ""
    """The organisation the team belongs to."""
    models: tuple[str, ...] = ()
    """Features and models it may ask for; with `features` empty too: all."""
    features: tuple[str, ...] = ()
    """Features it may ask for and be counted for."""
    roles: tuple[str, ...] = ("service",)
    user: str = ""
    """Whose key it is; "" for an application's."""
    note: str = ""
    """The operator's words on it."""
    last_used_ns: int | None = None
    """To within a minute; None: not since it was made, or since Headgate began to note it."""
    old_hashes: tuple[OldHash, ...] = ()
    """Of the keys this one was before it was rotated, oldest first."""


class KeyStore(Protocol):
    """Keys of this installation. Never on the request path: they are read into memory. All raise StoreUnavailable.

    Where an `audit` entry is given it is kept together with the change, or neither is."""

    async def all(self) -> Sequence[KeyRecord]:
        """Every key, revoked and expired ones too, oldest first."""
        ...

    async def add(self, record: KeyRecord, audit: AuditEntry | None = None) -> None:
        """Raises KeyExists if id, name or hash is taken."""
        ...

    async def revoke(self, key_id: str, at_ns: int, audit: AuditEntry | None = None) -> bool:
        """From `at_ns` on it is not valid. False if there is no such key or it was revoked before."""
        ...

    async def rotate(
        self, key_id: str, new_hash: str, until_ns: int, audit: AuditEntry | None = None
    ) -> bool:
        """The key has another hash from now on. What it was, and was before that, is good until `until_ns` at most.
        False if there is no such key or it is revoked. Raises KeyExists if the hash is taken."""
        ...

    async def used(self, key_ids: Iterable[str], at_ns: int) -> None:
        """These were used at about `at_ns`. Never sets a moment back; ids that are not there are passed over."""
        ...


class Installation(Protocol):
    """What is true of this installation for as long as its database lives."""

    async def secret(self) -> bytes:
        """32 random bytes, made when first asked for, the same for every process on this store."""
        ...

    async def next_node(self) -> int:
        """A number that no process on this store was given before, for its ids: 1, 2, 3 ... Two that drew the same at
        random would give the same id to two requests, and one of them would not be kept."""
        ...


def outlived(record: KeyRecord, until_ns: int) -> tuple[OldHash, ...]:
    """The old hashes of a key that is being rotated: its present one joins them, and none is good beyond `until_ns`."""
    return tuple(
        OldHash(old.hash, min(old.until_ns, until_ns))
        for old in (*record.old_hashes, OldHash(record.hash, until_ns))
    )
