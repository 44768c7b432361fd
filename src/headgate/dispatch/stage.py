"""Dispatch: the innermost stage. Asks the candidates until one answers, within the request's deadline.

The first candidate is asked, and mostly answers. If not, the `Course` says where to go next and after which wait. A
stream counts as answered at its first content, so everything before that can still fail over; what breaks after it is
finished elsewhere if the feature asks for that (`resuming`), else it ends in an explicit error. When nobody answers, the
degrade ladder of the feature does.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from time import monotonic

from headgate.core.errors import GatewayError, TotalTimeout, UnsupportedRequest
from headgate.core.ids import IdSource
from headgate.core.messages import ChatRequest
from headgate.dispatch.attempting import Attempting, NoPlace
from headgate.dispatch.course import Course
from headgate.dispatch.hedging import HedgeShare, hedged
from headgate.dispatch.ladder.climb import LEAST_MODEL_SECONDS, Ask, Ladder
from headgate.dispatch.manner import Manner
from headgate.dispatch.resuming import Resuming
from headgate.dispatch.shadow import Shadows
from headgate.dispatch.streaming import StreamedAnswer
from headgate.exchange.attempt import AttemptKind
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed
from headgate.providers.port import Endpoint
from headgate.providers.prefixes import Prefixes

__all__ = ["Dispatch"]

_FEATURES = 1000


class Dispatch:
    """Makes attempts. The manner is looked up by feature, so a changed configuration counts from the next request on."""

    def __init__(
        self,
        *,
        ids: IdSource,
        manner: Callable[[str], Manner],
        ladder: Callable[[Ask], Ladder] | None = None,
        shadows: Shadows | None = None,
        draw: Callable[[], float] = random.random,
        prefixes: Prefixes | None = None,
    ) -> None:
        """manner: feature -> how its requests are dispatched. ladder: makes what is climbed when nobody answers, given how
        its models are asked. draw: chance, a number from 0 to 1. prefixes: which beginnings of prompts providers shall keep."""
        self.ladder = ladder(self.reserve) if ladder is not None else None
        self.shadows = shadows
        self._attempting = Attempting(ids, prefixes)
        self._manner = manner
        self._draw = draw
        self._shares: dict[str, HedgeShare] = {}

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:  # noqa: ARG002 - the last stage
        manner = self._manner(exchange.feature)
        began = monotonic()
        left = manner.total
        if exchange.deadline:
            # It has waited for another request's answer, in vain: that was part of its time.
            left = max(exchange.deadline - began, LEAST_MODEL_SECONDS)
            began -= manner.total - left
        if exchange.purse is not None:
            # Money may have to be waited for, and that too ends when the request has to.
            exchange.deadline = began + manner.total
        candidates = exchange.candidates
        reply: Reply | None = None
        course: Course | None
        try:
            if not candidates:
                raise UnsupportedRequest(f"`{exchange.peek.model}` has no endpoint that can do this")
            alone = len(candidates) == 1
            # A copy that nobody waits for is not hurried.
            if manner.hedge is not None and not alone and not exchange.purpose:
                reply = await self._hedged(exchange, candidates, manner, began)
            else:
                timeouts = manner.deadlines(stream=exchange.peek.stream, alone=alone, left=left)
                course = None
                try:
                    reply = await self._attempting(exchange, candidates[0], manner, timeouts, alone=alone)
                except (NoPlace, GatewayError) as error:
                    course = self._left(exchange, manner, began, error)
                if course is not None:
                    reply = await self._go_on(exchange, course, manner, began)
                assert reply is not None
            if manner.follows and not exchange.purpose:
                reply = self._follow(exchange, reply, manner, began)
            return reply
        except GatewayError as failure:
            if self.ladder is None or not manner.ladder.rungs or exchange.hung_up:
                raise
            failed = [failure]
        # Taken out of the list: what it was raised through holds this frame, and the frame would hold it.
        return await self._degraded(exchange, failed.pop(), began + manner.total)

    async def _degraded(self, exchange: Exchange, failure: GatewayError, deadline: float) -> Reply:
        """What is answered when no endpoint did. Raises `failure` if that is nothing."""
        assert self.ladder is not None
        await exchange.granted()
        exchange.deadline = deadline
        degraded = await self.ladder.answer(exchange, failure, deadline=deadline)
        if degraded is None:
            raise failure
        return degraded

    async def reserve(self, exchange: Exchange, endpoints: Sequence[Endpoint]) -> Reply:
        """Ask the endpoints of a rung of the ladder, in order. Raises GatewayError."""
        manner = self._manner(exchange.feature)
        now = monotonic()
        # As if it had begun when so much time was left as is left now; a little is, whatever happened before.
        began = now + max(exchange.deadline - now, LEAST_MODEL_SECONDS) - manner.total
        course = self._course(endpoints, manner, began)
        return await self._go_on(exchange, course, manner, began, kind="degrade")

    def _left(
        self, exchange: Exchange, manner: Manner, began: float, error: NoPlace | GatewayError
    ) -> Course:
        """The course after the first candidate did not answer. Raises `error` if nobody is there to go on for."""
        if exchange.hung_up and isinstance(error, GatewayError):
            raise error
        course = self._course(exchange.candidates, manner, began)
        if isinstance(error, GatewayError):
            course.failed(exchange.candidates[0], error, monotonic())
        else:
            course.refused(exchange.candidates[0], monotonic())
        return course

    async def _go_on(
        self,
        exchange: Exchange,
        course: Course,
        manner: Manner,
        began: float,
        *,
        kind: AttemptKind = "",
    ) -> Reply:
        """After something did not go as usual. kind: of all attempts, instead of what the course says."""
        while True:
            now = monotonic()
            step = None if exchange.hung_up else course.next(now)
            if step is None:
                raise course.error or UnsupportedRequest("no endpoint could be asked")
            if step.seconds:
                await asyncio.sleep(step.seconds)
                waited = monotonic() - now
                exchange.queued_seconds += waited  # neither the provider's doing nor our own work
                now += waited
                if exchange.hung_up:
                    continue  # nothing is tried for a caller who has left meanwhile
            left = began + manner.total - now
            timeouts = manner.deadlines(stream=exchange.peek.stream, alone=step.alone, left=left)
            try:
                return await self._attempting(
                    exchange, step.endpoint, manner, timeouts, alone=step.alone, kind=kind or step.kind
                )
            except NoPlace:
                course.refused(step.endpoint, monotonic())
            except GatewayError as error:
                course.failed(step.endpoint, error, monotonic())

    async def _hedged(
        self, exchange: Exchange, candidates: Sequence[Endpoint], manner: Manner, began: float
    ) -> Reply:
        assert manner.hedge is not None
        course = self._course(candidates, manner, began)
        if len(self._shares) > _FEATURES:
            self._shares.clear()  # many configurations later
        share = self._shares.setdefault(exchange.feature, HedgeShare())
        share.request(manner.hedge.share)

        async def ask(endpoint: Endpoint, kind: AttemptKind) -> Reply:
            left = began + manner.total - monotonic()
            timeouts = manner.deadlines(stream=exchange.peek.stream, alone=False, left=left)
            return await self._attempting(exchange, endpoint, manner, timeouts, kind=kind)

        def failed(endpoint: Endpoint, error: Exception) -> None:
            if isinstance(error, GatewayError):
                course.failed(endpoint, error, monotonic())
            else:
                course.refused(endpoint, monotonic())

        reply = await hedged(exchange, candidates, settings=manner.hedge, share=share, ask=ask, failed=failed)
        return reply if reply is not None else await self._go_on(exchange, course, manner, began)

    def _follow(self, exchange: Exchange, reply: Reply, manner: Manner, began: float) -> Reply:
        """What a feature wants done with a good answer."""
        if manner.resume and isinstance(reply.frames, StreamedAnswer):
            reply = self._resumable(exchange, reply.frames, manner, began)
        if self.ladder is not None and manner.ladder.stale_seconds:
            reply = self.ladder.remember(exchange, reply)
        if self.shadows is not None and manner.shadow is not None:
            self.shadows.after(exchange)
        return reply

    def _resumable(self, exchange: Exchange, first: StreamedAnswer, manner: Manner, began: float) -> Reply:
        async def open_(endpoint: Endpoint, request: ChatRequest | None) -> StreamedAnswer:
            left = began + manner.total - monotonic()
            if left <= 0:
                raise TotalTimeout(detail=endpoint.name)
            timeouts = manner.deadlines(stream=True, alone=True, left=left)
            answered = await self._attempting(
                exchange, endpoint, manner, timeouts, alone=True, kind="resume", request=request
            )
            frames = answered.frames
            assert isinstance(frames, StreamedAnswer)
            return frames

        # Who broke off is asked last: it is the least likely to do better.
        broken = first.attempt.endpoint
        others = [one for one in exchange.candidates if one.health is not broken.health]
        # Events from two answers have no bytes that would fit together: all is encoded afresh.
        return Reply(frames=Resuming(exchange, first, [*others, broken], open_))

    def _course(self, candidates: Sequence[Endpoint], manner: Manner, began: float) -> Course:
        return Course(candidates, manner, deadline=began + manner.total, draw=self._draw)
