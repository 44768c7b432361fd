"""Questions as vectors: read by the embedder on this machine, or by a model of the configuration, and remembered for a while."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from headgate.exchange.exchange import Exchange
from headgate.providers.embedding.port import EmbedderBusy

if TYPE_CHECKING:
    from headgate.providers.embedding.port import Embedder

__all__ = ["LocalReader", "Reader", "RemoteReader", "Vectors"]

REMEMBERED = 4_096
_FAILURES = 3
"""Of a model, one after the other, after which it is left alone for a while."""
_REST_SECONDS = 30.0

log = logging.getLogger("headgate.cache")

Numbers = Sequence[float]
Ask = Callable[[str, Exchange], Awaitable[Numbers | None]]
"""The vector of a text, asked for on behalf of this request; None if the model did not answer."""


class Reader(Protocol):
    """Makes vectors."""

    @property
    def name(self) -> str:
        """Whose they are: those of different names are never compared."""
        ...

    async def read(self, text: str, exchange: Exchange | None) -> Numbers | None:
        """None: not now. exchange: on whose behalf; None for what nobody asked for. Never raises."""
        ...

    def close(self) -> None: ...


class LocalReader:
    """By the embedder of the extra `[embed]`: some 5 ms for a question, in a thread of its own."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.name = embedder.fingerprint

    async def read(self, text: str, exchange: Exchange | None) -> Numbers | None:  # noqa: ARG002 - nobody is billed
        """See `Reader`."""
        try:
            rows: Any = await self._embedder.embed([text])
        except EmbedderBusy:
            return None
        numbers: Numbers = rows[0]
        return numbers

    def close(self) -> None:
        """Let go of its thread."""
        close = getattr(self._embedder, "close", None)
        if close is not None:
            close()


class RemoteReader:
    """By a model of the configuration. Each call is a request of its own, on record and billed to whose question it reads."""

    def __init__(self, name: str, ask: Ask, now: Callable[[], float]) -> None:
        """name: as `cache.embed` has it. now: monotonic seconds."""
        self.name = name
        self._ask = ask
        self._now = now
        self._failures = 0
        self._rests_until = 0.0

    async def read(self, text: str, exchange: Exchange | None) -> Numbers | None:
        """See `Reader`."""
        if exchange is None or self._now() < self._rests_until:
            return None
        found = await self._ask(text, exchange)
        if found is None or not any(found):
            self._failures += 1
            if self._failures >= _FAILURES:
                self._rests_until, self._failures = self._now() + _REST_SECONDS, 0
                log.warning(
                    "%s makes no vectors; similar questions are not looked for for %g s",
                    self.name,
                    _REST_SECONDS,
                )
            return None
        self._failures = 0
        return found

    def close(self) -> None:
        """See `Reader`."""


class Vectors:
    """What a reader has read lately, as bytes: little-endian float16, of length one."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        # numpy comes with an extra, and with the local embedder; a remote one's few numbers are packed without.
        self._numpy: Any = None
        self._known: OrderedDict[str, bytes] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[bytes]] = {}

    async def of(self, text: str, exchange: Exchange | None) -> bytes:
        """b"" if there is none now."""
        known = self._known.get(text)
        if known is not None:
            self._known.move_to_end(text)
            return known
        # Who leaves does not take the answer from others who wait for the same.
        task = self._under_way.get(text)
        if task is None:
            task = self._under_way[text] = asyncio.create_task(self._read(text, exchange), name="embed")
            task.add_done_callback(lambda _: self._under_way.pop(text, None))
        await asyncio.wait([task])
        return b"" if task.cancelled() else task.result()

    def close(self) -> None:
        """Who still waits gets b""."""
        for task in self._under_way.values():
            task.cancel()
        self.reader.close()

    async def cosine(self, one: str, other: str) -> float | None:
        """Of two texts that nobody pays for; None if it cannot be had."""
        left, right = await self.of(one, None), await self.of(other, None)
        if not left or not right:
            return None
        numpy = self._loaded()
        a, b = (numpy.frombuffer(each, "<f2").astype("f4") for each in (left, right))
        return float(a @ b)

    async def _read(self, text: str, exchange: Exchange | None) -> bytes:
        try:
            numbers = await self.reader.read(text, exchange)
            vector = self._packed(numbers) if numbers is not None else b""
        except Exception:
            # Whatever a runtime of others may raise: the question is then answered as if nobody had asked it before.
            log.exception("a question could not be turned into a vector")
            return b""
        if vector:
            self._known[text] = vector
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return vector

    def _packed(self, numbers: Numbers) -> bytes:
        numpy = self._loaded()
        row = numpy.asarray(numbers, "f4")
        size = float(numpy.sqrt(row @ row))
        if not numpy.isfinite(size) or size <= 0:
            return b""
        packed: bytes = (row / size).astype("<f2").tobytes()
        return packed

    def _loaded(self) -> Any:
        if self._numpy is None:
            self._numpy = importlib.import_module("numpy")
        return self._numpy
