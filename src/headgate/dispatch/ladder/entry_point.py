"""Rung `python`: a function of the operator's, called in a thread with a deadline, so that it can stop nobody."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from headgate.dispatch.ladder.answer import NoAnswer

__all__ = ["SECONDS", "Function", "Functions", "load"]

SECONDS = 2.0
"""The longest a function may take."""
_MOST_AT_ONCE = 32

Function = Callable[[dict[str, Any]], object]
"""`def answer(request: dict) -> str | None`, or the same as `async def`."""

log = logging.getLogger("headgate.dispatch")


def load(target: str) -> Function:
    """The function behind `package.module:function`. Runs the module's code. Raises ValueError in words."""
    module, _, path = target.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
    except Exception as failure:
        hint = "; is it installed, or its folder on PYTHONPATH?" if isinstance(failure, ImportError) else ""
        raise ValueError(f"cannot load {target}: {type(failure).__name__}: {failure}{hint}") from failure
    if not callable(found):
        kind = type(found).__name__
        raise ValueError(f"{target} is no function but a {kind}")  # noqa: TRY004 - a setting is wrong, not our code
    function: Function = found
    return function


class Functions:
    """Calls functions, each call in a thread of its own, bounded in number.

    Daemon threads, not a pool: one that never returns must not keep the process from stopping."""

    def __init__(self, *, most_at_once: int = _MOST_AT_ONCE) -> None:
        self._most = most_at_once
        self._running = 0

    async def ask(self, function: Function, request: dict[str, Any], *, seconds: float = SECONDS) -> str:
        """What it says. Raises NoAnswer within `seconds`; a thread that is still busy then goes on, and counts."""
        if self._running >= self._most:
            raise NoAnswer(f"{self._running} calls of functions are still running")
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[object] = loop.create_future()

        def over(said: object, failure: BaseException | None) -> None:
            self._running -= 1
            if outcome.done():
                return
            if failure is None:
                outcome.set_result(said)
            else:
                outcome.set_exception(_Broke(failure))

        def run() -> None:
            said, failure = _said(function, request, seconds)
            # The loop may be gone: then nobody waits any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(over, said, failure)

        self._running += 1
        threading.Thread(target=run, name="degrade", daemon=True).start()
        try:
            async with asyncio.timeout(seconds):
                said = await outcome
        except TimeoutError:
            raise NoAnswer(f"no answer within {seconds:g} s") from None
        except _Broke as broke:
            cause = broke.__cause__
            log.warning("a function of the degrade ladder failed", exc_info=broke.cause)
            raise NoAnswer(f"it raised {type(broke.cause).__name__}") from cause
        if said is None or said == "":
            raise NoAnswer("it had nothing to say")
        if not isinstance(said, str):
            raise NoAnswer(f"it returned a {type(said).__name__}, not text")
        return said


class _Broke(Exception):
    """The function raised. Wrapped: a StopIteration, for one, cannot travel through a future."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _said(function: Function, request: dict[str, Any], seconds: float) -> tuple[object, BaseException | None]:
    try:
        said = function(request)
        if inspect.isawaitable(said):
            said = asyncio.run(_awaited(said, seconds))
    except BaseException as failure:  # noqa: BLE001 - handed to whoever waits, who says so
        return None, failure
    return said, None


async def _awaited(said: Awaitable[object], seconds: float) -> object:
    async with asyncio.timeout(seconds):
        return await said
