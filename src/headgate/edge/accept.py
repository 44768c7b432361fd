"""Accept: what the edge could not read is refused here, when it is known who asked."""

from __future__ import annotations

from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed

__all__ = ["accept"]


async def accept(exchange: Exchange, proceed: Proceed) -> Reply:
    """A stage. Bodies that are too large, broken or of another shape, and paths nobody serves, end here."""
    if exchange.unreadable is not None:
        raise exchange.unreadable
    return await proceed(exchange)
