"""Shadow traffic: a copy of some requests goes to another model too, after the caller has been answered, to compare.

A copy takes the journey of its own exchange: it is routed under the same rules, recorded, priced, and read to its end.
Nobody waits for it, nobody is billed for it, and when too many are under way further ones are left out.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Annotated

import msgspec

from headgate.core.clock import Clock
from headgate.core.errors import GatewayError, InternalFault, ShuttingDown, TotalTimeout
from headgate.core.ids import IdSource, request_id_text, trace_id
from headgate.core.section import Duration, Section
from headgate.core.tasks import ended
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange
from headgate.exchange.stage import Proceed

__all__ = ["PURPOSE", "ShadowSettings", "Shadows", "copy_of", "sampled"]

PURPOSE = "shadow"
"""What the record of a copy says it was for."""
_TOLD_EVERY = 60.0
"""Seconds between two lines in the log about copies that were left out."""
_MASK = (1 << 64) - 1
_SALT = 0xD1B54A32D192ED03  # odd and without a pattern: other draws from the same id fall differently

log = logging.getLogger("headgate.shadow")


class ShadowSettings(Section, frozen=True):
    """A copy of some requests goes to another model as well. Its answer is recorded and given to nobody."""

    model: str
    """The model that gets the copies: a name from `[models]`, or `provider/model`."""
    share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.05
    """Of the feature's answered requests, how many are copied: 0.05 is one in twenty."""
    most: Annotated[int, msgspec.Meta(ge=1)] = 8
    """Copies of the feature under way at the same time, in one process; more are left out, and counted."""
    total: Duration = Duration(120)
    """A copy that takes longer is given up."""


class Shadows:
    """Sends copies. Belongs to the event loop of its first copy."""

    def __init__(
        self,
        proceed: Proceed,
        ids: IdSource,
        clock: Clock,
        settings_of: Callable[[str], ShadowSettings | None],
    ) -> None:
        """proceed: the journey of a copy: record, route, dispatch. settings_of: feature -> its settings, None for none."""
        self.sent = 0
        """Copies begun."""
        self.dropped = 0
        """Copies left out because too many were under way."""
        self._proceed = proceed
        self._ids = ids
        self._clock = clock
        self._settings_of = settings_of
        self._under_way: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._told_at = -_TOLD_EVERY
        self._closed = False

    def after(self, exchange: Exchange) -> None:
        """Once this request is answered and the answer handed over: send a copy, if the lot falls on it."""
        settings = self._settings_of(exchange.feature)
        if settings is not None and not exchange.purpose and sampled(exchange.id, settings.share):
            exchange.on_close(lambda: self._answered(exchange, settings))

    async def aclose(self) -> None:
        """Give up what is under way, and send nothing any more. What was given up is recorded as such."""
        self._closed = True
        await ended(*self._tasks)

    def _answered(self, exchange: Exchange, settings: ShadowSettings) -> None:
        # An answer that broke off, or that nobody waited for, is nothing to compare with.
        unanswered = exchange.reply is None or exchange.error is not None
        if self._closed or unanswered or exchange.hung_up or exchange.degraded:
            return
        if exchange.dialect.operation not in ("chat", "embeddings"):
            return
        if self._under_way[exchange.feature] >= settings.most:
            self._drop(exchange.feature)
            return
        copy = copy_of(exchange, settings.model, self._ids.next(), self._clock)
        self.sent += 1
        self._under_way[exchange.feature] += 1
        task = asyncio.get_running_loop().create_task(self._run(copy, settings), name="shadow")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, copy: Exchange, settings: ShadowSettings) -> None:
        # Taken now: the copy's own feature may become that of a route.
        feature = copy.feature
        try:
            await self._ask(copy, settings)
        finally:
            self._under_way[feature] -= 1
            if not self._under_way[feature]:
                del self._under_way[feature]
            pending = copy.close()
            if pending is not None:
                await asyncio.shield(pending)

    async def _ask(self, copy: Exchange, settings: ShadowSettings) -> None:
        """The answer, read to its end; however it ends, the copy's record says so."""
        try:
            async with asyncio.timeout(settings.total):
                reply = copy.reply = await self._proceed(copy)
                frames = reply.frames
                if frames is not None:
                    try:
                        async for _ in frames:
                            pass
                    finally:
                        await frames.aclose()  # type: ignore[attr-defined]
        except GatewayError as error:
            copy.error = copy.error or error
        except TimeoutError:
            copy.error = TotalTimeout(detail=f"a shadow copy, within {settings.total:g} s (`shadow.total`)")
        except asyncio.CancelledError:
            copy.error = ShuttingDown("Headgate stopped before this shadow copy was answered")
            raise
        except Exception as bug:
            log.exception("shadow copy %s failed inside Headgate", request_id_text(copy.id))
            copy.error = InternalFault("a shadow copy failed inside Headgate", detail=repr(bug)[:500])

    def _drop(self, feature: str) -> None:
        self.dropped += 1
        now = self._clock.monotonic()
        if now - self._told_at >= _TOLD_EVERY:
            self._told_at = now
            log.warning(
                "shadow copies of `%s` are left out, too many are under way (`shadow.most`); %d so far",
                feature,
                self.dropped,
            )


def sampled(request_id: int, share: float) -> bool:
    """Does the lot fall on this request? Drawn from its id: the same on every node, and again in a replay."""
    # Neighbouring ids differ in few bits; after this (splitmix64's last steps) they differ everywhere.
    mixed = (request_id * _SALT) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return (mixed ^ (mixed >> 31)) < share * (1 << 64)


def copy_of(exchange: Exchange, model: str, copy_id: int, clock: Clock) -> Exchange:
    """The same request for another model, as an exchange of its own in the same trace.

    It keeps what rules on where data may go are about: feature, tags, headers, user, team and tenant. It has no key:
    whoever sums up what a key has spent does not meet it."""
    copy = Exchange(
        id=copy_id,
        dialect=exchange.dialect,
        body=exchange.body,
        headers=exchange.headers,
        received_at=clock.monotonic(),
        started_ns=clock.wall_ns(),
        path=exchange.path,
    )
    copy.purpose = PURPOSE
    # What rules say of the name asked for holds for the copy too.
    copy.asked = exchange.peek.model
    copy.peek = exchange.peek.again(model)
    copy.answer_limit = exchange.answer_limit
    if exchange.edited:
        copy.edit(exchange.request)
    caller = exchange.caller
    if caller is not None:
        copy.caller = Caller(key_id="", key_name=PURPOSE, team=caller.team, tenant=caller.tenant)
    copy.user, copy.session, copy.feature = exchange.user, exchange.session, exchange.feature
    copy.tags = {**exchange.tags, "shadow_of": request_id_text(exchange.id)}
    # The original's span is the parent, in whatever trace that is.
    trace = exchange.trace_parent[3:35] or trace_id(exchange.id)
    copy.trace_parent = f"00-{trace}-{exchange.id:016x}-01"
    return copy
