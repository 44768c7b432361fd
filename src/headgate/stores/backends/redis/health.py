"""News of endpoints over Redis: published to who listens, kept for who comes later."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from headgate.core.tasks import ended
from headgate.stores.backends.redis.client import connect, driver_error
from headgate.stores.backends.redis.scripts import SNAPSHOT, TELL
from headgate.stores.health import Apply, HealthNews

if TYPE_CHECKING:
    from redis.asyncio.client import PubSub

__all__ = ["RedisHealthShare"]

log = logging.getLogger("headgate.health")

NAME = "headgate:{db}:health"
"""Of the hash and of the channel. Channels, unlike hashes, are common to all databases of a Redis."""
ANSWER_SECONDS = 1.0
"""Longest wait for Redis to connect or to answer. Nobody but our own two tasks waits."""
SILENCE_SECONDS = 5.0
"""After so long without a word we ask whether the connection still stands; after so long again it does not."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds between two attempts while Redis is away; doubled each time."""
MOST_WAITING = 10_000
"""Endpoints with news that could not be told yet."""
MOST_OPEN_SECONDS = 600.0
MOST_WHY = 200


class _Message(msgspec.Struct, frozen=True, array_like=True):
    node: str
    news: HealthNews


class RedisHealthShare:
    """See `HealthShare`. Two background tasks, one that tells and one that listens, each with a connection of its own.

    Redis orders the news by its own clock: what is older than what is known of an endpoint is passed over, so a late
    `it is back` cannot close what another node has opened since."""

    def __init__(self, url: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """url: `redis://`, `rediss://` or `unix://`. Raises ValueError for another, or without the extra `redis`."""
        self._client = connect(url, seconds=ANSWER_SECONDS)
        self._name = NAME.format(db=self._client.connection_pool.connection_kwargs.get("db") or 0)
        self._monotonic = monotonic
        self._node = os.urandom(8).hex()
        self._apply: Apply | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._outbox: dict[str, tuple[float, HealthNews]] = {}
        self._something = asyncio.Event()
        self._newest: dict[str, int] = {}
        self._away = False

    def start(self, apply: Apply) -> None:
        """See `HealthShare`."""
        self._apply = apply
        self._tasks = [
            asyncio.create_task(self._keep(self._tell_all), name="health tells"),
            asyncio.create_task(self._keep(self._listen), name="health listens"),
        ]

    def publish(self, news: HealthNews) -> None:
        """See `HealthShare`."""
        if news.endpoint not in self._outbox and len(self._outbox) >= MOST_WAITING:
            return
        self._outbox[news.endpoint] = (self._monotonic() + news.open_seconds, news)
        self._something.set()

    async def aclose(self) -> None:
        """See `HealthShare`."""
        tasks, self._tasks = self._tasks, []
        await ended(*tasks)
        with contextlib.suppress(Exception):  # whatever a broken connection says to a goodbye
            await self._client.aclose()

    async def _keep(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin again whenever Redis goes away, for ever."""
        failures = 0
        while True:
            began = self._monotonic()
            try:
                await work()
            except (OSError, self._failure) as error:
                self._note_away(error)
            except Exception:
                log.exception("news of endpoints cannot be shared; trying again")
            failures = 0 if self._monotonic() - began > LONGEST_PAUSE else failures + 1
            await asyncio.sleep(min(FIRST_PAUSE * 2.0 ** min(failures, 10), LONGEST_PAUSE))

    # Telling

    async def _tell_all(self) -> None:
        while True:
            for endpoint, waiting in list(self._outbox.items()):
                await self._tell(*waiting)
                if self._outbox.get(endpoint) is waiting:
                    del self._outbox[endpoint]
            self._something.clear()
            if not self._outbox:
                await self._something.wait()

    async def _tell(self, until: float, news: HealthNews) -> None:
        seconds = 0.0
        if news.open_seconds > 0:
            seconds = until - self._monotonic()
            if seconds <= 0:
                return  # it could not be told in time; the cooldown is over everywhere
        news = HealthNews(news.endpoint, seconds, news.why[:MOST_WHY])
        message = msgspec.json.encode(_Message(self._node, news))
        moment = await self._run(TELL, self._name, news.endpoint, message, str(int(seconds * 1e6)))
        self._note_here()
        self._is_newer(news.endpoint, int(moment))

    # Listening

    async def _listen(self) -> None:
        listening = self._client.pubsub()
        try:
            await listening.subscribe(self._name)
            if await listening.get_message(timeout=ANSWER_SECONDS) is None:
                raise ConnectionError("it does not answer")
            # Only now: what changes from here on is heard, so nothing lies between.
            self._newest.clear()
            for line in await self._run(SNAPSHOT):
                left, _, rest = line.partition(b" ")
                self._hear(rest, int(left) / 1e6)
            self._note_here()
            while True:
                found = await _next(listening)
                if found is not None:
                    self._hear(found)
        finally:
            with contextlib.suppress(Exception):
                await listening.aclose()  # type: ignore[no-untyped-call]

    def _hear(self, line: bytes, seconds: float | None = None) -> None:
        """line: moment and message. seconds: how much of the time in the message is left, if it was kept for a while."""
        moment, _, text = line.partition(b" ")
        try:
            message = msgspec.json.decode(text, type=_Message)
            at = int(moment)
        except (ValueError, RecursionError):
            log.warning("passed over what is no news of an endpoint on Redis channel %s", self._name)
            return
        news = message.news
        if message.node == self._node or not self._is_newer(news.endpoint, at):
            return
        # What has just changed here is newer than this, only not told yet.
        if news.endpoint in self._outbox and not news.open_seconds:
            return
        seconds = min(max(news.open_seconds if seconds is None else seconds, 0.0), MOST_OPEN_SECONDS)
        assert self._apply is not None
        self._apply(HealthNews(news.endpoint, seconds, news.why[:MOST_WHY]))

    def _is_newer(self, endpoint: str, moment: int) -> bool:
        if moment <= self._newest.get(endpoint, 0):
            return False
        if len(self._newest) >= MOST_WAITING:
            self._newest.clear()
        self._newest[endpoint] = moment
        return True

    async def _run(self, script: str, *arguments: str | bytes) -> Any:
        return await self._client.eval(script, 1, self._name, *arguments)

    def _note_away(self, error: BaseException) -> None:
        if not self._away:
            log.warning("Redis is away (%s): this node goes by what it sees itself of the endpoints", error)
        self._away = True

    def _note_here(self) -> None:
        if self._away:
            log.info("Redis is back: news of endpoints are shared again")
        self._away = False

    @property
    def _failure(self) -> type[Exception]:
        return driver_error()


async def _next(listening: PubSub) -> bytes | None:
    """The next message; None for other signs of life. Raises ConnectionError when there are none."""
    for asked in (False, True):
        found = await listening.get_message(timeout=SILENCE_SECONDS)
        if found is not None:
            return found["data"] if found["type"] == "message" else None
        if not asked:
            await listening.ping()
    raise ConnectionError(f"no word in {2 * SILENCE_SECONDS:g} s")
