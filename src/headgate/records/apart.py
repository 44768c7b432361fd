"""The writer in a process of its own, seen from the gateway: started, told how far the journal reaches, asked how far it has come.

In a thread of the gateway the writer takes the interpreter from the event loop in the middle of its work, and no second
processor helps. The two processes share the journal's file, and a line of JSON each way now and then. The journal's lock is
held by both: it is a dead one's only when both are gone, so that no other process stores what this one is still storing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
from collections.abc import Sequence

import msgspec

from headgate.core.clock import Clock
from headgate.records.journal import Journal
from headgate.records.orders import Follow, Order, Standing
from headgate.records.writer import WriterCounters
from headgate.stores.errors import StoreUnavailable
from headgate.stores.sink import Position

__all__ = ["WriterApart"]

_log = logging.getLogger("headgate.records")

_TICK_SECONDS = 0.2
_RETRY_SECONDS = 1.0
_GRACE_SECONDS = 2.0
_LOST_AT_ONCE = 100


_order = msgspec.json.Encoder().encode
_standing = msgspec.json.Decoder(Standing).decode


class WriterApart:
    """As `Writer`, whose face it has. Belongs to the event loop's thread."""

    def __init__(self, journal: Journal, command: Sequence[str], order: Order, clock: Clock) -> None:
        """command: starts the writer; `order` goes to its standard input."""
        self.counters = WriterCounters()
        self.failed: Exception | None = None
        """Why the last batch could not be stored; None when all is well."""
        self.ready = False
        """Is everything from earlier processes stored, and this one followed?"""
        self._journal = journal
        self._command = command
        self._order = order
        self._clock = clock
        self._stored = journal.end
        self._told = journal.end
        self._process: subprocess.Popen[bytes] | None = None
        self._heard = b""
        self._before = WriterCounters()
        """What writers before this one had done."""
        self._done: bool | None = None
        self._stopping = False
        self._ended = asyncio.Event()
        self._tick: asyncio.TimerHandle | None = None
        self._lost: list[int] = []

    @property
    def caught_up(self) -> bool:
        """Is everything stored that the journal holds?"""
        return self._stored == self._journal.end

    @property
    def lag_bytes(self) -> int:
        """How much of the journal is not stored yet, across its segments roughly."""
        return self._journal.bytes_after(self._stored)

    @property
    def process_id(self) -> int | None:
        """Of the writer; None while there is none."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Begin. Raises OSError if no process can be started."""
        self._spawn(again=False)
        self._tell_soon()

    def _spawn(self, *, again: bool) -> None:
        self._process = process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(self._journal.lock_fd,),
            # Ctrl-C and a service manager's signals are for the gateway, which tells its writer when to end.
            start_new_session=True,
        )
        assert process.stdin is not None and process.stdout is not None
        for pipe in (process.stdin, process.stdout):
            os.set_blocking(pipe.fileno(), False)
        self._heard = b""
        self._told = Position(0, 0)
        asyncio.get_running_loop().add_reader(process.stdout.fileno(), self._hear)
        self._write(msgspec.structs.replace(self._order, again=again))

    def _tell_soon(self) -> None:
        self._tick = asyncio.get_running_loop().call_later(_TICK_SECONDS, self._on_tick)

    def _on_tick(self) -> None:
        self._tell()
        self._tell_soon()

    def _tell(self, stop_within: float | None = None) -> None:
        end = self._journal.end
        self._lost += self._journal.take_lost()
        if end == self._told and not self._lost and stop_within is None:
            return
        some = self._lost[:_LOST_AT_ONCE]
        if self._write(Follow(end=end, lost=some, stop_within=stop_within)):
            self._told, self._lost = end, self._lost[len(some) :]

    def _write(self, line: Order | Follow) -> bool:
        """False: it is not there, or does not read just now; the next line says more."""
        process = self._process
        if process is None or process.stdin is None:
            return False
        data = _order(line) + b"\n"
        try:
            # Shorter than a pipe's page, so written whole or not at all.
            return os.write(process.stdin.fileno(), data) == len(data)
        except (BlockingIOError, BrokenPipeError):
            return False

    def _hear(self) -> None:
        process = self._process
        if process is None or process.stdout is None:
            return
        try:
            data = os.read(process.stdout.fileno(), 65_536)
        except BlockingIOError:
            return
        if not data:
            self._gone(process)
            return
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            self._take(_standing(line))

    def _take(self, said: Standing) -> None:
        self._stored = max(self._stored, said.stored)
        self.ready = self.ready or said.ready
        self.failed = StoreUnavailable(said.failed) if said.failed else None
        self.counters = _sum(self._before, said.counters)
        if said.done is not None:
            self._done = said.done

    def _gone(self, process: subprocess.Popen[bytes]) -> None:
        asyncio.get_running_loop().remove_reader(_fd(process))
        self._process = None
        _close(process)
        if self._stopping:
            self._ended.set()
            return
        self._before = self.counters
        code = process.returncode
        self.failed = StoreUnavailable(f"the record writer's process ended by itself (status {code})")
        _log.error("the record writer's process ended by itself (status %s); it is started again", code)
        asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._again)

    def _again(self) -> None:
        if self._stopping:
            return
        try:
            self._spawn(again=True)
        except OSError as failure:
            self.failed = failure
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._again)

    async def aclose(self, seconds: float) -> bool:
        """Close the journal, store what is in it for up to `seconds`, and end. True: all is stored and the journal's files
        are gone. False: the next start stores the rest. Nothing may be appended afterwards."""
        self._journal.close()
        if self._tick is not None:
            self._tick.cancel()
        self._stopping = True
        process = self._process
        if process is None:
            return False
        self._tell(stop_within=seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds + _GRACE_SECONDS):
                await self._ended.wait()
        if self._process is not None:
            process.kill()
            self._gone(process)
        return self._done is True


def _fd(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    return process.stdout.fileno()


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    # It has closed its end of the pipe as its last act, so this returns at once.
    process.wait()


def _sum(one: WriterCounters, other: WriterCounters) -> WriterCounters:
    return WriterCounters(
        *(getattr(one, name) + getattr(other, name) for name in WriterCounters.__struct_fields__)
    )
