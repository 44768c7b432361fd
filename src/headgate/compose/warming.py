"""A gateway's memory, as those see it who fill it and look into it."""

from __future__ import annotations

from headgate.compose.caching import Caching
from headgate.exchange.exchange import Exchange
from headgate.stores.answers import AnswerStore

__all__ = ["GatewayMemory"]


class GatewayMemory:
    """Fulfils `control.cache.warming.Memory`."""

    def __init__(self, caching: Caching) -> None:
        self._caching = caching

    @property
    def answers(self) -> AnswerStore | None:
        """See `Memory`. There also where no feature has a cache any more: what is kept of them can be looked at, and removed."""
        return self._caching.store

    async def key_of(self, exchange: Exchange) -> tuple[bytes, str]:
        """See `Memory`."""
        return await self._caching.recall.key_of(exchange)
