"""The stores of every engine, for suites that are run on each."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headgate.stores.backends import postgres, sqlite
from headgate.stores.backends.memory import MemoryAudit, MemoryKeys, MemoryRehearsals, MemorySpans
from headgate.stores.backends.memory.ledger import MemoryLedger
from headgate.stores.backends.memory.secrets import MemorySecrets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["BACKENDS", "POSTGRES", "SHARED", "Opened", "open_stores", "stores"]

POSTGRES = pytest.param("postgres", marks=pytest.mark.needs("postgres"))
BACKENDS = ["memory", "sqlite", POSTGRES]
SHARED = ["sqlite", POSTGRES]
"""Those that several processes may open at once."""


@dataclass
class Opened:
    """All that an engine keeps."""

    spans: MemorySpans | sqlite.SqliteSpans | postgres.PostgresSpans
    ledger: MemoryLedger | sqlite.SqliteLedger | postgres.PostgresLedger
    sink: MemorySpans | sqlite.SqliteSink | postgres.PostgresSink
    keys: MemoryKeys | sqlite.SqliteKeys | postgres.PostgresKeys
    rehearsals: MemoryRehearsals | sqlite.SqliteRehearsals | postgres.PostgresRehearsals
    audit: MemoryAudit | sqlite.SqliteAudit | postgres.PostgresAudit
    secrets: MemorySecrets | sqlite.SqliteSecrets | postgres.PostgresSecrets
    database: sqlite.Database | postgres.Database | None = None

    async def aclose(self) -> None:
        self.sink.close()
        if self.database is not None:
            await self.database.close()


def open_stores(backend: str, place: Path | str) -> Opened:
    """place: a folder for SQLite, a URL for PostgreSQL."""
    if backend == "memory":
        spans, log = MemorySpans(), MemoryAudit()
        return Opened(
            spans,
            MemoryLedger(spans, log),
            spans,
            MemoryKeys(log),
            MemoryRehearsals(log),
            log,
            MemorySecrets(log),
        )
    if backend == "sqlite":
        file = sqlite.Database(Path(place) / "headgate.db")
        return Opened(
            sqlite.SqliteSpans(file),
            sqlite.SqliteLedger(file),
            sqlite.SqliteSink(file),
            sqlite.SqliteKeys(file),
            sqlite.SqliteRehearsals(file),
            sqlite.SqliteAudit(file),
            sqlite.SqliteSecrets(file),
            file,
        )
    server = postgres.Database(str(place))
    return Opened(
        postgres.PostgresSpans(server),
        postgres.PostgresLedger(server),
        postgres.PostgresSink(server),
        postgres.PostgresKeys(server),
        postgres.PostgresRehearsals(server),
        postgres.PostgresAudit(server),
        postgres.PostgresSecrets(server),
        server,
    )


@asynccontextmanager
async def stores(backend: str, place: Path | str) -> AsyncIterator[Opened]:
    """Closed at the end."""
    opened = open_stores(backend, place)
    try:
        yield opened
    finally:
        await opened.aclose()
