"""Whose task a request is: one serves those of a connection, and none waits for another."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from typing import Any

import pytest

from tests.support.aio import aio
from tests.support.raw_connection import RawConnection, echo

__all__: list[str] = []

GET = b"GET /a HTTP/1.1\r\nhost: h\r\n\r\n"


def others() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


class Noting:
    """An app that remembers who ran it, and is not done with its answer."""

    def __init__(self) -> None:
        self.tasks: list[Any] = []
        self.after = asyncio.Event()
        self.after.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.tasks.append(asyncio.current_task())
        assert scope["headgate.turn"].task is self.tasks[-1]
        await echo(scope, receive, send)
        await self.after.wait()


@aio
async def test_one_task_serves_the_requests_of_a_connection() -> None:
    """It counts as under way only while there is one."""
    app = Noting()
    raw = RawConnection(app)
    for _ in range(3):
        assert await raw.say(GET)
        assert not raw.state.tasks
    assert len(set(app.tasks)) == 1 and others() == set(app.tasks)


@aio
async def test_a_request_does_not_wait_for_what_the_one_before_has_left_to_do() -> None:
    """Its answer is out already; somebody else serves the next one."""
    app = Noting()
    raw = RawConnection(app)
    app.after.clear()
    for number in range(3):
        assert await raw.say(GET)
        assert len(raw.state.tasks) == number + 1
    app.after.set()
    await raw.settle()
    assert len(set(app.tasks)) == 3 and not raw.state.tasks
    assert len(others()) == 1, "one of them is enough"


@pytest.mark.parametrize("asked", [0, 1, 2])
@aio
async def test_with_the_connection_its_task_ends(asked: int) -> None:
    """Whether it has served anything or not."""
    raw = RawConnection(Noting())
    for _ in range(asked):
        await raw.say(GET)
    raw.leave()
    await raw.settle()
    assert not others()


@aio
async def test_nothing_of_a_request_stays_with_a_connection_that_idles() -> None:
    """There are many of them, for long, and a body may be large. The collector does not have to look."""

    class Large:
        pass

    left: list[weakref.ref[Large]] = []

    async def keeping(scope: Any, receive: Any, send: Any) -> None:
        scope["kept"] = large = Large()
        left.append(weakref.ref(large))
        await echo(scope, receive, send)

    raw = RawConnection(keeping)
    for _ in range(2):
        await raw.say(GET)
    raw.scopes.clear()
    assert [each() for each in left] == [None, None] and not raw.transport.closed


@aio
async def test_nothing_stays_of_a_request_that_fails_after_its_answer() -> None:
    """The connection goes on, and the error would hold all that it came through."""

    class Large:
        pass

    left: list[weakref.ref[Large]] = []

    async def breaking(scope: Any, receive: Any, send: Any) -> None:
        large = Large()
        left.append(weakref.ref(large))
        await echo(scope, receive, send)
        raise LookupError("a bug")

    raw = RawConnection(breaking)
    logging.disable()  # pytest keeps what is logged
    try:
        await raw.say(GET)
    finally:
        logging.disable(logging.NOTSET)
    raw.scopes.clear()
    gc.collect()
    assert left[0]() is None and not raw.transport.closed


@pytest.mark.parametrize("asked", [0, 2])
@aio
async def test_a_connection_that_is_over_is_gone(asked: int) -> None:
    """Not when the collector looks, which is seldom."""
    raw = RawConnection()
    for _ in range(asked):
        await raw.say(GET)
    raw.leave()
    await raw.settle()
    # What a real loop and a real transport let go of by themselves.
    raw.time._timers.clear()
    raw.transport.connection = None
    raw.scopes.clear()
    # Only the connection holds it; compiled, a connection itself cannot be watched so.
    gone = weakref.ref(raw.transport)
    gc.disable()
    try:
        del raw
        assert gone() is None
    finally:
        gc.enable()


@aio
async def test_a_request_is_not_given_to_a_task_that_is_about_to_end() -> None:
    """It was cancelled while it rested, and has not noticed."""
    app = Noting()
    raw = RawConnection(app)
    await raw.say(GET)
    app.tasks[0].cancel()
    assert b" 200 " in await raw.say(GET)
    assert len(set(app.tasks)) == 2 and not raw.state.tasks


@aio
async def test_a_request_that_fails_is_the_last_of_its_task(caplog: pytest.LogCaptureFixture) -> None:
    """It is told so, and the connection closes."""

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("a bug")

    raw = RawConnection(broken)
    assert b" 500 " in await raw.say(GET)
    assert raw.transport.closed and not others() and not raw.state.tasks
    assert "a bug" in caplog.text


@pytest.mark.parametrize("rests", [True, False])
@aio
async def test_a_cancelled_task_leaves_no_request_without_an_answer(rests: bool) -> None:
    """Neither one that it was just given, nor the next."""
    app = Noting()
    raw = RawConnection(app)
    await raw.say(GET)
    (task,) = set(app.tasks)
    if rests:
        task.cancel()
        await raw.settle()
        assert b" 200 " in await raw.say(GET)
        assert len(set(app.tasks)) == 2
    else:
        raw.feed(GET)
        task.cancel()
        written = await raw.say(b"")
        assert b" 500 " in written and raw.transport.closed
    assert not raw.state.tasks
