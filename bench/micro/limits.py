"""What limits cost a request: the stage alone, counting in memory, with none to four limits.

    PYTHONPATH=.:src python bench/micro/limits.py            about ten seconds

CPU time per request of the whole stage: which limits it is about, taking, the headers, settling at the end. The prompt is
estimated only where a limit counts tokens; that costs 2 µs per kB of body and is told apart.
"""

from __future__ import annotations

import asyncio
import statistics
import time

import msgspec

from bench.form import measured_compiled
from headgate.admission.limits.rules import plan_of
from headgate.admission.limits.settings import LimitSettings
from headgate.admission.limits.stage import Limit
from headgate.core.section import decode_value
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.exchange.caller import Caller
from headgate.exchange.dialect import Peek
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed, Stage
from headgate.stores.backends.memory.meters import MemoryMeters

REQUESTS = 20_000
ROUNDS = 7
PLANS = {
    "no limit concerns it": [{"name": "a", "requests": 10**9, "only": {"team": ["other"]}}],
    "one": [{"name": "a", "requests": 10**9}],
    "four (requests, concurrency; key, user, team, all)": [
        {"name": "a", "requests": 10**9},
        {"name": "b", "of": "user", "requests": 10**9},
        {"name": "c", "of": "team", "concurrency": 10**6},
        {"name": "d", "each": False, "requests": 10**9},
    ],
    "four, two of them on tokens, a body of 0.1 kB": [
        {"name": "a", "requests": 10**9},
        {"name": "b", "of": "user", "tokens": 10**12},
        {"name": "c", "of": "team", "concurrency": 10**6},
        {"name": "d", "each": False, "input_tokens": 10**12},
    ],
}


async def microseconds(limits: list[LimitSettings]) -> float:
    """CPU time per request, without that of making an exchange and of calling a stage that does nothing."""
    stage = Limit(MemoryMeters(), plan_of(limits, {}), lambda _: ("", "small"))
    reply, dialect = Reply(), OpenAIChat()
    caller, peek = Caller("key_1", "app", team="canal"), Peek(model="small", max_tokens=100)
    body = b'{"model":"small","messages":[{"role":"user","content":"How high is the water?"}]}'

    async def proceed(_exchange: Exchange) -> Reply:
        return reply

    async def nothing(exchange: Exchange, proceed: Proceed) -> Reply:
        return await proceed(exchange)

    async def run(stage: Stage) -> float:
        began = time.process_time()
        for number in range(REQUESTS):
            exchange = Exchange(
                id=number, dialect=dialect, body=body, headers=[], received_at=0.0, started_ns=0
            )
            exchange.caller, exchange.peek, exchange.user = caller, peek, "ada"
            await stage(exchange, proceed)
            exchange.close()
        return 1e6 * (time.process_time() - began) / REQUESTS

    costs = []
    for _ in range(ROUNDS):
        without = await run(nothing)
        costs.append(await run(stage) - without)
    return statistics.median(costs)


def main() -> None:
    for name, limits in PLANS.items():
        settings = msgspec.convert(limits, list[LimitSettings], dec_hook=decode_value)
        print(f"{asyncio.run(microseconds(settings)):6.2f} µs  {name}")


if __name__ == "__main__":
    measured_compiled()
    main()
