"""Endpoints and requests for tests of routing: health is what the test says, providers are never called."""

from __future__ import annotations

import json
import math
from typing import Any

from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.edge.dialects.openai_embeddings import OpenAIEmbeddings
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange
from headgate.providers.health.health import Health
from headgate.providers.health.latency import Latency
from headgate.providers.port import Endpoint

__all__ = ["NOW", "FakeHealth", "fake", "names", "place", "request"]

NOW = 1000.0
_MONDAY_NOON_NS = 1_767_614_400 * 1_000_000_000  # 2026-01-05 12:00 UTC


class FakeLatency(Latency):
    """Says what it was told to, at any moment."""

    __slots__ = ("told",)

    def __init__(self, told: float) -> None:
        super().__init__()
        self.told = told
        self.rank = math.log(told) if told else -math.inf

    def expected(self, now: float) -> float:
        return self.told


class FakeHealth(Health):
    """Says what it was told to."""

    __slots__ = ("_blocked", "_ejected", "_expected")

    def __init__(
        self, *, blocked: float = 0.0, ejected: bool = False, expected: float = 0.0, in_flight: int = 0
    ) -> None:
        super().__init__()
        self.set(blocked=blocked, ejected=ejected, expected=expected, in_flight=in_flight)

    def set(
        self, *, blocked: float = 0.0, ejected: bool = False, expected: float = 0.0, in_flight: int = 0
    ) -> None:
        """All of it anew."""
        self._blocked, self._ejected, self._expected = blocked, ejected, expected
        self.latency = FakeLatency(expected)
        self.calm, self.ejected_until = not blocked, math.inf if ejected else 0.0
        self.in_flight = in_flight

    def blocked(self, now: float) -> float:
        return self._blocked

    def ejected(self, now: float) -> bool:
        return self._ejected

    def expected(self, now: float) -> float:
        return self._expected

    def pressure(self, now: float) -> float:
        return self._expected * (self.in_flight + 1)


class _Adapter:
    kind = "openai"

    def __init__(self, *, embeds: bool) -> None:
        self._embeds = embeds

    def wire_for(self, operation: str, caller_wire: str) -> object | None:
        return None if operation == "embeddings" and not self._embeds else self


def place(name: str, *, embeds: bool = True, health: Health | None = None, **more: Any) -> Endpoint:
    """An endpoint, from `provider/model` and any of its fields."""
    provider, _, model = name.partition("/")
    adapter: Any = _Adapter(embeds=embeds)
    return Endpoint(provider, model or "m", adapter, None, health=health or FakeHealth(), **more)  # type: ignore[arg-type]


def fake(endpoint: Endpoint) -> FakeHealth:
    """Its health, to be changed."""
    assert isinstance(endpoint.health, FakeHealth)
    return endpoint.health


def names(endpoints: Any) -> list[str]:
    """Their providers, in order."""
    return [each.provider for each in endpoints]


def request(
    text: Any = "How high is the water?",
    *,
    model: str = "small",
    number: int = 1,
    headers: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
    wall_ns: int = _MONDAY_NOON_NS,
    embeddings: bool = False,
    feature: str = "",
    session: str = "",
    **body: Any,
) -> Exchange:
    """A request as it comes to the route stage: Monday, 2026-01-05 12:00 UTC, unless said otherwise."""
    dialect: Any = OpenAIEmbeddings() if embeddings else OpenAIChat()
    said = {"input": text} if embeddings else {"messages": [{"role": "user", "content": text}]}
    data = json.dumps({"model": model, **said, **body}).encode()
    exchange = Exchange(
        id=(123_456_789 + number) << 22,
        dialect=dialect,
        body=data,
        headers=[(name.encode(), value.encode()) for name, value in (headers or {}).items()],
        received_at=NOW,
        started_ns=wall_ns,
    )
    exchange.peek = dialect.peek(data)
    exchange.tags = tags or {}
    exchange.feature, exchange.session = feature, session
    exchange.caller = Caller("key_1", team="canal")
    return exchange
