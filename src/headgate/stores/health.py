"""What nodes tell each other about endpoints: which one is left alone, and which one is back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

__all__ = ["Apply", "HealthNews", "HealthShare"]


class HealthNews(msgspec.Struct, frozen=True, array_like=True):
    """One change of one endpoint's breaker."""

    endpoint: str
    """Its key, the same on every node."""
    open_seconds: float
    """So much longer it is left alone, counted from when this is read; 0.0: it is back."""
    why: str = ""


Apply = Callable[[HealthNews], None]


class HealthShare(Protocol):
    """Carries news between the nodes of an installation, in milliseconds. Best effort: a node that hears nothing goes by
    what it sees itself. Nothing here is ever waited for by a request."""

    def start(self, apply: Apply) -> None:
        """Begin to listen, in the background: to what is true already, then to what changes. Needs a running event loop.

        apply: called from the event loop with the news of others, never with one's own."""
        ...

    def publish(self, news: HealthNews) -> None:
        """Tell the others, soon. Never waits, never raises; while the store is away only the newest news of each endpoint
        is kept."""
        ...

    async def aclose(self) -> None:
        """Stop listening. Idempotent."""
        ...
