"""A record stage, its journal and its writer over a store in memory, driven step by step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.providers.catalog.book import PriceBook
from headgate.records.journal import Journal
from headgate.records.pricing import Pricer
from headgate.records.settings import RecordSettings
from headgate.records.stage import Record
from headgate.records.writer import Writer
from headgate.stores.backends.memory import MemorySpans
from headgate.stores.sink import SpanSink
from headgate.stores.spans import AttemptRow, RequestRow
from tests.support.exchanges import Desk, closed

__all__ = ["Recording"]


class Recording:
    """Everything behind one gateway's records."""

    def __init__(
        self,
        directory: Path,
        *,
        settings: RecordSettings | None = None,
        store: MemorySpans | None = None,
        sink: SpanSink | None = None,
        book: PriceBook | None = None,
    ) -> None:
        self.desk = Desk()
        self.clock = self.desk.clock
        self.store = store or MemorySpans()
        self.journal = Journal(directory, self.clock)
        self.pricer = Pricer(book or PriceBook())
        self.writer = Writer(self.journal, sink or self.store, self.pricer, self.clock)
        self.stage = Record(self.journal, self.pricer, settings or RecordSettings(), "c0ffee", self.clock)

    async def serve(self, exchange: Exchange, proceed: Callable[[Exchange], Awaitable[Reply]]) -> Reply:
        """Take an exchange through the stage, read its reply to the end, and close it."""
        try:
            reply = await self.stage(exchange, proceed)
            if reply.frames is not None:
                async for _frame in reply.frames:
                    self.clock.advance(0.01)
            return reply
        finally:
            await closed(exchange)

    def store_all(self) -> None:
        """Let the writer store what is in the journal."""
        self.journal.flush()
        while self.writer.step():
            pass
        assert self.writer.failed is None, self.writer.failed

    async def stored(self, exchange: Exchange) -> tuple[RequestRow, list[AttemptRow]]:
        """The rows of an exchange, stored."""
        self.store_all()
        row = await self.store.request(exchange.id)
        assert row is not None, "nothing was stored"
        return row, list(await self.store.attempts(exchange.id))

    def close(self) -> None:
        self.writer.stop(1.0)
