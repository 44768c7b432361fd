"""What is written down, put together: the journal, the writer that stores it, and the prices it is stored with."""

from __future__ import annotations

from collections.abc import Callable

from headgate.compose.stores import Stores, journal_directory
from headgate.config.model import Settings
from headgate.core.clock import Clock
from headgate.providers.catalog.book import PriceBook
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
        config_hash: Callable[[], str],
        metrics: Metrics,
    ) -> None:
        self.book = PriceBook()
        pricer = Pricer(self.book)
        self.journal = Journal(
            journal_directory(settings),
            clock,
            fsync=settings.records.fsync,
            segment_bytes=settings.records.segment,
        )
        self.writer = Writer(self.journal, stores.sink, pricer, clock)
        self.stage = Record(self.journal, pricer, settings.records, config_hash, clock, metrics)
