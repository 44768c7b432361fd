"""An ASGI client in the same process: requests go straight into the app, hang-ups included."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Answered", "Caller"]


@dataclass(slots=True)
class Answered:
    """What the app said."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    complete: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)


class _Line:
    """The connection, as the gate sees it: `edge.connection.Connection` without a socket."""

    on_hangup: Callable[[], None] | None = None


class Caller:
    """Somebody who calls an ASGI app."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app

    async def ask(
        self,
        path: str,
        body: bytes = b"",
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        hang_up_after: int | None = None,
    ) -> Answered:
        """hang_up_after: hang up when so many body pieces have come (0: as soon as the app has started working)."""
        answered, line = Answered(), _Line()
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "client": ("127.0.0.1", 1),
            "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
            "headgate.connection": line,
        }

        def hang_up() -> None:
            if line.on_hangup is not None:
                line.on_hangup()

        async def receive() -> dict[str, Any]:
            if hang_up_after == 0:
                asyncio.get_running_loop().call_later(0.01, hang_up)
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answered.status = message["status"]
                answered.headers = {k.decode(): v.decode() for k, v in message["headers"]}
                return
            if message.get("body"):
                answered.pieces.append(message["body"])
            answered.complete = not message.get("more_body", False)
            if hang_up_after is not None and len(answered.pieces) == hang_up_after:
                hang_up()

        await asyncio.ensure_future(self._app(scope, receive, send))
        return answered
