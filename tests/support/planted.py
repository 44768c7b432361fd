"""Looks for planted words in everything that an installation has written."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import asyncpg
import zstandard
from redis import Redis

__all__ = ["found_in"]


def texts(value: Any) -> Iterator[bytes]:
    """What a cell says, unpacked where it is packed."""
    if isinstance(value, str):
        yield value.encode()
    elif isinstance(value, bytes):
        yield value
        with contextlib.suppress(zstandard.ZstdError):
            yield zstandard.ZstdDecompressor().decompressobj().decompress(value)


def found_in(directory: Path, word: str, *, postgres: str = "", redis: str = "") -> set[str]:
    """Where it stands: cells of the database, by table and column; what Redis holds; and files, as they are.

    postgres, redis: URLs of servers that hold the installation, in place of the file and beside it."""
    wanted, places = word.encode(), set()
    for file in directory.rglob("*"):
        if file.is_file() and wanted in file.read_bytes():
            places.add(str(file.relative_to(directory)))
    tables = set()
    for table, columns, rows in (
        asyncio.run(_of_server(postgres)) if postgres else _of_file(directory / "headgate.db")
    ):
        tables.add(table)
        for row in rows:
            for column, value in zip(columns, row, strict=True):
                if any(wanted in text for text in texts(value)):
                    places.add(f"{table}.{column}")
    assert {"request", "attempt", "content_segment", "alert", "rollup"} <= tables
    if redis:
        places |= {f"redis {key!r}" for key, value in _of_redis(redis) if wanted in key + value}
    return places


Table = tuple[str, list[str], list[Any]]


def _of_file(path: Path) -> list[Table]:
    found = []
    with contextlib.closing(sqlite3.connect(path)) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            rows = database.execute(f'SELECT * FROM "{name}"')
            found.append((name, [column[0] for column in rows.description], rows.fetchall()))
    return found


async def _of_server(url: str) -> list[Table]:
    connection = await asyncpg.connect(url)
    try:
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        found = []
        for (name,) in names:
            rows = await connection.fetch(f'SELECT * FROM "{name}"')
            found.append((name, list(rows[0].keys()) if rows else [], [tuple(row.values()) for row in rows]))
        return found
    finally:
        await connection.close()


def _of_redis(url: str) -> Iterator[tuple[bytes, bytes]]:
    """Every key, and all that it holds, in bytes."""
    with contextlib.closing(Redis.from_url(url)) as client:
        ways: dict[bytes, Callable[[bytes], object]] = {
            b"string": client.get,
            b"hash": client.hgetall,
            b"list": lambda key: client.lrange(key, 0, -1),
            b"set": client.smembers,
            b"zset": lambda key: client.zrange(key, 0, -1),
            b"stream": client.xrange,
        }
        for key in client.scan_iter():
            held = ways[cast("bytes", client.type(key))](key)
            yield key, b" ".join(_bytes_in(held))


def _bytes_in(held: object) -> Iterator[bytes]:
    if isinstance(held, bytes):
        yield from texts(held)
    elif isinstance(held, dict):
        for pair in held.items():
            yield from _bytes_in(pair)
    elif isinstance(held, Iterable):
        for each in held:
            yield from _bytes_in(each)
