"""The database file: brought to the present schema, and opened. All that the record writer's process needs of it."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

from headgate.stores.backends.sqlite.migrate import upgrade
from headgate.stores.errors import StoreRefused, StoreTooNew, StoreUnavailable

__all__ = ["VERSIONS", "DatabaseFile", "connect", "set_pragma", "unavailable"]

VERSIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
"""Every revision in `stores/migrations/versions`, oldest first; a test holds the two equal."""

BUSY_SECONDS = 5.0
_AGAIN_SECONDS = 0.01
_LONGEST_TEXT = 500

_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "temp_store=MEMORY",
    # 16 MB of log between two copies into the file: each copy waits for the disk twice.
    "wal_autocheckpoint=4000",
    # What is deleted inside a page is written over: a name must not stand in its gaps. Whole pages only where that is the purpose.
    "secure_delete=FAST",
)


def connect(path: Path) -> sqlite3.Connection:
    """A connection that begins no transactions by itself. Raises StoreUnavailable.

    synchronous=NORMAL: a power cut may lose the last transactions but never harms the file; a killed process loses none."""
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise unavailable(path, error) from error
    try:
        for pragma in _PRAGMAS:
            set_pragma(connection, pragma)
    except sqlite3.Error as error:
        connection.close()
        raise unavailable(path, error) from error
    return connection


def set_pragma(connection: sqlite3.Connection, pragma: str) -> None:
    """Such as `journal_mode=WAL`. Raises sqlite3.Error, also if it is still busy after BUSY_SECONDS."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute(f"PRAGMA {pragma}")
        except sqlite3.OperationalError as error:
            # While another process turns a new file to WAL, SQLite says that it is busy without waiting as it was told to.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(_AGAIN_SECONDS)
        else:
            return


def unavailable(path: Path, error: sqlite3.Error) -> StoreUnavailable:
    """What to raise for an error of the driver."""
    refused = isinstance(error, sqlite3.DataError | sqlite3.IntegrityError)
    kind = StoreRefused if refused else StoreUnavailable
    return kind(f"database {path}: {str(error)[:_LONGEST_TEXT]}")


class DatabaseFile:
    """One file. Made without touching the disk; `prepare` or the first connection does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._prepared = False
        self._preparing = threading.Lock()

    def prepare(self) -> None:
        """Create the file, or bring an older one to the present schema. Any thread, any number of times, any number
        of processes at once. Raises StoreTooNew, StoreUnavailable."""
        with self._preparing:
            if not self._prepared or not self.path.exists():
                try:
                    self.path.parent.mkdir(parents=True, exist_ok=True)
                    # Prompts are in it: nobody else on the machine needs to read them.
                    os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
                except OSError as error:
                    raise StoreUnavailable(f"database {self.path}: {error}") from error
                _bring_up_to_date(self.path)
                self._prepared = True

    def open(self) -> sqlite3.Connection:
        """A new connection to the prepared file, for the caller alone."""
        self.prepare()
        return connect(self.path)


def _bring_up_to_date(path: Path) -> None:
    connection = connect(path)
    try:
        # Exclusive from the start: of two processes that find no tables, one waits and then finds them.
        connection.execute("BEGIN EXCLUSIVE")
        version = _version(connection)
        if version is None:
            _create(connection)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise unavailable(path, error) from error
    finally:
        connection.close()
    if version is None or version == VERSIONS[-1]:
        return
    if version not in VERSIONS:
        raise StoreTooNew(
            f"database {path} has schema {version}, this Headgate knows up to {VERSIONS[-1]}: "
            f"start the newer Headgate that wrote it, or point `server.database` at another file"
        )
    upgrade(path)


def _version(connection: sqlite3.Connection) -> str | None:
    found: Any = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
    if found is None:
        return None
    row: Any = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else ""


def _create(connection: sqlite3.Connection) -> None:
    """The present schema at once, marked as if every migration had run: a new file needs no Alembic (1.7 s to import)."""
    schema = files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
    for statement in schema.split(";\n"):
        # Not executescript: it would commit the transaction that keeps a second process out.
        connection.execute(statement)
    connection.execute(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
        "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    connection.execute("INSERT INTO alembic_version (version_num) VALUES (?)", (VERSIONS[-1],))
