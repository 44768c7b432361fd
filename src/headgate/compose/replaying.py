"""What a gateway does for whoever sends recorded requests again: the journey, prices, and how stored answers are read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import msgspec

from headgate.budgets.purse import Prices
from headgate.budgets.worst import size_of, thinking_room
from headgate.control.cache.warming import PURPOSE as WARM
from headgate.core.clock import Clock
from headgate.core.errors import UpstreamMalformed
from headgate.core.ids import IdSource
from headgate.core.messages import Answer, ChatRequest
from headgate.edge.paths import Paths
from headgate.exchange.attempt import Attempt
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed, Stage
from headgate.journey import journey
from headgate.providers.port import Wire
from headgate.providers.wires.anthropic_messages import AnthropicMessages
from headgate.providers.wires.bedrock_converse import BedrockConverse
from headgate.providers.wires.gemini import GeminiGenerate
from headgate.providers.wires.openai_chat import OpenAIChat
from headgate.providers.wires.openai_responses import OpenAIResponses
from headgate.quality.replay.capping import CappedPurse, SpendCap
from headgate.quality.replay.changing import Changes
from headgate.quality.replay.planning import Place, most_nanos, prompt_tokens_of
from headgate.quality.replay.rebuilding import Original
from headgate.quality.replay.running import Replayer, Sent
from headgate.routing.stage import Router
from headgate.stores.spans import Content

__all__ = ["Replaying", "answer_in"]

_KNOWN_ALREADY = ("identify", "accept")
"""Stages that find out who asks and what: of a replay that is known."""


def _wires() -> Mapping[str, Wire]:
    talks: tuple[Wire, ...] = (
        OpenAIChat(),
        OpenAIResponses(),
        AnthropicMessages(),
        GeminiGenerate(),
        BedrockConverse(),
    )
    return MappingProxyType({wire.name: wire for wire in talks})


_WIRES = _wires()


def answer_in(content: Content) -> Answer | None:
    """A stored answer, in whatever format it is kept; None if it is cut off or is none of a chat."""
    if content.truncated:
        return None
    try:
        if content.kind == "canonical":
            return msgspec.json.decode(content.data, type=Answer)
        wire = _WIRES.get(content.kind)
        found = wire.decode(content.data) if wire is not None else None
    except (msgspec.MsgspecError, UpstreamMalformed, UnicodeDecodeError):
        return None
    return found if isinstance(found, Answer) else None


class Replaying:
    """Fulfils `control.replays.Sending`."""

    def __init__(
        self,
        stages: Callable[[], Mapping[str, Stage]],
        router: Router,
        prices: Prices,
        ids: IdSource,
        clock: Clock,
    ) -> None:
        """stages: those of a caller's own request, as they are now."""
        self._stages = stages
        self._router = router
        self._prices = prices
        self._clock = clock
        self._capped: dict[int, tuple[SpendCap, Original]] = {}
        dialects = {
            dialect.name: (path, dialect)
            for (method, path), dialect in Paths().known.items()
            if method == "POST"
        }
        self._replayer = Replayer(self._proceed, ids, clock, dialects)

    def exchange(self, original: Original, changes: Changes, caller: Caller) -> Exchange:
        """See `Sending`."""
        return self._replayer.exchange(original, changes, caller)

    async def places(self, exchange: Exchange) -> Sequence[Place]:
        """See `Sending`."""
        router = self._router
        route = router.directory.resolve(exchange.peek.model)
        decision = await router.decide(exchange, route)
        return [
            Place(endpoint.name, await self._prices.looked_up(endpoint)) for endpoint in decision.candidates
        ]

    def size(self, exchange: Exchange) -> tuple[int, int, int]:
        """See `Sending`."""
        size = size_of(exchange, edited=exchange.edited)
        return size.prompt, size.choices, _thinking(exchange)

    async def send(self, exchange: Exchange, original: Original, cap: SpendCap | None) -> Sent:
        """See `Sending`."""
        if cap is None:
            return await self._replayer.send(exchange)
        if exchange.purpose != WARM:
            # With a limit of ours it would be another request to memory, which nobody asks: that one gets it later.
            self._replayer.bound(exchange, original)
        self._capped[exchange.id] = cap, original
        try:
            return await self._replayer.send(exchange)
        finally:
            del self._capped[exchange.id]

    def answer_in(self, content: Content) -> Answer | None:
        """See `Sending`."""
        return answer_in(content)

    def _proceed(self, exchange: Exchange) -> Awaitable[Reply]:
        stages = {name: stage for name, stage in self._stages().items() if name not in _KNOWN_ALREADY}
        capped = self._capped.get(exchange.id)
        if capped is not None:
            stages["route"] = self._paying(stages["route"], *capped)
        return journey(stages)(exchange)

    def _paying(self, route: Stage, cap: SpendCap, original: Original) -> Stage:
        """The route stage, before which the cap becomes the first to pay: budgets have said by then who else does."""

        async def pay(exchange: Exchange, proceed: Proceed) -> Reply:
            self._replayer.bound(exchange, original)
            exchange.purse = CappedPurse(cap, partial(self._worst, original), exchange.purse)
            return await route(exchange, proceed)

        return pay

    def _worst(self, original: Original, exchange: Exchange, attempt: Attempt) -> int | None:
        rates = self._prices.rates(attempt.endpoint)
        if rates is None:
            return None
        prompt, choices, thinking = self.size(exchange)
        answer = (exchange.peek.max_tokens or 0) * choices + thinking
        return most_nanos(rates, max(prompt, prompt_tokens_of(original.row)), answer)


def _thinking(exchange: Exchange) -> int:
    request = exchange.request if exchange.dialect.operation == "chat" else None
    return thinking_room(request) if isinstance(request, ChatRequest) else 0
