"""Reading journals: this process's own while it grows, and those of processes that are gone."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import msgspec

from headgate.records.entries import Entry, PassingEntry
from headgate.records.segment import HEADER, segment_path
from headgate.stores.sink import Position

__all__ = ["DeadJournal", "JournalReader", "Read", "dead_journals", "delete_before", "delete_journal"]

_CHUNK = 262_144
_LARGEST_ENTRY = 1 << 30
_HEAD = HEADER.size
_head = HEADER.unpack_from


Read = tuple[int, int, PassingEntry]
"""Segment, offset, and the entry that stands there."""


class JournalReader:
    """Reads one journal from a position on, each entry once. Blocking."""

    def __init__(self, directory: Path, name: str, position: Position) -> None:
        self.position = position
        """Everything before it has been read."""
        self.damaged_bytes = 0
        """Bytes that were no entries and were passed over."""
        self._directory = directory
        self._name = name
        self._decode = msgspec.msgpack.Decoder(PassingEntry).decode
        self._decode_whole = msgspec.msgpack.Decoder(Entry).decode
        self._fd = -1
        self._fd_segment = 0

    def read(self, end: Position, limit: int) -> Iterator[Read]:
        """Entries before `end`, until they are `limit` bytes or a little more. To be used up: `position` moves piece by piece. One
        after the other, so that whoever takes them can let a prompt go before the next one is there."""
        while self.position < end and limit > 0:
            segment = self.position.segment
            last = end.offset if segment == end.segment else self._size(segment)
            before = self.position.offset
            if before < last:
                yield from self._read_piece(last)
            limit -= self.position.offset - before
            if self.position.offset >= last and segment < end.segment:
                self.position = Position(segment + 1, 0)
            elif self.position.offset == before:
                break

    def _read_piece(self, last: int) -> Iterator[Read]:
        """Read some entries of the present segment, whose end is `last`; at least one, or the damage that is there."""
        segment, offset = self.position.segment, self.position.offset
        data = self._pread(segment, offset, min(_CHUNK, last - offset))
        decode = self._decode
        cursor, size = 0, len(data)
        while (start := cursor + _HEAD) <= size:
            length, checksum = _head(data, cursor)
            stop = start + length
            if stop > size:
                if offset + stop > last or length > _LARGEST_ENTRY:
                    break  # torn, or damaged: judged below
                if cursor:
                    break  # the next piece begins with it
                data += self._pread(segment, offset + size, stop - size)
                size = len(data)
                if stop > size:
                    break
            payload = data[start:stop]
            if crc32(payload) != checksum:
                self._give_up(segment, offset + cursor, last)
                return
            try:
                entry = decode(payload)
            except (msgspec.ValidationError, msgspec.DecodeError):
                # Whole, but not an entry as we know them: written by a Headgate much older or newer.
                self.damaged_bytes += length
            else:
                yield segment, offset + cursor, entry
            cursor = stop
        if cursor:
            self.position = Position(segment, offset + cursor)
        else:
            self._give_up(segment, offset, last)

    def _give_up(self, segment: int, offset: int, last: int) -> None:
        """Nothing after damage can be found again: entries have no marks. Pass over the rest of the segment."""
        self.damaged_bytes += last - offset
        self.position = Position(segment, last)

    def entry_at(self, at: Position) -> Entry | None:
        """The entry that stands at `at`, read again; None if it cannot be."""
        head = self._pread(at.segment, at.offset, HEADER.size)
        if len(head) < HEADER.size:
            return None
        length, checksum = HEADER.unpack(head)
        payload = self._pread(at.segment, at.offset + HEADER.size, length)
        if crc32(payload) != checksum:
            return None
        try:
            entry: Entry = self._decode_whole(payload)
        except (msgspec.ValidationError, msgspec.DecodeError):
            return None
        return entry

    def _pread(self, segment: int, offset: int, want: int) -> bytes:
        if self._fd_segment != segment:
            self.close()
            try:
                self._fd = os.open(segment_path(self._directory, self._name, segment), os.O_RDONLY)
            except FileNotFoundError:
                return b""
            self._fd_segment = segment
        return os.pread(self._fd, want, offset)

    def _size(self, segment: int) -> int:
        try:
            return segment_path(self._directory, self._name, segment).stat().st_size
        except FileNotFoundError:
            return 0

    def close(self) -> None:
        """Let the file go. A later read opens it anew."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._fd_segment = -1, 0


class DeadJournal:
    """A journal whose process is gone. Holds its lock, so that no other process takes it up too."""

    def __init__(self, directory: Path, name: str, lock_fd: int) -> None:
        self.directory = directory
        self.name = name
        self._lock_fd = lock_fd

    @property
    def end(self) -> Position:
        """Where its last file ends."""
        segments = _segments(self.directory, self.name)
        if not segments:
            return Position(1, 0)
        return Position(segments[-1], segment_path(self.directory, self.name, segments[-1]).stat().st_size)

    def delete(self) -> None:
        """Everything in it is stored: remove its files."""
        delete_journal(self.directory, self.name)

    def release(self) -> None:
        """Let the lock go."""
        os.close(self._lock_fd)


def dead_journals(directory: Path, own: str) -> Iterator[DeadJournal]:
    """The journals in `directory` whose processes are gone, oldest first, each locked. `own`: the name of ours."""
    for path in sorted(directory.glob("*.lock")):
        if path.stem == own:
            continue
        try:
            fd = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            continue  # another process has just finished it
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            continue  # alive, or being taken up by another process
        yield DeadJournal(directory, path.stem, fd)


def _segments(directory: Path, name: str) -> list[int]:
    return sorted(int(path.stem.rpartition("-")[2]) for path in directory.glob(f"{name}-*.journal"))


def delete_before(directory: Path, name: str, number: int) -> None:
    """Remove the segments before `number`."""
    for old in _segments(directory, name):
        if old < number:
            segment_path(directory, name, old).unlink(missing_ok=True)


def delete_journal(directory: Path, name: str) -> None:
    """Remove all files of a journal that is stored to its end, the lock last."""
    for number in _segments(directory, name):
        segment_path(directory, name, number).unlink(missing_ok=True)
    (directory / f"{name}.lock").unlink(missing_ok=True)
