"""Hold many event streams open and count what comes out of them.

It looks for two marks in the bytes (a token's text and the closing [DONE]) and parses nothing else, so that one
process can read tens of thousands of tokens a second. A stream is complete only if it ended with [DONE].
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

from bench.answer_reader import AnswerReader
from bench.shapes import DONE_MARK, TOKEN_MARK

__all__ = ["Client", "Stream", "run"]

_TAIL = len(TOKEN_MARK) - 1


class Client:
    """All streams and the sums over them."""

    def __init__(self, port: int, request: bytes, *, until: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.port, self.request = port, request
        self.until = until
        """Loop time up to which a finished stream is followed by another on its connection."""
        self.streams = self.completed = self.tokens = self.reads = 0
        self.first_token_ms: list[float] = []
        self.live = self.open = self.most_open = 0
        """Connections still to be used; those of them in the middle of a stream; the most there were of these."""
        self.problem = ""
        self.all_done = asyncio.Event()
        self.all_open = asyncio.Event()

    def first_token(self, seconds: float) -> None:
        """A stream has its first token."""
        self.first_token_ms.append(seconds * 1000)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        self._look()

    def stream_over(self) -> None:
        """A stream that had its first token is over, well or not."""
        self.open -= 1

    def connection_over(self, problem: str) -> None:
        """A connection has played its last stream; `problem` is empty if it went well."""
        if problem:
            self.problem = problem
        self.live -= 1
        self._look()

    def _look(self) -> None:
        if self.open >= self.live:
            self.all_open.set()
        if self.live <= 0:
            self.all_done.set()


class Stream(asyncio.Protocol):
    """One connection: one stream, or one after the other."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._reader = AnswerReader()
        self._over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._begin()

    def _begin(self) -> None:
        self._reader.reset()
        self._tail = b""
        self._tokens = 0
        self._done_seen = False
        self._client.streams += 1
        self._began = time.perf_counter()
        self._transport.write(self._client.request)

    def data_received(self, data: bytes) -> None:
        client = self._client
        body, complete = self._reader.feed(data)
        if self._reader.in_body and self._reader.status != 200:
            self._end(f"HTTP {self._reader.status}: {body[:200]!r}")
            return
        seen = self._tail + body
        self._tail = seen[-_TAIL:]
        tokens = seen.count(TOKEN_MARK)
        client.reads += 1
        if tokens:
            if not self._tokens:
                client.first_token(time.perf_counter() - self._began)
            self._tokens += tokens
            client.tokens += tokens
        if DONE_MARK in seen:
            self._done_seen = True
        if complete:
            self._complete()

    def _complete(self) -> None:
        client = self._client
        if not self._done_seen:
            self._end("a stream ended without [DONE]")
            return
        client.completed += 1
        if client.loop.time() < client.until and not self._reader.closes:
            client.stream_over()
            self._begin()
        else:
            self._end("")

    def _end(self, problem: str) -> None:
        if not self._over:
            self._over = True
            self._transport.close()
            if self._tokens:
                self._client.stream_over()
            self._client.connection_over(problem)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._over:
            return
        if self._done_seen:  # a body that ends with the connection
            self._client.completed += 1
            self._end("")
        else:
            self._end(f"connection lost after {self._tokens} tokens: {exc!r}")


async def run(
    client: Client, *, open_at_once: int, per_second: float, limit: float, held: Path | None
) -> float:
    """Open the streams, wait until all have ended or `limit` seconds are over; returns the seconds it took."""
    began = client.loop.time()
    client.live = open_at_once
    opening: set[asyncio.Task[object]] = set()
    for number in range(open_at_once):
        if per_second and (pause := began + number / per_second - client.loop.time()) > 0:
            await asyncio.sleep(pause)
        task = client.loop.create_task(_open(client))
        opening.add(task)
        task.add_done_callback(opening.discard)
    try:
        await asyncio.wait_for(client.all_open.wait(), limit)
        if held is not None:
            held.touch()  # noqa: ASYNC240 - one small write, once
        await asyncio.wait_for(client.all_done.wait(), limit - (client.loop.time() - began))
    except TimeoutError:
        client.problem = client.problem or f"{client.live} streams were still open after {limit:.0f} s"
    return client.loop.time() - began


async def _open(client: Client) -> None:
    try:
        await client.loop.create_connection(lambda: Stream(client), "127.0.0.1", client.port)
    except OSError as error:
        client.streams += 1
        client.connection_over(f"cannot connect: {error}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--request", type=Path, required=True, help="file with the whole HTTP request")
    parser.add_argument("--open-at-once", type=int, required=True)
    parser.add_argument(
        "--per-second", type=float, default=0.0, help="streams opened a second; 0: all at once"
    )
    parser.add_argument("--loop-seconds", type=float, default=0.0, help="repeat streams for this long")
    parser.add_argument("--limit-seconds", type=float, default=120.0)
    parser.add_argument("--held-file", type=Path, help="written once every stream has its first token")
    return parser.parse_args()


async def _main() -> dict[str, object]:
    asked = _arguments()
    now = asyncio.get_running_loop().time()
    client = Client(asked.port, asked.request.read_bytes(), until=now + asked.loop_seconds)
    seconds = await run(
        client,
        open_at_once=asked.open_at_once,
        per_second=asked.per_second,
        limit=asked.limit_seconds,
        held=asked.held_file,
    )
    return {
        "streams": client.streams,
        "completed": client.completed,
        "tokens": client.tokens,
        "reads": client.reads,
        "seconds": seconds,
        "first_token_ms": [round(value, 3) for value in client.first_token_ms],
        "most_open": client.most_open,
        "problem": client.problem,
    }


def main() -> None:
    """Drive and print JSON."""
    json.dump(uvloop.run(_main()), sys.stdout)


if __name__ == "__main__":
    main()
