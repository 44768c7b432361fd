"""Looks for planted words in everything that an installation has written."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard

__all__ = ["found_in"]


def texts(value: Any) -> Iterator[bytes]:
    """What a cell says, unpacked where it is packed."""
    if isinstance(value, str):
        yield value.encode()
    elif isinstance(value, bytes):
        yield value
        with contextlib.suppress(zstandard.ZstdError):
            yield zstandard.ZstdDecompressor().decompressobj().decompress(value)


def found_in(directory: Path, word: str) -> set[str]:
    """Where it stands: cells of the database, by table and column; and files, as they are."""
    wanted, places = word.encode(), set()
    for file in directory.rglob("*"):
        if file.is_file() and wanted in file.read_bytes():
            places.add(str(file.relative_to(directory)))
    with contextlib.closing(sqlite3.connect(directory / "headgate.db")) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert {"request", "attempt", "content_segment", "alert", "rollup"} <= set(tables)
        for table in tables:
            rows = database.execute(f'SELECT * FROM "{table}"')
            columns = [column[0] for column in rows.description]
            for row in rows:
                for column, value in zip(columns, row, strict=True):
                    if any(wanted in text for text in texts(value)):
                        places.add(f"{table}.{column}")
    return places
