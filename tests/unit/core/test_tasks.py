"""Ending tasks."""

from __future__ import annotations

import asyncio

import pytest

from headgate.core import tasks
from tests.support.aio import aio

__all__: list[str] = []


@aio
async def test_a_task_that_lost_its_cancellation_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if it loses several."""
    monkeypatch.setattr(tasks, "AGAIN_SECONDS", 0.01)
    lost = 0

    async def deaf() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
                if lost == 3:
                    raise

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    await tasks.ended(task)
    assert task.cancelled()
    assert lost == 3


@aio
async def test_whatever_tasks_end_with_is_nobody_elses_affair() -> None:
    """One fails on the way out, one was over before, one never was."""

    async def fails() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise RuntimeError("on the way out")

    async def nothing() -> None:
        return

    failing, over = asyncio.create_task(fails()), asyncio.create_task(nothing())
    await asyncio.sleep(0)
    await tasks.ended(failing, over, None)
    assert failing.done()
    assert over.done()
    assert not over.cancelled()
    await tasks.ended()
