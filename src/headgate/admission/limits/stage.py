"""Limit: is there room for this request? All limits are checked, then all are taken; what was not used is given back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from math import inf
from time import monotonic

from headgate.admission.limits.line import Line
from headgate.admission.limits.rules import Ask, Counted, Plan
from headgate.admission.limits.saying import headers, too_large, too_many
from headgate.admission.limits.settings import QueueSettings
from headgate.admission.limits.spent import Spent, spent
from headgate.core.errors import LimitReached
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed
from headgate.stores.meters import ImmediateMeters, Meters, Reading

__all__ = ["Limit", "WhatIsAsked"]

WhatIsAsked = Callable[[Exchange], tuple[str, str]]
"""(feature, model) of a request: "" for none, and the model it will probably go to. Raises UnknownModel."""

_KINDS = frozenset({"chat", "embeddings", "count_tokens"})
"""Operations that reach a provider: others cost nobody anything."""


class Limit:
    """See `Stage`."""

    def __init__(self, meters: Meters, plan: Plan, asked: WhatIsAsked, *, look_every: float = inf) -> None:
        """look_every: see `Line`."""
        self.plan = plan
        """Swapped whole when the configuration changes."""
        self.line = Line(meters, look_every=look_every)
        self.refused: Counter[str] = Counter()
        """By limit: requests that it refused."""
        self.overlaps = False
        """Ask and go on, where counts are kept elsewhere: `Exchange.granted` waits for the answer. What follows asks the same
        place something too, and both questions travel together."""
        self._meters = meters
        self._immediate = meters if isinstance(meters, ImmediateMeters) else None
        self._asked = asked

    async def __call__(self, exchange: Exchange, proceed: Proceed, /) -> Reply:
        """See `Stage`. Raises LimitReached, LimitsUnavailable."""
        if exchange.dialect.operation not in _KINDS:
            return await proceed(exchange)
        feature, model = self._asked(exchange)
        plan = self.plan
        asks = plan.asks(exchange, feature, model)
        if not asks:
            return await proceed(exchange)
        queue = plan.queues.get(feature)
        immediate = self._immediate
        if self.overlaps and queue is None:
            self._ask(exchange, asks, feature)
        elif immediate is not None and not self.line.waiting:
            reading = immediate.take_now(asks)
            if not reading.ok:
                reading = await self._refused(exchange, asks, reading, feature, queue)
            self._taken(exchange, asks, reading)
        else:
            await self._pass(exchange, asks, feature, queue)
        return await proceed(exchange)

    def _ask(self, exchange: Exchange, asks: list[Ask], feature: str) -> None:
        asked = asyncio.create_task(self._pass(exchange, asks, feature, None), name="limit")
        exchange.grant = asked
        # What was granted is given back by a closer of its own; who is gone before the answer takes nothing.
        exchange.on_close(partial(_leave, asked))
        asked.add_done_callback(_look_at)

    async def _pass(
        self, exchange: Exchange, asks: list[Ask], feature: str, queue: QueueSettings | None
    ) -> None:
        """All is taken, or LimitReached is raised."""
        if queue is None or not self.line.waiting:
            reading = await self._meters.take(asks, exchange.id)
        else:
            reading = Reading(False, [], [0.0] * len(asks))
        if not reading.ok:
            reading = await self._refused(exchange, asks, reading, feature, queue)
        self._taken(exchange, asks, reading)

    def _taken(self, exchange: Exchange, asks: list[Ask], reading: Reading) -> None:
        exchange.on_close(partial(self._settle, exchange, asks))
        exchange.reply_headers += headers(asks, reading.left)

    async def _refused(
        self, exchange: Exchange, asks: list[Ask], reading: Reading, feature: str, queue: QueueSettings | None
    ) -> Reading:
        """What waiting brought. Raises LimitReached."""
        why = ""
        error: LimitReached | None = too_large(asks)
        if error is None and queue is not None and self.line.full(feature, queue):
            self.line.in_vain += 1
            why = f"; {queue.most} requests of `{feature}` wait already"
        elif error is None and queue is not None:
            began = monotonic()
            try:
                reading = await self.line.wait(
                    asks,
                    holder=exchange.id,
                    key=exchange.caller.key_id if exchange.caller else "",
                    feature=feature,
                    settings=queue,
                    reading=reading,
                )
            finally:
                exchange.queued_seconds += monotonic() - began
            if reading.ok:
                return reading
            why = f"; the request waited {float(queue.wait):g} s for it"
        error = error or too_many(asks, reading, why=why)
        self.refused[error.limit] += 1
        exchange.reply_headers.append((b"x-headgate-limit", error.limit.encode()))
        if len(reading.left) == len(asks):
            # The name is of the limit that refused; the figures are of the tightest ones.
            exchange.reply_headers.extend(headers(asks, reading.left)[1:])
        raise error

    def _settle(self, exchange: Exchange, asks: list[Ask]) -> None:
        """The request is over: correct by what it has used."""
        used: Spent | None = None
        changes: list[Ask] = []
        for ask in asks:
            gauge, subject, units = ask
            if gauge.tokens:
                if used is None:
                    used = spent(exchange)
                more = _used(exchange, gauge, used) - units
                if more:
                    changes.append((gauge, subject, more))
            elif not gauge.interval:
                changes.append((gauge, subject, -1))
        self._meters.settle(changes, exchange.id)
        if self.line.waiting:
            self.line.room_came()


def _leave(asked: asyncio.Task[None]) -> None:
    asked.cancel()


def _look_at(asked: asyncio.Task[None]) -> None:
    """A refusal that nobody waited for is no mistake to be told of."""
    if not asked.cancelled():
        asked.exception()


def _used(exchange: Exchange, gauge: Counted, used: Spent) -> int:
    tokens = used.input if gauge.of_prompt else 0
    if gauge.of_answer:
        tokens += used.output
        if used.unknown:
            said = exchange.peek.max_tokens
            tokens += used.unknown * (gauge.assume_output if said is None else said)
    return tokens
