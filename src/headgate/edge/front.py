"""The whole of Headgate as one ASGI callable: /v1 for applications, probes for orchestrators, pages for people."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from headgate.edge.gate import Gate, Receive, Scope, Send

__all__ = ["Front"]

log = logging.getLogger("headgate.edge")

_WITHOUT_DATABASE = b"exclude=database"

App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Front:
    """Sends each request to whom it is for."""

    def __init__(
        self,
        gate: Gate,
        *,
        ready: Callable[[], Awaitable[str]],
        pages: App,
        api: App | None = None,
        feedback: App | None = None,
    ) -> None:
        """ready: "" if a real write and read just worked, else what is wrong. pages: everything that is not listed here.
        feedback: what browsers say of answers."""
        self._feedback = feedback or pages
        self._gate = gate
        self._ready = ready
        self._pages = pages
        self._api = api or pages

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        """ASGI's. Hands the gate's own coroutine on: one around it would be walked through for every streamed token."""
        if scope["type"] == "http" and scope["path"].startswith("/v1/"):
            return self._gate(scope, receive, send)
        return self._others(scope, receive, send)

    async def _others(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if path == "/healthz":
            await _say(send, 200, "alive")
        elif path == "/readyz":
            if self._gate.leaving or self._gate.draining:
                wrong = "draining"
            else:
                # Requests are served without the database; who would take every node out for it asks to leave it out.
                left_out = _WITHOUT_DATABASE in scope["query_string"].split(b"&")
                wrong = "" if left_out else await self._ready()
            await _say(send, 503 if wrong else 200, wrong or "ready")
        elif path == "/feedback":
            await self._feedback(scope, receive, send)
        elif path == "/api" or path.startswith("/api/"):
            await self._api(scope, receive, send)
        else:
            await self._pages(scope, receive, send)


async def _say(send: Send, status: int, text: str) -> None:
    body = text.encode() + b"\n"
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
