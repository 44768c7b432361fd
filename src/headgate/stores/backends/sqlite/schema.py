"""Write `schema.sql`, the tables as SQLite is told them: `python -m headgate.stores.backends.sqlite.schema`.

A test fails when the file is not what this would write.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from headgate.stores.tables import metadata

__all__ = ["schema_sql"]


def schema_sql() -> str:
    """All tables, indexes and triggers of `headgate.stores.tables`, one statement after the other."""
    dialect = sqlite.dialect()
    statements = [
        "-- Written by headgate.stores.backends.sqlite.schema from headgate.stores.tables. Do not edit."
    ]
    for table in metadata.sorted_tables:
        statements.append(f"{str(CreateTable(table).compile(dialect=dialect)).strip()};")
        statements += [
            f"{str(CreateIndex(index).compile(dialect=dialect)).strip()};"
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        ]
        if table.info.get("append_only"):
            statements += [
                f"CREATE TRIGGER {table.name}_no_{what.lower()} BEFORE {what} ON {table.name} "
                f"BEGIN SELECT RAISE(ABORT, '{table.name} is only ever added to'); END;"
                for what in ("DELETE", "UPDATE")
            ]
    lines = "\n\n".join(statements).replace("\t", "  ").splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("schema.sql").write_text(schema_sql(), encoding="utf-8")
