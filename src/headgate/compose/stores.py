"""Where an installation keeps things: which engine, which file or server, which folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from headgate.admission.limits.away import SharedMeters
from headgate.budgets.away import SharedPurses
from headgate.config.model import Settings
from headgate.records.apart import WriterApart
from headgate.records.writer import Writer
from headgate.stores.address import file_of, is_postgres
from headgate.stores.answers import AnswerStore
from headgate.stores.backends import postgres, sqlite
from headgate.stores.backends.memory.answers import MemoryAnswers
from headgate.stores.backends.memory.meters import MemoryMeters
from headgate.stores.backends.memory.purses import MemoryPurses
from headgate.stores.backends.redis.answers import redis_answers
from headgate.stores.backends.redis.meters import RedisMeters
from headgate.stores.backends.redis.outbox import Outbox
from headgate.stores.backends.redis.purses import RedisPurses
from headgate.stores.errors import StoreError
from headgate.stores.meters import Meters
from headgate.stores.moving import Moved, Progress, move
from headgate.stores.purses import UseStore
from headgate.stores.sink import SpanSink

__all__ = [
    "Stores",
    "all_answers_of",
    "answers_of",
    "database_path",
    "journal_directory",
    "meters_of",
    "move_installation",
    "open_stores",
    "outbox_of",
    "purses_of",
    "why_not_ready",
]


def database_path(settings: Settings) -> Path:
    """Where the SQLite file of `server.database` lies."""
    return file_of(settings.server.database)


def journal_directory(settings: Settings) -> Path:
    """Where this machine's gateways write what happened, until it is in the database."""
    if is_postgres(settings.server.database):
        return Path(settings.server.data) / "journal"
    return database_path(settings).with_suffix(".journal")


@dataclass(frozen=True, slots=True)
class Stores:
    """What the command line reads and writes beside a running gateway, or without one."""

    spans: sqlite.SqliteSpans | postgres.PostgresSpans
    ledger: sqlite.SqliteLedger | postgres.PostgresLedger
    keys: sqlite.SqliteKeys | postgres.PostgresKeys
    rehearsals: sqlite.SqliteRehearsals | postgres.PostgresRehearsals
    audit: sqlite.SqliteAudit | postgres.PostgresAudit
    secrets: sqlite.SqliteSecrets | postgres.PostgresSecrets
    alerts: sqlite.SqliteAlerts | postgres.PostgresAlerts
    exports: sqlite.SqliteExports | postgres.PostgresExports
    rollups: sqlite.SqliteRollups | postgres.PostgresRollups
    rules: sqlite.SqliteRules | postgres.PostgresRules
    scores: sqlite.SqliteScores | postgres.PostgresScores
    people: sqlite.SqlitePeople | postgres.PostgresPeople
    keeper: sqlite.SqliteKeeper | postgres.PostgresKeeper
    sink: SpanSink
    """For one thread; nothing is connected before it is used."""
    database: sqlite.Database | postgres.Database

    async def aclose(self) -> None:
        await self.database.close()


def open_stores(settings: Settings) -> Stores:
    """The stores of an installation. Opened at first use, which raises StoreUnavailable, StoreTooNew."""
    if is_postgres(settings.server.database):
        server = postgres.Database(settings.server.database)
        return Stores(
            postgres.PostgresSpans(server),
            postgres.PostgresLedger(server),
            postgres.PostgresKeys(server),
            postgres.PostgresRehearsals(server),
            postgres.PostgresAudit(server),
            postgres.PostgresSecrets(server),
            postgres.PostgresAlerts(server),
            postgres.PostgresExports(server),
            postgres.PostgresRollups(server),
            postgres.PostgresRules(server),
            postgres.PostgresScores(server),
            postgres.PostgresPeople(server),
            postgres.PostgresKeeper(server),
            postgres.PostgresSink(server),
            server,
        )
    file = sqlite.Database(database_path(settings))
    return Stores(
        sqlite.SqliteSpans(file),
        sqlite.SqliteLedger(file),
        sqlite.SqliteKeys(file),
        sqlite.SqliteRehearsals(file),
        sqlite.SqliteAudit(file),
        sqlite.SqliteSecrets(file),
        sqlite.SqliteAlerts(file),
        sqlite.SqliteExports(file),
        sqlite.SqliteRollups(file),
        sqlite.SqliteRules(file),
        sqlite.SqliteScores(file),
        sqlite.SqlitePeople(file),
        sqlite.SqliteKeeper(file),
        sqlite.SqliteSink(file),
        file,
    )


