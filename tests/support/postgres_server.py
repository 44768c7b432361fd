"""A real PostgreSQL on a free port, that can be killed, frozen and started again; each test gets a database of its own.

Where there is room, its files lie in memory: each new database is a thousand files, which cost a disk twice the CPU."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PostgresServer", "postgres_server"]

USER, PASSWORD = "tester", "p@ss/word"
_QUOTED = "p%40ss%2Fword"
_MEMORY = Path("/dev/shm")
_ROOM = 6 << 30
"""Bytes that have to be free there: all tests together make some 260 databases of nine megabytes each."""


class PostgresServer:
    """Keeps its files in a temporary folder and waits for no disk."""

    def __init__(self, folder: Path, programs: Path | None = None) -> None:
        """programs: a folder with another server's."""
        self._programs = programs
        self.port = free_port()
        self._folder = folder
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        # The server refuses to be root.
        self._user: int | None = None
        self._group: int | None = None
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._user, self._group = nobody.pw_uid, nobody.pw_gid
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        subprocess.run(
            [
                self._program("initdb"),
                f"--pgdata={folder / 'data'}",
                f"--username={USER}",
                f"--pwfile={folder / 'password'}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=60,
            user=self._user,
            group=self._group,
        )

    def url(self, database: str, *, password: str = _QUOTED) -> str:
        """Of one of its databases."""
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def new_database(self, options: str = "") -> str:
        """The URL of a new, empty database."""
        name = f"headgate_{next(self._numbers)}"
        self.run("postgres", f"CREATE DATABASE {name} {options}")
        return self.url(name)

    def run(self, database: str, statement: str) -> list[asyncpg.Record]:
        """Run one statement in a database, given by name or URL."""

        async def ask() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(database if "://" in database else self.url(database))
            try:
                return list(await connection.fetch(statement))
            finally:
                await connection.close()

        return asyncio.run(ask())

    def start(self) -> None:
        """Returns once it accepts connections."""
        options = [
            "fsync=off",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=60",
        ]
        options += [
            "shared_buffers=16MB",
            "log_min_messages=fatal",
            "max_wal_size=128MB",
            "min_wal_size=32MB",
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program("postgres"), "-D", str(self._folder / "data"), "-p", str(self.port)]
                + [word for option in options for word in ("-c", option)],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self._user,
                group=self._group,
            )
        due = time.monotonic() + 30
        while True:
            try:
                self.run("postgres", "SELECT 1")
            except (OSError, asyncpg.PostgresError):
                ended = self._process.poll() is not None
                if ended or time.monotonic() > due:
                    raise RuntimeError((self._folder / "log").read_text(errors="replace")) from None
                time.sleep(0.02)
            else:
                return

    def _program(self, name: str) -> str:
        return _program(name) if self._programs is None else str(self._programs / name)

    def kill(self) -> None:
        """At once, with all its connections. Idempotent."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        # SIGQUIT: the server's own `kill -9`, which takes its children along.
        process.send_signal(signal.SIGQUIT)
        process.wait(timeout=20)

    def freeze(self) -> None:
        """New connections are accepted by the kernel, nothing answers."""
        assert self._process is not None
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on as if nothing had been."""
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        for process in self._all():
            # A worker may end between being listed and being told.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    def _all(self) -> list[int]:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return [self._process.pid, *map(int, children.split())]


def _program(name: str) -> str:
    """Debian keeps the server's programs where no PATH looks."""
    found = shutil.which(name)
    if found is None:
        places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        assert places, f"there is no {name}: apt-get install postgresql"
        found = str(places[-1])
    return found


def _place() -> Path | None:
    """None: where temporary files lie."""
    # Containers often have a few megabytes there.
    roomy = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM
    return _MEMORY if roomy else None


@contextmanager
def postgres_server(programs: Path | None = None) -> Iterator[PostgresServer]:
    """Started, and killed at the end. programs: see `PostgresServer`."""
    # Not pytest's own folder: only its owner may look into that.
    folder = Path(tempfile.mkdtemp(prefix="headgate-postgres-", dir=_place()))
    try:
        server = PostgresServer(folder, programs)
        server.start()
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
