"""The SQLite file: one schema whichever way it came to be, older ones brought forward, newer ones left alone."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from headgate.stores.backends import sqlite as backend
from headgate.stores.backends.sqlite import Database, SqliteKeys, SqliteLedger, SqliteSink, SqliteSpans
from headgate.stores.backends.sqlite.contents import delete_content, read_content
from headgate.stores.backends.sqlite.file import VERSIONS, connect, set_pragma
from headgate.stores.backends.sqlite.migrate import upgrade
from headgate.stores.backends.sqlite.schema import schema_sql
from headgate.stores.errors import StoreTooNew, StoreUnavailable
from headgate.stores.revisions import MIGRATIONS
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import AttemptRow, Content, RequestRow
from headgate.stores.tables import metadata
from headgate.stores.totals import Which
from tests.support.aio import aio

__all__: list[str] = []

PACKAGE = Path(backend.__file__).parent


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def shape(path: Path) -> dict[str, Any]:
    """Tables, columns and indexes, however they were spelt."""
    found: dict[str, Any] = {}
    with opened(path) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = connection.execute(f'PRAGMA table_xinfo("{table}")').fetchall()
            indexes = {}
            for _, name, unique, origin, partial in connection.execute(
                f'PRAGMA index_list("{table}")'
            ).fetchall():
                parts = tuple(row[2] for row in connection.execute(f'PRAGMA index_info("{name}")').fetchall())
                indexes[parts] = (unique, origin, partial)
            found[table] = (columns, indexes)
    return found


def test_the_file_of_statements_is_what_the_tables_say() -> None:
    """Else: `python -m headgate.stores.backends.sqlite.schema`."""
    assert (PACKAGE / "schema.sql").read_text(encoding="utf-8") == schema_sql()


def test_migrated_and_created_databases_are_alike(tmp_path: Path) -> None:
    """A new installation and an old one that was brought forward have the same tables."""
    Database(tmp_path / "new.db").prepare()
    upgrade(tmp_path / "old.db")
    assert shape(tmp_path / "old.db") == shape(tmp_path / "new.db")
    assert set(shape(tmp_path / "new.db")) == {*metadata.tables, "alembic_version"}


def test_every_migration_is_a_known_version() -> None:
    """In one line, without branches; the newest is what a new file is marked with."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(revisions)) == VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_data_of_every_version_survives_being_brought_forward(version: str, tmp_path: Path) -> None:
    """Rows written under an older schema are read under the present one."""
    path = tmp_path / "old.db"
    upgrade(path, version)
    with opened(path) as connection, connection:
        connection.execute("INSERT INTO request (id, started_ns, trace_id) VALUES (7, 8, 'trace')")
        connection.execute(
            "INSERT INTO attempt (id, request_id, number, provider, model) VALUES (9, 7, 1, 'p', 'm')"
        )
    database = Database(path)

    @aio
    async def read() -> None:
        spans = SqliteSpans(database)
        row, attempts = await spans.request(7), await spans.attempts(7)
        assert row is not None and row.trace_id == "trace"
        assert [attempt.provider for attempt in attempts] == ["p"]
        await database.close()

    read()
    assert shape(path)["request"] is not None


def test_a_file_of_a_newer_headgate_is_refused_and_left_alone(tmp_path: Path) -> None:
    """An older program must not guess; the message says what to do."""
    path = tmp_path / "new.db"
    Database(path).prepare()
    with opened(path) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreTooNew, match=r"9999.*start the newer Headgate"):
        Database(path).prepare()
    with opened(path) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]


def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    """Processes that start together make one schema."""
    path = tmp_path / "headgate.db"
    failures: list[Exception] = []
    start = threading.Barrier(6)

    def prepare() -> None:
        start.wait()
        try:
            Database(path).prepare()
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=prepare) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert "request" in shape(path)


