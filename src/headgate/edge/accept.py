"""Accept: what the edge could not read is refused here, when it is known who asked."""

from __future__ import annotations

from typing import Final

from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed

__all__ = ["Accept", "accept"]


class Accept:
    """See `Check`. Bodies that are too large, broken or of another shape, and paths nobody serves, end here."""

    async def __call__(self, exchange: Exchange, proceed: Proceed, /) -> Reply:
        """See `Stage`."""
        self.check(exchange)
        return await proceed(exchange)

    def check(self, exchange: Exchange, /) -> None:
        """See `Check`."""
        if exchange.unreadable is not None:
            raise exchange.unreadable


accept: Final = Accept()
