"""When the caller leaves in the middle: drain for usage within bounds, then cancel."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from headgate.edge.turn import Turn
from headgate.exchange.exchange import Exchange

__all__ = ["Hangups", "Watch"]


class Hangups:
    """Knows which requests lost their caller. The provider goes on billing until it has noticed, so the answer is read a
    little longer for its usage; how long and how many at a time is bounded."""

    def __init__(self, *, seconds: float, most: int) -> None:
        self.seconds = seconds
        self.most = most
        self.draining = 0

    def watch(self, scope: MutableMapping[str, Any], turn: Turn | None, exchange: Exchange) -> Watch:
        """Watch the caller of the current task's request until `Watch.over`. turn: the scope's, if it has one."""
        task = turn.task if turn is not None else asyncio.current_task()
        return Watch(self, scope.get("headgate.connection"), exchange, task)


class Watch:
    """One request's caller."""

    __slots__ = ("_connection", "_deadline", "_exchange", "_hangups", "_task")

    def __init__(
        self, hangups: Hangups, connection: Any, exchange: Exchange, task: asyncio.Task[Any] | None
    ) -> None:
        """task: that of the request."""
        self._hangups = hangups
        self._exchange = exchange
        self._task = task
        self._deadline: asyncio.TimerHandle | None = None
        self._connection = connection
        if connection is not None:
            connection.on_hangup = self

    def __call__(self) -> None:
        """The caller is gone. Cancel now if nothing is worth waiting for, else when the time to drain is over."""
        exchange, task = self._exchange, self._task
        exchange.hung_up = True
        if task is None or task.done():
            return
        if self._hangups.draining >= self._hangups.most or not exchange.attempts:
            task.cancel()
            return
        self._hangups.draining += 1
        self._deadline = asyncio.get_running_loop().call_later(self._hangups.seconds, task.cancel)

    def over(self) -> None:
        """The request has ended."""
        if self._connection is not None and self._connection.on_hangup is not None:
            self._connection.on_hangup = None
        if self._deadline is not None:
            self._deadline.cancel()
            self._hangups.draining -= 1
            self._deadline = None
