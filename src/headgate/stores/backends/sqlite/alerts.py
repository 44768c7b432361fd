"""Alerts, their deliveries, and receivers that were added."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from headgate.stores.alerts import Alert, Claimed, Delivery, ReceiverRecord, Told
from headgate.stores.audit import AuditEntry
from headgate.stores.backends.sqlite.audit import note, transaction
from headgate.stores.backends.sqlite.connection import Database
from headgate.stores.errors import ReceiverExists

__all__ = ["SqliteAlerts"]

_ALERT = ("event", "kind", "subject", "severity", "at_ns", "text", "facts")
_OF_ALERT = ", ".join(f"a.{name}" for name in _ALERT)
_DELIVERY = Delivery.__struct_fields__
_OF_DELIVERY = ", ".join(f"d.{name}" for name in _DELIVERY)
_RECEIVER = ReceiverRecord.__struct_fields__
_ADD = f"INSERT OR IGNORE INTO alert ({', '.join(_ALERT)}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - our own names
_ADD_DELIVERY = "INSERT INTO delivery (alert_id, receiver, next_ns) VALUES (?, ?, ?)"
_LATEST = (
    f"SELECT {_OF_ALERT} FROM alert a "  # noqa: S608 - our own names
    "WHERE a.id IN (SELECT max(id) FROM alert WHERE kind = ? GROUP BY subject)"
)
_SINCE = f"SELECT a.id, {_OF_ALERT} FROM alert a WHERE a.at_ns >= ? ORDER BY a.id DESC LIMIT ?"  # noqa: S608 - as above
_DELIVERIES = f"SELECT {_OF_DELIVERY} FROM delivery d WHERE d.alert_id = ? ORDER BY d.receiver"  # noqa: S608 - as above
_DUE = (
    f"SELECT a.id, {_OF_ALERT}, {_OF_DELIVERY} FROM delivery d JOIN alert a ON a.id = d.alert_id "  # noqa: S608 - as above
    "WHERE d.done_ns IS NULL AND d.next_ns <= ? AND d.receiver IN (SELECT value FROM json_each(?)) "
    "ORDER BY d.next_ns, a.id, d.receiver LIMIT ?"
)
_MOVE_ON = "UPDATE delivery SET next_ns = ?, tries = tries + 1 WHERE alert_id = ? AND receiver = ?"
_SETTLE = (
    "UPDATE delivery SET next_ns = ?, done_ns = ?, failed = ?, error = ? "
    "WHERE alert_id = ? AND receiver = ? AND tries = ? AND done_ns IS NULL"
)
_GIVE_UP = (
    "UPDATE delivery SET done_ns = ?, failed = 1 WHERE done_ns IS NULL AND next_ns <= ? "
    "AND alert_id IN (SELECT id FROM alert WHERE at_ns < ?)"
)
_RECEIVERS = f"SELECT {', '.join(_RECEIVER)} FROM receiver ORDER BY created_ns, name"  # noqa: S608 - our own names
_ADD_RECEIVER = f"INSERT INTO receiver ({', '.join(_RECEIVER)}) VALUES ({', '.join('?' * len(_RECEIVER))})"  # noqa: S608 - as above
_REMOVE_RECEIVER = "DELETE FROM receiver WHERE name = ?"
_END = "UPDATE delivery SET done_ns = ?, failed = 1 WHERE done_ns IS NULL AND receiver = ?"


class SqliteAlerts:
    """See `AlertStore` and `ReceiverStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, alert: Alert, receivers: Collection[str], now_ns: int) -> bool:
        """See `AlertStore`."""
        values = [getattr(alert, name) for name in _ALERT[:-1]]
        values.append(msgspec.json.encode(alert.facts).decode())

        def change(connection: sqlite3.Connection) -> bool:
            with transaction(connection):
                added = connection.execute(_ADD, values)
                if added.rowcount < 1:
                    return False
                rows = [(added.lastrowid, receiver, now_ns) for receiver in receivers]
                connection.executemany(_ADD_DELIVERY, rows)
            return True

        return await self._database.run(change)

    async def latest(self, kind: str) -> Mapping[str, Alert]:
        """See `AlertStore`."""
        rows = await self._database.run(lambda connection: connection.execute(_LATEST, (kind,)).fetchall())
        return {alert.subject: alert for alert in map(_alert, rows)}

    async def since(self, at_ns: int, limit: int) -> Sequence[Told]:
        """See `AlertStore`."""

        def ask(connection: sqlite3.Connection) -> list[Told]:
            rows = connection.execute(_SINCE, (at_ns, limit)).fetchall()
            return [
                Told(
                    _alert(row[1:]),
                    tuple(_delivery(each) for each in connection.execute(_DELIVERIES, (row[0],))),
                )
                for row in reversed(rows)
            ]

        return await self._database.run(ask)

    async def claim(
        self, receivers: Collection[str], *, now_ns: int, until_ns: int, limit: int
    ) -> Sequence[Claimed]:
        """See `AlertStore`."""
        names = msgspec.json.encode(list(receivers)).decode()

        def change(connection: sqlite3.Connection) -> list[Claimed]:
            if not connection.execute(_DUE, (now_ns, names, 1)).fetchone():
                # Nearly always; a transaction would keep the record writer waiting for nothing.
                return []
            with transaction(connection):
                found = [_claimed(row, until_ns) for row in connection.execute(_DUE, (now_ns, names, limit))]
                moves = [(until_ns, each.id, each.delivery.receiver) for each in found]
                connection.executemany(_MOVE_ON, moves)
            return found

        return await self._database.run(change)

    async def settle(self, tried: Claimed, outcome: Delivery) -> bool:
        """See `AlertStore`."""
        values = (outcome.next_ns, outcome.done_ns, outcome.failed, outcome.error)
        which = (tried.id, tried.delivery.receiver, tried.delivery.tries)
        return await self._database.run(
            lambda connection: connection.execute(_SETTLE, (*values, *which)).rowcount > 0
        )

    async def give_up(self, before_ns: int, now_ns: int) -> int:
        """See `AlertStore`."""
        values = (now_ns, now_ns, before_ns)
        return await self._database.run(lambda connection: connection.execute(_GIVE_UP, values).rowcount)

    async def receivers(self) -> Sequence[ReceiverRecord]:
        """See `ReceiverStore`."""
        rows = await self._database.run(lambda connection: connection.execute(_RECEIVERS).fetchall())
        return [_receiver(row) for row in rows]

    async def add_receiver(self, record: ReceiverRecord, audit: AuditEntry | None = None) -> None:
        """See `ReceiverStore`."""
        values = [getattr(record, name) for name in _RECEIVER]
        values[_RECEIVER.index("about")] = msgspec.json.encode(record.about).decode()

        def change(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                connection.execute(_ADD_RECEIVER, values)
                note(connection, audit)

        try:
            await self._database.run(change)
        except sqlite3.IntegrityError:
            raise ReceiverExists(
                f"there is a receiver `{record.name}` already: choose another name"
            ) from None

    async def remove_receiver(self, name: str, now_ns: int, audit: AuditEntry | None = None) -> bool:
        """See `ReceiverStore`."""

        def change(connection: sqlite3.Connection) -> bool:
            with transaction(connection):
                found = connection.execute(_REMOVE_RECEIVER, (name,)).rowcount > 0
                if found:
                    connection.execute(_END, (now_ns, f"added:{name}"))
                    note(connection, audit)
            return found

        return await self._database.run(change)


def _alert(row: Sequence[Any]) -> Alert:
    values = dict(zip(_ALERT, row, strict=True))
    values["facts"] = msgspec.json.decode(values["facts"])
    return Alert(**values)


def _delivery(row: Sequence[Any]) -> Delivery:
    return Delivery(**{**dict(zip(_DELIVERY, row, strict=True)), "failed": bool(row[-2])})


def _claimed(row: Sequence[Any], until_ns: int) -> Claimed:
    alert, known = _alert(row[1 : 1 + len(_ALERT)]), _delivery(row[1 + len(_ALERT) :])
    return Claimed(row[0], alert, msgspec.structs.replace(known, next_ns=until_ns, tries=known.tries + 1))


def _receiver(row: Sequence[Any]) -> ReceiverRecord:
    values = dict(zip(_RECEIVER, row, strict=True))
    values["about"] = tuple(msgspec.json.decode(values["about"]))
    return ReceiverRecord(**values)
