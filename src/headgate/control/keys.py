"""Keys: made, rotated and revoked, each change noted in the audit log in the same transaction."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Protocol

import msgspec
from msgspec.structs import replace

from headgate.admission.keys import hash_key, new_key
from headgate.core.ids import IdSource, request_id_text
from headgate.stores.audit import AuditEntry
from headgate.stores.errors import KeyExists
from headgate.stores.keys import Installation, KeyRecord, KeyStore, outlived

__all__ = ["Keys", "NoSuchKey", "create_key", "key_facts", "revoke_key", "rotate_key"]

_SECRET = frozenset({"hash", "old_hashes"})


class Keys(KeyStore, Installation, Protocol):
    """Where keys are, and the secret they are hashed with."""


class NoSuchKey(LookupError):
    """No valid key has that name or id. `names` are those that are there."""

    def __init__(self, name: str, names: Iterable[str]) -> None:
        super().__init__(f"no valid key `{name}`")
        self.name = name
        self.names = list(names)


async def create_key(keys: Keys, draft: KeyRecord, *, actor: str, key: str = "") -> tuple[KeyRecord, str]:
    """Keep a new key. Returns its record and the key, which is kept nowhere.

    draft: what is wanted; id, hash and creation are filled in here. key: the key itself, if it is not to be made up.
    Raises KeyExists, StoreUnavailable."""
    for record in await keys.all():
        if record.name == draft.name:
            how = "revoked" if record.revoked_ns is not None else "`headgate keys rotate` makes it anew"
            raise KeyExists(f"there is a key `{draft.name}` already ({how}): choose another name")
    key = key or new_key()
    record = replace(
        draft,
        id=request_id_text(IdSource().next()).replace("req_", "key_"),
        hash=hash_key(key, await keys.secret()).hex(),
        created_ns=time.time_ns(),
    )
    await keys.add(record, _entry(actor, "key.create", record, after=record))
    return record, key


async def rotate_key(keys: Keys, name: str, *, overlap_seconds: float, actor: str) -> tuple[KeyRecord, str]:
    """Another key for the same caller. Returns its record and the new key.

    name: of the key, or its id. overlap_seconds: how long the old one goes on being valid.
    Raises NoSuchKey, StoreUnavailable."""
    before, key = await _valid(keys, name), new_key()
    until_ns = time.time_ns() + int(overlap_seconds * 1e9)
    hashed = hash_key(key, await keys.secret()).hex()
    after = replace(before, hash=hashed, old_hashes=outlived(before, until_ns))
    done = await keys.rotate(
        before.id, hashed, until_ns, _entry(actor, "key.rotate", before, before=before, after=after)
    )
    if not done:
        raise NoSuchKey(name, [])
    return after, key


async def revoke_key(keys: Keys, name: str, *, actor: str) -> KeyRecord:
    """Make a key invalid, its old ones too, now and for good. name: of the key, or its id.

    Returns it as it was. Raises NoSuchKey, StoreUnavailable."""
    before, at_ns = await _valid(keys, name), time.time_ns()
    after = replace(before, revoked_ns=at_ns)
    entry = _entry(actor, "key.revoke", before, before=before, after=after)
    if not await keys.revoke(before.id, at_ns, entry):
        raise NoSuchKey(name, [])
    return before


def key_facts(record: KeyRecord) -> dict[str, object]:
    """What may be told of a key: everything but its hashes; moments as texts, None where there is none."""
    facts: dict[str, object] = {}
    for name in KeyRecord.__struct_fields__:
        value = getattr(record, name)
        if name.endswith("_ns"):
            facts[name.removesuffix("_ns")] = _moment(value)
        elif name not in _SECRET:
            facts[name] = value
    facts["old_keys_until"] = [_moment(old.until_ns) for old in record.old_hashes]
    return facts


async def _valid(keys: Keys, name: str) -> KeyRecord:
    valid = [each for each in await keys.all() if each.revoked_ns is None]
    for each in valid:
        if name in (each.name, each.id):
            return each
    raise NoSuchKey(name, [each.name for each in valid])


def _entry(
    actor: str,
    action: str,
    record: KeyRecord,
    *,
    before: KeyRecord | None = None,
    after: KeyRecord | None = None,
) -> AuditEntry:
    return AuditEntry(
        at_ns=time.time_ns(),
        actor=actor,
        action=action,
        subject=record.id,
        before=_json(before),
        after=_json(after),
    )


def _json(record: KeyRecord | None) -> str:
    return msgspec.json.encode(key_facts(record)).decode() if record is not None else ""


def _moment(ns: int | None) -> str | None:
    return datetime.fromtimestamp(ns // 1_000_000_000, tz=UTC).isoformat(sep=" ") if ns is not None else None
