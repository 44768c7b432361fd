"""The writer: everything in the journal reaches the store once, whoever died and whatever failed in between."""

from __future__ import annotations

import asyncio
import threading
from decimal import Decimal
from pathlib import Path

import pytest

from headgate.core.errors import ProviderOverloaded
from headgate.core.messages import Answer
from headgate.core.section import Size
from headgate.core.usage import Usage
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply, whole
from headgate.providers.catalog.book import PriceBook
from headgate.providers.catalog.settings import PriceSettings, own_rates
from headgate.records.entries import Closed
from headgate.records.pricing import Pricer
from headgate.records.segment import HEADER
from headgate.records.settings import RecordSettings
from headgate.records.writer import Writer
from headgate.stores.backends.memory import MemorySpans
from headgate.stores.errors import StoreRefused, StoreUnavailable
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import AttemptRow, RequestRow
from tests.support.aio import aio
from tests.support.exchanges import BODY
from tests.support.recording import Recording

__all__: list[str] = []

OWN = own_rates(PriceSettings(input=Decimal(1), output=Decimal(2)))


def answering(recording: Recording):
    async def proceed(exchange: Exchange) -> Reply:
        attempt = recording.desk.attempt(exchange, recording.desk.endpoint(own_price=OWN))
        attempt.status, attempt.usage = 200, Usage(input=10, output=1)
        return Reply(wire="openai.chat", body=b"{}" + str(exchange.id).encode())

    return proceed


async def leave_open(recording: Recording, *, attempts: int = 1) -> Exchange:
    """A request in the middle of its last attempt, as a killed process leaves it."""
    exchange = recording.desk.exchange()
    exchange.observer = recording.stage
    endpoint = recording.desk.endpoint(own_price=OWN)
    for number in range(attempts):
        attempt = recording.desk.attempt(exchange, endpoint)
        if number < attempts - 1:
            attempt.status, attempt.error = 503, ProviderOverloaded("busy", upstream_status=503)
            attempt.ended_at = recording.clock.monotonic()
    recording.journal.flush()
    return exchange


def die(recording: Recording) -> None:
    """As `kill -9` does: the lock goes, the files stay, nothing is said."""
    recording.journal.close()


class Moody(MemorySpans):
    """A store that refuses as often as it is told to."""

    def __init__(self, refusals: int = 0) -> None:
        super().__init__()
        self.refusals = refusals
        self.batches: list[Batch] = []

    def write(self, batch: Batch) -> None:
        if self.refusals:
            self.refusals -= 1
            raise StoreUnavailable("disk full")
        self.batches.append(batch)
        super().write(batch)


@aio
async def test_a_killed_process_leaves_no_request_unaccounted(tmp_path_factory) -> None:
    """Finished ones are stored as they were; an open one is settled as cut off with an estimate of its prompt."""
    directory = tmp_path_factory.mktemp("j")
    dead = Recording(directory)
    finished = dead.desk.exchange()
    await dead.serve(finished, answering(dead))
    cut = await leave_open(dead)
    die(dead)

    living = Recording(directory, store=dead.store)
    living.writer.recover()
    row = await living.store.request(finished.id)
    assert row is not None and (row.outcome, row.cost_nanos, row.cost_label) == ("ok", 12_000, "exact")
    row = await living.store.request(cut.id)
    assert row is not None
    assert (row.outcome, row.error_class, row.status, row.attempts) == ("cut_off", "cut_off", 0, 1)
    assert (row.cost_label, row.cost_nanos) == ("estimated", row.input_tokens * 1000)
    assert 10 < row.input_tokens < 60 and row.key_id == "key_1" and len(row.trace_id) == 32
    assert (row.provider, row.region) == ("openai", "eu")
    prompt = await living.store.content(row.request_content)
    assert prompt is not None and prompt.data == BODY
    (attempt,) = await living.store.attempts(cut.id)
    assert (attempt.outcome, attempt.cost_label, attempt.model) == ("cut_off", "estimated", "gpt-4o-mini")
    assert living.writer.counters.cut_off == 1
    assert [path for path in directory.iterdir() if dead.journal.name in path.name] == []
    living.close()


