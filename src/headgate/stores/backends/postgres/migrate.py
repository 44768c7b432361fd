"""Make the tables in an empty database, or bring older ones to the present schema, step by step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from headgate.stores.errors import StoreError, StoreTooNew
from headgate.stores.revisions import MIGRATIONS, known_versions

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["LOCK_SCHEMA", "prepare", "upgrade"]

LOCK_SCHEMA = 0x6865_6164_6761_7401
"""Of PostgreSQL's advisory locks: of nodes that start at once, one makes the tables."""


async def prepare(connection: Connection, connect: Callable[[], Awaitable[Connection]], shown: str) -> None:
    """Any number of nodes at once. connect: makes another connection, for the migrations. shown: the database's name in
    messages. Raises StoreTooNew, StoreError, and what the driver raises."""
    encoding = await connection.fetchval("SHOW server_encoding")
    if encoding != "UTF8":
        raise StoreError(
            f"database {shown} keeps text as {encoding}; make one with `CREATE DATABASE name ENCODING 'UTF8' "
            "TEMPLATE template0`"
        )
    versions = known_versions()
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_SCHEMA)
        version = await _version(connection)
        if version is None:
            await _create(connection, versions[-1])
    if version is None or version == versions[-1]:
        return
    if version not in versions:
        raise StoreTooNew(
            f"database {shown} has schema {version}, this Headgate knows up to {versions[-1]}: start the newer "
            f"Headgate that wrote it, or point `server.database` at another database"
        )
    await upgrade(connect)


async def _version(connection: Connection) -> str | None:
    if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
        return None
    return str(await connection.fetchval("SELECT version_num FROM alembic_version") or "")


async def _create(connection: Connection, version: str) -> None:
    """The present schema at once, marked as if every migration had run: a new database needs no Alembic."""
    schema = files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
    await connection.execute(schema)
    await connection.execute(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
        "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    await connection.execute("INSERT INTO alembic_version (version_num) VALUES ($1)", version)


async def upgrade(connect: Callable[[], Awaitable[Connection]], revision: str = "head") -> None:
    """Run the migrations up to `revision`, all in one transaction, one node at a time. Raises what the driver raises."""
    # Rare, and 1.7 s: a gateway that finds its database up to date must not pay for it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)

    def run(connection: Any) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_SCHEMA})")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    try:
        async with engine.begin() as connection:
            await connection.run_sync(run)
    except DBAPIError as error:
        raise StoreError(f"the database could not be brought to the present schema: {error}") from error
    finally:
        await engine.dispose()
