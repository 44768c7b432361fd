"""Everything of another installation, taken in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from headgate.stores.backends.postgres.connection import Database
from headgate.stores.backends.postgres.text import kept_column
from headgate.stores.errors import StoreError
from headgate.stores.moving import Intake, Moved, Row

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["PostgresTarget"]

_MOVE_SECONDS = 24 * 3600.0
_COLUMNS = (
    "SELECT column_name, data_type FROM information_schema.columns "
    "WHERE table_schema = current_schema() AND table_name = $1"
)
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename <> 'alembic_version' ORDER BY 1"
_COUNTERS = (
    "SELECT table_name, column_name, pg_get_serial_sequence(quote_ident(table_name), column_name) AS counter "
    "FROM information_schema.columns WHERE table_schema = current_schema() AND column_default LIKE 'nextval(%'"
)


class PostgresTarget:
    """See `Target`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def fill(self, work: Callable[[Intake], Awaitable[list[Moved]]]) -> list[Moved]:
        """See `Target`. `work` runs in the database's thread."""

        async def inside(connection: Connection) -> list[Moved]:
            async with connection.transaction():
                if found := await _full(connection):
                    raise StoreError(
                        f"database {self._database.shown} is not empty: there are rows in {', '.join(found)}. Nothing was "
                        "moved; make a new database for it, and start no gateway on it before"
                    )
                moved = await work(_Intake(connection))
                await _go_on_counting(connection)
                return moved

        return await self._database.run(inside, seconds=_MOVE_SECONDS)


async def _full(connection: Connection) -> list[str]:
    """Tables that have rows. Nobody writes to them until the transaction is over."""
    found = []
    for (table,) in await connection.fetch(_TABLES):
        await connection.execute(f'LOCK TABLE "{table}" IN SHARE ROW EXCLUSIVE MODE')
        if await connection.fetchval(f'SELECT EXISTS (SELECT 1 FROM "{table}")'):  # noqa: S608 - our own names
            found.append(table)
    return found


async def _go_on_counting(connection: Connection) -> None:
    """Rows brought their numbers along; the next one gets the number after the last."""
    for table, column, counter in await connection.fetch(_COUNTERS):
        await connection.execute(
            f'SELECT setval($1, max("{column}")) FROM "{table}" HAVING max("{column}") IS NOT NULL',  # noqa: S608 - our own names
            counter,
        )


class _Intake:
    """See `Intake`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._kinds: dict[str, dict[str, str]] = {}

    async def take(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """See `Intake`."""
        if table not in self._kinds:
            self._kinds[table] = {row[0]: row[1] for row in await self._connection.fetch(_COLUMNS, table)}
        kinds = self._kinds[table]
        taken: list[Sequence[Any]] = [
            _column(values, kinds[name])
            for name, values in zip(columns, zip(*rows, strict=True), strict=True)
        ]
        await self._connection.copy_records_to_table(
            table, records=zip(*taken, strict=True), columns=list(columns)
        )

    async def count(self, table: str) -> int:
        """See `Intake`."""
        return int(await self._connection.fetchval(f'SELECT count(*) FROM "{table}"'))  # noqa: S608 - our own names


def _column(values: Sequence[Any], kind: str) -> Sequence[Any]:
    if kind == "boolean":
        return [bool(value) for value in values]
    return kept_column(values) if kind == "text" and None not in values else values
