"""A reply whose body came together with its head, as its reader sees it."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest

from headgate.providers.port import Headers
from headgate.providers.transport.decoding import decoder_for
from headgate.providers.transport.reply import HttpReply
from tests.support.aio import aio


class NoSource:
    """The connection of a reply that is complete: nobody asks it for anything."""

    peer = "host:1"

    def take(self) -> bytes:
        raise AssertionError("asked a connection that serves somebody else")

    def arrival(self, within: float) -> asyncio.Future[None]:
        raise AssertionError("waited for a connection that serves somebody else")

    def abandon(self) -> None:
        raise AssertionError("let go of a connection that was not held")


def came_at_once(encoding: bytes = b"") -> HttpReply:
    body = gzip.compress(b"hello") if encoding else b"hello"
    source: Any = NoSource()
    reply = HttpReply(200, Headers(), source, decoder_for(encoding, "host:1") if encoding else None, 5.0)
    reply.arrived_whole(body)
    return reply


@pytest.mark.parametrize("encoding", [b"", b"gzip"])
@aio
async def test_pieces_hand_out_a_body_that_came_with_its_head_once(encoding: bytes) -> None:
    """Who streams does not look at `whole`: the same bytes come as a piece, and after them the end."""
    reply = came_at_once(encoding)
    assert reply.whole == b"hello"
    assert [await reply.chunk(), await reply.chunk(), await reply.chunk()] == [b"hello", b"", b""]


@pytest.mark.parametrize("encoding", [b"", b"gzip"])
@aio
async def test_reading_hands_out_a_body_that_came_with_its_head_once(encoding: bytes) -> None:
    """A provider's refusal is read without a look at `whole`; it is not empty, and not there twice."""
    reply = came_at_once(encoding)
    assert await reply.read(100) == b"hello"
    assert await reply.read(100) == b""
    assert await reply.chunk() == b""


@aio
async def test_letting_go_of_a_complete_reply_touches_no_connection() -> None:
    """Its connection went back to the pool when the body was complete and may serve somebody else."""
    reply = came_at_once()
    reply.close()
    assert await reply.chunk() == b"hello"
