"""A step of the journey."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply

__all__ = ["Check", "Proceed", "Stage"]

Proceed = Callable[[Exchange], Awaitable[Reply]]
"""The rest of the journey. What a stage refuses with may be raised by the call already, not only by waiting for it."""


class Stage(Protocol):
    """Does its part on the way down, lets the rest proceed, does its part on the way up.

    May edit the request (`exchange.edit`), answer itself (return a Reply without proceeding), refuse (raise a
    GatewayError), change the reply (`reply.with_frames`), and leave work for the end (`exchange.on_close`).
    May be cancelled at any await: cleaning up belongs into `on_close` or `finally`, never behind a plain await.
    Mostly an `async def`. A stage that has nothing to do for a request may return what `proceed` returns.
    """

    def __call__(self, exchange: Exchange, proceed: Proceed, /) -> Awaitable[Reply]: ...


class Check(Stage, Protocol):
    """A stage that waits for nothing and does nothing on the way up. The journey only calls it, where any other stage is a
    coroutine that the reply comes back through."""

    def check(self, exchange: Exchange, /) -> None:
        """Let it pass, or refuse: raise a GatewayError."""
        ...
