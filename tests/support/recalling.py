"""A small gateway that answers from memory, over scripted providers, and what is said of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from headgate.cache.freshness import Asides
from headgate.cache.ground import Ground
from headgate.cache.identity import Identities
from headgate.cache.policy import CachePolicy
from headgate.cache.semantic.port import Semantic
from headgate.cache.settings import FeatureCacheSettings
from headgate.cache.stage import Recall
from headgate.core.ids import IdSource
from headgate.core.section import Duration
from headgate.edge.gate import Gate
from headgate.exchange.caller import Caller as Who
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed
from headgate.stores.answers import AnswerStore
from headgate.stores.backends.memory.answers import MemoryAnswers
from headgate.testing.asgi import Answered, Caller
from headgate.testing.clock import FakeClock
from headgate.testing.scripted import Script, ScriptedUpstream
from tests.support.small_gateway import endpoint, small_gateway

__all__ = ["Remembering", "body", "remembering", "settled"]


def body(text: str = "hello", **more: Any) -> bytes:
    """A request that may be answered from memory."""
    asked = {"model": "small", "temperature": 0, "messages": [{"role": "user", "content": text}]}
    return json.dumps(asked | more).encode()


@dataclass
class Remembering:
    """The gateway, its parts, and every exchange that came through."""

    gate: Gate
    recall: Recall
    store: AnswerStore
    upstream: ScriptedUpstream
    clock: FakeClock
    asides: Asides
    seen: list[Exchange] = field(default_factory=list)

    async def ask(
        self, content: bytes | None = None, *, path: str = "/v1/chat/completions", **more: Any
    ) -> Answered:
        return await Caller(self.gate).ask(path, body() if content is None else content, **more)

    @property
    def calls(self) -> int:
        return len(self.upstream.requests)


def remembering(
    *scripts: Script,
    upstream: ScriptedUpstream | None = None,
    store: AnswerStore | None = None,
    semantic: Semantic | None = None,
    slow: float = 0.02,
    cost: int = 1_000,
    personal: Callable[[Any], str] = lambda _: "",
    judge: Any = None,
    sensitive: bool = False,
    **settings: Any,
) -> Remembering:
    """settings: of the feature's cache."""
    clock = FakeClock()
    upstream = upstream or ScriptedUpstream(list(scripts))
    kept = store if store is not None else MemoryAnswers(10_000_000, now_ns=clock.wall_ns)
    wanted: dict[str, Any] = {"exact": Duration(3600), "scope": "feature"} | settings
    chosen = FeatureCacheSettings(**wanted)
    policy = CachePolicy("faq", "small", b"r" * 16, chosen, longest=7 * 86_400.0, sensitive=sensitive)
    ids = IdSource()
    found: list[Remembering] = []

    async def record(exchange: Exchange, proceed: Proceed) -> Reply:
        found[0].seen.append(exchange)
        exchange.caller = exchange.caller or Who(
            exchange.header(b"x-key") or "key_1", tenant="acme", team="canal"
        )
        return await proceed(exchange)

    async def again(copy: Exchange) -> Reply:
        return await found[0].gate.proceed(copy)

    asides = Asides(again, ids, clock)
    ground = Ground(
        policy_of=lambda exchange: policy if exchange.peek.model == "small" else None,
        look=Identities().look,
        personal=personal,
        cost_of=lambda exchange: cost * len(exchange.attempts),
        judge=judge,
    )
    recall = Recall(kept, ground, asides, clock, semantic=semantic)
    recall.asking.slow = slow
    gate = small_gateway(endpoint(upstream), stages={"record": record, "recall": recall})
    found.append(Remembering(gate, recall, kept, upstream, clock, asides))
    return found[0]


async def settled() -> None:
    """What happens after an answer has left has happened."""
    for _ in range(30):
        await asyncio.sleep(0)
