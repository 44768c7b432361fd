"""Carries out deliveries that are kept: claims those that are due, tries each, and writes down what came of it.

Any node may carry out any delivery. A claim ends by itself, so what a node had begun when it died is begun again by another;
a receiver may hear the same twice, never nothing."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec.structs import replace

from headgate.alerts.post import NotTaken
from headgate.alerts.receivers import Receiver
from headgate.alerts.wording import one_line
from headgate.core.clock import Clock
from headgate.stores.alerts import Alert, AlertStore, Claimed
from headgate.stores.errors import StoreUnavailable

__all__ = ["CLAIM_SECONDS", "GIVE_UP_SECONDS", "Courier", "Send", "wait_after"]

Send = Callable[[Receiver, Alert], Awaitable[str]]
"""One try. Returns what should be known although it was taken, in words; "" if nothing. Raises NotTaken."""

CLAIM_SECONDS = 60.0
"""After that a delivery is free again. A try may take half of it, so that nobody who lives is taken for dead."""
GIVE_UP_SECONDS = 86_400.0
"""What could not be delivered for so long is given up."""
_FIRST_WAIT = 5.0
_LONGEST_WAIT = 3600.0
_AT_ONCE = 16
_NS = 1_000_000_000
_SWEEP_NS = 60 * _NS

log = logging.getLogger("headgate")


def wait_after(tries: int) -> float:
    """Seconds until the next try, after so many: 5, 10, 20 and so on, an hour at most."""
    return min(_FIRST_WAIT * 2.0 ** min(tries - 1, 20), _LONGEST_WAIT)


class Courier:
    """Delivers. Belongs to one event loop."""

    def __init__(
        self,
        store: AlertStore,
        send: Send,
        clock: Clock,
        *,
        ended: Callable[[], None],
        claim_seconds: float = CLAIM_SECONDS,
    ) -> None:
        """ended: called when a try has ended, so that there is room for another."""
        self._store = store
        self._ended = ended
        self._send = send
        self._clock = clock
        self._claim_ns = int(claim_seconds * _NS)
        self._try_seconds = claim_seconds / 2
        self._under_way: dict[str, asyncio.Task[None]] = {}
        """By receiver: each is told one thing at a time, in order, and one that hangs is in the way of no other."""
        self._swept_ns = 0
        self.delivered = 0
        self.failed = 0
        """Tries that did not succeed."""
        self.given_up = 0

    async def round(self, receivers: Mapping[str, Receiver]) -> None:
        """Begin what is due, as far as there is room, and give up what is too old. Raises StoreUnavailable."""
        now = self._clock.wall_ns()
        if now - self._swept_ns >= _SWEEP_NS:
            self._swept_ns = now
            self.given_up += await self._store.give_up(now - int(GIVE_UP_SECONDS * _NS), now)
        free = [each for each in receivers if each not in self._under_way]
        room = _AT_ONCE - len(self._under_way)
        if not free or room <= 0:
            return
        until = now + self._claim_ns
        found: dict[str, list[Claimed]] = {}
        for each in await self._store.claim(free, now_ns=now, until_ns=until, limit=room):
            found.setdefault(each.delivery.receiver, []).append(each)
        for name, claimed in found.items():
            task = asyncio.create_task(self._deliver_all(claimed, receivers[name]), name="alert")
            self._under_way[name] = task
            task.add_done_callback(functools.partial(self._done, name))

    def _done(self, name: str, _: asyncio.Task[None]) -> None:
        del self._under_way[name]
        self._ended()

    async def aclose(self, seconds: float) -> None:
        """Let those under way end, for so long; the rest is free again when its claim is over."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way.values(), timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _deliver_all(self, claimed: Sequence[Claimed], receiver: Receiver) -> None:
        for each in claimed:
            if each.delivery.next_ns - self._clock.wall_ns() < self._claim_ns // 2:
                # Its claim might be over before the try is: it is claimed again, then.
                return
            await self._deliver(each, receiver)

    async def _deliver(self, claimed: Claimed, receiver: Receiver) -> None:
        taken, error = await self._try(receiver, claimed.alert)
        now, tries = self._clock.wall_ns(), claimed.delivery.tries
        outcome = replace(claimed.delivery, error=error)
        if taken:
            self.delivered += 1
            outcome = replace(outcome, done_ns=now)
        else:
            self.failed += 1
            next_ns = now + int(wait_after(tries) * _NS)
            outcome = replace(outcome, next_ns=next_ns)
            if tries == 1:
                log.warning("alert `%s`: %s did not take it: %s", claimed.alert.kind, receiver.name, error)
        try:
            await self._store.settle(claimed, outcome)
        except StoreUnavailable as failure:
            # It will be told again when the claim is over: twice is better than never.
            log.warning("cannot write down what came of an alert to %s: %s", receiver.name, failure)

    async def _try(self, receiver: Receiver, alert: Alert) -> tuple[bool, str]:
        """Was it taken? And what there is to say about it, if not why."""
        try:
            async with asyncio.timeout(self._try_seconds):
                return True, await self._send(receiver, alert)
        except NotTaken as refused:
            return False, str(refused)
        except TimeoutError:
            return False, f"no answer within {self._try_seconds:g} s"
        except Exception as mistake:
            # One receiver's trouble must not end the deliveries to the others.
            log.exception("an alert to %s", receiver.name)
            return False, one_line(f"{type(mistake).__name__}: {mistake}")[:200]
