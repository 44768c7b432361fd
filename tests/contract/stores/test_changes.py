"""What stores promise of changes: keys rotate, their use is noted, and each change stands in the audit log or is not made."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headgate.stores.audit import AuditEntry
from headgate.stores.backends import postgres
from headgate.stores.backends.sqlite import Database, SqliteKeys
from headgate.stores.backends.sqlite.migrate import upgrade
from headgate.stores.errors import KeyExists, StoreUnavailable
from headgate.stores.keys import KeyRecord, OldHash
from headgate.stores.rehearsals import RehearsalRecord
from tests.support.aio import aio
from tests.support.stores import BACKENDS, POSTGRES, stores

__all__: list[str] = []

KEY = KeyRecord(
    id="key_1",
    name="app",
    hash="aa",
    created_ns=10,
    team="canal",
    tenant="acme",
    models=("small",),
    features=("support-chat", "classify"),
    roles=("developer", "viewer"),
    user="ann",
    note="Ann's, for the demo",
    last_used_ns=12,
    old_hashes=(OldHash("00", 11),),
)
OTHER = KeyRecord(id="key_2", name="other", hash="bb", created_ns=20)
ENTRY = AuditEntry(
    at_ns=5,
    actor="cli:ann",
    action="key.create",
    subject="key_1",
    before='{"a":1}',
    after='{"name":"Jürgen"}',
)
ORDER = RehearsalRecord(endpoint="*", targets=("*",), fault="silence", started_ns=100, until_ns=200)


each = pytest.mark.parametrize("backend", BACKENDS)


def entries(found: object) -> list[AuditEntry]:
    assert isinstance(found, list)
    return [msgspec.structs.replace(one, id=0) for one in found]


@each
def test_whose_a_key_is_and_what_it_may_comes_back_whole(backend: str, place: Path | str) -> None:
    """Every field, and what a key is that says nothing: an application's, for everything."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            await kept.keys.add(KEY)
            await kept.keys.add(OTHER)
            assert list(await kept.keys.all()) == [KEY, OTHER]
            assert (OTHER.roles, OTHER.features, OTHER.last_used_ns) == (("service",), (), None)

    run()


@each
def test_a_rotated_key_keeps_what_it_was_for_as_long_as_is_said(backend: str, place: Path | str) -> None:
    """Same id, another hash; no older one is good for longer than the overlap."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            await kept.keys.add(KEY)
            assert await kept.keys.rotate("key_1", "cc", 500)
            assert await kept.keys.rotate("key_1", "dd", 300)
            (found,) = await kept.keys.all()
            assert (found.id, found.name, found.hash) == ("key_1", "app", "dd")
            assert found.old_hashes == (OldHash("00", 11), OldHash("aa", 300), OldHash("cc", 300))
            assert msgspec.structs.replace(found, hash="aa", old_hashes=KEY.old_hashes) == KEY

    run()


@each
def test_only_a_valid_key_rotates_and_to_a_hash_of_its_own(backend: str, place: Path | str) -> None:
    """An unknown or revoked one stays as it is, and so do two keys that would share a hash."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            await kept.keys.add(KEY)
            await kept.keys.add(OTHER)
            with pytest.raises(KeyExists):
                await kept.keys.rotate("key_1", "bb", 500, ENTRY)
            await kept.keys.revoke("key_2", 30)
            assert not await kept.keys.rotate("key_2", "ee", 500, ENTRY)
            assert not await kept.keys.rotate("key_9", "ee", 500, ENTRY)
            first, second = await kept.keys.all()
            assert first == KEY and second.hash == "bb"
            assert list(await kept.audit.since(0, 10)) == []

    run()


@each
def test_use_is_noted_and_never_set_back(backend: str, place: Path | str) -> None:
    """Of several nodes the one that saw it last counts."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            await kept.keys.add(KEY)
            await kept.keys.add(OTHER)
            await kept.keys.used(["key_1", "key_2", "key_gone"], 50)
            await kept.keys.used({"key_1"}, 40)
            await kept.keys.used([], 60)
            assert [key.last_used_ns for key in await kept.keys.all()] == [50, 50]

    run()


@each
def test_the_log_tells_in_order_what_was_done(backend: str, place: Path | str) -> None:
    """Numbered from 1, whole; the newest if there are too many, none from before."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            late, later = (msgspec.structs.replace(ENTRY, at_ns=at, before="") for at in (7, 9))
            for entry in (ENTRY, late, later):
                await kept.audit.add(entry)
            found = list(await kept.audit.since(0, 10))
            assert [entry.id for entry in found] == [1, 2, 3]
            assert entries(found) == [ENTRY, late, later]
            assert entries(list(await kept.audit.since(0, 2))) == [late, later]
            assert entries(list(await kept.audit.since(8, 10))) == [later]

    run()


