"""News of endpoints between the gateways of one process: for tests, and as the plainest example of the port."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from headgate.stores.health import Apply, HealthNews

__all__ = ["MemoryHealthHub", "MemoryHealthShare"]


@dataclass(slots=True)
class MemoryHealthHub:
    """What all shares of it know: who listens, and what is open until when."""

    monotonic: Callable[[], float] = time.monotonic
    listeners: dict[MemoryHealthShare, Apply] = field(default_factory=dict)
    open: dict[str, tuple[float, HealthNews]] = field(default_factory=dict)


class MemoryHealthShare:
    """See `HealthShare`."""

    def __init__(self, hub: MemoryHealthHub) -> None:
        self._hub = hub

    def start(self, apply: Apply) -> None:
        """See `HealthShare`."""
        self._hub.listeners[self] = apply
        now = self._hub.monotonic()
        for until, news in list(self._hub.open.values()):
            if until > now:
                apply(msgspec.structs.replace(news, open_seconds=until - now))

    def publish(self, news: HealthNews) -> None:
        """See `HealthShare`."""
        if news.open_seconds > 0:
            self._hub.open[news.endpoint] = (self._hub.monotonic() + news.open_seconds, news)
        else:
            self._hub.open.pop(news.endpoint, None)
        for share, apply in list(self._hub.listeners.items()):
            if share is not self:
                apply(news)

    async def aclose(self) -> None:
        """See `HealthShare`."""
        self._hub.listeners.pop(self, None)
