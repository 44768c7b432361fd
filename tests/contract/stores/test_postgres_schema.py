"""PostgreSQL: one schema whichever way it came to be, many nodes at once, and what happens when the server does not answer."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.stores.audit import AuditEntry
from headgate.stores.backends import postgres as backend
from headgate.stores.backends.postgres import (
    Database,
    PostgresAudit,
    PostgresKeys,
    PostgresSink,
    PostgresSpans,
)
from headgate.stores.backends.postgres.charging import LOCK_WRITE
from headgate.stores.backends.postgres.contents import delete_content, read_content
from headgate.stores.backends.postgres.migrate import upgrade
from headgate.stores.backends.postgres.schema import schema_sql
from headgate.stores.backends.postgres.text import kept, kept_column, read
from headgate.stores.backends.sqlite.file import VERSIONS
from headgate.stores.errors import StoreError, StoreTooNew, StoreUnavailable
from headgate.stores.revisions import known_versions
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import AttemptRow, Content, RequestRow
from headgate.stores.tables import metadata
from tests.support.aio import aio
from tests.support.postgres_server import PASSWORD, PostgresServer

__all__: list[str] = []

needs = pytest.mark.needs("postgres")


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    """Of an empty database."""
    return postgres.new_database()


@contextmanager
def opened(url: str, **how: float) -> Iterator[Database]:
    database = Database(url, **how)
    try:
        yield database
    finally:
        asyncio.run(database.close())


def prepare(url: str) -> None:
    with opened(url) as database:
        asyncio.run(database.probe())


def migrated(url: str, revision: str = "head") -> None:
    asyncio.run(upgrade(lambda: asyncpg.connect(url), revision))


def shape(server: PostgresServer, url: str) -> dict[str, Any]:
    """Tables, columns, indexes, constraints and triggers, in the server's own words."""
    columns = server.run(
        url,
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns "
        "WHERE table_schema = 'public' ORDER BY 1, 2",
    )
    indexes = server.run(
        url, "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
    )
    rules = server.run(
        url,
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace "
        "UNION SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2",
    )
    return {"columns": columns, "indexes": indexes, "rules": rules}


def rows(server: PostgresServer, url: str, table: str) -> int:
    return int(server.run(url, f'SELECT count(*) FROM "{table}"')[0][0])


def test_the_file_of_statements_is_what_the_tables_say() -> None:
    """Else: `python -m headgate.stores.backends.postgres.schema`."""
    written = Path(backend.__file__).with_name("schema.sql").read_text(encoding="utf-8")
    assert written == schema_sql()


def test_both_engines_have_the_same_versions() -> None:
    """A revision says the same of either, so that moving from one to the other needs no translation."""
    assert tuple(known_versions()) == VERSIONS


@needs
def test_migrated_and_created_databases_are_alike(postgres: PostgresServer, url: str) -> None:
    """A new installation and an old one that was brought forward have the same tables."""
    prepare(url)
    old = postgres.new_database()
    migrated(old)
    assert shape(postgres, old) == shape(postgres, url)
    tables = {row[0] for row in shape(postgres, url)["columns"]}
    assert tables == {*metadata.tables, "alembic_version"}


@needs
@pytest.mark.parametrize("version", VERSIONS)
def test_data_of_every_version_survives_being_brought_forward(
    version: str, postgres: PostgresServer, url: str
) -> None:
    """Rows written under an older schema are read under the present one."""
    migrated(url, version)
    postgres.run(url, "INSERT INTO request (id, started_ns, trace_id) VALUES (7, 8, 'trace')")
    postgres.run(
        url, "INSERT INTO attempt (id, request_id, number, provider, model) VALUES (9, 7, 1, 'p', 'm')"
    )
    postgres.run(url, "INSERT INTO key (id, name, hash, created_ns) VALUES ('key_1', 'first', 'aa', 1)")

    @aio
    async def look(database: Database) -> None:
        spans = PostgresSpans(database)
        row, attempts = await spans.request(7), await spans.attempts(7)
        assert row is not None and row.trace_id == "trace"
        assert [attempt.provider for attempt in attempts] == ["p"]
        assert [key.name for key in await PostgresKeys(database).all()] == ["first"]

    with opened(url) as database:
        look(database)
    assert postgres.run(url, "SELECT version_num FROM alembic_version")[0][0] == VERSIONS[-1]


@needs
def test_a_node_that_runs_goes_on_while_a_newer_one_migrates(postgres: PostgresServer, url: str) -> None:
    """Columns are added with a default, so what an older program writes and reads is still there."""
    migrated(url, "0001")
    with opened(url) as new:
        asyncio.run(new.probe())
    postgres.run(url, "INSERT INTO request (id, started_ns, trace_id) VALUES (7, 8, 'by the older one')")
    postgres.run(url, "INSERT INTO key (id, name, hash, created_ns) VALUES ('k', 'n', 'h', 1)")
    assert rows(postgres, url, "request") == rows(postgres, url, "key") == 1


