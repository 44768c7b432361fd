"""From an origin to a connection: names, addresses in a race, the proxy's tunnel, TLS."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, zip_longest

from headgate.core.errors import ConnectFailed, TlsFailed
from headgate.providers.transport.connection import Connection
from headgate.providers.transport.proxy import Proxy, TunnelRequest
from headgate.providers.transport.reach import Reach

__all__ = ["Route", "dial"]

_HEAD_START = 0.25  # seconds one address has before the next is tried beside it (RFC 8305, section 8)
_GOODBYE_SECONDS = 2.0  # a peer that does not answer TLS's goodbye must not keep the socket for asyncio's 30
_HANDSHAKE_SECONDS = 600.0  # the connect deadline is ours, and shorter; asyncio's own must not come first

Address = tuple[int, tuple[object, ...]]  # family, socket address


@dataclass(frozen=True, slots=True)
class Route:
    """How to reach an origin."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    """For the origin; None: plain."""
    proxy: Proxy | None
    proxy_tls: ssl.SSLContext | None
    """For the way to an https:// proxy."""
    reach: Reach | None = None
    """Which addresses may be connected to; None: any. With a reach there is no proxy: it would resolve the name for itself."""

    @property
    def peer(self) -> str:
        """For errors: who it is, and through whom."""
        through = f" through proxy {self.proxy.host}:{self.proxy.port}" if self.proxy else ""
        return f"{self.host}:{self.port}{through}"


async def dial(loop: asyncio.AbstractEventLoop, route: Route, connection: Connection) -> None:
    """Connect, so that `connection` can carry its first request. Bounded by the caller.

    Cancelled or failed: every socket is closed. Raises ConnectFailed or TlsFailed."""
    try:
        if route.proxy is None:
            await _open(loop, connection, (route.host, route.port), route.tls, route.host, route.reach)
        elif route.tls is None:
            await _open(
                loop, connection, (route.proxy.host, route.proxy.port), route.proxy_tls, route.proxy.host
            )
        else:
            await _tunnel(loop, connection, route, route.proxy, route.tls)
    except ssl.SSLEOFError:
        raise ConnectFailed(detail=f"{route.peer} closed the connection inside the TLS handshake") from None
    except ssl.SSLCertVerificationError as error:
        raise TlsFailed(detail=f"{route.peer}: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise TlsFailed(detail=f"{route.peer}: {error.reason or error}") from error
    except OSError as error:
        raise ConnectFailed(detail=f"{route.peer}: {error.strerror or error}") from error
    except UnicodeError:
        raise ConnectFailed(detail=f"{route.peer}: not a valid host name") from None


async def _open(
    loop: asyncio.AbstractEventLoop,
    protocol: asyncio.Protocol,
    address: tuple[str, int],
    tls: ssl.SSLContext | None,
    name: str,
    reach: Reach | None = None,
) -> asyncio.Transport:
    """TCP, then TLS if there is a context, then `protocol` on top."""
    sock = await _connect_tcp(loop, *address, reach=reach, tls=tls is not None)
    try:
        if tls is None:
            return (await loop.create_connection(lambda: protocol, sock=sock))[0]
        made = await loop.create_connection(
            lambda: protocol,
            sock=sock,
            ssl=tls,
            server_hostname=name,
            ssl_handshake_timeout=_HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=_GOODBYE_SECONDS,
        )
        return made[0]
    except BaseException:
        sock.close()
        raise


async def _tunnel(
    loop: asyncio.AbstractEventLoop, connection: Connection, route: Route, proxy: Proxy, tls: ssl.SSLContext
) -> None:
    """CONNECT through the proxy, then TLS with the origin inside the tunnel."""
    host = f"[{route.host}]" if ":" in route.host else route.host
    request = TunnelRequest(loop, proxy, f"{host}:{route.port}".encode("ascii" if host.isascii() else "idna"))
    transport = await _open(loop, request, (proxy.host, proxy.port), route.proxy_tls, proxy.host)
    try:
        await request.opened
        inner = await loop.start_tls(
            transport,
            connection,
            tls,
            server_hostname=route.host,
            ssl_handshake_timeout=_HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=_GOODBYE_SECONDS,
        )
    except BaseException:
        transport.abort()
        raise
    if inner is None:
        raise ConnectFailed(detail=f"{route.peer} closed the connection inside the TLS handshake")
    connection.connection_made(inner)


async def _connect_tcp(
    loop: asyncio.AbstractEventLoop, host: str, port: int, *, reach: Reach | None = None, tls: bool = True
) -> socket.socket:
    """The first address of `host` that answers, of those within reach. Raises OSError, of the address tried first; nothing
    was sent to an address out of reach, and the name is not resolved a second time."""
    if reach is None:
        resolved = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    else:
        # The loop has a handful of threads to resolve names in: one that somebody else chose must not keep them for itself.
        ask = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        resolved = await loop.run_in_executor(reach.resolver, ask)
    found: list[Address] = [(family, address) for family, _, _, _, address in resolved]
    if reach is not None:
        refusals = [reach.refusal(host, str(address[0]), tls=tls) for _, address in found]
        found = [each for each, refusal in zip(found, refusals, strict=True) if not refusal]
        if refusals and not found:
            raise OSError(refusals[0])
    addresses = _alternate(found)
    if len(addresses) == 1:
        return await _attempt(loop, addresses[0])
    return await _race(loop, addresses)


def _alternate(addresses: Sequence[Address]) -> list[Address]:
    """Families by turns, each in the resolver's order, its favourite first."""
    if not addresses:
        raise OSError("the name has no address")
    favourite = [entry for entry in addresses if entry[0] == addresses[0][0]]
    others = [entry for entry in addresses if entry[0] != addresses[0][0]]
    return [entry for entry in chain.from_iterable(zip_longest(favourite, others)) if entry is not None]


async def _attempt(loop: asyncio.AbstractEventLoop, address: Address) -> socket.socket:
    sock = socket.socket(address[0], socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A model may think for minutes without a byte; some networks forget silent connections sooner.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 45)
        await loop.sock_connect(sock, address[1])
    except BaseException:
        sock.close()
        raise
    return sock


async def _race(loop: asyncio.AbstractEventLoop, addresses: Sequence[Address]) -> socket.socket:
    attempts: list[asyncio.Task[socket.socket]] = []
    waiting = list(addresses)
    try:
        while True:
            if waiting:
                attempts.append(loop.create_task(_attempt(loop, waiting.pop(0))))
            pending = [task for task in attempts if not task.done()]
            if pending:
                await asyncio.wait(
                    pending, timeout=_HEAD_START if waiting else None, return_when=asyncio.FIRST_COMPLETED
                )
            won = next((task for task in attempts if task.done() and task.exception() is None), None)
            if won is not None:
                attempts.remove(won)
                return won.result()
            if not waiting and all(task.done() for task in attempts):
                return attempts[0].result()  # raises
    finally:
        for task in attempts:
            task.cancel()
            task.add_done_callback(_discard)


def _discard(task: asyncio.Task[socket.socket]) -> None:
    """A racer that came second, or failed."""
    if not task.cancelled() and task.exception() is None:
        with suppress(OSError):
            task.result().close()
