"""Short ways to say a request in tests of the transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.providers.port import Timeouts, UpstreamRequest, Url
from headgate.providers.transport import Transport, TransportSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from headgate.providers.port import UpstreamReply

from contextlib import asynccontextmanager

__all__ = ["PATIENT", "body_of", "post", "transport"]

PATIENT = Timeouts(connect=20, headers=20, between=20, total=25)
"""Deadlines that are not the subject of the test."""


def post(
    url: Url, body: bytes = b"{}", *headers: tuple[bytes, bytes], method: str = "POST"
) -> UpstreamRequest:
    """A request."""
    return UpstreamRequest(method, url, list(headers), body)


async def body_of(reply: UpstreamReply, limit: int = 100_000_000) -> bytes:
    """The whole body, whether it came with the head or not."""
    return reply.whole if reply.whole is not None else await reply.read(limit)


@asynccontextmanager
async def transport(settings: TransportSettings | None = None) -> AsyncIterator[Transport]:
    """A transport that is closed at the end, and was left with no slot taken by anything but idle connections."""
    subject = Transport(settings or TransportSettings(proxy="none"), environ={})
    try:
        yield subject
        for origin, counts in subject.counts().items():
            assert counts.open == counts.idle, f"{origin} lost a slot: {counts}"
            assert not counts.waiting, f"{origin} left somebody waiting: {counts}"
    finally:
        await subject.aclose()
