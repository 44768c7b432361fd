"""The connections to one origin: who may have one, in which order, and where used ones go.

A slot is the right to have one connection open. Every path that takes one gives it back exactly once: a connection
says `gone`, a failed dial calls `free_slot`, a waiter that is cancelled passes on what it had just been given.
"""

from __future__ import annotations

import asyncio
from collections import deque

from headgate.providers.transport.connection import Connection, Stage
from headgate.providers.transport.parsing import HeadLimits

__all__ = ["Lane"]


class Lane:
    """The pool of one origin. Not for threads: every method runs in the event loop."""

    def __init__(self, max_connections: int, keepalive_seconds: float, limits: HeadLimits) -> None:
        self.keepalive_seconds = keepalive_seconds
        self.limits = limits
        self._max = max_connections
        self._slots = 0
        self._idle: dict[
            Connection, None
        ] = {}  # last in, first out; a dict because the dead leave from the middle
        self._busy: set[Connection] = set()
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._retired = False

    @property
    def open(self) -> int:
        """Slots taken: connections idle, busy or being made."""
        return self._slots

    @property
    def idle(self) -> int:
        """Connections kept for the next request."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot."""
        return sum(not waiter.done() for waiter in self._waiting)

    def take_idle(self) -> Connection | None:
        """The connection used last, or None."""
        if not self._idle:
            return None
        connection = self._idle.popitem()[0]
        self._busy.add(connection)
        return connection

    async def acquire(self, *, first: bool = False) -> Connection | None:
        """A slot to open a connection with (None), or somebody's connection that has just come free.

        first: before all who wait already; for a request that had its turn once."""
        if self._slots < self._max:
            self._slots += 1
            return None
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        if first:
            self._waiting.appendleft(waiter)
        else:
            self._waiting.append(waiter)
        try:
            return await waiter
        except BaseException:
            self._leave(waiter)
            raise

    def adopt(self, connection: Connection) -> None:
        """A connection was made with an acquired slot."""
        self._busy.add(connection)

    def free_slot(self) -> None:
        """An acquired slot led to no connection."""
        self._slots -= 1
        self._grant()

    def swap_for_slot(self, connection: Connection) -> None:
        """Close a connection and keep its slot."""
        self._slots += 1
        connection.close()

    def ready(self, connection: Connection) -> None:
        """The connection can serve another request: the longest waiting one, or the next to come."""
        if self._retired:
            connection.close()
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._busy.discard(connection)
        self._idle[connection] = None

    def gone(self, connection: Connection) -> None:
        """The connection is closed. One that was never adopted has no slot: whoever dialled it still holds that."""
        if connection in self._busy:
            self._busy.remove(connection)
        elif connection in self._idle:
            del self._idle[connection]
        else:
            return
        self.free_slot()

    def retire(self) -> None:
        """Keep nothing from now on. Exchanges under way go on to their end."""
        self._retired = True
        for connection in list(self._idle):
            connection.close()

    def close(self) -> None:
        """Break off everything."""
        self.retire()
        for connection in list(self._busy):
            connection.close()

    def _grant(self) -> None:
        while self._waiting and self._slots < self._max:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._slots += 1
                waiter.set_result(None)

    def _leave(self, waiter: asyncio.Future[Connection | None]) -> None:
        if waiter.cancelled() or not waiter.done():
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            return
        given = waiter.result()  # granted in the very turn in which we were cancelled
        if given is None:
            self.free_slot()
        elif given.stage is Stage.IDLE:
            self.ready(given)
