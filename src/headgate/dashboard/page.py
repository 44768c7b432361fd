"""One plain page: where to send requests, what is configured, what happened last. It shows no prompt and no secret.
Beside it, the same gateway in numbers, for Prometheus.

Who may see them: whoever brings a Headgate key whose role may (as the password of HTTP Basic, as Bearer token or as
x-api-key), and without a key only this machine's own browser. A proxy on this machine makes everybody look local, and a foreign page
can point its own name at 127.0.0.1; so forwarded requests and requests for another host's name need the key too.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from importlib.resources import files
from typing import Any

from headgate.control.overview import Overview
from headgate.dashboard.html import page

__all__ = ["Page"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

_FORWARDED = frozenset((b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"))
_SAFE = [
    # No script at all, styles from here only: nothing that a recorded name contains can do anything.
    (
        b"content-security-policy",
        (
            b"default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
            b"frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]


class Page:
    """Serves `/`, the style it needs, and `/metrics`; 404 for the rest."""

    def __init__(
        self,
        overview: Callable[[], Awaitable[Overview]],
        *,
        may_see: Callable[[bytes], bool],
        metrics: Callable[[], bytes] = bytes,
    ) -> None:
        """may_see: is this a key that may see the page? metrics: all of them, in Prometheus' text format."""
        self._overview = overview
        self._may_see = may_see
        self._metrics = metrics
        self._style = files("headgate.dashboard").joinpath("page.css").read_bytes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        path, method = scope["path"], scope["method"]
        if method not in ("GET", "HEAD"):
            await _answer(
                send, method, 405, b"This page can only be looked at.\n", more=[(b"allow", b"GET, HEAD")]
            )
        elif path == "/page.css":
            await _answer(send, method, 200, self._style, kind=b"text/css; charset=utf-8")
        elif path not in ("/", "/metrics"):
            await _answer(send, method, 404, b"Nothing is here. Applications use /v1, people /.\n")
        elif not self._allowed(scope):
            text = (
                b"Sign in with any name and, as the password, a Headgate key whose role may see this page "
                b"(`headgate keys create NAME --role viewer` makes one).\n"
            )
            challenge = (b"www-authenticate", b'Basic realm="Headgate", charset="UTF-8"')
            await _answer(send, method, 401, text, more=[challenge])
        elif path == "/metrics":
            await _answer(
                send, method, 200, self._metrics(), kind=b"text/plain; version=0.0.4; charset=utf-8"
            )
        else:
            overview = await self._overview()
            refresh = 0 if scope.get("query_string") == b"pause" else 5
            body = page(overview, _address(scope), refresh_seconds=refresh).encode()
            await _answer(send, method, 200, body, kind=b"text/html; charset=utf-8")

    def _allowed(self, scope: Scope) -> bool:
        headers: Headers = scope["headers"]
        key = _key(headers)
        if key:
            return self._may_see(key)
        return _own_browser(scope)


def _key(headers: Headers) -> bytes:
    for name, value in headers:
        if name == b"x-api-key":
            return value.strip()
        if name == b"authorization":
            scheme, _, rest = value.partition(b" ")
            if scheme.lower() == b"bearer":
                return rest.strip()
            if scheme.lower() == b"basic":
                try:
                    return base64.b64decode(rest, validate=True).partition(b":")[2]
                except binascii.Error:
                    return b"?"
    return b""


def _own_browser(scope: Scope) -> bool:
    client = scope.get("client")
    if not client or not _loopback(client[0]):
        return False
    if any(name in _FORWARDED for name, _ in scope["headers"]):
        return False
    return _loopback(_host_name(_host(scope)))


def _host(scope: Scope) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _address(scope: Scope) -> str:
    """Where the reader's browser reached us, so that what is copied from the page works from the reader's machine."""
    return f"{scope.get('scheme', 'http')}://{_host(scope) or 'localhost'}"


async def _answer(
    send: Send,
    method: str,
    status: int,
    body: bytes,
    *,
    kind: bytes = b"text/plain; charset=utf-8",
    more: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *_SAFE, *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})
