"""Alerts, their deliveries, and receivers that were added."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from headgate.stores.alerts import Alert, Claimed, Delivery, ReceiverRecord, Told
from headgate.stores.audit import AuditEntry
from headgate.stores.backends.postgres.audit import note
from headgate.stores.backends.postgres.connection import Database, Taken
from headgate.stores.backends.postgres.text import kept, read
from headgate.stores.errors import ReceiverExists

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["PostgresAlerts"]

_ALERT = ("event", "kind", "subject", "severity", "at_ns", "text", "facts")
_OF_ALERT = ", ".join(f"a.{name}" for name in _ALERT)
_DELIVERY = Delivery.__struct_fields__
_OF_DELIVERY = ", ".join(f"d.{name}" for name in _DELIVERY)
_RECEIVER = ReceiverRecord.__struct_fields__
_RECEIVER_MARKS = ", ".join(f"${number}" for number in range(1, len(_RECEIVER) + 1))
_ADD = (
    f"INSERT INTO alert ({', '.join(_ALERT)}) VALUES ($1, $2, $3, $4, $5, $6, $7) "  # noqa: S608 - our own names
    "ON CONFLICT DO NOTHING RETURNING id"
)
_ADD_DELIVERIES = "INSERT INTO delivery (alert_id, receiver, next_ns) SELECT $1, unnest($2::text[]), $3"
_LATEST = (
    f"SELECT {_OF_ALERT} FROM alert a "  # noqa: S608 - our own names
    "WHERE a.id IN (SELECT max(id) FROM alert WHERE kind = $1 GROUP BY subject)"
)
_SINCE = f"SELECT a.id, {_OF_ALERT} FROM alert a WHERE a.at_ns >= $1 ORDER BY a.id DESC LIMIT $2"  # noqa: S608 - as above
_DELIVERIES = (
    f"SELECT d.alert_id, {_OF_DELIVERY} FROM delivery d WHERE d.alert_id = ANY($1::bigint[]) "  # noqa: S608 - as above
    'ORDER BY d.receiver COLLATE "C"'
)
# Rows that another node is looking at are not waited for: they are that node's.
_CLAIM = (
    "WITH due AS (SELECT alert_id, receiver, next_ns FROM delivery WHERE done_ns IS NULL AND next_ns <= $1 "  # noqa: S608 - as above
    'AND receiver = ANY($2::text[]) ORDER BY next_ns, alert_id, receiver COLLATE "C" LIMIT $4 FOR UPDATE SKIP LOCKED), '
    "d AS (UPDATE delivery u SET next_ns = $3, tries = u.tries + 1 FROM due "
    "WHERE u.alert_id = due.alert_id AND u.receiver = due.receiver RETURNING u.*, due.next_ns AS was_due) "
    f"SELECT a.id, {_OF_ALERT}, {_OF_DELIVERY} FROM d JOIN alert a ON a.id = d.alert_id "
    'ORDER BY d.was_due, a.id, d.receiver COLLATE "C"'
)
_SETTLE = (
    "UPDATE delivery SET next_ns = $1, done_ns = $2, failed = $3, error = $4 "
    "WHERE alert_id = $5 AND receiver = $6 AND tries = $7 AND done_ns IS NULL RETURNING alert_id"
)
_GIVE_UP = (
    "UPDATE delivery SET done_ns = $2, failed = true WHERE done_ns IS NULL AND next_ns <= $2 "
    "AND alert_id IN (SELECT id FROM alert WHERE at_ns < $1) RETURNING alert_id"
)
_RECEIVERS = f'SELECT {", ".join(_RECEIVER)} FROM receiver ORDER BY created_ns, name COLLATE "C"'  # noqa: S608 - our own names
_ADD_RECEIVER = f"INSERT INTO receiver ({', '.join(_RECEIVER)}) VALUES ({_RECEIVER_MARKS})"  # noqa: S608 - as above
_REMOVE_RECEIVER = "DELETE FROM receiver WHERE name = $1 RETURNING name"
_END = "UPDATE delivery SET done_ns = $1, failed = true WHERE done_ns IS NULL AND receiver = $2"


class PostgresAlerts:
    """See `AlertStore` and `ReceiverStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, alert: Alert, receivers: Collection[str], now_ns: int) -> bool:
        """See `AlertStore`."""
        values = [_kept(getattr(alert, name)) for name in _ALERT[:-1]]
        values.append(msgspec.json.encode(alert.facts).decode())

        async def change(connection: Connection) -> bool:
            async with connection.transaction():
                number = await connection.fetchval(_ADD, *values)
                if number is None:
                    return False
                await connection.execute(_ADD_DELIVERIES, number, list(receivers), now_ns)
            return True

        return await self._database.run(change)

    async def latest(self, kind: str) -> Mapping[str, Alert]:
        """See `AlertStore`."""
        rows = await self._database.run(lambda connection: connection.fetch(_LATEST, kind))
        return {alert.subject: alert for alert in map(_alert, map(tuple, rows))}

    async def since(self, at_ns: int, limit: int) -> Sequence[Told]:
        """See `AlertStore`."""

        async def ask(connection: Connection) -> tuple[list[Any], list[Any]]:
            rows = await connection.fetch(_SINCE, at_ns, limit)
            return rows, await connection.fetch(_DELIVERIES, [row[0] for row in rows])

        rows, deliveries = await self._database.run(ask)
        by_alert: dict[int, list[Delivery]] = {}
        for row in map(tuple, deliveries):
            by_alert.setdefault(row[0], []).append(_delivery(row[1:]))
        return [Told(_alert(row[1:]), tuple(by_alert.get(row[0], ()))) for row in map(tuple, reversed(rows))]

    async def claim(
        self, receivers: Collection[str], *, now_ns: int, until_ns: int, limit: int
    ) -> Sequence[Claimed]:
        """See `AlertStore`."""
        names = list(receivers)
        rows = await self._database.run(
            lambda connection: connection.fetch(_CLAIM, now_ns, names, until_ns, limit)
        )
        middle = 1 + len(_ALERT)
        return [Claimed(row[0], _alert(row[1:middle]), _delivery(row[middle:])) for row in map(tuple, rows)]

    async def settle(self, tried: Claimed, outcome: Delivery) -> bool:
        """See `AlertStore`."""
        values = (outcome.next_ns, outcome.done_ns, outcome.failed, kept(outcome.error))
        which = (tried.id, tried.delivery.receiver, tried.delivery.tries)
        found = await self._database.run(lambda connection: connection.fetchval(_SETTLE, *values, *which))
        return found is not None

    async def give_up(self, before_ns: int, now_ns: int) -> int:
        """See `AlertStore`."""
        rows = await self._database.run(lambda connection: connection.fetch(_GIVE_UP, before_ns, now_ns))
        return len(rows)

    async def receivers(self) -> Sequence[ReceiverRecord]:
        """See `ReceiverStore`."""
        rows = await self._database.run(lambda connection: connection.fetch(_RECEIVERS))
        return [_receiver(tuple(row)) for row in rows]

    async def add_receiver(self, record: ReceiverRecord, audit: AuditEntry | None = None) -> None:
        """See `ReceiverStore`."""
        values = [getattr(record, name) for name in _RECEIVER]
        values[_RECEIVER.index("about")] = msgspec.json.encode(record.about).decode()

        async def change(connection: Connection) -> None:
            async with connection.transaction():
                await connection.execute(_ADD_RECEIVER, *values)
                await note(connection, audit)

        try:
            await self._database.run(change)
        except Taken:
            raise ReceiverExists(
                f"there is a receiver `{record.name}` already: choose another name"
            ) from None

    async def remove_receiver(self, name: str, now_ns: int, audit: AuditEntry | None = None) -> bool:
        """See `ReceiverStore`."""

        async def change(connection: Connection) -> bool:
            async with connection.transaction():
                found = await connection.fetchval(_REMOVE_RECEIVER, name) is not None
                if found:
                    await connection.execute(_END, now_ns, f"added:{name}")
                    await note(connection, audit)
            return found

        return await self._database.run(change)


def _kept(value: Any) -> Any:
    return kept(value) if isinstance(value, str) else value


def _alert(row: Sequence[Any]) -> Alert:
    values: dict[str, Any] = {
        name: read(value) if isinstance(value, str) else value
        for name, value in zip(_ALERT, row, strict=True)
    }
    values["facts"] = msgspec.json.decode(values["facts"])
    return Alert(**values)


def _delivery(row: Sequence[Any]) -> Delivery:
    return Delivery(**dict(zip(_DELIVERY, row, strict=True)))


def _receiver(row: Sequence[Any]) -> ReceiverRecord:
    values = dict(zip(_RECEIVER, row, strict=True))
    values["about"] = tuple(msgspec.json.decode(values["about"]))
    return ReceiverRecord(**values)
