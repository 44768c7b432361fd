"""Rules that were added, and how what is watched stands."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.sqlite.audit import note, transaction
from headgate.stores.backends.sqlite.connection import Database
from headgate.stores.rules import CLOCK_BACK_NS, RuleRecord, Standing

__all__ = ["SqliteRules"]

_RULE = RuleRecord.__struct_fields__
_STANDING = Standing.__struct_fields__
_ROUND = "round"
_RULES = f"SELECT {', '.join(_RULE)} FROM rule ORDER BY name"  # noqa: S608 - our own names
_ADD = f"INSERT OR IGNORE INTO rule ({', '.join(_RULE)}) VALUES ({', '.join('?' * len(_RULE))})"  # noqa: S608 - as above
_PUT = _ADD.replace("IGNORE", "REPLACE")
_REMOVE = "DELETE FROM rule WHERE name = ?"
_FORGET = "DELETE FROM rule_state WHERE rule IN (SELECT value FROM json_each(?))"
_STANDINGS = f"SELECT {', '.join(_STANDING)} FROM rule_state WHERE rule != '{_ROUND}'"  # noqa: S608 - as above
_OF = " AND rule IN (SELECT value FROM json_each(?))"
_BEGIN = (
    f"INSERT INTO rule_state ({', '.join(_STANDING)}) VALUES ({', '.join('?' * len(_STANDING))}) "  # noqa: S608 - as above
    "ON CONFLICT DO NOTHING"
)
_GO_ON = (
    f"UPDATE rule_state SET {', '.join(f'{name} = ?' for name in _STANDING[2:])} "  # noqa: S608 - as above
    "WHERE rule = ? AND subject = ? AND number = ? AND looked_ns = ?"
)
_CLAIM = (
    "INSERT INTO rule_state (rule, subject, state, since_ns, looked_ns) VALUES (?, ?, '', 0, ?) "  # noqa: S608 - a number
    "ON CONFLICT (rule, subject) DO UPDATE SET looked_ns = excluded.looked_ns "
    "WHERE rule_state.looked_ns / ? < excluded.looked_ns / ? "
    f"OR rule_state.looked_ns > excluded.looked_ns + {CLOCK_BACK_NS}"
)


class SqliteRules:
    """See `RuleStore` and `StandingStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rules(self) -> Sequence[RuleRecord]:
        """See `RuleStore`."""
        rows = await self._database.run(lambda connection: connection.execute(_RULES).fetchall())
        return [RuleRecord(**{**dict(zip(_RULE, row, strict=True)), "paused": bool(row[-1])}) for row in rows]

    async def put_rule(
        self, record: RuleRecord, audit: AuditEntry | None = None, *, new: bool = False
    ) -> bool:
        """See `RuleStore`."""
        values = [getattr(record, name) for name in _RULE]

        def change(connection: sqlite3.Connection) -> bool:
            with transaction(connection):
                if connection.execute(_ADD if new else _PUT, values).rowcount < 1:
                    return False
                note(connection, audit)
            return True

        return await self._database.run(change)

    async def remove_rule(self, name: str, audit: AuditEntry | None = None) -> bool:
        """See `RuleStore`."""

        def change(connection: sqlite3.Connection) -> bool:
            with transaction(connection):
                found = connection.execute(_REMOVE, (name,)).rowcount > 0
                if found:
                    connection.execute(_FORGET, (_names([f"rule:{name}"]),))
                    note(connection, audit)
            return found

        return await self._database.run(change)

    async def standings(self, rules: Collection[str] | None = None) -> Sequence[Standing]:
        """See `StandingStore`."""
        text = _STANDINGS + ("" if rules is None else _OF) + " ORDER BY rule, subject"
        values = () if rules is None else (_names(rules),)
        rows = await self._database.run(lambda connection: connection.execute(text, values).fetchall())
        return [Standing(**dict(zip(_STANDING, row, strict=True))) for row in rows]

    async def stand(self, changes: Sequence[tuple[Standing, Standing]]) -> Sequence[bool]:
        """See `StandingStore`."""

        def change(connection: sqlite3.Connection) -> list[bool]:
            with transaction(connection):
                return [_stand(connection, before, after) for before, after in changes]

        return await self._database.run(change) if changes else []

    async def forget(self, rules: Collection[str]) -> None:
        """See `StandingStore`."""
        await self._database.run(lambda connection: connection.execute(_FORGET, (_names(rules),)))

    async def claim_round(self, name: str, now_ns: int, every_ns: int) -> bool:
        """See `StandingStore`."""
        values = (_ROUND, name, now_ns, every_ns, every_ns)
        return await self._database.run(lambda connection: connection.execute(_CLAIM, values).rowcount > 0)


def _stand(connection: sqlite3.Connection, before: Standing, after: Standing) -> bool:
    if not before.looked_ns:
        values = [getattr(after, name) for name in _STANDING]
        return connection.execute(_BEGIN, values).rowcount > 0
    changed: list[Any] = [getattr(after, name) for name in _STANDING[2:]]
    which = (before.rule, before.subject, before.number, before.looked_ns)
    return connection.execute(_GO_ON, (*changed, *which)).rowcount > 0


def _names(names: Collection[str]) -> str:
    return msgspec.json.encode(list(names)).decode()
