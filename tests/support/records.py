"""What a started gateway has stored, read from its database as another process may."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from headgate.control.traces import Shown, show
from headgate.core.ids import parse_request_id
from headgate.stores.backends.sqlite import Database, SqliteSpans
from headgate.stores.spans import RequestRow
from tests.support.gateway import RunningGateway

__all__ = ["all_shown", "shown"]


def shown(gateway: RunningGateway, request_id: str, *, within: float = 15.0) -> Shown:
    """Everything stored about one request (`req_…`), waiting until it is; AssertionError after so many seconds."""
    number = parse_request_id(request_id)

    async def look() -> Shown:
        database = Database(gateway.database)
        try:
            spans = SqliteSpans(database)
            due = time.monotonic() + within
            while True:
                found = await show(spans, number)
                if found is not None:
                    return found
                assert time.monotonic() < due, f"{request_id} was not stored:\n{gateway.log}"
                await asyncio.sleep(0.02)
        finally:
            await database.close()

    return asyncio.run(look())


def all_shown(gateway: RunningGateway) -> Sequence[Shown]:
    """Everything stored about every request."""

    async def look() -> list[Shown]:
        database = Database(gateway.database)
        try:
            spans = SqliteSpans(database)
            rows: Sequence[RequestRow] = (await spans.latest(1_000_000)).rows
            found = [await show(spans, row.id) for row in rows]
            return [one for one in found if one is not None]
        finally:
            await database.close()

    return asyncio.run(look())
