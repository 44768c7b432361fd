"""A batch to a collector, and what its answer means. Bytes are moved by whoever is given as `Post`."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from headgate.telemetry.otlp.protobuf import CONTENT_TYPE, rejected

__all__ = ["Answer", "Collector", "Post", "Sent", "Signal"]

Signal = Literal["traces", "metrics"]
_LEVEL = 1  # three times as quick as the usual 6, for a tenth more bytes
_AWAY = frozenset({408, 429, 502, 503, 504})
_CLOSED = frozenset({401, 403, 404, 405})
"""Not what the protocol calls retryable, but what a wrong address or token says: the batch is as good as before."""
_MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. status 0: nothing did, `body` says why in words."""

    status: int
    body: bytes = b""
    retry_after: float = 0.0
    """Seconds to wait, if the collector says so."""


Post = Callable[[str, list[tuple[bytes, bytes]], bytes, float], Awaitable[Answer]]
"""(signal's address, headers, body, seconds) -> answer. Raises nothing but a cancellation."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one batch."""

    outcome: Literal["ok", "away", "refused", "too_large"]
    """away: worth another try. refused: it would be refused again."""
    rejected: int = 0
    """Of a batch that was taken: so many items were not."""
    why: str = ""
    wait: float = 0.0
    """Seconds the collector asks for."""


class Collector:
    """One address that takes OTLP over HTTP."""

    def __init__(self, endpoint: str, headers: Mapping[str, str], timeout: float, post: Post) -> None:
        """timeout: seconds for one batch."""
        self._base = endpoint.rstrip("/")
        self._timeout = timeout
        self._post = post
        self._headers = [
            (b"content-type", CONTENT_TYPE),
            (b"content-encoding", b"gzip"),
            (b"user-agent", b"headgate-otlp"),
            *((name.lower().encode(), value.encode()) for name, value in headers.items()),
        ]

    async def send(self, signal: Signal, body: bytes) -> Sent:
        """One try."""
        # Compressing lets go of the interpreter's lock; streams go on meanwhile.
        packed = await asyncio.to_thread(gzip.compress, body, _LEVEL, mtime=0)
        answer = await self._post(f"{self._base}/v1/{signal}", self._headers, packed, self._timeout)
        if 200 <= answer.status < 300:
            count, words = rejected(answer.body)
            return Sent("ok", count, words[:_MOST_SHOWN])
        said = answer.body[:_MOST_SHOWN].decode("utf-8", "replace")
        why = f"HTTP {answer.status}" if answer.status else said
        if answer.status == 413:
            return Sent("too_large", why=why)
        if not answer.status or answer.status in _AWAY or answer.status in _CLOSED:
            return Sent("away", why=why, wait=answer.retry_after)
        return Sent("refused", why=f"{why}: {said}" if said.isprintable() else why)
