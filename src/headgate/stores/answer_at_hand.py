"""Entries that this process has in memory: those asked for lately, and those that wait to be written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from headgate.stores.answer_backing import ROW_BYTES
from headgate.stores.answer_choice import Choice
from headgate.stores.answer_removals import Removals
from headgate.stores.answer_shelf import Shelf, Slot, weight
from headgate.stores.answer_waiting import Waiting
from headgate.stores.answers import CacheEntry, Selection
from headgate.stores.nearness import Nearness

__all__ = ["TRUSTED_SECONDS", "AtHand"]

TRUSTED_SECONDS = 1.0
"""How long what is at hand is given without a word from the engine."""


class AtHand:
    """See above. One event loop uses it."""

    def __init__(
        self,
        memory_bytes: int,
        most_bytes: int,
        *,
        now_ns: Callable[[], int],
        monotonic: Callable[[], float],
        on_removed: Callable[[], None],
    ) -> None:
        """memory_bytes: for what was asked for lately. most_bytes: what the engine keeps. on_removed: called whenever entries are let go
        of because somebody had them removed."""
        self.shelf = Shelf(memory_bytes, now_ns=now_ns)
        self.waiting = Waiting()
        self.private = Nearness()
        """Of answers that are nowhere but here."""
        self.removals = Removals()
        self.heard_at = monotonic() - TRUSTED_SECONDS
        """When the engine was last asked for news, and told."""
        self._most = most_bytes
        self._now_ns = now_ns
        self._monotonic = monotonic
        self._on_removed = on_removed

    def get(self, key: bytes) -> CacheEntry | None:
        """The entry, if it may be given."""
        entry = self.shelf.get(key)
        if entry is None:
            entry = self.waiting.get(key)
            if entry is None or entry.until_ns <= self._now_ns():
                return None
        return entry if self._monotonic() - self.heard_at < TRUSTED_SECONDS else None

    def put(self, entry: CacheEntry) -> bool:
        """Is it to be written?"""
        if entry.until_ns <= self._now_ns():
            return False
        kept = self.shelf.put(entry, weight(entry))
        if not entry.durable:
            self.waiting.drop(entry.key)
            if kept and entry.vector:
                self.private.add(entry.key, entry.compat, entry.embedder, entry.vector)
            return False
        stored = ROW_BYTES + len(entry.answer) + len(entry.request) + len(entry.vector) + len(entry.question)
        if stored * 100 > self._most:
            if kept:
                self.shelf.drop(entry.key)
            return False
        for gone in self.waiting.put(entry, stored):
            self.shelf.drop(gone.key)
        return True

    def take(self, found: Iterable[CacheEntry], before: int) -> dict[bytes, CacheEntry]:
        """What has come from the engine, but for what was removed meanwhile. before: `removals.count` when it was asked for."""
        entries: dict[bytes, CacheEntry] = {}
        for entry in found:
            if self.removals.overtook(entry, before):
                continue
            slot = self.shelf.peek(entry.key)
            if slot is not None and slot.entry.made_ns > entry.made_ns:
                entries[entry.key] = slot.entry
                continue
            self.shelf.put(entry)
            entries[entry.key] = entry
        return entries

    def only_here(self, choice: Choice) -> Sequence[Slot]:
        """Entries that are nowhere else and are meant."""
        return [slot for slot in self.shelf if not slot.entry.durable and choice(slot.entry)]

    def drop_older(self, key: bytes, made_ns: int) -> None:
        """Elsewhere a newer answer of this key has come."""
        slot = self.shelf.peek(key)
        if slot is not None and slot.entry.made_ns < made_ns and key not in self.waiting:
            self.shelf.drop(key)

    def let_go(self, choice: Choice) -> None:
        """Of what somebody has removed."""
        self.removals.note(choice)
        self._on_removed()
        for slot in self.shelf:
            if choice(slot.entry):
                self.shelf.drop(slot.entry.key)
        self.waiting.drop_those(choice)

    def forget_all(self) -> None:
        """Anything may have been removed."""
        self.removals.note(Choice(Selection()))
        self.shelf.clear()
        self.waiting.clear()

    def close(self) -> None:
        """Forget all."""
        self.private.close()
        self.shelf.clear()
        self.waiting.clear()
