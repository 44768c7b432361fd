"""Exchanges as the record stage meets them, without an edge and without a dispatch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from headgate.core.ids import IdSource
from headgate.exchange.attempt import Attempt
from headgate.exchange.caller import Caller
from headgate.exchange.dialect import Peek
from headgate.exchange.exchange import Exchange
from headgate.providers.port import Endpoint
from headgate.testing.clock import FakeClock

__all__ = ["BODY", "Desk", "FakeDialect", "closed"]

BODY = b'{"model":"small","messages":[{"role":"user","content":"How high is the water?"}]}'


@dataclass
class FakeDialect:
    """A dialect that only has a name."""

    name: str = "openai.chat"
    operation: str = "chat"


@dataclass
class Desk:
    """Makes exchanges and attempts on one clock."""

    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.ids = IdSource(self.clock, node=1)

    def exchange(
        self, *, body: bytes = BODY, operation: str = "chat", known: bool = True, stream: bool = False
    ) -> Exchange:
        dialect: Any = FakeDialect(operation=operation)
        exchange = Exchange(
            id=self.ids.next(),
            dialect=dialect,
            body=body,
            headers=[],
            received_at=self.clock.monotonic(),
            started_ns=self.clock.wall_ns(),
        )
        exchange.peek = Peek(model="small", stream=stream)
        exchange.routed_model = "small"
        if known:
            exchange.caller = Caller("key_1", "app", team="canal", tenant="acme")
        return exchange

    def endpoint(self, *, own_price: Any = None, price_key: str = "", model: str = "gpt-4o-mini") -> Endpoint:
        unused: Any = None
        return Endpoint(
            "openai", model, unused, unused, region="eu", price_key=price_key, own_price=own_price
        )

    def attempt(self, exchange: Exchange, endpoint: Endpoint | None = None) -> Attempt:
        """The next attempt of `exchange`, announced to whoever writes things down."""
        attempt = Attempt(
            id=self.ids.next(),
            number=len(exchange.attempts) + 1,
            endpoint=endpoint or self.endpoint(),
            wire="openai.chat",
            started_at=self.clock.monotonic(),
        )
        exchange.attempts.append(attempt)
        attempt.reached_provider = True
        if exchange.observer is not None:
            exchange.observer.attempt_opened(exchange, attempt)
        return attempt


async def closed(exchange: Exchange) -> None:
    """End an exchange as the edge does."""
    pending = exchange.close()
    if pending is not None:
        await pending
