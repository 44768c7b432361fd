"""Which proxy a request goes through, and how to get a tunnel from it."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import unquote, urlsplit

from headgate.core.errors import ConnectFailed

__all__ = ["Proxy", "TunnelRequest", "proxy_for"]

_MAX_ANSWER = 16 * 1024


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy. `repr` shows no credentials."""

    scheme: str
    host: str
    port: int
    authorization: bytes | None = None
    """Value of `proxy-authorization`."""

    def __repr__(self) -> str:
        return f"Proxy({self.scheme}://{self.host}:{self.port})"

    @classmethod
    def parse(cls, text: str) -> Proxy:
        """From `http://user:password@host:port`; a bare `host:port` means http. Raises ValueError, without secrets."""
        parts = urlsplit(text if "://" in text else f"http://{text}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"a proxy must be an http:// or https:// URL, not {parts.scheme}://")
        authorization = None
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            authorization = b"Basic " + base64.b64encode(pair.encode())
        return cls(
            parts.scheme,
            parts.hostname,
            parts.port or (443 if parts.scheme == "https" else 80),
            authorization,
        )


def proxy_for(
    scheme: str, host: str, port: int, setting: str | None, environ: Mapping[str, str]
) -> Proxy | None:
    """The proxy for an origin; None goes direct.

    setting:  `env`, `none` (or None), or a proxy's URL, which then serves every origin.
    environ:  lower-case names win over upper-case ones. Loopback is never reached through a proxy of the environment:
              a proxy would look for it on its own machine.
    Raises: ValueError for a proxy that is not http or https."""
    if setting is None or setting == "none":
        return None
    if setting != "env":
        return Proxy.parse(setting)
    chosen = _variable(environ, f"{scheme}_proxy") or _variable(environ, "all_proxy")
    if not chosen or _is_loopback(host) or _excepted(host, port, _variable(environ, "no_proxy")):
        return None
    return Proxy.parse(chosen)


def _variable(environ: Mapping[str, str], name: str) -> str:
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return address.is_loopback if address is not None else host == "localhost" or host.endswith(".localhost")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _excepted(host: str, port: int, no_proxy: str) -> bool:
    """`*`, names (with their subdomains), addresses, networks; each with `:port` if it must match too."""
    address = _address(host)
    for entry in no_proxy.lower().replace(",", " ").split():
        if entry == "*":
            return True
        name, _, only_port = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "")
        if only_port and only_port != str(port):
            continue
        name = name.strip("[]")
        if address is not None:
            if _in_network(address, name):
                return True
        elif (name := name.removeprefix("*").lstrip(".")) and f".{host.lower()}".endswith(f".{name}"):
            return True
    return False


def _in_network(address: ipaddress.IPv4Address | ipaddress.IPv6Address, text: str) -> bool:
    try:
        return address in ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False


class TunnelRequest(asyncio.Protocol):
    """Speaks CONNECT to a proxy; `opened` is done when the tunnel stands."""

    def __init__(self, loop: asyncio.AbstractEventLoop, proxy: Proxy, target: bytes) -> None:
        self.opened: asyncio.Future[None] = loop.create_future()
        self._proxy = proxy
        self._target = target
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop's do not inherit
        auth = self._proxy.authorization
        lines = [b"CONNECT %b HTTP/1.1" % self._target, b"host: %b" % self._target]
        if auth is not None:
            lines.append(b"proxy-authorization: " + auth)
        transport.write(b"\r\n".join(lines) + b"\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, end, rest = self._answer.partition(b"\r\n\r\n")
        if not end:
            if len(head) > _MAX_ANSWER:
                self._refuse("answered with an endless head")
            return
        line = head.partition(b"\r\n")[0].decode("latin-1")[:100]
        version, _, status = line.partition(" ")
        if not version.startswith("HTTP/1.") or not status.startswith("2"):
            self._refuse(f"answered CONNECT with `{line}`")
        elif rest:
            self._refuse("spoke before the tunnel was used")
        elif not self.opened.done():
            self.opened.set_result(None)

    def eof_received(self) -> bool:
        self._refuse("closed the connection before the tunnel stood")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        reason = f" ({exc})" if exc else ""
        self._refuse(f"broke the connection before the tunnel stood{reason}")

    def _refuse(self, what: str) -> None:
        if not self.opened.done():
            self.opened.set_exception(
                ConnectFailed(detail=f"proxy {self._proxy.host}:{self._proxy.port} {what}")
            )