@aio
async def test_a_cut_off_request_is_settled_once(tmp_path_factory) -> None:
    """Recovering again, or dying while recovering, adds nothing."""
    directory = tmp_path_factory.mktemp("j")
    dead = Recording(directory)
    cut = await leave_open(dead)
    die(dead)
    files = {path: path.read_bytes() for path in directory.iterdir()}
    first = Recording(directory, store=dead.store)
    first.writer.recover()
    row = await first.store.request(cut.id)
    for path, data in files.items():  # as if deleting had not been reached
        path.write_bytes(data)
    second = Recording(directory, store=dead.store)
    second.writer.recover()
    assert await second.store.request(cut.id) == row
    assert len((await second.store.latest(10)).rows) == 1
    first.close()
    second.close()


@aio
async def test_earlier_attempts_of_a_cut_off_request_are_told_as_they_ended(tmp_path_factory) -> None:
    """The refused first attempt stays free; only the open one is estimated."""
    directory = tmp_path_factory.mktemp("j")
    dead = Recording(directory)
    cut = await leave_open(dead, attempts=3)
    die(dead)
    (file,) = directory.glob("*.journal")
    assert file.read_bytes().count(BODY) == 1  # a prompt of a megabyte is not written once per attempt
    living = Recording(directory, store=dead.store)
    living.writer.recover()
    attempts = await living.store.attempts(cut.id)
    assert [(a.number, a.outcome, a.cost_label, a.cost_nanos == 0) for a in attempts] == [
        (1, "failed", "exact", True),
        (2, "failed", "exact", True),
        (3, "cut_off", "estimated", False),
    ]
    row = await living.store.request(cut.id)
    assert row is not None and row.attempts == 3 and row.cost_nanos == attempts[2].cost_nanos
    assert row.request_content
    living.close()


@aio
async def test_without_content_a_cut_off_prompt_is_estimated_from_its_length(tmp_path_factory) -> None:
    """Money is accounted for even where nothing is kept; a cut prompt counts with its whole length."""
    directory = tmp_path_factory.mktemp("j")
    for settings in (RecordSettings(content=False), RecordSettings(content_limit=Size(40))):
        dead = Recording(directory, settings=settings)
        cut = await leave_open(dead)
        die(dead)
        living = Recording(directory, store=dead.store)
        living.writer.recover()
        row = await living.store.request(cut.id)
        assert row is not None and 15 < row.input_tokens < 45
        living.close()


@aio
async def test_reading_begins_again_where_the_oldest_open_request_began(tmp_path_factory) -> None:
    """What is stored while a long request runs must not make its beginning unreachable."""
    directory = tmp_path_factory.mktemp("j")
    dead = Recording(directory)
    long = await leave_open(dead)
    for _ in range(3):
        other = dead.desk.exchange()
        await dead.serve(other, answering(dead))
    dead.store_all()
    assert dead.store.position(dead.journal.name).offset == 0
    die(dead)
    living = Recording(directory, store=dead.store)
    living.writer.recover()
    rows = (await living.store.latest(10)).rows
    assert [row.outcome for row in rows] == ["ok", "ok", "ok", "cut_off"]
    assert rows[-1].id == long.id
    living.close()


