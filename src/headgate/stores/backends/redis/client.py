"""The driver, loaded when Redis is used and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["connect", "driver_error", "refusal_error"]


def connect(url: str, *, seconds: float, connect_seconds: float | None = None) -> Redis:
    """A client that has not connected yet. seconds: the longest wait for an answer, and for a connection if `connect_seconds`
    does not say otherwise.

    url: `redis://`, `rediss://` or `unix://`. Raises ValueError for another, or without the extra `redis`."""
    try:
        from redis.asyncio import Redis  # noqa: PLC0415 - an extra, and a quarter of a second of imports
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
    except ImportError:
        raise ValueError("`server.redis` needs the driver: pip install 'headgate[redis]'") from None
    # No retries inside: a connection made anew in secret would have missed news, and a count would be taken twice.
    return Redis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=connect_seconds or seconds,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )


def driver_error() -> type[Exception]:
    """What the driver raises."""
    from redis.exceptions import RedisError  # noqa: PLC0415

    return RedisError


def refusal_error() -> type[Exception]:
    """What the driver raises where Redis itself has answered with an error: the connection is as good as before."""
    from redis.exceptions import ResponseError  # noqa: PLC0415

    return ResponseError
