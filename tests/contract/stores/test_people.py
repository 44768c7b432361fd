"""What every store of people and of their sign-ins promises; run on each backend."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from headgate.stores.audit import AuditEntry, AuditLog
from headgate.stores.backends import postgres, sqlite
from headgate.stores.backends.memory import MemoryAudit
from headgate.stores.backends.memory.people import MemoryPeople
from headgate.stores.backends.postgres.people import PostgresPeople
from headgate.stores.backends.sqlite.people import SqlitePeople
from headgate.stores.errors import PersonExists
from headgate.stores.people import Login, PeopleStore, Person
from tests.support.aio import aio
from tests.support.stores import BACKENDS

__all__: list[str] = []

ANN = Person(
    id="person_1",
    email="ann@example.com",
    name="Ann „the owner“",
    password="$argon2id$",
    roles=("owner", "reviewer"),
    team="ops",
    created_ns=10,
)
BO = Person(
    id="person_2",
    email="bo@example.com",
    issuer="https://login",
    identity="sub-1",
    created_ns=20,
    disabled_ns=30,
)
CHANGE = AuditEntry(at_ns=1, actor="test", action="person.create", subject="person_1")
HERE = Login(hash="aa", person="person_1", created_ns=100, expires_ns=1_000, seen_ns=100, agent="A browser")

every = pytest.mark.parametrize("backend", BACKENDS)


@asynccontextmanager
async def opened(backend: str, place: Path | str) -> AsyncIterator[tuple[PeopleStore, AuditLog]]:
    if backend == "memory":
        log = MemoryAudit()
        yield MemoryPeople(log), log
    elif backend == "sqlite":
        file = sqlite.Database(Path(place) / "headgate.db")
        yield SqlitePeople(file), sqlite.SqliteAudit(file)
        await file.close()
    else:
        server = postgres.Database(str(place))
        yield PostgresPeople(server), postgres.PostgresAudit(server)
        await server.close()


@every
@aio
async def test_people_come_back_whole_and_are_found_by_each_of_their_names(backend, place):
    """By id, by address, by who they are elsewhere; everybody by address."""
    async with opened(backend, place) as (people, _):
        assert await people.all() == [] and await people.find("ann@example.com") is None
        await people.add(BO)
        await people.add(ANN, CHANGE)
        assert await people.all() == [ANN, BO]
        assert await people.find("person_1") == await people.find("ann@example.com") == ANN
        assert await people.identified("https://login", "sub-1") == BO
        assert await people.identified("https://other", "sub-1") is None
        assert await people.identified("", "") is None


@every
@aio
async def test_an_address_belongs_to_one_person_and_a_refused_change_leaves_no_entry(backend, place):
    """Neither added nor moved onto somebody else's."""
    async with opened(backend, place) as (people, log):
        await people.add(ANN, CHANGE)
        await people.add(BO)
        with pytest.raises(PersonExists):
            await people.add(replace(ANN, id="person_3"), CHANGE)
        with pytest.raises(PersonExists):
            await people.change(replace(BO, email=ANN.email), CHANGE)
        assert not await people.change(replace(ANN, id="person_9", email="x@y"), CHANGE)
        assert [entry.action for entry in await log.since(0, 10)] == ["person.create"]


@every
@aio
async def test_a_change_is_kept_with_its_entry_and_may_sign_them_out(backend, place):
    """When they came and were last seen is not changed by it."""
    async with opened(backend, place) as (people, log):
        await people.add(ANN)
        await people.open(HERE)
        await people.open(replace(HERE, hash="bb", person="person_2"))
        other = replace(ANN, name="Anna", roles=("viewer",), disabled_ns=7, created_ns=999, seen_ns=999)
        assert await people.change(other, replace(CHANGE, action="person.disable"), sign_out=True)
        assert await people.find("person_1") == replace(other, created_ns=10, seen_ns=100)
        assert await people.login("aa") is None and await people.login("bb") is not None
        assert [entry.action for entry in await log.since(0, 10)] == ["person.disable"]


@every
@aio
async def test_a_login_is_there_until_it_is_closed_and_never_seen_earlier_than_it_was(backend, place):
    """Opening one says when the person was last seen."""
    async with opened(backend, place) as (people, _):
        await people.add(ANN)
        await people.open(HERE)
        assert await people.login("aa") == HERE and await people.login("no") is None
        assert (await people.find("person_1") or BO).seen_ns == 100
        await people.touch("aa", 200)
        await people.touch("aa", 150)
        assert await people.login("aa") == replace(HERE, seen_ns=200)
        await people.close("aa")
        await people.close("aa")
        assert await people.login("aa") is None


@every
@aio
async def test_all_logins_of_one_person_close_at_once_and_old_ones_are_swept(backend, place):
    """How many there were is told."""
    async with opened(backend, place) as (people, _):
        for name, person, expires, seen in (
            ("a", "person_1", 1_000, 100),
            ("b", "person_1", 1_000, 100),
            ("c", "person_2", 400, 400),
            ("d", "person_2", 1_000, 50),
            ("e", "person_2", 1_000, 300),
        ):
            await people.open(replace(HERE, hash=name, person=person, expires_ns=expires, seen_ns=seen))
        assert await people.close_all("person_1") == 2
        assert await people.sweep(500, 100) == 2
        assert [name for name in "abcde" if await people.login(name)] == ["e"]
