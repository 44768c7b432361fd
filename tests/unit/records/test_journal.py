"""The journal: one write per turn of the event loop, entries that survive, and a failing disk."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.records import journal as journal_module
from headgate.records.entries import Body, Closed, Entry, Opened
from headgate.records.journal import Journal
from headgate.records.reading import JournalReader, dead_journals, delete_journal
from headgate.records.segment import segment_path
from headgate.stores.sink import Position
from headgate.stores.spans import RequestRow
from headgate.testing.clock import FakeClock
from tests.support.aio import aio

__all__: list[str] = []

START = Position(1, 0)


def closed(number: int, reply: bytes = b"") -> Closed:
    return Closed(RequestRow(number, 5, "t"), reply=Body("k", reply, len(reply)) if reply else None)


def ids(journal: Journal, start: Position = START, limit: int = 1 << 40) -> list[int]:
    reader = JournalReader(journal.directory, journal.name, start)
    found = []
    while reads := list(reader.read(journal.end, limit)):
        found += [entry.request.id for _, _, entry in reads]
    reader.close()
    return found


@pytest.fixture
def journal(tmp_path: Path):
    made = Journal(tmp_path / "j", FakeClock())
    yield made
    made.close()


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the writes that were made."""
    sizes: list[int] = []
    real = os.pwrite

    def counted(fd: int, data: bytes, offset: int) -> int:
        sizes.append(len(data))
        return real(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", counted)
    return sizes


def test_entries_of_one_turn_of_the_loop_are_one_write(journal: Journal, writes: list[int]) -> None:
    """However many requests are served in a turn, the journal costs one system call."""

    @aio
    async def turn() -> None:
        for number in range(50):
            journal.append(closed(number))
        assert writes == []
        await asyncio.sleep(0)
        assert len(writes) == 1

    turn()
    assert ids(journal) == list(range(50))


def test_an_entry_is_written_before_what_was_scheduled_after_it(journal: Journal) -> None:
    """The transport schedules its own write later in the same turn: by then the record is in the file."""

    @aio
    async def turn() -> None:
        seen = asyncio.get_running_loop().create_future()
        journal.append(closed(7))
        asyncio.get_running_loop().call_soon(lambda: seen.set_result(ids(journal)))
        assert await seen == [7]

    turn()


def test_outside_a_loop_an_entry_is_written_at_once(journal: Journal) -> None:
    """Commands and tests need no loop to leave a record."""
    journal.append(closed(1))
    assert ids(journal) == [1]


def test_a_full_segment_is_followed_by_the_next(tmp_path: Path) -> None:
    """Files stay small enough to delete, and no entry spans two."""
    journal = Journal(tmp_path, FakeClock(), segment_bytes=300)
    for number in range(40):
        journal.append(closed(number, b"x" * 100))
    assert journal.end.segment > 5
    assert ids(journal) == list(range(40))
    sizes = [segment_path(tmp_path, journal.name, n).stat().st_size for n in range(1, journal.end.segment)]
    assert all(size < 300 + 400 for size in sizes)
    journal.close()


@given(
    st.lists(st.binary(min_size=1, max_size=400), min_size=1, max_size=30),
    st.integers(min_value=1, max_value=2000),
)
def test_whatever_was_appended_is_read_back_in_any_portions(tmp_path_factory, replies, limit) -> None:
    """Reading in small portions finds each entry once."""
    journal = Journal(tmp_path_factory.mktemp("j"), FakeClock(), segment_bytes=1000)
    for number, reply in enumerate(replies):
        journal.append(closed(number, reply))
    assert ids(journal, limit=limit) == list(range(len(replies)))
    journal.close()


def test_an_entry_larger_than_a_piece_of_reading_comes_whole(journal: Journal) -> None:
    """A prompt may be larger than the reader's buffer."""
    journal.append(closed(1, b"a"))
    journal.append(closed(2, os.urandom(3_000_000)))
    journal.append(closed(3))
    assert ids(journal) == [1, 2, 3]


def test_a_torn_last_entry_is_passed_over(journal: Journal) -> None:
    """A process killed in the middle of a write loses that entry only, and it is counted."""
    for number in range(3):
        journal.append(closed(number))
    path = segment_path(journal.directory, journal.name, 1)
    whole = path.read_bytes()
    for cut in (1, 7, 8, 9, 20):
        path.write_bytes(whole[:-cut])
        reader = JournalReader(journal.directory, journal.name, START)
        end = Position(1, len(whole) - cut)
        found = [entry.request.id for _, _, entry in reader.read(end, 1 << 30)]
        found += [entry.request.id for _, _, entry in reader.read(end, 1 << 30)]
        assert found == [0, 1]
        assert reader.damaged_bytes > 0
        assert reader.position == end
        reader.close()


@given(st.integers(min_value=0), st.integers(min_value=0, max_value=255))
def test_damage_anywhere_never_stops_the_reader(tmp_path_factory, place: int, value: int) -> None:
    """A changed byte costs entries of its segment at most; the reader reaches the end and says how much it missed."""
    journal = Journal(tmp_path_factory.mktemp("j"), FakeClock(), segment_bytes=600)
    for number in range(20):
        journal.append(closed(number, b"x" * 100))
    path = segment_path(journal.directory, journal.name, 2)
    data = bytearray(path.read_bytes())
    before = data[place % len(data)]
    data[place % len(data)] = value
    path.write_bytes(bytes(data))
    reader = JournalReader(journal.directory, journal.name, START)
    found: list[int] = []
    while reader.position < journal.end:
        at = reader.position
        found += [entry.request.id for _, _, entry in reader.read(journal.end, 10_000)]
        assert reader.position > at
    assert (len(found) == 20) == (before == value)
    assert (reader.damaged_bytes == 0) == (before == value)
    assert found == sorted(found) and {0, 19} <= set(found)
    reader.close()
    journal.close()


def test_a_full_disk_loses_nothing_once_there_is_room(journal: Journal, monkeypatch, caplog) -> None:
    """What could not be written waits in memory; half a write leaves nothing behind; it is said once a minute."""
    journal.append(closed(1))
    real = os.pwrite

    end = journal.end.offset

    def full(fd: int, data: bytes, offset: int) -> int:
        if offset == end:
            return real(fd, data[:5], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with caplog.at_level(logging.ERROR):
        journal.append(closed(2))
        journal.append(closed(3))
    assert ids(journal) == [1]
    assert segment_path(journal.directory, journal.name, 1).stat().st_size == end
    assert len([r for r in caplog.records if "cannot be written" in r.message]) == 1
    monkeypatch.setattr(os, "pwrite", real)
    journal.flush()
    assert ids(journal) == [1, 2, 3]
    assert journal.drops == 0


def test_what_memory_cannot_hold_is_counted_as_dropped(journal: Journal, monkeypatch) -> None:
    """Beyond the backlog an entry is gone, the counter says so, and the writer learns whose end is missing."""

    def full(fd: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    monkeypatch.setattr(journal_module, "BACKLOG_BYTES", 1000)
    for number in range(10):
        journal.append(closed(number, b"x" * 400))
    assert journal.drops == 7
    assert journal.take_lost() == [3, 4, 5, 6, 7, 8, 9]
    assert journal.take_lost() == []


def test_with_a_loop_a_failed_write_is_tried_again(journal: Journal, monkeypatch) -> None:
    """Nobody has to append for the backlog to be written."""
    monkeypatch.setattr(journal_module, "_RETRY_SECONDS", 0.001)
    real, refusals = os.pwrite, [1, 2, 3]
    written = asyncio.Event()

    def now_and_then(fd: int, data: bytes, offset: int) -> int:
        if refusals:
            refusals.pop()
            raise OSError(errno.EIO, "Input/output error")
        written.set()
        return real(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", now_and_then)

    @aio
    async def wait() -> None:
        journal.append(closed(1))
        await written.wait()

    wait()
    assert ids(journal) == [1]


def test_a_journal_is_dead_when_its_process_lets_go(tmp_path: Path) -> None:
    """The lock tells the living from the dead, and one who takes a dead journal up keeps others off it."""
    first, second = Journal(tmp_path, FakeClock()), Journal(tmp_path, FakeClock())
    assert list(dead_journals(tmp_path, second.name)) == []
    first.append(closed(1))
    first.close()
    (dead,) = dead_journals(tmp_path, second.name)
    assert dead.name == first.name
    assert list(dead_journals(tmp_path, second.name)) == []
    dead.delete()
    dead.release()
    assert [path.name for path in tmp_path.iterdir() if first.name in path.name] == []
    second.close()


def test_with_fsync_the_disk_is_waited_for(tmp_path: Path, monkeypatch) -> None:
    """`records.fsync` survives a power cut, at the price of waiting."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    for fsync in (False, True):
        journal = Journal(tmp_path, FakeClock(), fsync=fsync)
        journal.append(closed(1))
        journal.close()
        delete_journal(tmp_path, journal.name)
        assert len(synced) == fsync


def test_an_entry_of_a_newer_headgate_keeps_what_we_know(journal: Journal) -> None:
    """Fields are added at the end: an older reader passes over them."""
    plain = msgspec.msgpack.decode(msgspec.msgpack.encode(closed(9)))
    longer = msgspec.msgpack.encode([*plain, "a new field"])
    assert msgspec.msgpack.decode(longer, type=Entry) == closed(9)
    shorter = msgspec.msgpack.encode([plain[0], plain[1][:10]])
    assert msgspec.msgpack.decode(shorter, type=Entry).request.id == 9


def test_opened_and_closed_are_told_apart(journal: Journal) -> None:
    """Two kinds of entry share a file."""
    kinds = {Opened.__struct_config__.tag, Closed.__struct_config__.tag}
    assert kinds == {1, 2}


def test_a_new_file_is_begun_when_that_is_asked_and_the_old_one_has_something(tmp_path):
    """So that the old one can be deleted as soon as it is stored; of an empty file nothing need be deleted."""
    journal = Journal(tmp_path, FakeClock())
    journal.begin_anew()
    assert journal.end == Position(1, 0)
    journal.append(Closed(RequestRow(1, 1, "t")))
    journal.begin_anew()
    assert journal.end == Position(2, 0)
    assert segment_path(tmp_path, journal.name, 1).stat().st_size > 0
    journal.close()
    journal.begin_anew()
