"""The record writer in a process of its own: what the gateway starts, and what runs there."""

from __future__ import annotations

import sys
from typing import BinaryIO

import msgspec

from headgate.compose.stores import open_stores
from headgate.config.model import Settings
from headgate.core.clock import Clock, SystemClock
from headgate.edge.settings import ServerSettings
from headgate.providers.catalog.book import PriceBook
from headgate.records.apart import Order, WriterApart
from headgate.records.following import follow
from headgate.records.journal import Journal
from headgate.records.pricing import Pricer

__all__ = ["COMMAND", "read_order", "write", "writer_apart"]

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


def read_order(lines: BinaryIO) -> Order | None:
    """What the writer is told first; None: whoever started it is gone."""
    line = lines.readline()
    return msgspec.json.decode(line, type=Order) if line else None


def write(order: Order, lines: BinaryIO, answers: int) -> None:
    """The writer's side: returns when it is told to stop, or the gateway is gone."""
    stores = open_stores(Settings(server=ServerSettings(database=order.database, data=order.data)))
    follow(order, lines, answers, sink=stores.sink, pricer=Pricer(PriceBook()), clock=SystemClock())
