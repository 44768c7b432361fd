"""The decorator that async tests stand under."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from tests.support.aio import aio, aio_within

__all__: list[str] = []


@pytest.fixture
def seven():
    return 7


@aio
async def test_an_async_test_runs_on_uvloop_and_gets_its_fixtures(seven):
    """`@aio` hides nothing from pytest."""
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
    assert seven == 7


def test_an_async_test_that_waits_forever_is_stopped():
    """The limit ends the test, not the patience of whoever watches."""

    @aio_within(0.01)
    async def waits():
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        waits()


def test_a_failed_assertion_reaches_pytest():
    """The decorator swallows nothing."""

    @aio
    async def fails():
        assert seven is None

    with pytest.raises(AssertionError):
        fails()


def test_a_task_left_behind_is_cancelled_with_the_loop():
    """A test cannot leave work running for the next one."""
    ended = []

    async def lingers():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    @aio
    async def leaves_a_task():
        task = asyncio.create_task(lingers())
        await asyncio.sleep(0)
        return task

    assert leaves_a_task().cancelled()
    assert ended == ["cancelled"]


def test_another_loop_can_be_asked_for():
    """Where the loop's kind is the subject, the test names it."""

    @aio_within(5, loop_factory=asyncio.new_event_loop)
    async def kind():
        return type(asyncio.get_running_loop()).__module__

    assert kind().startswith("asyncio.")
