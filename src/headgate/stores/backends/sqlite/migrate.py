"""Bring an older file to the present schema, step by step."""

from __future__ import annotations

from pathlib import Path

from headgate.stores.revisions import MIGRATIONS

__all__ = ["upgrade"]


def upgrade(path: Path, revision: str = "head") -> None:
    """Run the migrations up to `revision`, all in one transaction. Raises what SQLAlchemy raises."""
    # Rare, and 1.7 s: a gateway that finds its file up to date must not pay for it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import URL, create_engine, event  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def _no_hidden_commits(connection: object, _record: object) -> None:
        # The driver would end the transaction before each CREATE or ALTER.
        connection.isolation_level = None  # type: ignore[attr-defined]

    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.exec_driver_sql("COMMIT")
