"""The server: reached from one thread with an event loop of its own, brought to the present schema, and asked questions.

A loop of its own, because the record writer is a thread that waits, the gateway an event loop that must not, and a test or
a command comes with yet another loop: all of them share these connections.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from headgate.stores.address import shown_database
from headgate.stores.backends.postgres.migrate import prepare
from headgate.stores.errors import StoreError, StoreRefused, StoreUnavailable

if TYPE_CHECKING:
    from asyncpg import Connection, Pool

__all__ = ["Database", "Taken"]

T = TypeVar("T")
Question = Callable[["Connection"], Awaitable[T]]
"""What is asked on a connection that is its own for so long."""

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
WRITE_SECONDS = 60.0
"""For a batch of records: it may wait for those of other nodes."""
MIGRATE_SECONDS = 600.0
_CLOSE_SECONDS = 5.0
_MOST_CONNECTIONS = 4
_LONGEST_TEXT = 500
_SESSION = {
    "application_name": "headgate",
    # Of a node that was cut off in the middle of a transaction: its locks must not stop the others for hours.
    "idle_in_transaction_session_timeout": "30s",
    "lock_timeout": "30s",
    # Our questions are short; compiling them takes longer than answering.
    "jit": "off",
}


class Taken(Exception):
    """A row of that key is there already."""


class Database:
    """One database and what is needed to talk to it. Made without touching the network; the first question does."""

    def __init__(
        self, url: str, *, connect_seconds: float = CONNECT_SECONDS, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        """url: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`; parameters after `?` as in libpq, `sslmode` for one.
        connect_seconds, answer_seconds: the longest wait for a connection, and for an answer where no other is given."""
        self.shown = shown_database(url)
        self._url = url
        self._connect_seconds = connect_seconds
        self._answer_seconds = answer_seconds
        self._starting = threading.Lock()
        self._line: _Line | None = None

    async def run(self, question: Question[T], *, seconds: float | None = None) -> T:
        """Ask, from any event loop. Raises StoreUnavailable, StoreTooNew, Taken."""
        return await asyncio.wrap_future(self._begin(question, seconds))

    def ask(self, question: Question[T], *, seconds: float | None = None) -> T:
        """Ask and wait, from a thread that may. Raises as `run`."""
        return self._begin(question, seconds).result()

    def _begin(self, question: Question[T], seconds: float | None) -> Future[T]:
        with self._starting:
            if self._line is None:
                self._line = _Line(self._url, self.shown, self._connect_seconds)
            asked = self._line.ask(question, seconds or self._answer_seconds)
            return asyncio.run_coroutine_threadsafe(asked, self._line.loop)

    async def probe(self) -> None:
        """A real write and read, for `/readyz`. Raises StoreUnavailable."""
        await self.run(_write_and_read)

    async def close(self) -> None:
        """Finish what is being asked and let go. Idempotent; a later question opens anew."""
        with self._starting:
            line, self._line = self._line, None
        if line is not None:
            await asyncio.to_thread(line.close)


class _Line:
    """The thread, its loop, and a few connections that are used in it alone."""

    def __init__(self, url: str, shown: str, connect_seconds: float) -> None:
        self.loop = asyncio.new_event_loop()
        self._url = url
        self._shown = shown
        self._connect_seconds = connect_seconds
        self._pool: Pool[Any] | None = None
        self._prepared = False
        self._preparing = asyncio.Lock()
        self._thread = threading.Thread(target=self._run, name="headgate-database", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()

    async def ask(self, question: Question[T], seconds: float) -> T:
        """In this thread. Nobody waits for ever: not for a connection, not for an answer."""
        asyncpg = _driver()
        try:
            if not self._prepared:
                await self._prepare()
            return await self._on_a_connection(question, seconds)
        except TimeoutError as error:
            raise StoreUnavailable(f"database {self._shown}: no answer in time") from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            if isinstance(error, asyncpg.UndefinedTableError):
                # Made anew behind our back, or restored from nothing: the next question finds out.
                self._prepared = False
            refused = isinstance(
                error,
                asyncpg.DataError
                | asyncpg.IntegrityConstraintViolationError
                | asyncpg.ProgramLimitExceededError,
            )
            kind = StoreRefused if refused else StoreUnavailable
            raise kind(f"database {self._shown}: {str(error)[:_LONGEST_TEXT]}") from error
        except (OSError, ValueError) as error:  # ValueError: an address that cannot be one
            raise StoreUnavailable(f"database {self._shown}: {str(error)[:_LONGEST_TEXT]}") from error

    async def _prepare(self) -> None:
        async with self._preparing:
            if not self._prepared:
                await self._on_a_connection(self._bring_up_to_date, MIGRATE_SECONDS)
                self._prepared = True

    async def _bring_up_to_date(self, connection: Connection) -> None:
        await prepare(connection, self._connect, self._shown)

    async def _connect(self) -> Connection:
        return await _driver().connect(self._url, timeout=self._connect_seconds, server_settings=_SESSION)

    async def _on_a_connection(self, question: Question[T], seconds: float) -> T:
        if self._pool is None:
            self._pool = _driver().create_pool(
                self._url,
                min_size=0,
                max_size=_MOST_CONNECTIONS,
                timeout=self._connect_seconds,
                server_settings=_SESSION,
            )
            await self._pool
        connection: Any = await self._pool.acquire(timeout=self._connect_seconds)
        try:
            async with asyncio.timeout(seconds):
                return await question(connection)
        except _driver().UniqueViolationError as error:
            raise Taken(str(error)) from error
        except BaseException:
            # Whatever state it is in, nobody shall meet it again; saying goodbye could take for ever.
            connection.terminate()
            raise
        finally:
            await self._pool.release(connection)

    def close(self) -> None:
        """Blocking, from another thread."""
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    async def _close(self) -> None:
        if self._pool is not None:
            try:
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self._pool.close()
            except TimeoutError:
                self._pool.terminate()
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=_CLOSE_SECONDS)


async def _write_and_read(connection: Connection) -> None:
    stamp = os.urandom(8)
    found = await connection.fetchval(
        "INSERT INTO installation (name, value) VALUES ('probe', $1) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value RETURNING value",
        stamp,
    )
    if found != stamp:
        raise OSError("a row that was just written is not there")


def _driver() -> Any:
    try:
        import asyncpg  # noqa: PLC0415 - an extra, and who keeps a file needs not pay for it
    except ImportError:
        raise StoreError(
            "`server.database` on PostgreSQL needs the driver: pip install 'headgate[postgres]'"
        ) from None
    return asyncpg