def outbox_of(settings: Settings) -> Outbox | None:
    """What limits and budgets ask Redis through, so that both cost a request one round trip. None: there is no Redis."""
    return Outbox(settings.server.redis) if settings.server.redis else None


def meters_of(settings: Settings, outbox: Outbox | None = None) -> Meters:
    """Where limits are counted. outbox: shared with others, and closed by whoever made it."""
    local = MemoryMeters()
    server = settings.server
    if not server.redis:
        return local
    return SharedMeters(
        RedisMeters(server.redis if outbox is None else outbox),
        local,
        policy=server.limits_without_redis,
        nodes=server.nodes,
    )


def purses_of(
    settings: Settings, uses: UseStore, outbox: Outbox | None, ready: Callable[[], bool]
) -> MemoryPurses | SharedPurses:
    """Where budgets are counted; told with `load` what was spent before. outbox: see `meters_of`. ready: does the database know
    what earlier processes on this machine have spent?"""
    if outbox is None:
        return MemoryPurses()
    server = settings.server
    purses = RedisPurses(outbox, uses, ready=ready)
    return SharedPurses(purses, policy=server.budgets_without_redis, nodes=server.nodes)


def answers_of(settings: Settings, stores: Stores) -> AnswerStore:
    """Where answers are kept that may be given again. Nothing is opened before it is started, or asked; closed by whoever made it."""
    cache = settings.cache
    memory, most = int(cache.memory), int(cache.disk)
    engine = cache.engine
    if engine == "auto":
        engine = "redis" if settings.server.redis else "database"
    if engine == "memory":
        return MemoryAnswers(memory)
    if engine == "redis":
        return redis_answers(settings.server.redis, memory_bytes=memory, most_bytes=most)
    if isinstance(stores.database, sqlite.Database):
        return sqlite.sqlite_answers(stores.database, memory_bytes=memory, most_bytes=most)
    return postgres.postgres_answers(stores.database, memory_bytes=memory, most_bytes=most)


def all_answers_of(settings: Settings, stores: Stores) -> list[AnswerStore]:
    """Wherever else than in a process's memory answers may be kept: in the database, and in Redis if there is one."""
    cache = settings.cache
    engines: list[Literal["database", "redis"]] = ["database", "redis"]
    return [
        answers_of(replace(settings, cache=replace(cache, engine=engine)), stores)
        for engine in engines
        if engine == "database" or (settings.server.redis and cache.engine in ("auto", "redis"))
    ]


async def move_installation(source: Path, target: str, progress: Progress) -> Sequence[Moved]:
    """Copy an installation from its SQLite file to a PostgreSQL URL; the file stays. Raises StoreError."""
    if waiting := sorted(source.with_suffix(".journal").glob("*.lock")):
        raise StoreError(
            f"a gateway uses {source}, or was killed and left records in {waiting[0].parent}: stop it; if it was killed, "
            "start it once more and stop it, so that it stores them. Nothing was moved"
        )
    server, outlet = postgres.Database(target), sqlite.SqliteOutlet(sqlite.Database(source))
    try:
        return await move(outlet, postgres.PostgresTarget(server), progress)
    finally:
        outlet.close()
        await server.close()


async def why_not_ready(writer: Writer | WriterApart, database: sqlite.Database | postgres.Database) -> str:
    """What keeps a gateway from being sent traffic, in words; "" if nothing does."""
    if writer.failed is not None:
        return f"the record writer has failed: {writer.failed}"
    if not writer.ready:
        return "starting: the record writer is opening the database and reading the price list"
    try:
        await database.probe()
    except Exception as failure:  # noqa: BLE001 - whatever is wrong with the database, it is not ready
        return f"the database does not answer: {failure}"
    return ""
