"""`kill -9` loses no record of a request that reached a provider: a real process, really killed, again and again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from headgate.core.clock import SystemClock
from headgate.providers.catalog.book import PriceBook
from headgate.records.journal import Journal
from headgate.records.pricing import Pricer
from headgate.records.writer import Writer
from headgate.stores.backends.sqlite import Database, SqliteRollups, SqliteSink, SqliteSpans
from headgate.stores.rollups import Rolled, Scope
from headgate.stores.spans import AttemptRow, RequestRow
from tests.support.aio import aio

__all__: list[str] = []

ROOT = Path(__file__).resolve().parents[3]

CHILD = """
import asyncio, sys
from decimal import Decimal
from pathlib import Path
from headgate.core.clock import SystemClock
from headgate.core.usage import Usage
from headgate.exchange.reply import Reply
from headgate.providers.catalog.book import PriceBook
from headgate.providers.catalog.settings import PriceSettings, own_rates
from headgate.records.journal import Journal
from headgate.records.pricing import Pricer
from headgate.records.settings import RecordSettings
from headgate.records.stage import Record
from headgate.records.writer import Writer
from headgate.stores.backends.sqlite import Database, SqliteSink
from tests.support.exchanges import Desk

directory, with_writer = Path(sys.argv[1]), sys.argv[2] == "writer"
clock = SystemClock()
desk = Desk(clock)
journal = Journal(directory / "headgate.journal", clock, segment_bytes=200_000)
database = Database(directory / "headgate.db")
writer = Writer(journal, SqliteSink(database), Pricer(PriceBook()), clock)
if with_writer:
    writer.start()
record = Record(journal, Pricer(PriceBook()), RecordSettings(), "hash", clock)
endpoint = desk.endpoint(own_price=own_rates(PriceSettings(input=Decimal(1), output=Decimal(1))))

def tell(word, exchange):
    # What a provider's own log would say: by now the call has left.
    sys.stdout.write(f"{word} {exchange.id}\\n")
    sys.stdout.flush()

async def serve(number):
    exchange = desk.exchange(body=b'{"question":"%d"}' % number)
    exchange.user = f"user {number}"

    async def proceed(exchange):
        attempt = desk.attempt(exchange, endpoint)
        # As the transport does: its bytes leave after everything scheduled earlier in this turn.
        asyncio.get_running_loop().call_soon(tell, "sent", exchange)
        await asyncio.sleep(0.001 * (number % 7))
        attempt.status, attempt.usage = 200, Usage(input=10, output=number)
        return Reply(wire="openai.chat", body=b'{"answer":"%d"}' % number)

    await record(exchange, proceed)
    if (pending := exchange.close()) is not None:
        await pending
    asyncio.get_running_loop().call_soon(tell, "done", exchange)

async def main():
    tasks = set()
    number = 0
    while True:
        number += 1
        tasks = {task for task in tasks if not task.done()}
        if len(tasks) < 40:
            tasks.add(asyncio.ensure_future(serve(number)))
        await asyncio.sleep(0)

asyncio.run(main())
"""


def run_and_kill(directory: Path, mode: str, after_lines: int) -> tuple[set[int], set[int]]:
    """Ids that were sent and ids that were done when the process died; a torn last line counts for neither."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(directory), mode],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ROOT}/src:{ROOT}"},
    )
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(after_lines)]
    child.send_signal(signal.SIGKILL)
    lines += child.stdout.readlines()
    child.stdout.close()
    assert child.wait(30) == -signal.SIGKILL
    words = [line.split() for line in lines if line.endswith(b"\n")]
    sent = {int(word[1]) for word in words if word[0] == b"sent"}
    done = {int(word[1]) for word in words if word[0] == b"done"}
    return sent, done


def recover(directory: Path) -> tuple[dict[int, RequestRow], dict[int, list[AttemptRow]], Writer]:
    """Start again, and read everything that is stored."""
    clock = SystemClock()
    database = Database(directory / "headgate.db")
    journal = Journal(directory / "headgate.journal", clock)
    writer = Writer(journal, SqliteSink(database), Pricer(PriceBook()), clock)
    writer.recover()
    assert writer.stop(5)
    rows: dict[int, RequestRow] = {}
    attempts: dict[int, list[AttemptRow]] = {}

    @aio
    async def read() -> None:
        spans = SqliteSpans(database)
        for row in (await spans.latest(1_000_000)).rows:
            assert row.id not in rows
            rows[row.id] = row
            attempts[row.id] = list(await spans.attempts(row.id))
            prompt = await spans.content(row.request_content)
            assert prompt is not None and prompt.data.startswith(b'{"question":')
        [whole] = await SqliteRollups(database).rolled(Scope(0, 2**33, purpose=None)) or [Rolled()]
        assert whole.requests == len(rows), "each is added up once, however often its journal was read"
        assert whole.cost_nanos == sum(row.cost_nanos or 0 for row in rows.values())
        await database.close()

    read()
    return rows, attempts, writer


@pytest.mark.parametrize(
    ("mode", "after_lines"), [("journal", 1), ("journal", 300), ("writer", 600), ("writer", 3000)]
)
def test_every_request_that_reached_a_provider_is_accounted_for(
    tmp_path: Path, mode: str, after_lines: int
) -> None:
    """Exact if it had finished, estimated if it was cut off, each once; nothing of the journal is left behind."""
    sent, done = run_and_kill(tmp_path, mode, after_lines)
    rows, attempts, writer = recover(tmp_path)
    assert sent and sent <= rows.keys()
    for request_id in done:
        row = rows[request_id]
        assert (row.outcome, row.cost_label) == ("ok", "exact")
        assert row.cost_nanos == (10 + row.output_tokens) * 1000
        assert row.user == f"user {row.output_tokens}"
    cut = [row for row in rows.values() if row.outcome == "cut_off"]
    assert len(cut) == writer.counters.cut_off <= 41
    assert sent - done <= {row.id for row in cut} | {row.id for row in rows.values() if row.outcome == "ok"}
    for row in cut:
        assert row.cost_label == "estimated" and row.cost_nanos == row.input_tokens * 1000 > 0
        assert row.user
    assert all(len(attempts[request_id]) == 1 for request_id in rows)
    assert list((tmp_path / "headgate.journal").iterdir()) == []


def test_dying_again_and_again_still_loses_nothing(tmp_path: Path) -> None:
    """Each start takes up what the last one left, also when it is killed while doing so."""
    sent: set[int] = set()
    done: set[int] = set()
    for after_lines in (400, 40, 200):
        more_sent, more_done = run_and_kill(tmp_path, "writer", after_lines)
        sent |= more_sent
        done |= more_done
    rows, _, _ = recover(tmp_path)
    assert sent <= rows.keys()
    assert all(rows[request_id].outcome == "ok" for request_id in done)