@aio
async def test_segments_are_deleted_once_they_are_passed(tmp_path_factory) -> None:
    """The journal is a passage, not an archive; while a request is open its segment stays."""
    directory = tmp_path_factory.mktemp("j")
    recording = Recording(directory)
    recording.journal.segment_bytes = 1000

    async def serve_some() -> None:
        for _ in range(8):
            await recording.serve(recording.desk.exchange(), answering(recording))
            recording.journal.flush()
        recording.store_all()

    await serve_some()
    assert [int(p.stem.rpartition("-")[2]) for p in directory.glob("*.journal")] == [
        recording.journal.end.segment
    ]
    long = await leave_open(recording)
    first = recording.journal.end.segment
    await serve_some()
    assert (
        min(int(p.stem.rpartition("-")[2]) for p in directory.glob("*.journal"))
        == first
        < recording.journal.end.segment
    )
    assert recording.writer.caught_up and recording.writer.lag_bytes == 0
    assert long.id
    recording.close()


@aio
async def test_a_store_that_refuses_loses_nothing(tmp_path_factory, caplog) -> None:
    """The batch waits and is stored when the store is back; meanwhile the writer says why."""
    store = Moody(refusals=2)
    recording = Recording(tmp_path_factory.mktemp("j"), store=store)
    exchange = recording.desk.exchange()
    await recording.serve(exchange, answering(recording))
    recording.journal.flush()
    assert not recording.writer.step() and isinstance(recording.writer.failed, StoreUnavailable)
    assert not recording.writer.caught_up and recording.writer.lag_bytes > 0
    recording.writer.step()
    assert recording.writer.counters.failed_batches == 2
    recording.store_all()
    assert recording.writer.failed is None and recording.writer.caught_up
    assert await store.request(exchange.id) is not None
    assert len([r for r in caplog.records if "cannot be stored" in r.message]) == 1
    recording.close()


@aio
async def test_one_record_that_the_store_does_not_take_keeps_no_other_waiting(tmp_path_factory) -> None:
    """The batch is divided, and the journal goes on."""

    class Choosy(MemorySpans):
        def write(self, batch: Batch) -> None:
            if any(row.user == "poison" for row in batch.requests):
                raise StoreRefused("cannot keep that")
            super().write(batch)

    store = Choosy()
    recording = Recording(tmp_path_factory.mktemp("j"), store=store)
    exchanges = [recording.desk.exchange() for _ in range(3)]
    exchanges[1].user = "poison"
    for exchange in exchanges:
        await recording.serve(exchange, answering(recording))
    recording.store_all()
    assert recording.writer.caught_up
    assert recording.writer.failed is None
    assert (recording.writer.counters.wordless, recording.writer.counters.set_aside) == (1, 0)
    rows = [await store.request(exchange.id) for exchange in exchanges]
    assert [row.user for row in rows if row is not None] == ["", "", ""]
    assert rows[0] is not None
    assert rows[1] is not None
    assert rows[1].cost_nanos == rows[0].cost_nanos
    recording.close()


