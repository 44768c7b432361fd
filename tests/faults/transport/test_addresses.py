"""A name with several addresses: the first that answers wins, and no socket is left behind."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from headgate.providers.transport.dialing import _alternate, _connect_tcp
from tests.support.each_loop import on_each_loop

V4, V6 = socket.AF_INET, socket.AF_INET6


class Resolver:
    """An event loop that knows one name, with the ports given as its addresses."""

    def __init__(self, ports: list[int]) -> None:
        self._loop = asyncio.get_running_loop()
        self._ports = ports
        self.create_task = self._loop.create_task
        self.sock_connect = self._loop.sock_connect

    async def getaddrinfo(self, host: str, port: int, *, type: int) -> list[object]:  # noqa: A002 - asyncio's name
        return [(V4, type, 6, "", ("127.0.0.1", number)) for number in self._ports]


async def connected(ports: list[int]) -> int:
    """The port that was connected to."""
    with await _connect_tcp(Resolver(ports), "name", 0) as sock:  # type: ignore[arg-type]
        port: int = sock.getpeername()[1]
        return port


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def refusing() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        yield server.getsockname()[1]


@contextmanager
def swallowing() -> Iterator[int]:
    """A port where connecting hangs: its queue is full and nobody takes from it."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


@on_each_loop
async def test_the_first_address_that_answers_wins() -> None:
    """Refusals are passed over at once, silence after a moment; the favourite is not raced if it answers."""
    with listening() as good, listening() as other, refusing() as bad, swallowing() as silent:
        assert await connected([good]) == good
        assert await connected([good, other]) == good
        assert await connected([bad, good]) == good
        assert await connected([silent, bad, good]) == good
        assert await connected([silent, silent, good]) == good


@on_each_loop
async def test_if_none_answers_the_first_ones_reason_is_told() -> None:
    """And a name without addresses is no crash."""
    with refusing() as bad, refusing() as worse:
        with pytest.raises(ConnectionRefusedError):
            await connected([bad, worse])
        with pytest.raises(OSError, match="no address"):
            await connected([])


@on_each_loop
async def test_a_cancelled_race_stops_all_its_racers() -> None:
    """Sockets still open would be a ResourceWarning, which is an error here."""
    with swallowing() as silent:
        task = asyncio.create_task(connected([silent, silent]))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)


def test_families_take_turns() -> None:
    """The resolver's favourite family first, as RFC 8305 has it."""
    given = [(V6, ("a",)), (V6, ("b",)), (V6, ("c",)), (V4, ("d",))]
    assert [address for _, (address,) in _alternate(given)] == ["a", "d", "b", "c"]
