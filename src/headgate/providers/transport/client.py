"""Send a request to a provider and hand back its reply: the door of this package."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from headgate.core.errors import ConnectFailed, ConnectTimeout, PoolTimeout, TotalTimeout, UpstreamReset
from headgate.providers.port import Timeouts, UpstreamRequest, Url
from headgate.providers.transport.connection import Connection, Stage, StaleConnection
from headgate.providers.transport.dialing import Route, dial
from headgate.providers.transport.head import head_around, host_line, render_head, size_line
from headgate.providers.transport.parsing import HeadLimits
from headgate.providers.transport.pool import Lane
from headgate.providers.transport.proxy import proxy_for
from headgate.providers.transport.reach import Reach
from headgate.providers.transport.reply import HttpReply
from headgate.providers.transport.settings import TransportSettings
from headgate.providers.transport.tls import client_context

__all__ = ["PoolCounts", "Transport"]

_HEADS_KEPT: Final = 64
"""Heads of one origin that are kept: one for each path and key."""


@dataclass(frozen=True, slots=True)
class PoolCounts:
    """How one origin's connections stand."""

    open: int
    """Idle, busy or being made."""
    idle: int
    waiting: int
    """Requests that wait for a connection."""


class _Origin:
    """What every request to one scheme, host and port shares."""

    __slots__ = ("_fixed_head", "_kept", "_target_prefix", "lane", "route")

    def __init__(self, lane: Lane, route: Route, target_prefix: bytes, fixed_head: bytes) -> None:
        """target_prefix: what stands before path and query: nothing, or the whole URL for a proxy that reads it."""
        self.lane = lane
        self.route = route
        self._target_prefix = target_prefix
        self._fixed_head = fixed_head
        self._kept: dict[tuple[bytes, object], tuple[bytes, bytes]] = {}

    def head(self, method: str, target: bytes, headers: Sequence[tuple[bytes, bytes]], length: int) -> bytes:
        """Of a request to it, with so many bytes of body. Raises ValueError for a header that cannot be sent."""
        if method != "POST" or not isinstance(headers, tuple):
            return render_head(method, self._target_prefix + target, self._fixed_head, headers, length)
        # By value, and a tuple cannot change: another key is another head.
        key = (target, headers)
        around = self._kept.get(key)
        if around is None:
            around = head_around(method, self._target_prefix + target, self._fixed_head, headers)
            if len(self._kept) >= _HEADS_KEPT:
                self._kept.clear()
            self._kept[key] = around
        return around[0] + size_line(method, length) + around[1]


