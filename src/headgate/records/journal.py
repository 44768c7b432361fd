"""The journal: what happened, appended to a file of this process by one write per turn of the event loop.

    <directory>/<name>.lock             held (flock) while the process lives, so that a later one knows when it is dead
    <directory>/<name>-000001.journal   entries: length and CRC-32 (4 bytes each, little-endian), then msgpack

No entry spans two files. Without `fsync` the bytes are the kernel's when the write returns: a killed process loses
nothing, a power cut may. A write that fails (disk full) is tried again every second; meanwhile up to `BACKLOG_BYTES`
wait in memory, and what is over that is dropped and counted. The request goes on in every case.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import threading
from pathlib import Path
from typing import Final, cast
from zlib import crc32

import msgspec

from headgate.core.clock import Clock
from headgate.records.entries import CLOSED, Closed, Entry, Plain
from headgate.records.segment import HEADER, segment_path
from headgate.stores.sink import Position

__all__ = ["BACKLOG_BYTES", "Journal", "Teller"]

_log = logging.getLogger("headgate.records")

_header: Final = HEADER.pack
_crc32: Final = crc32
_encode: Final = msgspec.msgpack.Encoder().encode
BACKLOG_BYTES: Final = 16_000_000
_RETRY_SECONDS: Final = 1.0
_COMPLAIN_SECONDS: Final = 60.0


class Teller:
    """Somebody who has something to append at the end of this turn of the event loop."""

    __slots__ = ()

    def tell(self) -> None:
        """Append it."""
        raise NotImplementedError


class Journal:
    """This process's own journal. `append` belongs to the event loop's thread; `end` and the counters to any."""

    def __init__(
        self, directory: Path, clock: Clock, *, fsync: bool = False, segment_bytes: int = 64_000_000
    ) -> None:
        """Makes the directory and takes the lock. Raises OSError."""
        self.directory = directory
        self.name = f"{clock.wall_ns() // 1_000_000}-{os.getpid()}-{os.urandom(2).hex()}"
        self.end = Position(1, 0)
        """Up to where entries are written and readable."""
        self.drops = 0
        """Entries that could not be written and are gone."""
        self.appended = 0
        self._clock = clock
        self._fsync = fsync
        self.segment_bytes = segment_bytes
        self._pending: list[bytes] = []
        self._backlog = 0
        self._scheduled = False
        self._tellers: list[Teller] = []
        self._complained = -_COMPLAIN_SECONDS
        self._lost: list[int] = []
        self._lost_lock = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Locked before it has its name: another process that looks for dead journals must not find it unlocked.
        unnamed = directory / f"{self.name}.lock.new"
        self._lock_fd = os.open(unnamed, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unnamed.rename(directory / f"{self.name}.lock")
        self._fd = self._open_segment(1)

    def _open_segment(self, number: int) -> int:
        path = segment_path(self.directory, self.name, number)
        return os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)

    def append(self, entry: Entry | Plain) -> None:
        """Take an entry. It is in the file at the end of this turn of the event loop, before anything scheduled later
        in it; outside an event loop, when this returns. Never raises."""
        if self._backlog > BACKLOG_BYTES:
            self._drop(entry)
            return
        payload = _encode(entry)
        size = len(payload)
        self._pending.append(_header(size, _crc32(payload)))
        self._pending.append(payload)
        self._backlog += size
        self.appended += 1
        if not self._scheduled:
            self._flush_soon()

    def tell_later(self, teller: Teller) -> None:
        """At the end of this turn of the event loop, before anything is written, have it append what it knows by then; outside an
        event loop, now. What is told one after the other costs half of what it costs each time between other work."""
        self._tellers.append(teller)
        if not self._scheduled:
            self._flush_soon()

    def _flush_soon(self) -> None:
        try:
            asyncio.get_running_loop().call_soon(self.flush)
            self._scheduled = True
        except RuntimeError:
            self.flush()

    def _hear(self) -> None:
        # Nobody else shall want to write meanwhile.
        self._scheduled = True
        tellers, self._tellers = self._tellers, []
        for teller in tellers:
            try:
                teller.tell()
            except Exception:  # noqa: BLE001 - told in the log and counted; it must not keep the others from being written
                _log.exception("a record could not be made; it is lost")
                self.drops += 1

    def _drop(self, entry: Entry | Plain) -> None:
        self.drops += 1
        if isinstance(entry, Closed):
            ended = entry.request.id
        elif isinstance(entry, list) and entry[0] == CLOSED:
            ended = cast("list[int]", entry[1])[0]
        else:
            return
        with self._lost_lock:
            self._lost.append(ended)

    @property
    def lock_fd(self) -> int:
        """What holds the lock: a process that is given it holds it too."""
        return self._lock_fd

    def bytes_after(self, position: Position) -> int:
        """How much stands behind a position, across segments roughly."""
        end = self.end
        if end.segment == position.segment:
            return end.offset - position.offset
        return max((end.segment - position.segment) * self.segment_bytes - position.offset + end.offset, 0)

    def take_lost(self) -> list[int]:
        """Ids of requests whose end was dropped since this was last asked."""
        with self._lost_lock:
            lost, self._lost = self._lost, []
        return lost

    def flush(self) -> None:
        """Write what was appended, in one write."""
        if self._tellers:
            self._hear()
        self._scheduled = False
        if not self._pending or self._fd < 0:
            return
        try:
            if self.end.offset >= self.segment_bytes:
                self._rotate()
            self._write()
        except OSError as failure:
            self._complain(failure)
            try:
                asyncio.get_running_loop().call_later(_RETRY_SECONDS, self.flush)
                self._scheduled = True
            except RuntimeError:
                return

    def _write(self) -> None:
        segment, offset = self.end.segment, self.end.offset
        data = b"".join(self._pending)
        written = 0
        try:
            while written < len(data):
                # At a place, not "at the end": half an entry that a full disk left is written over.
                written += os.pwrite(self._fd, data[written:] if written else data, offset + written)
            if self._fsync:
                os.fsync(self._fd)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, offset)
            raise
        self.end = Position(segment, offset + written)
        self._pending.clear()
        self._backlog = 0

    def begin_anew(self) -> None:
        """Begin a new file, if this one holds anything: it is deleted when all of it is stored. Of the event loop's thread."""
        if self._fd >= 0 and self.end.offset:
            self.flush()
            self._rotate()

    def _rotate(self) -> None:
        number = self.end.segment + 1
        fd = self._open_segment(number)
        os.close(self._fd)
        self._fd = fd
        self.end = Position(number, 0)

    def _complain(self, failure: OSError) -> None:
        now = self._clock.monotonic()
        if now - self._complained >= _COMPLAIN_SECONDS:
            self._complained = now
            _log.error(
                "the journal in %s cannot be written (%s): %d bytes wait in memory, %d entries are lost; free some space",
                self.directory, failure.strerror, self._backlog, self.drops,
            )  # fmt: skip

    def close(self) -> None:
        """Write what is left and let the lock go. The files stay for the writer. Idempotent."""
        if self._fd < 0:
            return
        self.flush()
        os.close(self._fd)
        os.close(self._lock_fd)
        self._fd = self._lock_fd = -1