@aio
async def test_a_request_whose_end_was_dropped_is_settled_while_we_live(
    tmp_path_factory, monkeypatch
) -> None:
    """A full disk swallowed its end: it would stay open for ever and hold the journal back."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    exchange = await leave_open(recording)
    monkeypatch.setattr("headgate.records.journal.BACKLOG_BYTES", -1)
    exchange.observer = None
    await recording.serve(recording.desk.exchange(), answering(recording))
    recording.journal.flush()
    assert recording.journal.drops == 2
    recording.journal._lost.append(exchange.id)
    recording.store_all()
    row = await recording.store.request(exchange.id)
    assert row is not None and row.outcome == "cut_off"
    assert recording.writer.counters.cut_off == 1
    recording.close()


@aio
async def test_the_thread_follows_the_journal_and_ends_with_everything_stored(tmp_path_factory) -> None:
    """Start, serve, close: the store has it all, and no file is left."""
    directory = tmp_path_factory.mktemp("j")
    dead = Recording(directory)
    cut = await leave_open(dead)
    die(dead)
    recording = Recording(directory)
    recording.writer.start()
    exchanges = [recording.desk.exchange() for _ in range(300)]
    for exchange in exchanges:
        await recording.serve(exchange, answering(recording))
        await asyncio.sleep(0)
    assert await recording.writer.aclose(20.0)
    assert recording.writer.ready
    for exchange in [*exchanges, cut]:
        assert await recording.store.request(exchange.id) is not None
    assert list(directory.iterdir()) == []
    assert "headgate-writer" not in {thread.name for thread in threading.enumerate()}


@aio
async def test_what_is_open_at_the_end_stays_for_the_next_start(tmp_path_factory) -> None:
    """Closing does not settle what might still be going on elsewhere; the next start does."""
    directory = tmp_path_factory.mktemp("j")
    recording = Recording(directory)
    cut = await leave_open(recording)
    recording.writer.start()
    assert not await recording.writer.aclose(5.0)
    after = Recording(directory, store=recording.store)
    after.writer.recover()
    assert await after.store.request(cut.id) is not None
    after.close()
    assert list(directory.iterdir()) == []


@aio
async def test_a_stop_that_cannot_store_gives_up_in_time(tmp_path_factory) -> None:
    """A broken database must not keep a process from ending; the journal keeps the rest."""
    directory = tmp_path_factory.mktemp("j")
    store = Moody(refusals=1_000_000)
    recording = Recording(directory, store=store)
    exchange = recording.desk.exchange()
    await recording.serve(exchange, answering(recording))
    recording.writer.start()
    assert not await recording.writer.aclose(0.0)
    store.refusals = 0
    after = Recording(directory, store=store)
    after.writer.recover()
    assert await after.store.request(exchange.id) is not None
    after.close()


@aio
async def test_equal_contents_have_one_hash_and_kinds_are_told_apart(tmp_path_factory) -> None:
    """The same prompt twice is one content; the same bytes in another format are another."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    rows = []
    for _ in range(2):
        exchange = recording.desk.exchange()

        async def proceed(exchange: Exchange) -> Reply:
            recording.desk.attempt(exchange)
            return Reply(wire="other.wire", body=BODY)

        await recording.serve(exchange, proceed)
        rows.append((await recording.stored(exchange))[0])
    assert rows[0].request_content == rows[1].request_content
    assert rows[0].reply_content == rows[1].reply_content != rows[0].request_content
    assert len(rows[0].request_content) == 32
    recording.close()


@aio
async def test_answers_without_bytes_are_kept_in_canonical_form(tmp_path_factory) -> None:
    """What no provider wrote (a cache, a refusal in words) is recorded too."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    exchange = recording.desk.exchange()

    async def proceed(exchange: Exchange) -> Reply:
        return whole(Answer(id="ours"))

    await recording.serve(exchange, proceed)
    row, attempts = await recording.stored(exchange)
    content = await recording.store.content(row.reply_content)
    assert content is not None and content.kind == "canonical" and b"ours" in content.data
    assert (attempts, row.cost_label, row.outcome) == ([], "", "ok")
    recording.close()


def test_damage_in_an_old_journal_is_counted_and_does_not_stop_the_start(tmp_path: Path) -> None:
    """A torn entry is what `kill -9` leaves; the start goes on."""
    (tmp_path / "1-2-ab.lock").write_bytes(b"")
    (tmp_path / "1-2-ab-000001.journal").write_bytes(b"\x10\0\0\0torn")
    recording = Recording(tmp_path)
    recording.writer.recover()
    assert recording.writer.counters.damaged_bytes == 8
    assert not (tmp_path / "1-2-ab.lock").exists()
    recording.close()


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_stopping_a_writer_that_was_never_started_is_harmless(tmp_path: Path, seconds: float) -> None:
    """A start that failed half-way still ends cleanly."""
    recording = Recording(tmp_path)
    assert recording.writer.stop(seconds)
    assert list(tmp_path.iterdir()) == []


@aio
async def test_an_entry_that_cannot_be_settled_holds_nothing_back(tmp_path_factory, caplog) -> None:
    """It is counted and told; what stands after it is stored."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    row = RequestRow(7, 0, "t")
    recording.journal.append(Closed(row, (AttemptRow(8, 7, 1, "p", "m"),), bills=()))
    exchange = recording.desk.exchange()
    await recording.serve(exchange, answering(recording))
    recording.store_all()
    assert await recording.store.request(exchange.id) is not None
    assert recording.writer.counters.unsettled == 1
    assert any("cannot be settled" in record.message for record in caplog.records)
    recording.close()


