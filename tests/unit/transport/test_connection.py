"""Corners of a connection's life that no real server reaches on demand."""

from __future__ import annotations

import asyncio

import pytest

from headgate.core.errors import BetweenTimeout, TransportFault, UpstreamMalformed, UpstreamReset
from headgate.providers.port import Timeouts
from headgate.providers.transport.connection import Stage, StaleConnection
from tests.support.aio import aio
from tests.support.fake_wire import begin, wired
from tests.support.fault_server import ok


@aio
async def test_a_loop_that_delivers_after_a_pause_does_not_leave_an_idle_connection_deaf() -> None:
    """Idle connections must read: only so do they notice their end, and bytes nobody asked for."""
    connection, wire, lane = await wired()
    answer = begin(connection)
    await asyncio.sleep(0)
    reply_bytes = ok(bytes(600_000))
    connection.data_received(reply_bytes[:300_000])
    assert not wire.reading
    connection.data_received(reply_bytes[300_000:])
    assert wire.reading
    assert lane.idle == 1
    assert len(await (await answer).read(600_000)) == 600_000


@aio
async def test_idle_time_that_ends_while_a_request_is_about_to_leave_is_no_timeout() -> None:
    """The connection was taken in the turn its keep-alive ran out: the request goes on."""
    connection, _, _ = await wired()
    answer = begin(connection)
    connection._expired()
    await asyncio.sleep(0)
    connection.data_received(ok(b"x"))
    assert (await answer).whole == b"x"


@aio
async def test_what_happens_before_the_bytes_leave_concerns_no_exchange() -> None:
    """A kept connection that ends or speaks in the turn it is taken is stale; nothing is written to it."""
    for event in ("end", "loss", "bytes"):
        connection, wire, lane = await wired()
        answer = begin(connection)
        await asyncio.sleep(0)
        connection.data_received(ok(b"x"))
        await answer
        lane.take_idle()
        wire.sent = b""
        answer = begin(connection)
        if event == "end":
            connection.eof_received()
        elif event == "loss":
            connection.connection_lost(ConnectionResetError("reset"))
        else:
            connection.data_received(ok(b"poison"))
        await asyncio.sleep(0)
        with pytest.raises(StaleConnection):
            await answer
        assert wire.sent == b""
        assert lane.open == 0


@aio
async def test_a_new_connection_that_speaks_first_is_a_reset() -> None:
    """What it says is no reply; a new connection's failure is told, not retried."""
    connection, _, lane = await wired()
    answer = begin(connection)
    connection.data_received(ok(b"poison"))
    with pytest.raises(UpstreamReset):
        await answer
    assert lane.open == 0


@aio
async def test_the_loss_that_follows_a_fault_changes_nothing() -> None:
    """The event loop reports every end; only the first one counts, and the slot is freed once."""
    connection, _, lane = await wired()
    answer = begin(connection)
    await asyncio.sleep(0)
    connection.data_received(b"junk\r\n")
    connection.eof_received()
    connection.connection_lost(None)
    connection.resume_writing()
    connection._expired()
    with pytest.raises(UpstreamMalformed):
        await answer
    assert connection.stage is Stage.CLOSED
    assert lane.open == 0


@aio
async def test_giving_up_an_exchange_that_is_over_leaves_the_next_one_alone() -> None:
    """The caller was cancelled in the turn its reply came; by then the connection serves somebody else."""
    connection, _, lane = await wired()
    first = begin(connection)
    await asyncio.sleep(0)
    connection.data_received(ok(b"x"))
    lane.take_idle()
    second = begin(connection)
    connection.give_up(first)
    await asyncio.sleep(0)
    connection.data_received(ok(b"y"))
    assert (await second).whole == b"y"


@aio
async def test_two_readers_of_one_reply_are_a_mistake_that_is_told() -> None:
    """The second would take the first one's bytes and leave it waiting."""
    connection, _, _ = await wired()
    answer = begin(connection)
    await asyncio.sleep(0)
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
    reply = await answer
    first = asyncio.create_task(reply.chunk())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="two readers"):
        await reply.chunk()
    connection.data_received(b"hello")
    assert await first == b"hello"


@aio
async def test_the_reader_may_change_how_much_silence_it_bears() -> None:
    """Dispatch allows more before the first content than after it; `between` counts from the next wait on."""
    connection, _, _ = await wired()
    answer = begin(connection)
    await asyncio.sleep(0)
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
    reply = await answer
    assert reply.between == Timeouts().between
    reply.between = 0.01
    with pytest.raises(BetweenTimeout):
        await reply.chunk()


@aio
async def test_every_fault_of_the_transport_names_the_peer() -> None:
    """Whoever reads the log must know which provider it was."""
    connection, _, _ = await wired()
    answer = begin(connection)
    await asyncio.sleep(0)
    connection.connection_lost(ConnectionResetError("reset by peer"))
    with pytest.raises(TransportFault, match="host:1: reset by peer"):
        await answer
