"""The writer: one thread that moves a gateway's journal to the database, in batches, each with its position. Under `headgate
serve` it runs in a process of its own (`apart.py`), elsewhere beside the event loop.

At its start it takes up the journals of processes that are gone: what they finished is stored as it was, what they left
open is settled as cut off, once. Then it follows this process's own journal. If the database cannot be written, the
batch waits and the journal grows; nothing is lost and `lag_bytes` says how much waits.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from headgate.core.clock import Clock
from headgate.records.pricing import Pricer
from headgate.records.reading import DeadJournal, JournalReader, dead_journals, delete_before, delete_journal
from headgate.records.refused import one_by_one
from headgate.records.settling import Settling
from headgate.stores.errors import StoreRefused
from headgate.stores.sink import Batch, Position, SpanSink

__all__ = ["Followed", "Writer", "WriterCounters"]

_log = logging.getLogger("headgate.records")

_PAUSE_SECONDS = 0.2
"""Between two looks at a journal that was read to its end."""
_BUSY_PAUSE_SECONDS = 1.0
"""The same under load. Each look takes the interpreter from the event loop in the middle of its work, which cost requests
27 µs each at five looks a second (207 µs of CPU in all) and next to nothing at one (180)."""
_BUSY_REQUESTS = 100
_LAST_PAUSE_SECONDS = 0.02
_RETRY_SECONDS = 1.0
_COMPLAIN_SECONDS = 60.0
_LOOK_SECONDS = 5.0
"""Between two looks for journals whose gateways are gone."""
_BATCH_BYTES = 1_000_000
"""Of journal, for one transaction: some 300 requests. By itself the writer is quicker with 250 kB (28 µs of CPU a request; 40
with 4 MB, decoded rows having left the processor's cache); beside a busy event loop fewer and larger transactions win."""


class WriterCounters(msgspec.Struct):
    """What this writer has done since it was started."""

    requests: int = 0
    attempts: int = 0
    contents: int = 0
    """Handed to the store, which keeps each once."""
    cut_off: int = 0
    """Requests settled without an end of their own."""
    damaged_bytes: int = 0
    """Bytes of journals that could not be read; the torn last entry of a killed process is among them."""
    unsettled: int = 0
    """Requests that were read from the journal and could not be settled: a bug, told in the log."""
    failed_batches: int = 0
    wordless: int = 0
    """Requests whose words the database did not take; stored without."""
    set_aside: int = 0
    """Requests it did not take at all; they stand in a file beside the journal."""


class Followed(Protocol):
    """A journal that grows: this process's own, or another's."""

    @property
    def directory(self) -> Path: ...

    @property
    def name(self) -> str: ...

    @property
    def end(self) -> Position:
        """Up to where it may be read."""
        ...

    def bytes_after(self, position: Position) -> int:
        """How much stands behind a position, roughly."""
        ...

    def take_lost(self) -> list[int]:
        """Requests whose end was dropped since this was last asked."""
        ...

    def close(self) -> None:
        """Nothing is appended any more."""
        ...


class Writer:
    """See above. `start` and `aclose` belong to the event loop's thread; `step` is what the thread repeats."""

    def __init__(
        self,
        journal: Followed,
        sink: SpanSink,
        pricer: Pricer,
        clock: Clock,
        *,
        again: bool = False,
        busy_pause: float = _BUSY_PAUSE_SECONDS,
        stepped: Callable[[], None] | None = None,
    ) -> None:
        """again: another writer has followed this journal before and died; what it has stored counts once. busy_pause: seconds
        between two looks under load. stepped: called after each step that did something."""
        self.counters = WriterCounters()
        self.failed: Exception | None = None
        """Why the last batch could not be stored; None when all is well."""
        self._journal = journal
        self._sink = sink
        self._pricer = pricer
        self._clock = clock
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._deadline = float("inf")
        self._complained = -_COMPLAIN_SECONDS
        self._reader = JournalReader(journal.directory, journal.name, journal.end)
        self._settling = Settling(journal.name, self._reader, pricer, recovered=again)
        self._again = again
        self._busy_pause = busy_pause
        self._stepped = stepped
        self.stored = journal.end
        """Everything before it is in the database."""
        self._waiting: Batch | None = None
        self._stored_requests = 0
        self._first_segment = journal.end.segment
        self._looked_at = 0.0
        self._filling = self._filled = False

    @property
    def ready(self) -> bool:
        """Is everything from earlier processes stored, and this one followed?"""
        return self._ready.is_set()

    def wait_ready(self, seconds: float) -> bool:
        """Blocking, for tests and commands."""
        return self._ready.wait(seconds)

    @property
    def caught_up(self) -> bool:
        """Is everything stored that the journal holds?"""
        return self.stored == self._journal.end

    @property
    def lag_bytes(self) -> int:
        """How much of the journal is not stored yet, across its segments roughly."""
        return self._journal.bytes_after(self.stored)

    def start(self) -> None:
        """Begin, in a thread of its own: connecting, migrating and reading the price list take longer than starting may."""
        self._thread = threading.Thread(target=self._run, name="headgate-writer", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._first_steps() and not self._stopping.wait(_RETRY_SECONDS):
            pass
        while True:
            stopping = self._stopping.is_set()
            more = self.step()
            if stopping and (self.caught_up or self._clock.monotonic() >= self._deadline):
                break
            if stopping and not more:
                time.sleep(_LAST_PAUSE_SECONDS)
            elif not more:
                self._stopping.wait(self._pause())
        self._sink.close()
        self._reader.close()

    def _pause(self) -> float:
        if self.failed:
            return _RETRY_SECONDS
        stored, self._stored_requests = self.counters.requests - self._stored_requests, self.counters.requests
        return self._busy_pause if stored >= _BUSY_REQUESTS else _PAUSE_SECONDS

    def _first_steps(self) -> bool:
        try:
            self._pricer.prepare()
            self.recover()
            if self._again:
                self._go_back()
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is told and tried again
            self._complain(failure)
            return False
        self.failed = None
        self._ready.set()
        self._looked_at = self._clock.monotonic()
        self._has_stepped()
        return True

    def _go_back(self) -> None:
        """To where the writer before this one had stored everything."""
        at = self._sink.position(self._journal.name)
        self._reader.position = self.stored = max(at, Position(1, 0))
        self._first_segment = self.stored.segment
        self._again = False

    def _has_stepped(self) -> None:
        if self._stepped is not None:
            self._stepped()

    def recover(self) -> None:
        """Store what processes that are gone have left. Raises StoreUnavailable; may be called again."""
        for dead in dead_journals(self._journal.directory, self._journal.name):
            try:
                self._recover(dead)
            finally:
                dead.release()

    def _recover(self, dead: DeadJournal) -> None:
        reader = JournalReader(dead.directory, dead.name, self._sink.position(dead.name))
        settling = Settling(dead.name, reader, self._pricer, recovered=True)
        end = dead.end
        try:
            while reader.position < end:
                settling.take(reader.read(end, _BATCH_BYTES))
                self._store(settling.batch())
            settling.cut_all()
            self._store(settling.batch())
            self._sink.forget(dead.name)
        finally:
            reader.close()
        cut_off, damaged = settling.cut_off, reader.damaged_bytes
        self._count(settling, reader)
        dead.delete()
        _log.info(
            "stored what an earlier process left in journal %s: %d requests were cut off, %d bytes were unreadable",
            dead.name,
            cut_off,
            damaged,
        )

    def step(self) -> bool:
        """Store the next batch. True if there is more to do at once. Raises nothing."""
        try:
            self._look_for_dead()
            more = self._step() or self._fill()
        except Exception as failure:  # noqa: BLE001 - a writer that died of one batch would lose all the others
            self.counters.failed_batches += 1
            self._complain(failure)
            self._has_stepped()
            return False
        return more

    def _look_for_dead(self) -> None:
        """Another gateway of this machine may have died, or its writer may have ended a moment after our start."""
        now = self._clock.monotonic()
        if self._ready.is_set() and now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            self.recover()

    def _step(self) -> bool:
        if self._waiting is None:
            self._pricer.prepare()
            taken = self._settling.take(self._reader.read(self._journal.end, _BATCH_BYTES))
            lost = self._journal.take_lost()
            if not taken and not lost and self._reader.position.segment == self.stored.segment:
                # Else the journal has begun a new file, and the one before can go.
                return False
            self._settling.cut(lost)
            self._waiting = self._settling.batch()
        self._store(self._waiting)
        position, self._waiting, self.failed = self._waiting.position, None, None
        self.stored = self._reader.position
        self._count(self._settling, self._reader)
        if position.segment > self._first_segment:
            delete_before(self._journal.directory, self._journal.name, position.segment)
            self._first_segment = position.segment
        self._has_stepped()
        return not self.caught_up

    def _fill(self) -> bool:
        """Add up some of what was stored before anybody added up, while nothing else is to do."""
        if self._filled:
            return False
        more = self._sink.fill()
        self.failed = None
        if more and not self._filling:
            _log.info("requests of an older version are being added up; plots are complete when that is done")
        elif self._filling and not more:
            _log.info("requests of an older version are added up")
        self._filling, self._filled = more, not more
        return more

    def _store(self, batch: Batch) -> None:
        try:
            self._sink.write(batch)
        except StoreRefused as refusal:
            self._store_one_by_one(batch, refusal)
        self.counters.requests += len(batch.requests)
        self.counters.attempts += len(batch.attempts)
        self.counters.contents += len(batch.contents)

    def _store_one_by_one(self, batch: Batch, refusal: StoreRefused) -> None:
        stored = self._sink.position(batch.journal)
        directory = self._journal.directory
        outcome = one_by_one(batch, self._sink.write, stored=stored, directory=directory, why=refusal)
        self.counters.wordless += outcome.without_words
        self.counters.set_aside += outcome.aside

    def _count(self, settling: Settling, reader: JournalReader) -> None:
        """Take over what they have counted since the last time."""
        self.counters.cut_off += settling.cut_off
        self.counters.unsettled += settling.unsettled
        self.counters.damaged_bytes += reader.damaged_bytes
        settling.cut_off = settling.unsettled = reader.damaged_bytes = 0

    def _complain(self, failure: Exception) -> None:
        self.failed = failure
        now = self._clock.monotonic()
        if now - self._complained >= _COMPLAIN_SECONDS:
            self._complained = now
            _log.error(
                "records cannot be stored, %d bytes wait in the journal: %s",
                self.lag_bytes,
                failure,
                exc_info=failure,
            )

    async def aclose(self, seconds: float) -> bool:
        """Close the journal, store what is in it for up to `seconds`, and end. True: all is stored and the journal's files
        are gone. False: the next start stores the rest. Nothing may be appended afterwards."""
        import asyncio  # noqa: PLC0415 - 7 MB, for nothing where the writer has a process of its own

        self._journal.close()
        return await asyncio.to_thread(self.stop, seconds)

    def stop(self, seconds: float) -> bool:
        """As `aclose`, blocking; the journal is closed by its own thread or by nobody."""
        self._journal.close()
        self._deadline = self._clock.monotonic() + seconds
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(seconds + _RETRY_SECONDS)
            if thread.is_alive():
                return False
        done = self.caught_up and self._settling.open_requests == 0
        if done:
            self._forget()
        self._sink.close()
        return done

    def leave(self) -> None:
        """End after the batch that is under way; the next start stores the rest. Blocking."""
        self._deadline = float("-inf")
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _forget(self) -> None:
        try:
            self._sink.forget(self._journal.name)
        except Exception as failure:  # noqa: BLE001 - the next start finds the journal stored, and forgets it then
            self._complain(failure)
            return
        delete_journal(self._journal.directory, self._journal.name)