@aio
async def test_a_report_over_years_keeps_nothing_waiting_but_other_reports(tmp_path_factory) -> None:
    """A key that was revoked stops within a second, whatever somebody is adding up."""
    database = Database(tmp_path_factory.mktemp("d") / "headgate.db")
    spans, done = SqliteSpans(database), threading.Event()
    long = asyncio.create_task(database.look_back(lambda _: done.wait(20)))
    reports = [
        asyncio.create_task(spans.totals(("feature",), Which())),
        asyncio.create_task(spans.usages(Which())),
        asyncio.create_task(spans.before(0, 10, Which())),
        asyncio.create_task(SqliteLedger(database).movements(Which())),
    ]
    await SqliteKeys(database).all()
    await database.probe()
    assert not long.done() and not any(report.done() for report in reports)
    done.set()
    assert await long and await asyncio.gather(*reports)
    await database.close()


@pytest.mark.parametrize("busy", [1, 3])
def test_a_new_file_that_another_process_is_turning_over_is_waited_for(busy: int) -> None:
    """SQLite says that it is busy at once then, whatever it was told about waiting."""

    class Busy:
        left = busy

        def execute(self, _: str) -> None:
            if self.left:
                self.left -= 1
                error = sqlite3.OperationalError("database is locked")
                error.sqlite_errorcode = sqlite3.SQLITE_BUSY
                raise error

    connection = Busy()
    set_pragma(connection, "journal_mode=WAL")  # type: ignore[arg-type]
    assert connection.left == 0


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Prompts are in it."""
    Database(tmp_path / "sub" / "headgate.db").prepare()
    assert stat.S_IMODE((tmp_path / "sub" / "headgate.db").stat().st_mode) == 0o600


def test_a_new_file_needs_neither_alembic_nor_sqlalchemy(tmp_path: Path) -> None:
    """They take 1.7 and 0.5 seconds to import; starting may take one."""
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from headgate.stores.backends.sqlite import Database\n"
        "Database(Path(sys.argv[1])).prepare()\n"
        "print([name for name in ('alembic', 'sqlalchemy', 'genai_prices') if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "headgate.db")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout.strip() == "[]"


def test_what_is_no_database_is_told_and_left_alone(tmp_path: Path) -> None:
    """Somebody's other file, a directory, a place that cannot be made."""
    other = tmp_path / "notes.txt"
    other.write_text("these are my notes " * 500)
    (tmp_path / "folder").mkdir()
    for path in (other, tmp_path / "folder", other / "below" / "headgate.db"):
        with pytest.raises(StoreUnavailable, match=path.name):
            Database(path).prepare()
    assert other.read_text().startswith("these are my notes")


@aio
async def test_probing_writes_and_reads(tmp_path_factory) -> None:
    """Ready means: a row can be written now."""
    database = Database(tmp_path_factory.mktemp("d") / "headgate.db")
    await database.probe()
    with opened(database.path) as connection, connection:
        connection.execute("DROP TABLE installation")
    with pytest.raises(StoreUnavailable):
        await database.probe()
    await database.close()
    await database.close()


def contents(database: Database, *pieces: bytes) -> list[Content]:
    kept = [
        Content(hash=f"{n:032x}", kind="k", data=piece, size=len(piece)) for n, piece in enumerate(pieces)
    ]
    sink = SqliteSink(database)
    sink.write(Batch(journal="j", position=Position(1, 1), contents=kept))
    sink.close()
    return kept


def test_one_content_can_be_deleted_and_its_neighbours_stay(tmp_path: Path) -> None:
    """Its bytes are gone from the file's segments, not only its name."""
    database = Database(tmp_path / "headgate.db")
    kept = contents(database, b"first " * 50, b"personal " * 50, b"third " * 50)
    with closing(connect(database.path)) as connection:
        assert delete_content(connection, kept[1].hash)
        assert not delete_content(connection, kept[1].hash)
        assert read_content(connection, kept[1].hash) is None
        assert read_content(connection, kept[0].hash) == kept[0]
        assert read_content(connection, kept[2].hash) == kept[2]
        for row in (kept[0], kept[2]):
            delete_content(connection, row.hash)
        assert connection.execute("SELECT count(*) FROM content_segment").fetchone() == (0,)


