"""Frames that are delivered by calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol, runtime_checkable

from headgate.core.frame import Frame

__all__ = ["Pumped", "pump_one", "pumped"]


@runtime_checkable
class Pumped(Protocol):
    """Frames that can also be delivered by calls, as they arrive, without waking a task for each: half the cost of a
    streamed token. For readers that need no await between two frames."""

    async def pump(self, deliver: Callable[[Frame], bool]) -> bool:
        """Call `deliver` with every frame to come. True: that was all. False: `deliver` returned False, the reader cannot
        take more now; call again when it can. Raises as iterating does."""
        ...


def pumped(frames: AsyncIterator[Frame]) -> Pumped | None:
    """`frames`, if they can be delivered by calls. Asks for the method alone: `isinstance` of a protocol costs some 50,000
    instructions, as much as five tokens of a stream."""
    found: Any = frames if hasattr(frames, "pump") else None
    return found  # type: ignore[no-any-return]


async def pump_one(frames: AsyncIterator[Frame], deliver: Callable[[Frame], bool]) -> bool:
    """`pump` for frames that can only be asked for: delivers the next ones until `deliver` says stop."""
    async for frame in frames:
        if not deliver(frame):
            return False
    return True
