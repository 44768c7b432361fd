"""`server.notice_time`: a gateway that will stop serves whoever comes until its port is closed, and nobody is thrown out."""

from __future__ import annotations

import asyncio
import signal
import socket
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from headgate.cli.listening import Listener, bind, url_of
from headgate.edge.connection import Connection
from headgate.edge.entrance import Entrance
from headgate.edge.settings import ServerSettings
from tests.support.aio import aio_within
from tests.support.gateway import running_gateway
from tests.support.raw_client import RawCaller, request_bytes, until

__all__: list[str] = []

ASK = request_bytes("/healthz", method="GET")


async def app(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class AtTheLastMoment(Listener):
    """Callers come when the notice is over and the loop has not looked yet."""

    def __init__(self, entrance: Entrance) -> None:
        def leave() -> None:
            entrance.leaving = True

        super().__init__(
            app,
            connection=partial(Connection, entrance),
            notice_seconds=1,
            give_notice=leave,
            shutdown_seconds=5,
        )
        self.late: list[RawCaller] = []

    def come(self, url: str, *requests: bytes) -> None:
        """One caller for each, sending so much at once."""
        self._to_come = (url, requests)

    async def _serve_on(self) -> None:
        url, requests = self._to_come
        for request in requests:
            self.late.append(RawCaller(url))
            self.late[-1].send(request)


async def started(listener: Listener) -> tuple[str, asyncio.Task[None]]:
    bound = bind("127.0.0.1:0")
    serving = asyncio.create_task(listener.serve(sockets=[bound]))
    while not listener.started:
        await asyncio.sleep(0.01)
    return url_of(bound), serving


@aio_within(30)
async def test_who_connected_before_the_port_was_closed_is_served() -> None:
    """Also if only the kernel knows of them yet, and if their request comes a moment later; each once."""
    listener = AtTheLastMoment(Entrance(ServerSettings()))
    url, serving = await started(listener)
    listener.come(url, ASK, ASK, ASK[:10], b"")
    listener.leave()
    while len(listener.late) < 4:
        await asyncio.sleep(0.01)
    with pytest.raises(ConnectionRefusedError):
        while True:
            socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 5).close()
            await asyncio.sleep(0.01)
    listener.late[2].send(ASK[10:])
    listener.late[3].send(ASK)
    for caller in listener.late:
        reply = await asyncio.to_thread(caller.reply)
        assert reply.status == 200 and reply.closes
        assert await asyncio.to_thread(caller.closed)
        caller.socket.close()
    await serving


@aio_within(30)
async def test_who_connects_and_says_nothing_holds_nobody_up() -> None:
    """A second is enough for a request that is on its way."""
    listener = AtTheLastMoment(Entrance(ServerSettings()))
    url, serving = await started(listener)
    listener.come(url, b"")
    listener.leave()
    await asyncio.wait_for(serving, 4)
    assert listener.late[0].closed()
    listener.late[0].socket.close()


def test_while_it_gives_notice_each_reply_is_the_last_of_its_connection(tmp_path: Path) -> None:
    """So load balancers hold no connection that is about to be closed under a request; /readyz tells them as well."""
    with running_gateway(tmp_path, '[server]\nnotice_time = "20s"\nauth = "none"') as gateway:
        kept, idle = RawCaller(gateway.url), RawCaller(gateway.url)
        for caller in (kept, idle):
            caller.send(ASK)
            assert not caller.reply().closes
        gateway.process.send_signal(signal.SIGTERM)
        assert until(lambda: "Headgate stops soon" in gateway.log)
        kept.send(request_bytes("/readyz", method="GET"))
        reply = kept.reply()
        assert (reply.status, reply.body, reply.closes) == (503, b"draining\n", True)
        assert kept.closed()
        with RawCaller(gateway.url) as fresh:
            fresh.send(request_bytes("/v1/models", method="GET"))
            served = fresh.reply()
            assert served.status == 200 and served.closes
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(10) == 0, "a second signal cuts the notice short"
        for caller in (kept, idle):
            caller.socket.close()


def test_ctrl_c_gives_no_notice(tmp_path: Path) -> None:
    """Somebody waits for the prompt."""
    with running_gateway(tmp_path, '[server]\nnotice_time = "60s"') as gateway:
        gateway.process.send_signal(signal.SIGINT)
        assert gateway.process.wait(10) == 0
        assert "stops soon" not in gateway.log
