"""Neighbours on the server: pgvector, where it is installed and may be used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headgate.stores.answers import CacheEntry
from headgate.stores.backends.postgres.connection import Database

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["Near"]


class Near:
    """Not there yet: every node keeps an index of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, connection: Connection, entries: Sequence[CacheEntry]) -> None:
        """Keep the vectors of entries that were just written."""

    async def nearest(
        self, compat: bytes, embedder: str, vector: bytes, count: int
    ) -> Sequence[tuple[bytes, float]] | None:
        """The nearest; None: the server cannot tell."""
        return None

    async def catch_up(self) -> int:
        """Keep vectors of a piece of the entries that were written without; how many it were."""
        return 0