@needs
def test_a_database_of_a_newer_headgate_is_refused_and_left_alone(postgres: PostgresServer, url: str) -> None:
    """An older program must not guess; the message says what to do."""
    prepare(url)
    postgres.run(url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreTooNew, match=r"9999.*start the newer Headgate"):
        prepare(url)
    assert postgres.run(url, "SELECT version_num FROM alembic_version")[0][0] == "9999"


@needs
def test_text_that_is_not_unicode_is_refused_at_the_start(postgres: PostgresServer) -> None:
    """Not with the first prompt that has an umlaut."""
    with pytest.raises(StoreError, match=r"SQL_ASCII.*ENCODING 'UTF8'"):
        prepare(postgres.new_database("ENCODING 'SQL_ASCII' TEMPLATE template0"))


def together(*work: Callable[[], None]) -> None:
    """Each in a thread of its own, all at once; raises what one of them raised."""
    failures: list[Exception] = []
    start = threading.Barrier(len(work))

    def run(one: Callable[[], None]) -> None:
        start.wait()
        try:
            one()
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@needs
def test_many_may_open_a_new_database_at_once(postgres: PostgresServer, url: str) -> None:
    """Nodes that start together make one schema; so do those that find an older one."""
    together(*[lambda: prepare(url)] * 5)
    old = postgres.new_database()
    migrated(old, "0001")
    together(*[lambda: prepare(old)] * 3)
    assert shape(postgres, old) == shape(postgres, url)