@each
def test_whoever_starts_is_told_which_configuration_served_before(backend: str, place: Path | str) -> None:
    """None at first; then always the one noted last."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            assert await kept.audit.serves(b"one") is None
            assert await kept.audit.serves(b"two") == b"one"
            assert await kept.audit.serves(b"two") == b"two"

    run()


@each
def test_a_change_and_its_entry_are_kept_together(backend: str, place: Path | str) -> None:
    """What was not changed is not in the log; a rehearsal's entry bears the number it got."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            done = [msgspec.structs.replace(ENTRY, at_ns=at) for at in range(5)]
            await kept.keys.add(KEY, done[0])
            with pytest.raises(KeyExists):
                await kept.keys.add(KEY, done[4])
            assert await kept.keys.rotate("key_1", "cc", 500, done[1])
            assert await kept.keys.revoke("key_1", 30, done[2])
            assert not await kept.keys.revoke("key_1", 31, done[4])
            order = await kept.rehearsals.add(ORDER, done[3])
            assert not await kept.rehearsals.stop(99, 150, done[4])
            assert await kept.rehearsals.stop(order.id, 150, done[4])
            assert not await kept.rehearsals.stop(order.id, 151, done[4])
            found = entries(list(await kept.audit.since(0, 100)))
            assert found == [*done[:3], msgspec.structs.replace(done[3], subject=str(order.id)), done[4]]

    run()


@aio
async def test_an_entry_that_cannot_be_written_undoes_its_change(tmp_path_factory) -> None:
    """Nothing is changed in secret."""
    directory = tmp_path_factory.mktemp("d")
    async with stores("sqlite", directory) as kept:
        await kept.keys.add(KEY)
        with closing(sqlite3.connect(directory / "headgate.db")) as connection:
            connection.execute(
                "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        for change in (
            kept.keys.add(OTHER, ENTRY),
            kept.keys.rotate("key_1", "cc", 500, ENTRY),
            kept.keys.revoke("key_1", 30, ENTRY),
            kept.rehearsals.add(ORDER, ENTRY),
        ):
            with pytest.raises(Exception, match=r".+"):
                await change
        assert list(await kept.keys.all()) == [KEY]
        assert list(await kept.rehearsals.all()) == []


@pytest.mark.parametrize("way", ["created", "migrated"])
def test_the_log_cannot_be_changed(way: str, tmp_path: Path) -> None:
    """By whoever writes into the database by mistake; a new file and an old one that was brought forward."""
    path = tmp_path / "headgate.db"
    if way == "created":
        Database(path).prepare()
    else:
        upgrade(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO audit (at_ns, actor, action) VALUES (1, 'a', 'b')")
        for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
            with pytest.raises(sqlite3.IntegrityError, match="only ever added to"):
                connection.execute(statement)
        assert connection.execute("SELECT actor FROM audit").fetchall() == [("a",)]


@pytest.mark.parametrize("backend", [POSTGRES])
def test_the_log_cannot_be_changed_on_a_server_either(backend: str, place: Path | str) -> None:
    """Nor emptied."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            await kept.audit.add(ENTRY)
            assert isinstance(kept.database, postgres.Database)
            for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit", "TRUNCATE audit"):
                with pytest.raises(StoreUnavailable, match="only ever added to"):

                    async def change(connection: Any, said: str = statement) -> None:
                        await connection.execute(said)

                    await kept.database.run(change)
            assert entries(list(await kept.audit.since(0, 10))) == [ENTRY]

    run()


@aio
async def test_keys_from_before_may_what_they_could(tmp_path_factory) -> None:
    """Every key asked models and saw the page; the first one is the owner's. So does one an older node makes meanwhile."""
    path = tmp_path_factory.mktemp("d") / "old.db"
    upgrade(path, "0003")
    add = 'INSERT INTO "key" (id, name, hash, created_ns) VALUES (?, ?, ?, 1)'
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(add, [("key_1", "first", "a1"), ("key_2", "shop", "b2")])
    database = Database(path)
    keys = SqliteKeys(database)
    assert [key.roles for key in await keys.all()] == [("owner",), ("service", "viewer")]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(add, ("key_3", "late", "c3"))
    assert [key.roles for key in await keys.all()][2] == ("service",)
    await database.close()


@each
def test_the_log_is_read_backwards_in_pages(backend: str, place: Path | str) -> None:
    """The latest first, each entry once."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            for at_ns in range(1, 6):
                await kept.audit.add(msgspec.structs.replace(ENTRY, at_ns=at_ns))
            first = await kept.audit.before(2**63 - 1, 0, 2)
            assert [one.at_ns for one in first] == [5, 4]
            rest = await kept.audit.before(first[-1].id, 2, 9)
            assert [one.at_ns for one in rest] == [3, 2]
            assert list(await kept.audit.before(1, 0, 9)) == []

    run()
