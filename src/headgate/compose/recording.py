"""What is written down, put together: the journal, the writer that stores it, and the prices it is stored with."""

from __future__ import annotations

from headgate.compose.prices import PriceReading
from headgate.compose.stores import Stores, journal_directory
from headgate.compose.writing import writer_apart
from headgate.config.model import Settings
from headgate.core.clock import Clock
from headgate.providers.catalog.book import PriceBook
from headgate.records.apart import WriterApart
from headgate.records.journal import Journal
from headgate.records.pricing import Pricer
from headgate.records.stage import Record
from headgate.records.writer import Writer
from headgate.telemetry.metrics import Metrics

__all__ = ["Recording"]


class Recording:
    """The stage `record` of a gateway, with all it needs."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        clock: Clock,
        config_hash: str,
        metrics: Metrics,
        *,
        apart: bool,
    ) -> None:
        """apart: the writer runs in a process of its own, unless the settings say otherwise."""
        self.book = PriceBook()
        pricer = Pricer(self.book)
        self.journal = Journal(
            journal_directory(settings),
            clock,
            fsync=settings.records.fsync,
            segment_bytes=settings.records.segment,
        )
        self.writer: Writer | WriterApart
        self._price_reading: PriceReading | None = None
        if apart and settings.records.writer == "process":
            self.writer = writer_apart(settings, self.journal, clock)
            self._price_reading = PriceReading(self.book)
        else:
            # Its thread asks the list for prices anyway.
            self.writer = Writer(self.journal, stores.sink, pricer, clock)
        self.stage = Record(self.journal, pricer, settings.records, config_hash, clock, metrics)
        self.use(settings, config_hash)

    def use(self, settings: Settings, config_hash: str) -> None:
        """From the next request on. config_hash: names this configuration."""
        self.stage.config_hash = config_hash
        self.stage.unkept = frozenset(
            name for name, feature in settings.features.items() if not feature.content
        )

    def start(self) -> None:
        """Begin to store."""
        self.writer.start()
        if self._price_reading is not None:
            self._price_reading.start()

    async def aclose(self, seconds: float) -> bool:
        """See `Writer.aclose`."""
        if self._price_reading is not None:
            await self._price_reading.aclose()
        return await self.writer.aclose(seconds)
