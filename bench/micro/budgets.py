"""What budgets cost a request: the stage, setting money aside, and settling, kept in memory, with none to four budgets.

    PYTHONPATH=.:src python bench/micro/budgets.py            about ten seconds

CPU time per request beyond that of an exchange and a stage that does nothing. Estimating the prompt (2 µs per kB of body) is part of
it and is told apart; so is what it costs to put a limit into a request that says none, which reads the whole request.
"""

from __future__ import annotations

import asyncio
import statistics
import time

import msgspec

from bench.form import measured_compiled
from headgate.budgets.plan import plan_of
from headgate.budgets.purse import Till
from headgate.budgets.settings import BudgetSettings
from headgate.budgets.stage import Budget
from headgate.budgets.uses import Uses
from headgate.core.clock import SystemClock
from headgate.core.section import decode_value
from headgate.core.tokens import tokens_of_body
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.exchange.attempt import Attempt
from headgate.exchange.caller import Caller
from headgate.exchange.dialect import Peek
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed, Stage
from headgate.providers.catalog.rates import Rates, Step
from headgate.providers.port import Endpoint
from headgate.stores.backends.memory.purses import MemoryPurses

REQUESTS = 20_000
ROUNDS = 7
KEY = {"name": "a", "usd": 10**6, "per": "month"}
USER = {"name": "b", "of": "user", "usd": 10**6, "per": "day"}
PLANS = {
    "no budget concerns it": [{"name": "a", "usd": 1, "per": "day", "only": {"team": ["other"]}}],
    "one": [KEY],
    "two (key a month, user a day)": [KEY, USER],
    "four (and a request, and all a month, watched)": [
        KEY,
        USER,
        {"name": "c", "usd": 100, "per": "request"},
        {"name": "d", "each": False, "usd": 10**6, "per": "month", "when_spent": "alert", "warn_at": 0.8},
    ],
}
BODY = b'{"model":"small","messages":[{"role":"user","content":"How high is the water?"}],"max_tokens":100}'
_STEP = Step(150_000_000, 600_000_000, 75_000_000, 150_000_000, 150_000_000, 600_000_000)


class _Fixed:
    """One price for all."""

    def rates(self, endpoint: Endpoint) -> Rates | None:
        return _RATES

    async def looked_up(self, endpoint: Endpoint) -> Rates | None:
        return _RATES


_RATES = Rates((_STEP,))


async def microseconds(budgets: list[BudgetSettings], *, limited: bool = True) -> float:
    """CPU time per request. limited: the requests say how long their answers may be."""
    clock = SystemClock()
    till = Till(MemoryPurses(loaded=True), _Fixed(), clock, Uses(clock))
    stage = Budget(till, plan_of(budgets), lambda _: ("", "small"))
    reply, dialect = Reply(), OpenAIChat()
    caller = Caller("key_1", "app", team="canal")
    endpoint = Endpoint("openai", "gpt-4o-mini", None, None)  # type: ignore[arg-type]
    ids = iter(range(10**9))

    async def proceed(exchange: Exchange) -> Reply:
        attempt = Attempt(id=next(ids), number=1, endpoint=endpoint, wire="openai.chat", started_at=0.0)
        purse = exchange.purse
        if purse is not None:
            assert purse.reserve(exchange, attempt) is None
            purse.settle(attempt, 1000)
        return reply

    async def nothing(exchange: Exchange, proceed: Proceed) -> Reply:
        return await proceed(exchange)

    async def run(stage: Stage) -> float:
        began = time.process_time()
        for number in range(REQUESTS):
            exchange = Exchange(
                id=number, dialect=dialect, body=BODY, headers=[], received_at=0.0, started_ns=0
            )
            peek = Peek(model="small", max_tokens=100 if limited else None)
            exchange.caller, exchange.peek, exchange.user = caller, peek, "ada"
            await stage(exchange, proceed)
        return 1e6 * (time.process_time() - began) / REQUESTS

    costs = []
    for _ in range(ROUNDS):
        without = await run(nothing)
        costs.append(await run(stage) - without)
    return statistics.median(costs)


def main() -> None:
    for name, budgets in PLANS.items():
        settings = msgspec.convert(budgets, list[BudgetSettings], dec_hook=decode_value)
        print(f"{asyncio.run(microseconds(settings)):6.2f} µs  {name}")
    two = msgspec.convert([KEY, USER], list[BudgetSettings], dec_hook=decode_value)
    print(f"{asyncio.run(microseconds(two, limited=False)):6.2f} µs  two, and the request says no limit")
    began = time.process_time()
    for _ in range(REQUESTS):
        tokens_of_body(BODY)
    print(f"{1e6 * (time.process_time() - began) / REQUESTS:6.2f} µs  of which estimating the prompt")


if __name__ == "__main__":
    measured_compiled()
    main()
