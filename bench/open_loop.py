"""Send requests at a given rate, whether or not answers come, and say how long each took.

A closed loop sends less when the server is slow and so hides the waiting; this one does not. Arrivals are random
(seeded), as independent users are. A request that finds no free connection opens one, up to a limit, then waits;
the waiting counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import deque
from pathlib import Path
from typing import cast

import uvloop

from bench.answer_reader import AnswerReader

__all__ = ["Client", "run"]

_MOST_CONNECTIONS = 128
_LAST_ANSWER_SECONDS = 20.0


class Client:
    """Requests due, connections free, and what came of them."""

    def __init__(self, port: int, request: bytes) -> None:
        self.loop = asyncio.get_running_loop()
        self.port, self.request = port, request
        self.latencies_ms: list[float] = []
        self.failed = 0
        self.lag = 0.0
        self._free: list[Connection] = []
        self._waiting: deque[float] = deque()
        self._connections = 0
        self._opening: set[asyncio.Task[None]] = set()
        self.unanswered = 0
        self.idle = asyncio.Event()

    def arrive(self, due: float) -> None:
        """One user comes. Latency counts from here: the lag of our own timer is reported apart."""
        now = time.perf_counter()
        self.lag = max(self.lag, now - due)
        self.unanswered += 1
        self.idle.clear()
        if self._free:
            self._free.pop().send(now)
            return
        self._waiting.append(now)
        if self._connections < _MOST_CONNECTIONS:
            self._connections += 1
            task = self.loop.create_task(self._connect())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def answered(self, connection: Connection, began: float, *, good: bool) -> None:
        """A connection has its answer and is free."""
        self._finish(began, good=good)
        if self._waiting:
            connection.send(self._waiting.popleft())
        else:
            self._free.append(connection)

    def lost(self, connection: Connection, began: float | None) -> None:
        """A connection is gone, perhaps with a request on it."""
        self._connections -= 1
        if connection in self._free:
            self._free.remove(connection)
        if began is not None:
            self._finish(began, good=False)

    async def _connect(self) -> None:
        try:
            _, connection = await self.loop.create_connection(
                lambda: Connection(self), "127.0.0.1", self.port
            )
        except OSError:
            self._connections -= 1
            if self._waiting:
                self._finish(self._waiting.popleft(), good=False)
            return
        if self._waiting:
            connection.send(self._waiting.popleft())
        else:
            self._free.append(connection)

    def _finish(self, began: float, *, good: bool) -> None:
        if good:
            self.latencies_ms.append((time.perf_counter() - began) * 1000)
        else:
            self.failed += 1
        self.unanswered -= 1
        if not self.unanswered:
            self.idle.set()


class Connection(asyncio.Protocol):
    """One kept connection, one request at a time."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._reader = AnswerReader()
        self._began: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, began: float) -> None:
        """Send one request; `began` is when its user came."""
        self._began = began
        self._reader.reset()
        self._transport.write(self._client.request)

    def data_received(self, data: bytes) -> None:
        _, complete = self._reader.feed(data)
        if complete and self._began is not None:
            began, self._began = self._began, None
            self._client.answered(self, began, good=self._reader.status == 200)

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.lost(self, self._began)


async def run(port: int, request: bytes, *, rate: float, seconds: float) -> dict[str, object]:
    """Drive the target and return the figures of `bench.load.OpenLoop`."""
    client = Client(port, request)
    chance = random.Random(7)
    began = due = time.perf_counter()
    while True:
        due += chance.expovariate(rate)
        if due - began > seconds:
            break
        if (pause := due - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        client.arrive(due)
    try:
        await asyncio.wait_for(client.idle.wait(), _LAST_ANSWER_SECONDS)
    except TimeoutError:
        client.failed += client.unanswered
    return {
        "requests": len(client.latencies_ms) + client.failed,
        "failed": client.failed,
        "seconds": time.perf_counter() - began,
        "latencies_ms": [round(value, 3) for value in client.latencies_ms],
        "client_lag_ms": client.lag * 1000,
    }


def main() -> None:
    """Read the arguments, drive, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--request", type=Path, required=True, help="file with the whole HTTP request")
    parser.add_argument("--rate", type=float, required=True, help="requests a second")
    parser.add_argument("--seconds", type=float, required=True)
    asked = parser.parse_args()
    figures = uvloop.run(run(asked.port, asked.request.read_bytes(), rate=asked.rate, seconds=asked.seconds))
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    main()
