"""Frames that are delivered by calls, and those that can only be asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from headgate.core.frame import Frame
from headgate.exchange.pumping import Pumped, pump_one, pumped
from tests.support.aio import aio

__all__: list[str] = []

FRAMES = [Frame(b"%d" % number) for number in range(5)]


async def asked() -> AsyncIterator[Frame]:
    for frame in FRAMES:
        yield frame


class Calling:
    """Delivers by calls."""

    def __init__(self) -> None:
        self.left = list(FRAMES)

    def __aiter__(self) -> Calling:
        return self

    async def __anext__(self) -> Frame:
        if not self.left:
            raise StopAsyncIteration
        return self.left.pop(0)

    async def pump(self, deliver: Callable[[Frame], bool]) -> bool:
        while self.left:
            if not deliver(self.left.pop(0)):
                return False
        return True


class Delegating:
    """Has what another one has, as far as it is asked."""

    def __init__(self, frames: AsyncIterator[Frame]) -> None:
        self.frames = frames

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self.frames

    def __anext__(self):
        return self.frames.__anext__()


async def heard(frames: AsyncIterator[Frame], most: int) -> list[Frame]:
    """All frames, by a reader who is full after every `most`."""
    found: list[Frame] = []

    def deliver(frame: Frame) -> bool:
        found.append(frame)
        return len(found) % most > 0

    calling = pumped(frames)
    while not await (pump_one(frames, deliver) if calling is None else calling.pump(deliver)):
        pass
    return found


@aio
async def test_who_can_call_is_asked_to() -> None:
    """As the protocol has it, which costs more to be asked; the very same object."""
    every: list[AsyncIterator[Frame]] = [Calling(), asked(), Delegating(asked())]
    for frames in every:
        found: object = pumped(frames)
        assert found is (frames if isinstance(frames, Pumped) else None)


@aio
async def test_every_frame_comes_once_and_in_order() -> None:
    """By calls or by asking, whenever the reader is full."""
    for most in (1, 2, 5, 9):
        assert await heard(Calling(), most) == FRAMES
        assert await heard(asked(), most) == FRAMES
