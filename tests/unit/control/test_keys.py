"""Keys are made, rotated and revoked, and each time the log says who did it."""

from __future__ import annotations

import json
import time

import pytest

from headgate.admission.keys import hash_key
from headgate.control.keys import NoSuchKey, create_key, key_facts, revoke_key, rotate_key
from headgate.stores.backends.memory import MemoryAudit, MemoryKeys
from headgate.stores.errors import KeyExists
from headgate.stores.keys import KeyRecord
from tests.support.aio import aio

__all__: list[str] = []

DRAFT = KeyRecord(id="", name="shop", hash="", created_ns=0, team="web", roles=("developer",))


@aio
async def test_a_key_is_made_and_noted() -> None:
    """Its hash is that of the key that is handed out; neither stands in the log."""
    audit = MemoryAudit()
    keys = MemoryKeys(audit)
    record, key = await create_key(keys, DRAFT, actor="cli:ann")
    assert list(await keys.all()) == [record]
    assert record.hash == hash_key(key, await keys.secret()).hex()
    assert record.id.startswith("key_") and abs(record.created_ns - time.time_ns()) < 60e9
    (entry,) = await audit.since(0, 10)
    assert (entry.actor, entry.action, entry.subject, entry.before) == (
        "cli:ann",
        "key.create",
        record.id,
        "",
    )
    assert json.loads(entry.after) == json.loads(json.dumps(key_facts(record)))
    assert key not in entry.after and record.hash not in entry.after


@aio
async def test_a_key_of_ones_own_is_taken_as_it_is() -> None:
    """HEADGATE_BOOTSTRAP_KEY names one."""
    keys = MemoryKeys()
    record, key = await create_key(keys, DRAFT, actor="gateway", key="a-key-from-elsewhere")
    assert key == "a-key-from-elsewhere"
    assert record.hash == hash_key(key, await keys.secret()).hex()


@aio
async def test_a_name_is_given_once() -> None:
    """Records name keys for ever; the message says what to do instead."""
    keys = MemoryKeys()
    await create_key(keys, DRAFT, actor="a")
    with pytest.raises(KeyExists, match=r"already \(`headgate keys rotate` makes it anew\)"):
        await create_key(keys, DRAFT, actor="a")
    await revoke_key(keys, "shop", actor="a")
    with pytest.raises(KeyExists, match=r"already \(revoked\)"):
        await create_key(keys, DRAFT, actor="a")
    assert len(list(await keys.all())) == 1


@aio
async def test_a_rotation_gives_another_key_to_the_same_caller() -> None:
    """By name or by id; what changed is in the log, without any key."""
    audit = MemoryAudit()
    keys = MemoryKeys(audit)
    before, old = await create_key(keys, DRAFT, actor="a")
    after, new = await rotate_key(keys, before.id, overlap_seconds=3600, actor="cli:bob")
    assert list(await keys.all()) == [after]
    assert new != old and (after.id, after.name, after.roles) == (before.id, "shop", ("developer",))
    assert after.hash == hash_key(new, await keys.secret()).hex()
    (kept,) = after.old_hashes
    assert kept.hash == before.hash
    assert 3590e9 < kept.until_ns - time.time_ns() <= 3600e9
    entry = list(await audit.since(0, 10))[-1]
    assert (entry.actor, entry.action) == ("cli:bob", "key.rotate")
    was, now = json.loads(entry.before), json.loads(entry.after)
    assert {name for name in now if was[name] != now[name]} == {"old_keys_until"}
    assert not any(secret in entry.after for secret in (old, new, before.hash, after.hash))


@aio
async def test_what_is_not_valid_is_neither_rotated_nor_revoked() -> None:
    """The error knows the names there are."""
    audit = MemoryAudit()
    keys = MemoryKeys(audit)
    await create_key(keys, DRAFT, actor="a")
    for change in (
        rotate_key(keys, "shpo", overlap_seconds=0, actor="a"),
        revoke_key(keys, "shpo", actor="a"),
    ):
        with pytest.raises(NoSuchKey, match="no valid key `shpo`") as raised:
            await change
        assert raised.value.names == ["shop"]
    revoked = await revoke_key(keys, "shop", actor="a")
    assert revoked.revoked_ns is None
    with pytest.raises(NoSuchKey):
        await revoke_key(keys, "shop", actor="a")
    with pytest.raises(NoSuchKey):
        await rotate_key(keys, revoked.id, overlap_seconds=0, actor="a")
    assert [entry.action for entry in await audit.since(0, 10)] == ["key.create", "key.revoke"]
