"""Ending tasks: cancel them, and go on only when they are over."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["AGAIN_SECONDS", "ended"]

AGAIN_SECONDS = 2.0
"""How long a cancelled task is waited for before it is told once more: enough to tidy up undisturbed."""


async def ended(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel them and wait until all are over, whatever they end with. None is passed over; one that is over stays as it is.

    Libraries can lose a cancellation that arrives together with what they wait for (redis-py's reading with a timeout
    does, on a busy machine): a task that lost it would go on for ever, and whoever waits for its end as well. So it is
    said again until it is heard.
    """
    left = {task for task in tasks if task is not None}
    while left:
        for task in left:
            task.cancel()
        over, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)
        for task in over:
            if not task.cancelled():
                task.exception()  # looked at, so that asyncio does not complain of it later