class Transport:
    """Pooled HTTP/1.1 connections under one set of settings. Fulfils `headgate.providers.port.Upstream`.

    Belongs to the event loop of its first `send`. Redirects are not followed: a 3xx is a reply like any other."""

    def __init__(
        self,
        settings: TransportSettings | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        reach: Reach | None = None,
    ) -> None:
        """environ: where proxies are looked up; the process's own if None. reach: which addresses may be connected to, for
        URLs that are not the operator's own word; then no proxy is used.

        Raises: ValueError, when a file of the settings cannot be used."""
        self._settings = settings if settings is not None else TransportSettings()
        self._environ = os.environ if environ is None else environ
        self._reach = reach
        self._origins: dict[tuple[str, str, int], _Origin] = {}
        self._last_url: Url | None = None
        self._last: _Origin
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tls: ssl.SSLContext | None = None
        self._retired = self._closed = False
        s = self._settings
        self._limits = HeadLimits(s.max_header_bytes, s.max_line_bytes, s.max_header_count)
        if s.ca_file or s.client_cert:
            self._context()  # now, so that a wrong file is a mistake of the configuration and not of a request

    async def send(self, request: UpstreamRequest, timeouts: Timeouts) -> HttpReply:
        """The reply, once its head is complete.

        The bytes leave at the end of the current turn of the event loop at the earliest, after everything scheduled
        in it before: what the caller recorded before this call is written before the provider can see the request.
        A kept connection found dead before the provider can have worked on the request is replaced, once, by a new
        one. Nothing else is sent twice.
        Cancelled: the connection is closed if anything was written to it, and no slot is lost.
        Raises TransportFault; ValueError for a header that cannot be sent."""
        loop = self._loop or self._bind()
        total_at = loop.time() + timeouts.total
        url = request.url
        if url is not self._last_url:
            # Mostly it is the same one: an adapter keeps its addresses.
            self._last = self._origins.get(url.origin) or self._origin(url)
            self._last_url = url
        origin = self._last
        body = request.body
        head = origin.head(request.method, url.target, request.headers, len(body))
        no_body = request.method == "HEAD"
        connection = origin.lane.take_idle()
        request.withheld = True  # until it leaves
        again = False
        while True:
            if connection is None:
                connection = await self._obtain(loop, origin, timeouts, total_at, fresh=again)
            request.withheld = False
            answer = connection.begin(head, body, timeouts, total_at, no_body=no_body)
            try:
                return await answer
            except StaleConnection:
                if again:
                    raise UpstreamReset(detail=origin.route.peer) from None
                again, connection = True, None
            except BaseException:
                connection.give_up(answer)
                raise

    def counts(self) -> dict[tuple[str, str, int], PoolCounts]:
        """How the connections stand, by (scheme, host, port)."""
        return {
            key: PoolCounts(origin.lane.open, origin.lane.idle, origin.lane.waiting)
            for key, origin in self._origins.items()
        }

    def retire(self) -> None:
        """Keep no connection from now on, and let requests finish: for settings that have been replaced."""
        self._retired = True
        for origin in self._origins.values():
            origin.lane.retire()

    async def aclose(self) -> None:
        """Break off everything; later calls of `send` raise ConnectFailed. Idempotent."""
        self._closed = True
        for origin in self._origins.values():
            origin.lane.close()
        await asyncio.sleep(0)  # a turn for the event loop to close the sockets in

    async def _obtain(
        self,
        loop: asyncio.AbstractEventLoop,
        origin: _Origin,
        timeouts: Timeouts,
        total_at: float,
        *,
        fresh: bool,
    ) -> Connection:
        """A connection to begin on, within the connect deadline. fresh: a new one, and before all who wait."""
        lane, peer = origin.lane, origin.route.peer
        connect_at = loop.time() + timeouts.connect
        dialing = False
        try:
            async with asyncio.timeout_at(min(connect_at, total_at)):
                while True:
                    connection = await lane.acquire(first=fresh)
                    if connection is None:
                        break
                    if connection.stage is not Stage.IDLE:
                        continue  # it died between its release and our turn
                    if not fresh:
                        return connection
                    lane.swap_for_slot(connection)
                    break
                dialing = True
                return await self._dial(loop, origin)
        except TimeoutError:
            if total_at <= connect_at:
                raise TotalTimeout(detail=peer) from None
            raise (ConnectTimeout if dialing else PoolTimeout)(detail=peer) from None

    async def _dial(self, loop: asyncio.AbstractEventLoop, origin: _Origin) -> Connection:
        lane, route = origin.lane, origin.route
        connection = Connection(loop, lane, route.peer)
        try:
            self._refuse_if_closed(route.peer)
            await dial(loop, route, connection)
            if connection.stage is not Stage.IDLE:
                raise UpstreamReset(detail=f"{route.peer}, at once")
            self._refuse_if_closed(route.peer)
        except BaseException:
            connection.close()
            lane.free_slot()
            raise
        lane.adopt(connection)
        return connection

    def _refuse_if_closed(self, peer: str) -> None:
        if self._closed:
            raise ConnectFailed(detail=f"{peer}: this transport is closed")

    def _bind(self) -> asyncio.AbstractEventLoop:
        self._loop = asyncio.get_running_loop()
        return self._loop

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            s = self._settings
            self._tls = client_context(s.ca_file, s.client_cert, s.client_key)
        return self._tls

    def _origin(self, url: Url) -> _Origin:
        s = self._settings
        peer = f"{url.host}:{url.port}"
        try:
            setting = s.proxy if self._reach is None else "none"
            proxy = proxy_for(url.scheme, url.host, url.port, setting, self._environ)
        except ValueError as error:
            raise ConnectFailed(detail=f"{peer}: {error}") from None
        host = host_line(url.scheme, url.host, url.port)
        lines = [b" HTTP/1.1", b"host: " + host, b"accept-encoding: " + s.accept_encoding.encode()]
        prefix = b""
        if proxy is not None and url.scheme == "http":
            prefix = b"http://" + host
            if proxy.authorization is not None:
                lines.append(b"proxy-authorization: " + proxy.authorization)
        lane = Lane(s.max_connections, s.keepalive_seconds, self._limits)
        if self._retired:
            lane.retire()
        route = Route(
            url.host,
            url.port,
            self._context() if url.scheme == "https" else None,
            proxy,
            self._context() if proxy is not None and proxy.scheme == "https" else None,
            self._reach,
        )
        origin = _Origin(lane, route, prefix, b"\r\n".join(lines) + b"\r\n")
        self._origins[url.origin] = origin
        return origin