def test_a_segment_that_would_be_full_at_once_is_refused() -> None:
    """Each write would begin a new file."""
    with pytest.raises(ValueError, match="at least 100000 bytes"):
        RecordSettings(segment=Size(10))


def test_a_file_that_is_stored_to_its_end_goes_when_a_new_one_was_begun(tmp_path):
    """Also when nothing comes after it: what was deleted from the database must not stand there until the next request."""
    recording = Recording(tmp_path)
    recording.writer.recover()
    recording.journal.append(Closed(RequestRow(1 << 22, 1, "t")))
    recording.journal.flush()
    recording.writer.step()
    recording.journal.begin_anew()
    recording.writer.step()
    assert recording.writer.caught_up
    assert [path.name[-14:] for path in tmp_path.rglob("*.journal") if path.is_file()] == ["000002.journal"]


@aio
@pytest.mark.parametrize("damage", ["entries of another kind", "noise"])
async def test_a_dead_journal_is_read_on_behind_what_is_unreadable(tmp_path_factory, damage: str) -> None:
    """However much of it: what follows, in the same file or the next, is stored, and what was passed over is counted."""
    directory = tmp_path_factory.mktemp("j")
    dead = Recording(directory)
    journal = dead.journal
    if damage == "noise":
        # Behind it nothing can be found again in this file.
        (file,) = directory.glob("*.journal")
        file.write_bytes(b"\xff" * 2_500_000)
        journal.end = Position(1, 2_500_000)
        journal.begin_anew()
        unreadable = 2_500_000
    else:
        foreign: list[object] = [99, b"\0" * 499_990]
        for _ in range(5):
            journal.append(foreign)
            journal.flush()
        unreadable = journal.end.offset - 5 * HEADER.size
    finished = dead.desk.exchange()
    await dead.serve(finished, answering(dead))
    cut = await leave_open(dead)
    die(dead)

    living = Recording(directory, store=dead.store)
    living.writer.recover()
    rows = [await living.store.request(one.id) for one in (finished, cut)]
    assert [row and row.outcome for row in rows] == ["ok", "cut_off"]
    assert living.writer.counters.damaged_bytes == unreadable
    assert [path for path in directory.iterdir() if dead.journal.name in path.name] == []
    living.close()


class Unreadable(PriceBook):
    """Its list is gone from the disk: replaced by another version, say, while the writer ran."""

    def load(self) -> None:
        raise ImportError("genai_prices")


@aio
async def test_a_list_that_cannot_be_read_costs_no_record(tmp_path_factory, caplog) -> None:
    """It is read when it is first needed, long after the start: then the cost is unknown, and all else is stored."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    apart = Writer(recording.journal, recording.store, Pricer(Unreadable()), recording.clock)

    async def proceed(exchange: Exchange) -> Reply:
        attempt = recording.desk.attempt(exchange, recording.desk.endpoint(price_key="openai"))
        attempt.status, attempt.usage = 200, Usage(input=10, output=1)
        return Reply(wire="openai.chat", body=b"{}")

    exchange = recording.desk.exchange()
    await recording.serve(exchange, proceed)
    recording.journal.flush()
    while apart.step():
        pass
    row = await recording.store.request(exchange.id)
    assert row is not None and (row.input_tokens, row.cost_nanos, row.cost_label) == (10, None, "unknown")
    assert apart.counters.unsettled == 0 and "price list" in caplog.text
    recording.close()
