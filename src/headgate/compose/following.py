"""What runs in the record writer's process. It imports little: whatever it does, the gateway's memory has beside it already."""

from __future__ import annotations

from typing import BinaryIO

import msgspec

from headgate.core.clock import SystemClock
from headgate.providers.catalog.book import PriceBook
from headgate.records.following import follow
from headgate.records.orders import Order
from headgate.records.pricing import Pricer
from headgate.stores.address import file_of, is_postgres
from headgate.stores.backends import postgres, sqlite
from headgate.stores.sink import SpanSink

__all__ = ["read_order", "write"]


def read_order(lines: BinaryIO) -> Order | None:
    """What the writer is told first; None: whoever started it is gone."""
    line = lines.readline()
    return msgspec.json.decode(line, type=Order) if line else None


def write(order: Order, lines: BinaryIO, answers: int) -> None:
    """Store what the order names: returns when told to stop, or when the gateway is gone."""
    sink: SpanSink
    if is_postgres(order.database):
        sink = postgres.PostgresSink(postgres.Database(order.database))
    else:
        sink = sqlite.SqliteSink(sqlite.DatabaseFile(file_of(order.database)))
    follow(order, lines, answers, sink=sink, pricer=Pricer(PriceBook()), clock=SystemClock())
