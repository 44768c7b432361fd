"""What providers do wrong: scripts for `misbehaving.Misbehaving.plays`, the same words for every wire."""

from __future__ import annotations

import asyncio

from tests.support.fault_server import ok
from tests.support.misbehaving import STREAM_HEAD, Play, Turn, framed, well
from tests.support.three_wires import Problem

__all__ = [
    "broken_chunk",
    "broken_chunk_first",
    "byte_by_byte",
    "closed_early",
    "cut",
    "cut_before_content",
    "empty",
    "error_after_opening",
    "error_first",
    "error_in_the_middle",
    "failing",
    "html",
    "json_error_in_200",
    "malformed",
    "malformed_first",
    "no_http",
    "no_terminator",
    "no_terminator_nor_content",
    "refusing",
    "reset",
    "reset_for_good",
    "silence",
    "slow_drip",
    "slow_first_token",
    "stale",
    "stall",
]

_PAGE = b"<html><body><h1>Sign in to the Wi-Fi</h1></body></html>"
_GARBAGE = b'data: {"choices":[{"del\n\n'


def refusing(problem: Problem, *lines: bytes) -> Play:
    """Says no with a status. lines: more header lines, such as `retry-after: 7`."""

    async def play(turn: Turn) -> None:
        await turn.refuse(problem, *lines)

    return play


def failing(fault: Play, times: int) -> Play:
    """Does it to the first requests, and is well after that."""

    async def play(turn: Turn) -> None:
        await (fault if turn.number < times else well)(turn)

    return play


async def reset(turn: Turn) -> None:
    """Breaks the connection instead of answering."""
    turn.peer.reset()


async def reset_for_good(turn: Turn) -> None:
    """Breaks the connection in the middle of the head, so that it cannot be taken for one that was closed while idle."""
    await turn.send(b"HTTP/1.1 200 OK\r\ncontent-")
    await asyncio.sleep(0.05)  # a reset may overtake what was sent
    turn.peer.reset()


async def silence(turn: Turn) -> None:
    """Says nothing at all."""
    await turn.peer.gone()


async def slow_first_token(turn: Turn) -> None:
    """Says that it will answer, and then nothing."""
    await turn.open()
    await turn.peer.gone()


async def cut_before_content(turn: Turn) -> None:
    """Breaks the connection before the first word."""
    await turn.open()
    await asyncio.sleep(0.05)  # a reset may overtake what was sent, and would be another fault
    turn.peer.reset()


async def cut(turn: Turn) -> None:
    """Breaks the connection in the middle."""
    await turn.begin()
    turn.peer.reset()


async def closed_early(turn: Turn) -> None:
    """Closes the connection in good order, in the middle of the body."""
    await turn.begin()
    turn.peer.half_close()
    await turn.peer.gone()


async def stall(turn: Turn) -> None:
    """Falls silent in the middle."""
    await turn.begin()
    await turn.peer.gone()


async def malformed(turn: Turn) -> None:
    """Sends half an event, or half of the JSON, as if it were all."""
    if turn.stream:
        await turn.begin()
        await turn.send(framed(_GARBAGE))
        await turn.peer.gone()
    else:
        await turn.send(ok(turn.wire.whole()[:40], b"content-type: application/json"))


async def malformed_first(turn: Turn) -> None:
    """As `malformed`, from the start."""
    if turn.stream:
        await turn.send(STREAM_HEAD + framed(turn.wire.opening() + _GARBAGE))
        await turn.peer.gone()
    else:
        await turn.send(ok(b'{"id":', b"content-type: application/json"))


async def no_terminator(turn: Turn) -> None:
    """Ends the body in good order without having ended the answer."""
    if turn.stream:
        await turn.begin()
        await turn.send(framed(b""))
    else:
        await turn.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
            + framed(turn.wire.whole())
        )
        turn.peer.half_close()
        await turn.peer.gone()


async def no_terminator_nor_content(turn: Turn) -> None:
    """As `no_terminator`, before the first word."""
    await turn.send(STREAM_HEAD + framed(turn.wire.opening()) + framed(b""))


async def empty(turn: Turn) -> None:
    """Says that all is well, and nothing else."""
    kind = b"content-type: text/event-stream" if turn.stream else b"content-type: application/json"
    await turn.send(ok(b"", kind))


async def error_first(turn: Turn) -> None:
    """An error inside a 200, before anything else."""
    if turn.stream:
        await turn.send(STREAM_HEAD + framed(turn.wire.error_event()) + framed(b""))
    else:
        await json_error_in_200(turn)


async def error_after_opening(turn: Turn) -> None:
    """An error inside a 200, after roles and starts."""
    if turn.stream:
        await turn.send(
            STREAM_HEAD + framed(turn.wire.opening()) + framed(turn.wire.error_event("overloaded"))
        )
        await turn.send(framed(b""))
    else:
        await json_error_in_200(turn)


async def error_in_the_middle(turn: Turn) -> None:
    """An error inside a 200, after words."""
    if turn.stream:
        await turn.begin()
        await turn.send(framed(turn.wire.error_event()) + framed(b""))
    else:
        await json_error_in_200(turn)


async def json_error_in_200(turn: Turn) -> None:
    """The body of a refusal, with the status of an answer; a stream is answered whole."""
    await turn.send(ok(turn.wire.refusal("failed").body, b"content-type: application/json"))


async def html(turn: Turn) -> None:
    """A proxy's page instead of an answer."""
    await turn.send(ok(_PAGE, b"content-type: text/html"))


async def no_http(turn: Turn) -> None:
    """Another protocol."""
    await turn.send(b"220 smtp.example ESMTP\r\n")
    await turn.peer.gone()


async def broken_chunk(turn: Turn) -> None:
    """A chunk whose length is no number, in the middle."""
    if turn.stream:
        await turn.begin()
    else:
        await turn.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
            + framed(turn.wire.whole()[:40])
        )
    await turn.send(b"zz\r\n")
    await turn.peer.gone()


async def broken_chunk_first(turn: Turn) -> None:
    """As `broken_chunk`, from the start."""
    await turn.send(STREAM_HEAD + b"zz\r\n")
    await turn.peer.gone()


async def byte_by_byte(turn: Turn) -> None:
    """A right answer, one byte in a segment, header and chunk marks too."""
    if turn.stream:
        data = STREAM_HEAD + framed(turn.wire.stream()) + framed(b"")
    else:
        data = ok(turn.wire.whole(), b"content-type: application/json")
    await turn.peer.send_in_pieces(data)


async def slow_drip(turn: Turn) -> None:
    """A right answer, a piece at a time, each well before anybody's patience ends, all together long after it."""
    wire = turn.wire
    if turn.stream:
        await turn.send(STREAM_HEAD + framed(wire.opening()))
        for piece in ("one", " ", "t", "w", "o"):
            await turn.send(framed(wire.words(piece)))
            await asyncio.sleep(0.12)
        await turn.send(framed(wire.ending()) + framed(b""))
    else:
        data = ok(wire.whole(), b"content-type: application/json")
        step = len(data) // 5 + 1
        for start in range(0, len(data), step):
            await turn.send(data[start : start + step])
            await asyncio.sleep(0.12)


async def stale(turn: Turn) -> None:
    """Closes a kept connection at the very moment at which a request arrives on it; answers on a new one."""
    if turn.reused:
        turn.peer.reset()
    else:
        await turn.answer()
