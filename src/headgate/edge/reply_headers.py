"""The headers that tell a caller what Headgate did. Named in one place; documented in docs/reference/headers.md."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from headgate.core.ids import request_id_text
from headgate.exchange.exchange import Exchange
from headgate.providers.port import Endpoint

__all__ = ["ReplyHeaders"]

Headers = list[tuple[bytes, bytes]]
_KEPT = 1000


class ReplyHeaders:
    """Writes them, and remembers those that say the same at every reply of an endpoint."""

    def __init__(self) -> None:
        self._of_endpoint: dict[tuple[str, str, str], Headers] = {}
        self.mint: Callable[[int], str] | None = None
        """Makes of a request's id a token to judge its answer with; None: answers carry none."""

    def of(self, exchange: Exchange, *, refused: bool = False, early: bool = False) -> Headers:
        """refused: the dialect's own problem headers, request id included, are already there. early: nobody has answered
        yet, so who did and what it took is not said."""
        headers = list(exchange.reply_headers)
        if not refused:
            request_id = request_id_text(exchange.id).encode()
            headers.append((b"x-request-id", request_id))
            if exchange.dialect.name.startswith("anthropic."):
                headers.append((b"request-id", request_id))
            if self.mint is not None:
                headers.append((b"x-headgate-feedback", self.mint(exchange.id).encode()))
        attempts = exchange.attempts
        if attempts and not early:
            answering = exchange.answering or attempts[-1]
            if exchange.answering is not None or not exchange.degraded:
                headers += self._endpoint(answering.endpoint)
            headers.append((b"x-headgate-attempts", b"1" if len(attempts) == 1 else b"%d" % len(attempts)))
            if _in_anothers_place(exchange, answering.endpoint):
                headers.append((b"x-headgate-fallback", b"true"))
            own = monotonic() - exchange.received_at - exchange.waited_seconds() - exchange.queued_seconds
            ms = 1000 * own
            headers.append((b"x-headgate-overhead-ms", b"%.2f" % max(ms, 0.0)))
        if exchange.queued_seconds:
            headers.append((b"x-headgate-queue-ms", b"%.2f" % (1000 * exchange.queued_seconds)))
        return headers

    def _endpoint(self, endpoint: Endpoint) -> Headers:
        key = (endpoint.provider, endpoint.model, endpoint.region)
        known = self._of_endpoint.get(key)
        if known is None:
            names = (b"x-headgate-provider", b"x-headgate-model", b"x-headgate-region")
            known = [(name, text.encode()) for name, text in zip(names, key, strict=True) if text]
            if len(self._of_endpoint) < _KEPT:
                self._of_endpoint[key] = known
        return known


def _in_anothers_place(exchange: Exchange, endpoint: Endpoint) -> bool:
    """Did somebody else answer than who was asked first, or than the model that was chosen?"""
    if endpoint is not exchange.attempts[0].endpoint:
        return True
    preferred = exchange.preferred
    return bool(preferred) and not any(each is endpoint for each in preferred)
