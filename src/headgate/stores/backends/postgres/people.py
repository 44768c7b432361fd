"""People and their logins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.postgres.audit import note
from headgate.stores.backends.postgres.connection import Database, Taken
from headgate.stores.errors import PersonExists
from headgate.stores.people import Login, Person

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["PostgresPeople"]

_FIELDS = Person.__struct_fields__
_COLUMNS = ", ".join(f'"{name}"' for name in _FIELDS)
_MARKS = ", ".join(f"${number}" for number in range(1, len(_FIELDS) + 1))
_CHANGED = ("email", "name", "password", "roles", "team", "issuer", "identity", "disabled_ns")
_SETS = ", ".join(f"{name} = ${number}" for number, name in enumerate(_CHANGED, 1))
# Text in the order of its bytes, whatever language the database sorts by.
_ALL = f'SELECT {_COLUMNS} FROM person ORDER BY email COLLATE "C"'  # noqa: S608 - our own names
_FIND = f"SELECT {_COLUMNS} FROM person WHERE id = $1 OR email = $1"  # noqa: S608 - as above
_IDENTIFIED = f"SELECT {_COLUMNS} FROM person WHERE issuer = $1 AND identity = $2"  # noqa: S608 - as above
_ADD = f"INSERT INTO person ({_COLUMNS}) VALUES ({_MARKS})"  # noqa: S608 - as above
_CHANGE = f"UPDATE person SET {_SETS} WHERE id = ${len(_CHANGED) + 1} RETURNING id"  # noqa: S608 - as above
_LOGIN_FIELDS = Login.__struct_fields__
_LOGIN_COLUMNS = ", ".join(_LOGIN_FIELDS)
_OPEN = f"INSERT INTO login ({_LOGIN_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)"  # noqa: S608 - as above
_LOGIN = f"SELECT {_LOGIN_COLUMNS} FROM login WHERE hash = $1"  # noqa: S608 - as above
_CLOSE_ALL = "WITH gone AS (DELETE FROM login WHERE person = $1 RETURNING 1) SELECT count(*) FROM gone"
_SWEEP = "WITH gone AS (DELETE FROM login WHERE expires_ns < $1 OR seen_ns < $2 RETURNING 1) SELECT count(*) FROM gone"


class PostgresPeople:
    """See `PeopleStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[Person]:
        """See `PeopleStore`."""
        return [_person(row) for row in await self._database.run(lambda connection: connection.fetch(_ALL))]

    async def find(self, who: str) -> Person | None:
        """See `PeopleStore`."""
        return await self._one(_FIND, who)

    async def identified(self, issuer: str, identity: str) -> Person | None:
        """See `PeopleStore`."""
        return await self._one(_IDENTIFIED, issuer, identity) if identity else None

    async def add(self, person: Person, audit: AuditEntry | None = None) -> None:
        """See `PeopleStore`."""
        values = [_column(name, getattr(person, name)) for name in _FIELDS]

        async def change(connection: Connection) -> None:
            async with connection.transaction():
                await connection.execute(_ADD, *values)
                await note(connection, audit)

        try:
            await self._database.run(change)
        except Taken:
            raise PersonExists(f"somebody with the address {person.email} is there already") from None

    async def change(
        self, person: Person, audit: AuditEntry | None = None, *, sign_out: bool = False
    ) -> bool:
        """See `PeopleStore`."""
        values = [*(_column(name, getattr(person, name)) for name in _CHANGED), person.id]

        async def change(connection: Connection) -> bool:
            async with connection.transaction():
                found = await connection.fetchval(_CHANGE, *values) is not None
                await note(connection, audit if found else None)
                if sign_out:
                    await connection.execute("DELETE FROM login WHERE person = $1", person.id)
            return found

        try:
            return await self._database.run(change)
        except Taken:
            raise PersonExists(f"somebody with the address {person.email} is there already") from None

    async def open(self, login: Login) -> None:
        """See `PeopleStore`."""
        values = msgspec.structs.astuple(login)

        async def change(connection: Connection) -> None:
            async with connection.transaction():
                await connection.execute(_OPEN, *values)
                seen = (login.created_ns, login.person)
                await connection.execute("UPDATE person SET seen_ns = $1 WHERE id = $2", *seen)

        await self._database.run(change)

    async def login(self, hashed: str) -> Login | None:
        """See `PeopleStore`."""
        row = await self._database.run(lambda connection: connection.fetchrow(_LOGIN, hashed))
        return Login(**dict(zip(_LOGIN_FIELDS, row, strict=True))) if row is not None else None

    async def touch(self, hashed: str, at_ns: int) -> None:
        """See `PeopleStore`."""
        text = "UPDATE login SET seen_ns = $1 WHERE hash = $2 AND seen_ns < $1"
        await self._database.run(lambda connection: connection.execute(text, at_ns, hashed))

    async def close(self, hashed: str) -> None:
        """See `PeopleStore`."""
        text = "DELETE FROM login WHERE hash = $1"
        await self._database.run(lambda connection: connection.execute(text, hashed))

    async def close_all(self, person: str) -> int:
        """See `PeopleStore`."""
        return int(await self._database.run(lambda connection: connection.fetchval(_CLOSE_ALL, person)))

    async def sweep(self, expired_ns: int, idle_ns: int) -> int:
        """See `PeopleStore`."""
        return int(
            await self._database.run(lambda connection: connection.fetchval(_SWEEP, expired_ns, idle_ns))
        )

    async def _one(self, text: str, *values: str) -> Person | None:
        row = await self._database.run(lambda connection: connection.fetchrow(text, *values))
        return _person(row) if row is not None else None


def _column(name: str, value: Any) -> Any:
    return msgspec.json.encode(value).decode() if name == "roles" else value


def _person(row: Sequence[Any]) -> Person:
    values = dict(zip(_FIELDS, row, strict=True))
    values["roles"] = tuple(msgspec.json.decode(values["roles"]))
    return Person(**values)
