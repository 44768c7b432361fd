"""Entries in the memory of this process, within a bound of bytes: who was not asked for longest goes first."""

from __future__ import annotations

import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator

from headgate.stores.answers import CacheEntry

__all__ = ["Shelf", "Slot", "weight"]

_FIXED = 600
"""Bytes of an entry besides its texts: the entry, its numbers, its two hashes, its place here. Measured: 560 (CPython 3.11)."""


def weight(entry: CacheEntry) -> int:
    """What an entry takes of this process's memory, in bytes."""
    size = _FIXED + sys.getsizeof(entry.tags)
    for text in (
        entry.tenant, entry.feature, entry.owner, entry.user, entry.model, entry.reported_model, entry.prompt,
        entry.question, entry.embedder, entry.dialect,
    ):  # fmt: skip
        size += sys.getsizeof(text)
    for name, value in entry.tags.items():
        size += sys.getsizeof(name) + sys.getsizeof(value)
    return size + len(entry.answer) + len(entry.vector) + len(entry.request)


class Slot:
    """An entry, and how often it was given from here."""

    __slots__ = ("bytes", "entry", "hits", "last_ns")

    def __init__(self, entry: CacheEntry, size: int) -> None:
        self.entry = entry
        self.bytes = size
        self.hits = 0
        self.last_ns = 0


class Shelf:
    """See above. One event loop uses it."""

    def __init__(self, most_bytes: int, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self.evicted = 0
        """For want of room."""
        self._now_ns = now_ns
        self._slots: OrderedDict[bytes, Slot] = OrderedDict()

    def __len__(self) -> int:
        return len(self._slots)

    def __iter__(self) -> Iterator[Slot]:
        """Those that are still to be kept, the one not asked for longest first."""
        now = self._now_ns()
        return (slot for slot in list(self._slots.values()) if slot.entry.until_ns > now)

    def get(self, key: bytes) -> CacheEntry | None:
        """The entry, and it was asked for now."""
        slot = self._slots.get(key)
        if slot is None:
            return None
        entry = slot.entry
        if entry.until_ns <= self._now_ns():
            self.drop(key)
            return None
        self._slots.move_to_end(key)
        return entry

    def peek(self, key: bytes) -> Slot | None:
        """The same, without taking notice that it was asked for."""
        slot = self._slots.get(key)
        return slot if slot is not None and slot.entry.until_ns > self._now_ns() else None

    def put(self, entry: CacheEntry, size: int | None = None) -> bool:
        """Keep it in place of an earlier one. False, and nothing is kept of its key: it is over, or too large. size: its `weight`."""
        before = self._slots.pop(entry.key, None)
        if before is not None:
            self.bytes -= before.bytes
        if size is None:
            size = weight(entry)
        if size * 100 > self.most_bytes or entry.until_ns <= self._now_ns():
            return False
        slot = Slot(entry, size)
        if before is not None:
            slot.hits, slot.last_ns = before.hits, before.last_ns
        while self._slots and self.bytes + size > self.most_bytes:
            _, oldest = self._slots.popitem(last=False)
            self.bytes -= oldest.bytes
            self.evicted += 1
        self._slots[entry.key] = slot
        self.bytes += size
        return True

    def drop(self, key: bytes) -> None:
        """Keep it no longer, if it is there."""
        slot = self._slots.pop(key, None)
        if slot is not None:
            self.bytes -= slot.bytes

    def clear(self) -> None:
        """Keep nothing."""
        self._slots.clear()
        self.bytes = 0
