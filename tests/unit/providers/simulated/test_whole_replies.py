"""A simulated reply that comes at once is read like any other."""

from __future__ import annotations

from tests.support.aio import aio
from tests.support.simulated import Rehearsal, chat


@aio
async def test_a_whole_reply_is_handed_out_piece_by_piece_too() -> None:
    """Who streams does not look at `whole`: the same bytes come as one piece, once."""
    reply = await Rehearsal().send("openai.chat", chat(), fault="html")
    assert reply.whole is not None
    assert [await reply.chunk(), await reply.chunk()] == [reply.whole, b""]


@aio
async def test_a_whole_reply_is_read_once() -> None:
    """`read` gives all of it, and then nothing is left."""
    reply = await Rehearsal().send("openai.chat", chat())
    assert reply.whole is not None
    assert [await reply.read(1 << 20), await reply.read(1 << 20)] == [reply.whole, b""]
