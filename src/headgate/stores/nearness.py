"""Which entries are near: an index in the memory of this process, for engines that cannot tell by themselves.

It holds keys and vectors, nothing else, and may be made anew from the entries at any time. numpy, which comes with the
extra `[embed]`, is loaded with the first vector: where there are none, none of it is paid for.
"""

from __future__ import annotations

import asyncio
import importlib
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, Any

from headgate.stores.errors import StoreUnavailable

if TYPE_CHECKING:
    from headgate.stores.neighbours import Group

__all__ = ["Nearness"]

_AT_ONCE = 256
"""Vectors that are compared by whoever asks, in a fifth of a millisecond: handing over to a thread would take as long."""
_PER_KEY = 300
"""Bytes that a key takes in our tables, about."""

_Kind = tuple[bytes, str]


class Nearness:
    """Keys by what they may be compared with (`compat`, embedder) and their vectors (float16, little-endian, of length one).

    Changed from one event loop; `nearest` may be called from any thread. 100,000 vectors of 384 numbers in one group: about 3 ms of
    one core for a search, 0.01 ms for a change, 85 MB."""

    def __init__(self, *, waiting: int = 64) -> None:
        """waiting: searches that may stand in the line; what comes beyond is turned away, see `search`."""
        self._places: dict[bytes, tuple[_Kind, int]] = {}
        self._groups: dict[_Kind, Group] = {}
        # Held while vectors are changed or a few hundred of them are copied, never while all are looked through.
        self._lock = Lock()
        self._most = waiting
        self._waiting = 0
        self._thread: ThreadPoolExecutor | None = None
        self._neighbours: Any = None

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    @property
    def held(self) -> int:
        """What it takes of this process's memory, about."""
        return sum(group.held for group in self._groups.values()) + _PER_KEY * len(self._places)

    def add(self, key: bytes, compat: bytes, embedder: str, vector: bytes) -> bool:
        """Know this key, in place of what was known of it. False, and nothing is known of it, if it has no vector, one of another length
        than its neighbours', or numpy is not installed."""
        self.remove(key)
        if not vector or len(vector) % 2 or not self._loaded():
            return False
        kind = (compat, embedder)
        with self._lock:
            group = self._groups.get(kind)
            if group is None:
                group = self._groups[kind] = self._neighbours.Group(len(vector) // 2)
            elif not group.fits(vector):
                return False
            self._places[key] = kind, group.add(key, vector)
        return True

    def remove(self, key: bytes) -> None:
        """Forget this key, if it is known."""
        with self._lock:
            kind, place = self._places.pop(key, ((b"", ""), -1))
            if place < 0:
                return
            group = self._groups[kind]
            moved = group.remove(place)
            if moved:
                self._places[moved] = kind, place
            elif not group.keys:
                del self._groups[kind]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._places.clear()
            self._groups.clear()

    def size(self, compat: bytes, embedder: str) -> int:
        """How many may be compared with each other there."""
        group = self._groups.get((compat, embedder))
        return len(group.keys) if group is not None else 0

    def nearest(self, compat: bytes, embedder: str, vector: bytes, count: int) -> list[tuple[bytes, float]]:
        """The nearest keys and their cosines, nearest first."""
        group = self._groups.get((compat, embedder))
        if group is None or not group.fits(vector):
            return []
        with self._lock:
            blocks, size = group.snapshot()
            if size <= self._neighbours.LOOKED_AT:
                return group.nearest(vector, None, count)
        places = self._neighbours.candidates(blocks, size, vector)
        with self._lock:
            return group.nearest(vector, places, count)

    async def search(
        self, compat: bytes, embedder: str, vector: bytes, count: int
    ) -> list[tuple[bytes, float]]:
        """The same, without keeping the event loop from its work. Raises StoreUnavailable if too many wait already."""
        size = self.size(compat, embedder)
        if size <= _AT_ONCE:
            return self.nearest(compat, embedder, vector, count) if size else []
        if self._waiting >= self._most:
            raise StoreUnavailable(f"{self._waiting} searches for similar questions wait already")
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="nearness")
        self._waiting += 1
        search = asyncio.get_running_loop().run_in_executor(
            self._thread, self.nearest, compat, embedder, vector, count
        )
        # Also when nobody waits for it any more: it stands in the line until its turn has come.
        search.add_done_callback(self._served)
        return await search

    def close(self) -> None:
        """Forget all, and what waits. Idempotent; it may be used again."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown(wait=False, cancel_futures=True)
        self.clear()

    def _served(self, _search: object) -> None:
        self._waiting -= 1

    def _loaded(self) -> bool:
        if self._neighbours is None:
            try:
                # By name: numpy comes with an extra, and only who has vectors should wait for it.
                self._neighbours = importlib.import_module("headgate.stores.neighbours")
            except ModuleNotFoundError:
                return False
        return True
