"""Who runs the app for the turns of a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from headgate.edge.turn import Turn

if TYPE_CHECKING:
    from headgate.edge.connection import Connection

__all__ = ["App", "Serving"]

App = Callable[..., Coroutine[Any, Any, None]]


class Serving:
    """One task that serves turn after turn: one for each would cost more than all else that a connection does for it. A turn
    that begins while the one before is still being closed gets a task of its own."""

    __slots__ = ("_app", "_coming", "_connection", "_loop", "_resting", "_tasks")

    def __init__(
        self,
        connection: Connection,
        app: App,
        loop: asyncio.AbstractEventLoop,
        tasks: set[asyncio.Task[None]],
    ) -> None:
        """tasks: has in it those that serve a turn now."""
        self._connection = connection
        self._app = app
        self._loop = loop
        self._tasks = tasks
        self._resting: asyncio.Task[None] | None = None
        """The one that has no turn now, and waits for `_coming`."""
        self._coming: asyncio.Future[Turn | None] | None = None

    def begin(self, turn: Turn) -> None:
        """Run the app for it."""
        resting, coming = self._resting, self._coming
        if resting is None or coming is None or coming.done():
            # There is none, or it has been cancelled and is about to end.
            turn.task = self._loop.create_task(self._serve(turn))
        else:
            turn.task = resting
            self._wake(turn)
        self._tasks.add(turn.task)

    def end(self) -> None:
        """No turn will come."""
        if self._resting is not None:
            self._wake(None)

    def _wake(self, turn: Turn | None) -> None:
        coming, self._coming, self._resting = self._coming, None, None
        if coming is not None and not coming.done():
            coming.set_result(turn)

    async def _serve(self, turn: Turn | None) -> None:
        while turn is not None:
            task = turn.task
            bug: BaseException | None = None
            try:
                # At once, without a coroutine around it: it would be walked through again for every streamed token.
                await self._app(turn.scope, turn.receive, turn.send)
            except BaseException as end:  # noqa: BLE001 - raised again if it is about more than this request
                bug = end
            self._over(turn, bug)
            if bug is not None and not isinstance(bug, Exception):
                raise bug
            if self._connection.closing or self._resting is not None:
                return
            # Nothing of a request stays with a connection that idles, and an error holds all that it came through.
            turn = bug = None
            coming = self._coming = self._loop.create_future()
            self._resting = task
            try:
                turn = await coming
            except asyncio.CancelledError as end:
                if self._resting is task:
                    self._resting = None
                if coming.done() and not coming.cancelled() and (missed := coming.result()) is not None:
                    self._over(missed, end)

    def _over(self, turn: Turn, bug: BaseException | None) -> None:
        if turn.task is not None:
            self._tasks.discard(turn.task)
        self._connection.app_returned(turn, bug)
