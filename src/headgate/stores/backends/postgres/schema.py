"""Write `schema.sql`, the tables as PostgreSQL is told them: `python -m headgate.stores.backends.postgres.schema`.

A test fails when the file is not what this would write.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from headgate.stores.tables import metadata

__all__ = ["append_only", "schema_sql"]


def schema_sql() -> str:
    """All tables, indexes and triggers of `headgate.stores.tables`, one statement after the other."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    statements = [
        "-- Written by headgate.stores.backends.postgres.schema from headgate.stores.tables. Do not edit."
    ]
    for table in metadata.sorted_tables:
        statements.append(f"{str(CreateTable(table).compile(dialect=dialect)).strip()};")
        statements += [
            f"{str(CreateIndex(index).compile(dialect=dialect)).strip()};"
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        ]
        if table.info.get("append_only"):
            statements += append_only(table.name)
    lines = "\n\n".join(statements).replace("\t", "  ").splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def append_only(table: str) -> list[str]:
    """What keeps the rows of a table as they are; a migration says the same."""
    function = (
        f"CREATE FUNCTION {table}_only_added() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$BEGIN RAISE EXCEPTION '{table} is only ever added to'; END$$;"
    )
    trigger = (
        f"CREATE TRIGGER {table}_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_only_added();"
    )
    return [function, trigger]


if __name__ == "__main__":
    Path(__file__).with_name("schema.sql").write_text(schema_sql(), encoding="utf-8")
