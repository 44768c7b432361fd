"""What was put or noted here and waits to be written to the engine. Memory alone; one event loop uses it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence

from headgate.stores.answers import CacheEntry

__all__ = ["Hits", "Waiting"]

_MOST_BYTES = 16_000_000
_BATCH_ENTRIES = 200
_BATCH_BYTES = 1_000_000
_MOST_HITS = 20_000


class Waiting:
    """Entries, each with the bytes that it will take, in the order in which they were put."""

    def __init__(self) -> None:
        self.dropped = 0
        """Entries that were never written, for want of room here."""
        self._entries: OrderedDict[bytes, tuple[CacheEntry, int]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._entries)

    def __contains__(self, key: bytes) -> bool:
        return key in self._entries

    def get(self, key: bytes) -> CacheEntry | None:
        """The entry of this key that waits, if one does."""
        found = self._entries.get(key)
        return None if found is None else found[0]

    def put(self, entry: CacheEntry, size: int) -> list[CacheEntry]:
        """In place of an earlier one of its key. Those that had to go for it: the engine is too slow."""
        self.drop(entry.key)
        self._entries[entry.key] = (entry, size)
        self._bytes += size
        gone: list[CacheEntry] = []
        while self._bytes > _MOST_BYTES:
            _, (oldest, size) = self._entries.popitem(last=False)
            self._bytes -= size
            gone.append(oldest)
        self.dropped += len(gone)
        return gone

    def drop(self, key: bytes) -> None:
        """It is not to be written, if it waits."""
        before = self._entries.pop(key, None)
        if before is not None:
            self._bytes -= before[1]

    def drop_those(self, choice: Callable[[CacheEntry], bool]) -> None:
        """None of those is to be written."""
        for key in [key for key, (entry, _) in self._entries.items() if choice(entry)]:
            self.drop(key)

    def clear(self) -> None:
        """Nothing waits any more."""
        self._entries.clear()
        self._bytes = 0

    @property
    def fills_a_batch(self) -> bool:
        """Is there no reason to wait for more?"""
        return len(self._entries) >= _BATCH_ENTRIES

    def batch(self) -> list[tuple[CacheEntry, int]]:
        """The next ones to write. They wait until they are `written`."""
        some: list[tuple[CacheEntry, int]] = []
        size = 0
        for entry, stored in self._entries.values():
            some.append((entry, stored))
            size += stored
            if len(some) >= _BATCH_ENTRIES or size >= _BATCH_BYTES:
                break
        return some

    def written(self, batch: Sequence[tuple[CacheEntry, int]]) -> None:
        """These are kept now; a newer one of the same key waits on."""
        for entry, _ in batch:
            if self.get(entry.key) is entry:
                self.drop(entry.key)

    def last(self) -> CacheEntry | None:
        """The one that is written last of those that wait now."""
        return next(reversed(self._entries.values()))[0] if self._entries else None


class Hits:
    """How often entries were given, and when last, since it was written down."""

    def __init__(self) -> None:
        self._hits: dict[bytes, tuple[int, int]] = {}

    def note(self, key: bytes, at_ns: int) -> None:
        """It was given. Beyond a bound, no more entries are counted until those are written."""
        count, last = self._hits.get(key, (0, 0))
        if count or len(self._hits) < _MOST_HITS:
            self._hits[key] = (count + 1, max(last, at_ns))

    def taken(self) -> Mapping[bytes, tuple[int, int]]:
        """All of them, to be written; it begins anew."""
        hits, self._hits = self._hits, {}
        return hits

    def put_back(self, hits: Mapping[bytes, tuple[int, int]]) -> None:
        """They were not written."""
        # What came meanwhile is newer; of the same entry the earlier hits are lost.
        self._hits = {**hits, **self._hits}
