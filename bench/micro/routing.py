"""What choosing among many endpoints costs: routing and dispatch over an upstream that answers at once, in one process.

    PYTHONPATH=.:src python bench/micro/routing.py                  a quarter of a minute
    PYTHONPATH=.:src python bench/micro/routing.py --requests 5000

CPU time per request of the stages alone, from the process's own clock; the least of the rounds, which alternate between
the variants so that a busy machine disturbs all of them alike. "bare attempt" is the call itself, without a stage: what
the others cost more is what routing and dispatch add.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from collections.abc import Awaitable, Callable

from bench.form import measured_compiled
from bench.shapes import whole_reply
from headgate.core.ids import IdSource
from headgate.dispatch.attempting import Attempting
from headgate.dispatch.manner import Manner
from headgate.dispatch.stage import Dispatch
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.providers.adapters.openai import OpenAIAdapter, OpenAISettings
from headgate.providers.health.health import Health
from headgate.providers.port import Endpoint, Headers, Timeouts, UpstreamRequest
from headgate.routing.directory import Directory
from headgate.routing.pool import Pool
from headgate.routing.stage import Router

__all__: list[str] = []

STRATEGIES = ("order", "weighted", "least-busy", "fastest", "cheapest", "nearest", "sticky")

ASK = b'{"model":"small","messages":[{"role":"user","content":"' + b"x" * 900 + b'"}]}'
BODY = whole_reply()
ANSWER = BODY.encode() if isinstance(BODY, str) else BODY
HEADERS = Headers([(b"content-type", b"application/json"), (b"x-request-id", b"req_1")])


class AtOnce:
    """A reply that is all there."""

    status, headers, whole = 200, HEADERS, ANSWER
    connected_at = sent_at = first_byte_at = 0.0
    between = 60.0

    def close(self) -> None:
        pass


class Answering:
    """An upstream that answers at once."""

    async def send(self, request: UpstreamRequest, timeouts: Timeouts) -> AtOnce:
        reply = AtOnce()
        reply.sent_at = reply.first_byte_at = time.monotonic()
        return reply


def endpoints(count: int) -> list[Endpoint]:
    adapter = OpenAIAdapter(OpenAISettings(base_url="http://127.0.0.1:1/v1", api_key="k"))
    return [
        Endpoint(provider=f"p{n}", model="m", adapter=adapter, upstream=Answering(), health=Health(f"p{n}/m"))
        for n in range(count)
    ]


Ask = Callable[[Exchange], Awaitable[Reply]]


def attempt() -> Ask:
    """The call itself."""
    attempting, manner, (endpoint,) = Attempting(IdSource()), Manner(), endpoints(1)

    async def ask(exchange: Exchange) -> Reply:
        return await attempting(exchange, endpoint, manner, manner.whole)

    return ask


def stages(count: int, strategy: str) -> Ask:
    """Route and dispatch over so many endpoints."""
    manner = Manner()
    dispatch = Dispatch(ids=IdSource(), manner=lambda feature: manner)
    prices = {f"p{number}/m": 1.0 + number % 7 for number in range(count)}
    pool = Pool(
        "small",
        endpoints(count),
        strategy_name="order" if strategy == "sticky" else strategy,
        sticky_sessions=strategy == "sticky",
        price_of=lambda endpoint: prices[endpoint.name],
    )
    router = Router(Directory(features={}, models={"small": pool}, providers={}, make=lambda *_: ()))

    def proceed(exchange: Exchange) -> Awaitable[Reply]:
        return dispatch(exchange, proceed)

    def ask(exchange: Exchange) -> Awaitable[Reply]:
        return router(exchange, proceed)

    return ask


async def microseconds(ask: Ask, requests: int) -> float:
    dialect, ids = OpenAIChat(), IdSource()
    waiting = []
    for _ in range(requests):
        now = time.monotonic()
        exchange = Exchange(
            id=ids.next(), dialect=dialect, body=ASK, headers=[], received_at=now, started_ns=0
        )
        exchange.peek = dialect.peek(ASK)
        exchange.session = "s1"
        waiting.append(exchange)
    gc.collect()
    gc.disable()
    began = time.process_time()
    for exchange in waiting:
        await ask(exchange)
    spent = time.process_time() - began
    gc.enable()
    return spent / requests * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=20_000, help="Per round.")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    variants: dict[str, Ask] = {
        "bare attempt": attempt(),
        "1 endpoint": stages(1, "order"),
        **{f"20 endpoints, {name}": stages(20, name) for name in STRATEGIES},
    }
    found: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(given.rounds):
        for name, ask in variants.items():
            found[name].append(asyncio.run(microseconds(ask, given.requests)))
    base = min(found["bare attempt"])
    print(f"{'':28}{'CPU µs':>8}{'added':>8}")
    for name, rounds in found.items():
        print(f"{name:28}{min(rounds):8.1f}{min(rounds) - base:8.1f}")


if __name__ == "__main__":
    measured_compiled()
    main()
