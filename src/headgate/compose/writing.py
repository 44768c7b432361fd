"""The record writer in a process of its own, as the gateway starts it; `following` is what runs there."""

from __future__ import annotations

import sys

from headgate.config.model import Settings
from headgate.core.clock import Clock
from headgate.records.apart import WriterApart
from headgate.records.journal import Journal
from headgate.records.orders import Order

__all__ = ["COMMAND", "writer_apart"]

COMMAND = (sys.executable, "-m", "headgate.cli.writing")


def writer_apart(settings: Settings, journal: Journal, clock: Clock) -> WriterApart:
    """The gateway's side."""
    order = Order(
        database=settings.server.database,
        data=settings.server.data,
        directory=str(journal.directory),
        journal=journal.name,
        segment_bytes=int(journal.segment_bytes),
        again=False,
        log_level=settings.log.level,
        log_format=settings.log.format,
    )
    return WriterApart(journal, COMMAND, order, clock)
