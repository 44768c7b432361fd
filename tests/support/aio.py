"""Run an async test on a fresh event loop, with a limit: `@aio` above `async def test_...`."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["aio", "aio_within"]

P = ParamSpec("P")
T = TypeVar("T")


def aio_within(
    seconds: float, *, loop_factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, T]]:
    """Make an ordinary test of a coroutine function.

    seconds:       TimeoutError after so long; tasks still running at the end are cancelled and awaited.
    loop_factory:  pass `asyncio.new_event_loop` where the loop's kind is the subject of the test.
    """

    def decorate(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
        @functools.wraps(test)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            async def bounded() -> T:
                async with asyncio.timeout(seconds):
                    return await test(*args, **kwargs)

            with asyncio.Runner(loop_factory=loop_factory) as runner:
                return runner.run(bounded())

        return run

    return decorate


def aio(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """The usual case of `aio_within`: uvloop and 30 seconds."""
    return aio_within(30)(test)
