"""While a stream has no first word yet: SSE comments, so that nothing between here and the caller closes a silent connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from headgate.exchange.exchange import Exchange

__all__ = ["Waiting"]

Headers = list[tuple[bytes, bytes]]
Begin = Callable[[int, Headers, bytes], None]
"""`edge.turn.Turn.begin`, where the server is ours."""
COMMENT = b": waiting\n\n"


class Waiting:
    """One stream's caller, kept company. The first comment commits the reply to status 200: whatever goes wrong after it
    is told as an error event."""

    __slots__ = ("_begin", "_exchange", "_headers", "_push", "_seconds", "_timer", "begun")

    def __init__(
        self,
        exchange: Exchange,
        begin: Begin,
        push: Callable[[bytes], bool],
        headers: Callable[[], Headers],
        *,
        seconds: float,
    ) -> None:
        """headers: the reply's, as far as they are known. seconds: of silence before each comment."""
        self.begun = False
        self._exchange = exchange
        self._begin = begin
        self._push = push
        self._headers = headers
        self._seconds = seconds
        self._timer = asyncio.get_running_loop().call_later(seconds, self._say)

    def _say(self) -> None:
        if self._exchange.hung_up:
            return
        if self.begun:
            self._push(COMMENT)
        else:
            self._begin(200, self._headers(), COMMENT)
            self.begun = True
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._say)

    def over(self) -> None:
        """The first word is there, or none will come."""
        self._timer.cancel()
