"""People and their logins."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.sqlite.audit import note, transaction
from headgate.stores.backends.sqlite.connection import Database
from headgate.stores.errors import PersonExists
from headgate.stores.people import Login, Person

__all__ = ["SqlitePeople"]

_FIELDS = Person.__struct_fields__
_COLUMNS = ", ".join(f'"{name}"' for name in _FIELDS)
_CHANGED = ("email", "name", "password", "roles", "team", "issuer", "identity", "disabled_ns")
_ALL = f"SELECT {_COLUMNS} FROM person ORDER BY email"  # noqa: S608 - our own names
_FIND = f"SELECT {_COLUMNS} FROM person WHERE id = ? OR email = ?"  # noqa: S608 - as above
_IDENTIFIED = f"SELECT {_COLUMNS} FROM person WHERE issuer = ? AND identity = ?"  # noqa: S608 - as above
_ADD = f"INSERT INTO person ({_COLUMNS}) VALUES ({', '.join('?' * len(_FIELDS))})"  # noqa: S608 - as above
_CHANGE = f"UPDATE person SET {', '.join(f'{name} = ?' for name in _CHANGED)} WHERE id = ?"  # noqa: S608 - as above
_LOGIN_FIELDS = Login.__struct_fields__
_LOGIN_COLUMNS = ", ".join(_LOGIN_FIELDS)
_OPEN = f"INSERT INTO login ({_LOGIN_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - as above
_LOGIN = f"SELECT {_LOGIN_COLUMNS} FROM login WHERE hash = ?"  # noqa: S608 - as above
_SWEEP = "DELETE FROM login WHERE expires_ns < ? OR seen_ns < ?"


class SqlitePeople:
    """See `PeopleStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[Person]:
        """See `PeopleStore`."""
        rows = await self._database.run(lambda connection: connection.execute(_ALL).fetchall())
        return [_person(row) for row in rows]

    async def find(self, who: str) -> Person | None:
        """See `PeopleStore`."""
        return await self._one(_FIND, who, who)

    async def identified(self, issuer: str, identity: str) -> Person | None:
        """See `PeopleStore`."""
        return await self._one(_IDENTIFIED, issuer, identity) if identity else None

    async def add(self, person: Person, audit: AuditEntry | None = None) -> None:
        """See `PeopleStore`."""
        values = [_column(name, getattr(person, name)) for name in _FIELDS]

        def change(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                connection.execute(_ADD, values)
                note(connection, audit)

        try:
            await self._database.run(change)
        except sqlite3.IntegrityError:
            raise PersonExists(f"somebody with the address {person.email} is there already") from None

    async def change(
        self, person: Person, audit: AuditEntry | None = None, *, sign_out: bool = False
    ) -> bool:
        """See `PeopleStore`."""
        values = [*(_column(name, getattr(person, name)) for name in _CHANGED), person.id]

        def change(connection: sqlite3.Connection) -> bool:
            with transaction(connection):
                found = connection.execute(_CHANGE, values).rowcount > 0
                note(connection, audit if found else None)
                if sign_out:
                    connection.execute("DELETE FROM login WHERE person = ?", (person.id,))
            return found

        try:
            return await self._database.run(change)
        except sqlite3.IntegrityError:
            raise PersonExists(f"somebody with the address {person.email} is there already") from None

    async def open(self, login: Login) -> None:
        """See `PeopleStore`."""
        values = msgspec.structs.astuple(login)

        def change(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                connection.execute(_OPEN, values)
                seen = (login.created_ns, login.person)
                connection.execute("UPDATE person SET seen_ns = ? WHERE id = ?", seen)

        await self._database.run(change)

    async def login(self, hashed: str) -> Login | None:
        """See `PeopleStore`."""
        row = await self._database.run(lambda connection: connection.execute(_LOGIN, (hashed,)).fetchone())
        return Login(**dict(zip(_LOGIN_FIELDS, row, strict=True))) if row is not None else None

    async def touch(self, hashed: str, at_ns: int) -> None:
        """See `PeopleStore`."""
        await self._do("UPDATE login SET seen_ns = ? WHERE hash = ? AND seen_ns < ?", at_ns, hashed, at_ns)

    async def close(self, hashed: str) -> None:
        """See `PeopleStore`."""
        await self._do("DELETE FROM login WHERE hash = ?", hashed)

    async def close_all(self, person: str) -> int:
        """See `PeopleStore`."""
        return await self._do("DELETE FROM login WHERE person = ?", person)

    async def sweep(self, expired_ns: int, idle_ns: int) -> int:
        """See `PeopleStore`."""
        return await self._do(_SWEEP, expired_ns, idle_ns)

    async def _one(self, text: str, *values: str) -> Person | None:
        row = await self._database.run(lambda connection: connection.execute(text, values).fetchone())
        return _person(row) if row is not None else None

    async def _do(self, text: str, *values: Any) -> int:
        def change(connection: sqlite3.Connection) -> int:
            with transaction(connection):
                return connection.execute(text, values).rowcount

        return await self._database.run(change)


def _column(name: str, value: Any) -> Any:
    return msgspec.json.encode(value).decode() if name == "roles" else value


def _person(row: Sequence[Any]) -> Person:
    values = dict(zip(_FIELDS, row, strict=True))
    values["roles"] = tuple(msgspec.json.decode(values["roles"]))
    return Person(**values)
