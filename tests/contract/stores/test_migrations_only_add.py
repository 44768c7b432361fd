"""Every migration leaves what an older Headgate reads and writes as it was, so that old and new nodes may run side by side."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from headgate.stores.backends.sqlite.migrate import upgrade
from headgate.stores.revisions import known_versions

__all__: list[str] = []

Column = tuple[str, bool, object, bool]
"""Type, may it not be NULL, default, part of the primary key."""


def columns(path: Path) -> dict[tuple[str, str], Column]:
    """Table and column -> what it is."""
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            (table, name): (kind, bool(needed), default, bool(key))
            for (table,) in tables
            for _, name, kind, needed, default, key in connection.execute(f'PRAGMA table_info("{table}")')
        }


def unique(path: Path) -> set[tuple[str, tuple[str, ...]]]:
    """What must not stand twice."""
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            (table, tuple(row[2] for row in connection.execute(f'PRAGMA index_info("{name}")')))
            for (table,) in tables
            for _, name, one, *_ in connection.execute(f'PRAGMA index_list("{table}")').fetchall()
            if one
        }


@pytest.mark.parametrize(("older", "newer"), list(pairwise(known_versions())))
def test_a_migration_only_adds(older: str, newer: str, tmp_path: Path) -> None:
    """No table, column or type is changed or taken away; a new column of an old table needs no value; no new rule of an
    old table refuses what was taken before."""
    path = tmp_path / "headgate.db"
    upgrade(path, older)
    before, ruled = columns(path), unique(path)
    upgrade(path, newer)
    after = columns(path)
    assert {name: column for name, column in after.items() if name in before} == before
    tables = {table for table, _ in before}
    for (table, name), (_, needed, default, key) in after.items():
        if table in tables and (table, name) not in before:
            assert not key and (default is not None or not needed), f"{table}.{name} has no default"
    assert {rule for rule in unique(path) if rule[0] in tables} == ruled