def test_contents_are_compressed_together(tmp_path: Path) -> None:
    """Prompts that are alike share what they have in common."""
    database = Database(tmp_path / "headgate.db")
    contents(database, *[b"You are a helpful keeper of the weir. Question %d" % n for n in range(200)])
    with closing(connect(database.path)) as connection:
        segments, size = connection.execute(
            "SELECT count(*), sum(length(data)) FROM content_segment"
        ).fetchone()
    assert segments == 1 and size < 200 * 48 / 4


def test_a_content_is_stored_once_by_its_hash(tmp_path: Path) -> None:
    """Also by another writer that has never seen it, and without leaving its bytes a second time."""
    database = Database(tmp_path / "headgate.db")
    contents(database, b"same")
    contents(database, b"same")
    with closing(connect(database.path)) as connection:
        assert connection.execute("SELECT count(*) FROM content").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM content_segment").fetchone() == (1,)


def test_a_batch_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Rows, contents and position come together or not at all; then the same batch is stored."""
    database = Database(tmp_path / "headgate.db")
    sink = SqliteSink(database)
    batch = Batch(
        journal="j",
        position=Position(2, 2),
        requests=[RequestRow(1, 2, "t")],
        attempts=[AttemptRow(2, 1, 1, "p", "m")],
        contents=[Content(hash="aa", kind="k", data=b"x", size=1)],
    )
    database.prepare()
    with closing(connect(database.path)) as connection:
        connection.execute(
            "CREATE TRIGGER no BEFORE INSERT ON journal_position BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        with pytest.raises(StoreUnavailable, match="no"):
            sink.write(batch)
        for table in ("request", "attempt", "content", "content_segment"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
        connection.execute("DROP TRIGGER no")
        sink.write(batch)
        for table in ("request", "attempt", "content", "content_segment"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
    sink.close()


def test_two_processes_may_write_at_once(tmp_path: Path) -> None:
    """Each waits for the other's transaction; nothing is refused, lost or doubled."""
    failures: list[Exception] = []

    def write(first: int) -> None:
        sink = SqliteSink(Database(tmp_path / "headgate.db"))
        try:
            for number in range(first, first + 40):
                same = Content(hash=f"{number % 5:032x}", kind="k", data=b"%d" % (number % 5), size=1)
                rows = [RequestRow(number, 0, "t")]
                sink.write(
                    Batch(journal=f"j{first}", position=Position(1, number), requests=rows, contents=[same])
                )
        except Exception as failure:
            failures.append(failure)
        finally:
            sink.close()

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with opened(tmp_path / "headgate.db") as connection:
        assert connection.execute("SELECT count(*), count(DISTINCT id) FROM request").fetchone() == (80, 80)
        assert connection.execute("SELECT count(*) FROM content").fetchone() == (5,)
        assert connection.execute("SELECT count(*) FROM content_segment").fetchone() == (5,)


def test_a_file_that_was_taken_away_is_made_anew(tmp_path: Path) -> None:
    """After an error everything is found out afresh; the writer goes on by itself."""
    database = Database(tmp_path / "headgate.db")
    sink = SqliteSink(database)
    batch = Batch(journal="j", position=Position(1, 1), requests=[RequestRow(1, 2, "t")])
    sink.write(batch)
    with closing(connect(database.path)) as connection:
        connection.execute("ALTER TABLE request RENAME TO lost")
    with pytest.raises(StoreUnavailable):
        sink.write(batch)
    for name in ("headgate.db", "headgate.db-wal", "headgate.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    sink.write(batch)
    sink.close()
    with opened(database.path) as connection:
        assert connection.execute("SELECT id FROM request").fetchall() == [(1,)]
