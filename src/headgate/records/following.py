"""The writer in a process of its own, seen from inside: it follows the journal of the gateway that started it.

When the gateway is gone, it ends at once: what is not stored yet the next start stores.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import BinaryIO

import msgspec

from headgate.core.clock import Clock
from headgate.records.orders import Follow, Order, Standing
from headgate.records.pricing import Pricer
from headgate.records.writer import Writer
from headgate.stores.sink import Position, SpanSink

__all__ = ["FollowedJournal", "follow"]

_PAUSE_SECONDS = 0.2

_follow = msgspec.json.Decoder(Follow).decode
_line = msgspec.json.Encoder().encode


class FollowedJournal:
    """Another process's journal, as far as it has told."""

    def __init__(self, order: Order) -> None:
        self.directory = Path(order.directory)
        self.name = order.journal
        self.segment_bytes = order.segment_bytes
        self.end = Position(1, 0)
        self._lost: list[int] = []
        self._lock = threading.Lock()

    def heard(self, told: Follow) -> None:
        """It reaches further now."""
        with self._lock:
            self._lost += told.lost
        self.end = told.end

    def take_lost(self) -> list[int]:
        """See `Journal`."""
        with self._lock:
            lost, self._lost = self._lost, []
        return lost

    def bytes_after(self, position: Position) -> int:
        """See `Journal`."""
        return self.end.offset - position.offset if self.end.segment == position.segment else 0

    def close(self) -> None:
        """Nothing is ours to close."""


def follow(
    order: Order,
    lines: BinaryIO,
    answers: int,
    *,
    sink: SpanSink,
    pricer: Pricer,
    clock: Clock,
) -> None:
    """Store what is in the journal until told to stop, or until the gateway is gone. lines: what it says. answers: descriptor
    of the pipe to it."""
    journal = FollowedJournal(order)

    def say(done: bool | None = None) -> None:
        standing = Standing(
            stored=writer.stored,
            ready=writer.ready,
            failed=str(writer.failed)[:500] if writer.failed else "",
            counters=writer.counters,
            done=done,
        )
        try:
            os.write(answers, _line(standing) + b"\n")
        except OSError:
            return  # it is gone; the end of `lines` says so too

    # Nobody's event loop is disturbed here: short pauses are cheap.
    writer = Writer(journal, sink, pricer, clock, again=order.again, busy_pause=_PAUSE_SECONDS, stepped=say)
    writer.start()
    for line in lines:
        told = _follow(line)
        journal.heard(told)
        if told.stop_within is not None:
            say(writer.stop(told.stop_within))
            return
    writer.leave()