def test_a_gateway_on_a_file_needs_no_driver() -> None:
    """Neither asyncpg nor SQLAlchemy nor Alembic is imported by whoever keeps a file."""
    program = (
        "import sys\nimport headgate.compose\n"
        "heavy = ('asyncpg', 'alembic', 'sqlalchemy', 'headgate.stores.backends.postgres.connection')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.strip() == "[]"


@given(st.text(alphabet=st.sampled_from("\x00\x1a01aé")))
def test_any_text_comes_back_and_has_no_zero_byte(text: str) -> None:
    """PostgreSQL keeps no zero byte in a text; JSON, and so a caller's user name, may have one."""
    assert read(kept(text)) == text
    assert "\x00" not in kept(text)
    assert list(kept_column([text, "plain"])) == [kept(text), "plain"]


# Writing


def batch(journal: str, number: int, *contents: Content, requests: int = 1) -> Batch:
    found = [RequestRow(number + one, 2, "t") for one in range(requests)]
    attempts = [AttemptRow(row.id + 1, row.id, 1, "p", "m") for row in found]
    return Batch(
        journal=journal,
        position=Position(1, number),
        requests=found,
        attempts=attempts,
        contents=contents,
    )


def content(number: int, data: bytes = b"") -> Content:
    data = data or b"content %d" % number
    return Content(hash=f"{number:032x}", kind="k", data=data, size=len(data))


@needs
def test_a_batch_that_fails_leaves_nothing(postgres: PostgresServer, url: str) -> None:
    """Rows, contents and position come together or not at all; then the same batch is stored."""
    tables = ("request", "attempt", "content", "content_segment", "journal_position")
    with opened(url) as database:
        sink = PostgresSink(database)
        assert sink.position("j") == Position()
        postgres.run(url, "ALTER TABLE journal_position ADD CONSTRAINT no CHECK (journal <> 'j')")
        with pytest.raises(StoreUnavailable, match="no"):
            sink.write(batch("j", 1, content(1)))
        assert [rows(postgres, url, table) for table in tables] == [0] * 5
        postgres.run(url, "ALTER TABLE journal_position DROP CONSTRAINT no")
        sink.write(batch("j", 1, content(1)))
        assert [rows(postgres, url, table) for table in tables] == [1] * 5


@needs
def test_several_nodes_may_write_at_once_and_nobody_who_follows_misses_one(
    postgres: PostgresServer, url: str
) -> None:
    """Nothing is refused, lost or doubled, and `stored` grows in the order in which rows can be seen."""
    prepare(url)
    writing = threading.Event()
    seen: list[int] = []

    def write(first: int) -> None:
        with opened(url) as database:
            sink = PostgresSink(database)
            for number in range(first, first + 300, 10):
                sink.write(batch(f"j{first}", number, content(number // 10 % 5), requests=10))

    def follow() -> None:
        async def run() -> None:
            spans, position = PostgresSpans(database), 0
            while True:
                last = writing.is_set()
                page = await spans.after(position, 100)
                seen.extend(row.id for row in page.rows)
                position = page.position
                if last and not page.rows:
                    return

        with opened(url) as database:
            asyncio.run(run())

    follower = threading.Thread(target=follow)
    follower.start()
    try:
        together(*[partial(write, first) for first in (0, 1000, 2000)])
    finally:
        writing.set()
        follower.join()
    assert len(seen) == len(set(seen)) == 900
    assert rows(postgres, url, "content") == rows(postgres, url, "content_segment") == 5


@needs
def test_one_content_can_be_deleted_and_its_neighbours_stay(postgres: PostgresServer, url: str) -> None:
    """Its bytes are gone from the segments, not only its name."""
    kept = [content(number, b"piece %d " % number * 50) for number in range(3)]
    with opened(url) as database:
        PostgresSink(database).write(batch("j", 1, *kept))
        assert database.ask(partial(delete_content, content_hash=kept[1].hash))
        assert not database.ask(partial(delete_content, content_hash=kept[1].hash))
        found = [database.ask(partial(read_content, content_hash=one.hash)) for one in kept]
        assert found == [kept[0], None, kept[2]]
        for one in (kept[0], kept[2]):
            database.ask(partial(delete_content, content_hash=one.hash))
    assert rows(postgres, url, "content_segment") == 0


@needs
@pytest.mark.parametrize("change", ["DELETE FROM audit", "UPDATE audit SET actor = 'x'", "TRUNCATE audit"])
def test_the_audit_log_is_only_ever_added_to(change: str, postgres: PostgresServer, url: str) -> None:
    """By the database itself, whoever is connected to it."""
    with opened(url) as database:
        asyncio.run(PostgresAudit(database).add(AuditEntry(at_ns=1, actor="a", action="key.create")))
    with pytest.raises(asyncpg.RaiseError, match="only ever added to"):
        postgres.run(url, change)
    assert rows(postgres, url, "audit") == 1


# A server that is not there


@needs
def test_a_database_that_was_made_anew_is_filled_again(postgres: PostgresServer, url: str) -> None:
    """After an error everything is found out afresh; the writer goes on by itself."""
    with opened(url) as database:
        sink = PostgresSink(database)
        sink.write(batch("j", 1, content(1)))
        name = url.rpartition("/")[2]
        postgres.run("postgres", f"DROP DATABASE {name} WITH (FORCE)")
        with pytest.raises(StoreUnavailable, match=name):
            sink.write(batch("j", 2, content(1)))
        postgres.run("postgres", f"CREATE DATABASE {name}")
        with pytest.raises(StoreUnavailable):
            sink.write(batch("j", 2, content(1)))
        sink.close()
        sink.write(batch("j", 2, content(1)))
    assert rows(postgres, url, "request") == rows(postgres, url, "content") == 1


@needs
def test_a_server_that_comes_back_is_used_again(postgres: PostgresServer, url: str) -> None:
    """While it is gone every question ends with a plain error, and none of them shows the password."""
    with opened(url) as database:
        sink = PostgresSink(database)
        sink.write(batch("j", 1))
        postgres.kill()
        try:
            for _ in range(3):
                with pytest.raises(StoreUnavailable) as told:
                    sink.write(batch("j", 2))
                assert PASSWORD not in str(told.value)
            with pytest.raises(StoreUnavailable):
                asyncio.run(database.probe())
        finally:
            postgres.start()
        sink.write(batch("j", 2))
        asyncio.run(database.probe())
    assert rows(postgres, url, "request") == 2


@needs
def test_a_server_that_is_silent_holds_nobody_up(postgres: PostgresServer, url: str) -> None:
    """Every question ends in time, also on a connection that was good, and closing does too."""
    with opened(url, connect_seconds=1, answer_seconds=1) as database:
        asyncio.run(database.probe())
        postgres.freeze()
        try:
            for _ in range(2):
                with pytest.raises(StoreUnavailable, match="no answer in time"):
                    asyncio.run(database.probe())
            asyncio.run(database.close())
        finally:
            postgres.thaw()
        asyncio.run(database.probe())


@needs
def test_a_question_that_is_given_up_leaves_no_connection_behind(postgres: PostgresServer, url: str) -> None:
    """Its connection is closed, not handed to the next with an answer still to come."""

    @aio
    async def run(database: Database) -> None:
        await database.probe()
        for _ in range(6):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await database.run(lambda connection: connection.execute("SELECT pg_sleep(20)"))
        assert await database.run(lambda connection: connection.fetchval("SELECT 7")) == 7

    with opened(url) as database:
        run(database)


@needs
def test_contents_are_not_deleted_while_a_batch_is_being_stored(url: str) -> None:
    """Its writer may just have seen one of them there, and would store a request whose prompt is gone."""
    content = Content(hash=f"{7:032x}", kind="k", data=b"good morning", size=12)
    with opened(url) as database:
        sink, keeper = PostgresSink(database), backend.PostgresKeeper(database)
        sink.write(
            Batch(
                journal="j",
                position=Position(1, 1),
                requests=[RequestRow(1, 1, "t", request_content=content.hash)],
                contents=[content],
            )
        )

        @aio
        async def check() -> None:
            ((segment,),) = await keeper.read("SELECT id FROM content_segment")
            writer = await asyncpg.connect(url)
            try:
                async with writer.transaction():
                    await writer.execute("SELECT pg_advisory_xact_lock($1)", LOCK_WRITE)
                    deleting = asyncio.create_task(keeper.drop(segment, [content.hash], 2**63 - 1))
                    await asyncio.wait([deleting], timeout=0.3)
                    assert not deleting.done()
                assert await deleting == 1
            finally:
                await writer.close()

        check()
