"""How Headgate listens, and how much it takes from strangers."""

from __future__ import annotations

from typing import Literal

import msgspec

from headgate.core.section import Duration, Section, Size

__all__ = ["ServerSettings"]


class ServerSettings(Section, frozen=True):
    """Where Headgate listens and keeps its data, and the bounds every request must stay within."""

    listen: str = "127.0.0.1:8080"
    """`HOST:PORT`. Anything but loopback needs `auth = "keys"`."""
    database: str = "sqlite:///headgate.db"
    """`sqlite:///PATH`, relative to the working directory; the journal lies beside it. Or
    `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, for one node or several; needs the extra `postgres`."""
    data: str = "headgate-data"
    """With PostgreSQL: a directory on this machine's own disk, where the journal waits for the database. It must outlive
    the process, and may be shared by gateways on one machine, not between machines."""
    redis: str = ""
    """`redis://HOST:PORT/0`: nodes that share it tell each other at once which endpoints to leave alone, and hold limits
    and budgets together. Needs the extra `redis`."""
    nodes: int = 1
    """How many gateways share that Redis: each lets so large a part of every limit pass while Redis is away."""
    limits_without_redis: Literal["local", "refuse"] = "local"
    """While Redis does not answer within 50 ms. local: each gateway lets its part of every limit pass. refuse: requests that
    have a limit are refused."""
    budgets_without_redis: Literal["share", "refuse"] = "share"
    """The same for budgets. share: each gateway may spend its part (one of `nodes`) of what was left when it last heard. refuse:
    requests that a budget is about are refused."""
    auth: Literal["keys", "none"] = "keys"
    """`keys`: every request under /v1 carries a key. `none`: anybody who reaches the port may ask; loopback only."""
    reach: list[str] = msgspec.field(default_factory=list)
    """What URLs that were given while Headgate runs (`headgate alerts add`) may reach besides the public internet: networks such
    as `10.0.0.0/8`, names such as `hooks.internal` or `*.internal`. Plain http goes only there. URLs in this file may go
    anywhere."""
    max_body: Size = Size(32_000_000)
    """A request's body, at most."""
    max_headers: Size = Size(65_536)
    """Request line and headers together, at most."""
    max_header_count: int = 200
    """Headers of one request, at most."""
    request_time: Duration = Duration(60)
    """From a request's first byte to its last; slower ones are closed, so that slow senders cannot hold connections."""
    keep_alive: Duration = Duration(75)
    """How long a connection may idle between two requests."""
    write_stall: Duration = Duration(60)
    """How long a caller may refuse to read its reply before it counts as gone."""
    waiting: Duration = Duration(15)
    """While a stream has no first word yet, an SSE comment is sent after each such time, so that proxies and clients do
    not take it for dead. The first one commits the reply to status 200: a failure after it comes as an error event.
    0: none is sent."""
    drain_time: Duration = Duration(10)
    """After a hang-up, how long the provider's answer is still read, so that its usage is billed as it was."""
    max_drains: int = 100
    """Answers drained at the same time, at most; beyond it a hang-up ends the call at once and usage is estimated."""
    notice_time: Duration = Duration(0)
    """How long it goes on serving after SIGTERM while `/readyz` already says that it stops, so that load balancers send
    new requests elsewhere before the port is closed. 0: the port is closed at once, as it is on Ctrl-C."""
    shutdown_time: Duration = Duration(30)
    """How long requests under way may take to end when the process is told to stop, after `notice_time`."""
