"""Batches carried to a collector over our own connections."""

from __future__ import annotations

import asyncio

from headgate.core.errors import TransportFault
from headgate.providers.port import Timeouts, Upstream, UpstreamRequest, Url
from headgate.telemetry.otlp.sending import Answer, Post

__all__ = ["post_over"]

_MOST_BYTES = 65_536
_LONGEST_WAIT = 300.0


def post_over(upstream: Upstream) -> Post:
    """A `Post` that uses these connections. Redirects are not followed."""

    async def post(url: str, headers: list[tuple[bytes, bytes]], body: bytes, seconds: float) -> Answer:
        timeouts = Timeouts(
            connect=seconds, headers=seconds, first_content=seconds, between=seconds, total=seconds
        )
        try:
            # Whatever the upstream counts, this is the most.
            async with asyncio.timeout(seconds):
                request = UpstreamRequest("POST", Url.parse(url), list(headers), body)
                reply = await upstream.send(request, timeouts)
                try:
                    answer = await reply.read(_MOST_BYTES)
                finally:
                    reply.close()
        except TimeoutError:
            return Answer(0, f"no answer within {seconds:g} s".encode())
        except TransportFault as fault:
            return Answer(0, f"{fault.code.replace('_', ' ')}: {fault.detail}".encode())
        except ValueError as wrong:  # a header that cannot be sent
            return Answer(0, str(wrong).encode())
        return Answer(reply.status, answer, _seconds(reply.headers.first(b"retry-after")))

    return post


def _seconds(value: bytes | None) -> float:
    # As a date, which is rare, it is not worth reading: we wait as long as we would have.
    return min(float(value), _LONGEST_WAIT) if value and value.isdigit() else 0.0
