"""The semantic side of the cache, put together: who makes vectors, by which check, and what has to be there for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from time import monotonic

import msgspec

from headgate.cache.semantic.check import open_check
from headgate.cache.semantic.lookup import Similar
from headgate.cache.semantic.reading import LocalReader, Reader, RemoteReader, Vectors
from headgate.config.model import Settings
from headgate.core.clock import Clock
from headgate.core.errors import GatewayError
from headgate.core.ids import IdSource, trace_id
from headgate.core.messages import EmbeddingsReply
from headgate.core.tasks import ended
from headgate.edge.dialects.openai_embeddings import OpenAIEmbeddings
from headgate.exchange.exchange import Exchange
from headgate.exchange.stage import Proceed
from headgate.providers.embedding.door import open_embedder
from headgate.providers.embedding.place import embedder_file
from headgate.providers.embedding.port import EmbedderMissing
from headgate.stores.answers import AnswerStore

__all__ = ["Similarity"]

_LOCAL = "local"
_SECONDS = 10.0
"""The longest a model is waited for; the request itself waits far less, and the vector is then there for the next one."""

log = logging.getLogger("headgate")


class Similarity:
    """Makes a `Similar` for a gateway, and gives it an embedder as soon as a feature needs one."""

    def __init__(
        self,
        store: AnswerStore,
        *,
        send: Proceed,
        ids: IdSource,
        clock: Clock,
        environ: Mapping[str, str],
    ) -> None:
        """send: the journey of requests that were let in already."""
        self.similar = Similar(store, clock)
        self._send = send
        self._ids = ids
        self._clock = clock
        self._environ = environ
        self._wanted = ""
        self._opening: asyncio.Task[None] | None = None

    def use(self, settings: Settings) -> None:
        """From the next request on. What is opened first takes 0.2 s, in a thread; until then nothing similar is found. Needs a
        running event loop, unless no feature wants it."""
        wanted = settings.cache.embed if _any(settings) else ""
        if wanted == self._wanted:
            return
        self._wanted = wanted
        before, self.similar.vectors = self.similar.vectors, None
        if before is not None:
            before.close()
        if wanted == _LOCAL:
            self._opening = asyncio.get_running_loop().create_task(self._open(), name="open embedder")
        elif wanted:
            self.similar.check = self.similar.check or open_check()
            self.similar.vectors = Vectors(RemoteReader(wanted, self._ask, self._clock.monotonic))

    async def opened(self) -> None:
        """Wait until what is wanted is there, or is known not to come."""
        if self._opening is not None:
            await asyncio.wait([self._opening])

    async def aclose(self) -> None:
        """Idempotent."""
        await ended(self._opening)
        await self.similar.aclose()

    async def _open(self) -> None:
        try:
            embedder = await asyncio.to_thread(open_embedder, embedder_file(self._environ))
            self.similar.check = self.similar.check or await asyncio.to_thread(open_check)
        except (EmbedderMissing, ImportError, OSError, ValueError, MemoryError) as fault:
            log.warning("questions in other words are not recognised: %s", fault)
            return
        reader: Reader = LocalReader(embedder)
        if self._wanted == _LOCAL:
            self.similar.vectors = Vectors(reader)
        else:
            reader.close()

    async def _ask(self, text: str, exchange: Exchange) -> Sequence[float] | None:
        """By a model: a request of its own, recorded and billed to the key whose question it reads."""
        body = msgspec.json.encode({"model": self._wanted, "input": [text]})
        call = Exchange(
            id=self._ids.next(),
            dialect=OpenAIEmbeddings(),
            body=body,
            headers=[],
            received_at=monotonic(),
            started_ns=self._clock.wall_ns(),
            path="/v1/embeddings",
        )
        call.purpose = "embed"
        call.peek = call.dialect.peek(body)
        call.caller, call.asked_by = exchange.caller, exchange.asked_by
        call.user, call.session, call.feature = exchange.user, exchange.session, exchange.feature
        call.tags = dict(exchange.tags)
        trace = exchange.trace_parent[3:35] or trace_id(exchange.id)
        call.trace_parent = f"00-{trace}-{exchange.id:016x}-01"
        try:
            async with asyncio.timeout(_SECONDS):
                call.reply = await self._send(call)
                answer = call.reply.answer
        except GatewayError as error:
            call.error = call.error or error
            return None
        except TimeoutError:
            return None
        finally:
            pending = call.close()
            if pending is not None:
                await asyncio.shield(pending)
        return answer.vectors[0] if isinstance(answer, EmbeddingsReply) and answer.vectors else None


def _any(settings: Settings) -> bool:
    return settings.cache.enabled and any(
        feature.cache is not None and feature.cache.exact and feature.cache.semantic is not None
        for feature in settings.features.values()
    )
