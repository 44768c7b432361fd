"""The vendors' SDKs over a reply we hold in memory: their own parsers judge our bytes.

Typed as Any: an SDK's unions of sixty kinds of events would need a cast in every test.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai

__all__ = ["anthropic_client", "openai_client"]


class _Pieces(httpx2.SyncByteStream):
    """A body in pieces of seven bytes, so that events and characters are cut anywhere."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        for at in range(0, len(self._body), 7):
            yield self._body[at : at + 7]


def _client(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> httpx2.Client:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, headers=headers, stream=_Pieces(body), request=request)

    return httpx2.Client(transport=httpx2.MockTransport(answer))


def _headers(body: bytes) -> list[tuple[bytes, bytes]]:
    kind = b"application/json" if body.startswith(b"{") else b"text/event-stream"
    return [(b"content-type", kind)]


def openai_client(
    body: bytes, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None, retries: int = 0
) -> Any:
    """An OpenAI client whose every request is answered with `body`."""
    transport = _client(status, headers or _headers(body), body)
    return openai.OpenAI(api_key="k", base_url="http://gate/v1", http_client=transport, max_retries=retries)


def anthropic_client(
    body: bytes, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None, retries: int = 0
) -> Any:
    """An Anthropic client whose every request is answered with `body`."""
    transport = _client(status, headers or _headers(body), body)
    return anthropic.Anthropic(
        api_key="k", base_url="http://gate", http_client=transport, max_retries=retries
    )
