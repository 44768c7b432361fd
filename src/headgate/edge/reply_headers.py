"""The headers that tell a caller what Headgate did. Named in one place; documented in docs/reference/headers.md."""
from __future__ import annotations

from time import monotonic

from headgate.core.ids import request_id_text
from headgate.exchange.exchange import Exchange

__all__ = ["reply_headers"]


def reply_headers(exchange: Exchange, *, refused: bool = False) -> list[tuple[bytes, bytes]]:
    """refused: the dialect's own problem headers, request id included, are already there."""
    headers = list(exchange.reply_headers)
    if not refused:
        request_id = request_id_text(exchange.id).encode()
        headers.append((b"x-request-id", request_id))
        if exchange.dialect.name.startswith("anthropic."):
            headers.append((b"request-id", request_id))
    attempts = exchange.attempts
    if attempts:
        last = attempts[-1]
        endpoint = last.endpoint
        headers.append((b"x-headgate-model", endpoint.model.encode()))
        headers.append((b"x-headgate-provider", endpoint.provider.encode()))
        if endpoint.region:
            headers.append((b"x-headgate-region", endpoint.region.encode()))
        headers.append((b"x-headgate-attempts", b"%d" % len(attempts)))
        if len(attempts) > 1:
            headers.append((b"x-headgate-fallback", b"true"))
        ms = 1000 * (monotonic() - exchange.received_at - exchange.waited_seconds())
        headers.append((b"x-headgate-overhead-ms", b"%.2f" % max(ms, 0.0)))
    if exchange.queued_seconds:
        headers.append((b"x-headgate-queue-ms", b"%.2f" % (1000 * exchange.queued_seconds)))
    return headers
