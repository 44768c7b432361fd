"""What it costs to know who asks, to hold them to limits and budgets, and to write down what they owe, kept in memory.

    PYTHONPATH=.:src python bench/micro/admission.py            about half a minute

CPU time per request of the stages `identify`, `limit` and `budget`, of setting money aside and settling it, and of what budgets add to
the record: sums and their places in the journal's entries, and in the writer's transaction. A thousand keys and a prompt of 1 kB; with one
limit (requests of each key) and one budget (a user's day), with two of each (tokens of each user, a feature's month), and with four
limits (requests of all, requests under way of each team) and three budgets (each request). Not in it: what is recorded of every request anyway. Of many short rounds, taken in turn, the quickest of each counts:
other people's work on the machine only ever adds.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from pathlib import Path

import msgspec

from bench.form import measured_compiled
from headgate.admission.keys import hash_key, new_key
from headgate.admission.limits.rules import plan_of as limits_of
from headgate.admission.limits.settings import LimitSettings
from headgate.admission.limits.stage import Limit
from headgate.admission.ring import KeyRing
from headgate.admission.stage import Identify
from headgate.budgets.plan import plan_of as budgets_of
from headgate.budgets.purse import Till
from headgate.budgets.settings import BudgetSettings
from headgate.budgets.stage import Budget
from headgate.budgets.uses import Uses
from headgate.core.clock import SystemClock
from headgate.core.section import decode_value
from headgate.core.usage import Usage
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.exchange.attempt import Attempt
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed, Stage
from headgate.journey import journey
from headgate.providers.catalog.rates import Rates, Step
from headgate.providers.port import Endpoint
from headgate.records.entries import Bill
from headgate.records.places import Place
from headgate.stores.backends.memory.meters import MemoryMeters
from headgate.stores.backends.memory.purses import MemoryPurses
from headgate.stores.backends.sqlite import Database, SqliteSink
from headgate.stores.keys import KeyRecord
from headgate.stores.sink import Batch, Position, Use
from headgate.stores.spans import AttemptRow, RequestRow

__all__ = ["main"]

REQUESTS = 1_000
ROUNDS = 40
BATCH, BATCHES = 300, 4
BUDGET_US = 40.0
LIMITS = [
    {"name": "a", "requests": 10**9},
    {"name": "b", "of": "user", "tokens": 10**12},
    {"name": "c", "of": "team", "concurrency": 10**6},
    {"name": "d", "each": False, "requests": 10**9},
]
BUDGETS = [
    {"name": "b", "of": "user", "usd": 10**6, "per": "day"},
    {"name": "c", "of": "feature", "usd": 10**6, "per": "month"},
    {"name": "a", "usd": 100, "per": "request"},
]
LOADS = {
    "one limit, one budget": (1, 1),
    "two limits, two budgets": (2, 2),
    "four limits, three budgets": (4, 3),
}
WORDS = "How high is the water at the upper gate, and when will it reach the mill? " * 13
BODY = b'{"model":"small","messages":[{"role":"user","content":"%b"}],"max_tokens":100}' % WORDS.encode()
_STEP = Step(150_000_000, 600_000_000, 75_000_000, 150_000_000, 150_000_000, 600_000_000)
_PEPPER = b"p" * 32


class _Fixed:
    """One price for all."""

    def rates(self, endpoint: Endpoint) -> Rates | None:
        return _RATES

    async def looked_up(self, endpoint: Endpoint) -> Rates | None:
        return _RATES


_RATES = Rates((_STEP,))
_ENDPOINT = Endpoint("openai", "gpt-4o-mini", None, None, own_price=_RATES)  # type: ignore[arg-type]
_PLACE = Place(_ENDPOINT)


def stages(load: tuple[int, int]) -> tuple[dict[str, Stage], bytes]:
    """The stages, and a key that is known to them. load: how many limits and budgets."""
    keys = [new_key() for _ in range(1000)]
    records = [
        KeyRecord(
            id=f"key_{at}",
            name=f"app {at}",
            hash=hash_key(key, _PEPPER).hex(),
            created_ns=1,
            team="canal",
            roles=("service",),
        )
        for at, key in enumerate(keys)
    ]
    clock = SystemClock()
    limits = msgspec.convert(LIMITS[: load[0]], list[LimitSettings], dec_hook=decode_value)
    budgets = msgspec.convert(BUDGETS[: load[1]], list[BudgetSettings], dec_hook=decode_value)
    till = Till(MemoryPurses(loaded=True), _Fixed(), clock, Uses(clock))

    def asked(_: Exchange) -> tuple[str, str]:
        return "answers", "small"

    made: dict[str, Stage] = {
        "identify": Identify(KeyRing(records, _PEPPER), keys_required=True),
        "limit": Limit(MemoryMeters(), limits_of(limits, {}), asked),
        "budget": Budget(till, budgets_of(budgets), asked),
    }
    return made, keys[500].encode()


async def on_the_way(names: tuple[str, ...], load: tuple[int, int]) -> float:
    """Microseconds of the event loop a request, with these stages."""
    made, key = stages(load)
    dialect, reply = OpenAIChat(), Reply()
    headers = [(b"authorization", b"Bearer " + key), (b"x-headgate-user", b"ada")]
    peek = dialect.peek(BODY)
    ids = iter(range(1, 10**9))
    usage = Usage(input=240, output=80)
    encode = msgspec.msgpack.Encoder().encode

    async def last(exchange: Exchange, _proceed: Proceed) -> Reply:
        attempt = Attempt(id=next(ids), number=1, endpoint=_ENDPOINT, wire="openai.chat", started_at=0.0)
        purse = exchange.purse
        if purse is not None:
            assert purse.reserve(exchange, attempt) is None
        exchange.attempts.append(attempt)
        attempt.reached_provider, attempt.status, attempt.usage = True, 200, usage
        attempt.finish_reason = "stop"
        # Twice: in the entry before the call, and in the one at the end.
        encode(_PLACE.bill(attempt))
        encode(_PLACE.bill(attempt))
        if purse is not None:
            purse.settle(attempt, 84_000)
        return reply

    run = journey({name: made[name] for name in names} | {"dispatch": last})
    began = time.process_time()
    for number in range(REQUESTS):
        exchange = Exchange(
            id=number, dialect=dialect, body=BODY, headers=headers, received_at=0.0, started_ns=0
        )
        exchange.peek = peek
        await run(exchange)
        exchange.close()
    return 1e6 * (time.process_time() - began) / REQUESTS


def in_the_writer(*, used: bool) -> float:
    """Microseconds of the writer a request. used: are there budgets?"""
    with tempfile.TemporaryDirectory() as folder:
        sink = SqliteSink(Database(Path(folder) / "headgate.db"))
        sink.position("warm")
        took = 0.0
        for batch in range(BATCHES):
            ids = range(1 + batch * BATCH, 1 + (batch + 1) * BATCH)
            requests = [RequestRow(id=at, started_ns=at, trace_id=f"{at:032x}", attempts=1) for at in ids]
            attempts = [
                AttemptRow(id=at, request_id=at, number=1, provider="openai", model="m", cost_nanos=84_000)
                for at in ids
            ]
            bill = Bill("openai", None, 96_000, (("b", "ada", 1), ("c", "answers", 1)))
            began = time.process_time()
            uses = [Use(at, *pot, 84_000) for at in ids for pot in bill.pots] if used else []
            sink.write(
                Batch(
                    journal="bench",
                    position=Position(0, batch),
                    requests=requests,
                    attempts=attempts,
                    uses=uses,
                )
            )
            took += time.process_time() - began
        sink.close()
    return 1e6 * took / (BATCH * BATCHES)


def measure(load: tuple[int, int]) -> dict[str, float]:
    """Microseconds of each part."""
    ways = [(), ("identify",), ("identify", "limit"), ("identify", "limit", "budget")]
    quickest = [float("inf")] * len(ways)
    writer = {False: float("inf"), True: float("inf")}
    for _ in range(ROUNDS):
        for at, names in enumerate(ways):
            quickest[at] = min(quickest[at], asyncio.run(on_the_way(names, load)))
        for used, least in writer.items():
            writer[used] = min(least, in_the_writer(used=used))
    return {
        "identify": quickest[1] - quickest[0],
        "limit": quickest[2] - quickest[1],
        "budget: set aside, settled, in the journal": quickest[3] - quickest[2],
        "ledger, in the writer": writer[True] - writer[False],
    }


def main() -> None:
    """Print each part, and whether all of it is within the budget of the issue."""
    # As `headgate serve` does.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    for name, load in LOADS.items():
        print(name)
        parts = measure(load)
        for part, found in parts.items():
            print(f"{found:8.2f} µs  {part}")
        total = sum(parts.values())
        verdict = "held" if total <= BUDGET_US else f"missed by {total - BUDGET_US:.1f}"
        print(f"{total:8.2f} µs  together; budget {BUDGET_US:g}: {verdict}")


if __name__ == "__main__":
    measured_compiled()
    main()
