"""Run an async test once on uvloop and once on asyncio's own loop: for code that sits right on the event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["on_each_loop"]

_LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "uvloop": uvloop.new_event_loop,
    "asyncio": asyncio.new_event_loop,
}


def on_each_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[str], None]:
    """Make two tests of a coroutine function without arguments, each bounded to 30 seconds."""

    @pytest.mark.parametrize("loop_kind", sorted(_LOOPS))
    def run(loop_kind: str) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(30):
                await test()

        with asyncio.Runner(loop_factory=_LOOPS[loop_kind]) as runner:
            runner.run(bounded())

    run.__name__, run.__qualname__, run.__doc__ = test.__name__, test.__qualname__, test.__doc__
    run.__module__ = test.__module__
    return run
