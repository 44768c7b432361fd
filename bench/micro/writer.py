"""CPU time that the record writer spends on a request: a journal of whole answers, read, settled and stored in a fresh SQLite file.

python -m bench.micro.writer [--distinct]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from bench.form import measured_compiled
from headgate.core.clock import SystemClock
from headgate.core.ids import trace_id
from headgate.providers.catalog.book import PriceBook
from headgate.providers.catalog.rates import Rates, Step
from headgate.records.entries import Bill, Body, Closed, Opened
from headgate.records.following import FollowedJournal
from headgate.records.journal import Journal
from headgate.records.orders import Order
from headgate.records.pricing import Pricer
from headgate.records.writer import Writer
from headgate.stores.backends.sqlite import Database, SqliteSink
from headgate.stores.spans import AttemptRow, RequestRow

MANY = 20_000
PROMPT = b'{"model": "small", "messages": [{"role": "user", "content": "%b"}]}' % (b"tell me about it " * 56)
ANSWER = b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "%b"}}]}' % (b"lorem " * 140)
BILL = Bill(
    "openai", Rates((Step(150_000_000, 600_000_000, 150_000_000, 150_000_000, 150_000_000, 600_000_000),))
)


def entries(place: int, *, distinct: bool) -> tuple[Opened, Closed]:
    """What the gateway writes of a request. distinct: with a prompt and an answer of its own."""
    number, began = (place << 22) + (1_795_000_000_000 << 18), 1_795_343_630_000_000_000 + place * 170_000
    early = 20 + place % 60
    words = b" %d" % place if distinct else b""
    opened = RequestRow(
        number, began, "", "", "key_0am0zxwvzn400", operation="chat", dialect="openai.chat",
        requested_model="small", routed_model="small", config_hash="de4b9ac737df", bytes_in=len(PROMPT),
    )  # fmt: skip
    leaving = AttemptRow(number + 1, number, 1, "quick", "m", "openai.chat", started_us=early)
    closed = RequestRow(
        number, began, trace_id(number), "", "key_0am0zxwvzn400", "", "", "", "", "", "", "chat", "openai.chat", False,
        "small", "small", "m1", "quick", "", "de4b9ac737df", 200, "ok", "", "", "end", 1, 0, 2_000 + early, 2_010 + early,
        2_100 + 2 * early, 90 + early, 200, 0, 0, 0, 120, 0, None, "", len(PROMPT), len(ANSWER),
    )  # fmt: skip
    ended = AttemptRow(
        number + 1, number, 1, "quick", "m", "openai.chat", "m1", "", 200, "ok", "", "", "end", early, 0, 30 + early,
        2_000 + early, 2_010 + early, 2_020 + early, 200, 0, 0, 0, 120, 0, None, "exact",
    )  # fmt: skip
    prompt = Body("openai.chat", PROMPT + words, len(PROMPT + words))
    answer = Body("openai.chat", ANSWER + words, len(ANSWER + words))
    return Opened(opened, leaving, BILL, prompt.size, prompt), Closed(closed, (ended,), (BILL,), None, answer)


def measured(folder: Path, *, distinct: bool) -> float:
    """Seconds of this process's CPU for all of them."""
    clock = SystemClock()
    journal = Journal(folder / "journal", clock, segment_bytes=1 << 40)
    for place in range(MANY):
        for entry in entries(place, distinct=distinct):
            journal.append(entry)
    order = Order(
        database="", data="", directory=str(journal.directory), journal=journal.name, segment_bytes=1 << 40, again=False,
        log_level="", log_format="",
    )  # fmt: skip
    followed = FollowedJournal(order)
    sink = SqliteSink(Database(folder / "headgate.db"))
    writer = Writer(followed, sink, Pricer(PriceBook()), clock)
    writer.step()  # connects
    followed.end = journal.end
    begun = time.process_time()
    while writer.step():
        pass
    spent = time.process_time() - begun
    assert writer.counters.requests == MANY and writer.failed is None, writer.failed
    sink.close()
    journal.close()
    return spent


def main() -> None:
    """Print the best of five."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--distinct", action="store_true", help="each request has a prompt and an answer of its own"
    )
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    best = float("inf")
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory() as folder:
            best = min(best, measured(Path(folder), distinct=given.distinct))
    print(f"{best / MANY * 1e6:.1f} µs of CPU a request")


if __name__ == "__main__":
    measured_compiled()
    main()
