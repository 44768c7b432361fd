"""Answers on a server, for all nodes. Batches and removals of all nodes go in one after the other, under an advisory lock."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from headgate.stores.answer_table import AnswerTable, Look
from headgate.stores.answer_tiers import TieredAnswers
from headgate.stores.answers import CacheEntry
from headgate.stores.backends.postgres.connection import ANSWER_SECONDS, Database
from headgate.stores.backends.postgres.near import LARGE_GROUP, LOCK_ANSWERS, Near
from headgate.stores.backends.postgres.walking import walk
from headgate.stores.steps import Steps

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["PostgresAnswers", "postgres_answers"]

T = TypeVar("T")

_WRITE_SECONDS = 20.0
_LOOK_SECONDS: Mapping[Look, float] = MappingProxyType(
    {
        "one": 2.0,  # who asks for it gives up far earlier
        "group": ANSWER_SECONDS,
        "all": _WRITE_SECONDS,
    }
)


def postgres_answers(
    database: Database,
    *,
    memory_bytes: int,
    most_bytes: int,
    now_ns: Callable[[], int] = time.time_ns,
    large_group: int = LARGE_GROUP,
) -> TieredAnswers:
    """Answers on the server, with those asked for lately in the memory of this node. large_group: vectors from which on neighbours are
    looked for by an index, where there is pgvector."""
    table = AnswerTable(PostgresAnswers(database, large_group=large_group), most_bytes, now_ns=now_ns)
    return TieredAnswers(table, memory_bytes=memory_bytes, most_bytes=most_bytes, now_ns=now_ns)


class PostgresAnswers:
    """See `AnswerEngine`."""

    def __init__(self, database: Database, *, large_group: int = LARGE_GROUP) -> None:
        self.near = Near(database, large=large_group)
        self._database = database

    async def look(self, steps: Steps[T], at: Look) -> T:
        """See `AnswerEngine`."""
        return await self._database.run(lambda connection: walk(connection, steps), seconds=_LOOK_SECONDS[at])

    async def look_at_once(self, steps: Steps[T]) -> T:
        """See `AnswerEngine`."""

        async def ask(connection: Connection) -> T:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return await walk(connection, steps)

        return await self._database.run(ask, seconds=_LOOK_SECONDS["one"])

    async def change(self, steps: Steps[T], *, overwrite: bool = False) -> T:  # noqa: ARG002 - vacuuming does
        """See `AnswerEngine`."""
        return await self._alone(lambda connection: walk(connection, steps))

    async def put(self, steps: Steps[tuple[int, int]], entries: Sequence[CacheEntry]) -> tuple[int, int]:
        """See `AnswerEngine`."""

        async def ask(connection: Connection) -> tuple[int, int]:
            number, gone = await walk(connection, steps)
            if number:
                await self.near.put(connection, entries)
            return number, gone

        return await self._alone(ask)

    async def nearest(
        self, compat: bytes, embedder: str, vector: bytes, count: int
    ) -> Sequence[tuple[bytes, float]] | None:
        """See `AnswerEngine`."""
        return await self.near.nearest(compat, embedder, vector, count)

    async def catch_up(self) -> int:
        """See `AnswerEngine`."""
        return await self.near.catch_up()

    async def aclose(self) -> None:
        """See `AnswerEngine`."""

    async def _alone(self, change: Callable[[Connection], Awaitable[T]]) -> T:
        """In a transaction, while no other node changes answers."""

        async def ask(connection: Connection) -> T:
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_ANSWERS)
                return await change(connection)

        return await self._database.run(ask, seconds=_WRITE_SECONDS)
