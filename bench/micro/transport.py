"""CPU time of the transport per whole request and per streamed chunk, beside a bare httptools loop client.

    python bench/micro/transport.py [--requests 20000] [--in-flight 16] [--port PORT]

The upstream is a process of its own (so its time is not counted) that answers a fixed 1 kB JSON body, or a stream
of small chunks, without parsing more of the request than its end. Figures are user+system time of this process,
the best of several rounds: on a shared machine the best round is the one that was disturbed least.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import socket
import time
from collections import deque

import httptools
import uvloop

from headgate.providers.port import Timeouts, UpstreamRequest, Url
from headgate.providers.transport import Transport, TransportSettings

BODY = b'{"id":"chatcmpl-1","choices":[{"message":{"role":"assistant","content":"' + b"x" * 900 + b'"}}]}'
WHOLE = (
    b"HTTP/1.1 200 OK\r\nserver: fixture\r\ndate: Sat, 01 Jan 2000 00:00:00 GMT\r\ncontent-type: application/json"
    b"\r\nx-request-id: 0123456789abcdef\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)
)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nserver: fixture\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
EVENT = b'data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":" word"}}]}\n\n'
CHUNK = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)
HEADERS = [
    (b"authorization", b"Bearer sk-000000000000000000000000000000000000"),
    (b"content-type", b"application/json"),
    (b"accept", b"application/json"),
    (b"user-agent", b"headgate"),
    (b"traceparent", b"00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"),
]
REQUEST_BODY = b'{"model":"m","messages":[{"role":"user","content":"' + b"y" * 200 + b'"}]}'


class Fixture(asyncio.Protocol):
    """Answers by the path's first letter: /w... whole, /s... a stream of N chunks, one per turn of the loop."""

    def connection_made(self, transport):
        self.transport = transport
        self.data = b""

    def data_received(self, data):
        self.data += data
        if not self.data.endswith(b"}]}"):
            return
        data, self.data = self.data, b""
        if data.startswith(b"POST /w"):
            self.transport.write(WHOLE)
        else:
            self.transport.write(STREAM_HEAD)
            self.push(int(data.split(b" ", 2)[1][2:]))

    def push(self, left):
        if left and not self.transport.is_closing():
            self.transport.write(CHUNK)
            # A little later than at once, so that chunks do not run together in the kernel.
            asyncio.get_running_loop().call_later(0.001, self.push, left - 1)
        else:
            self.transport.write(b"0\r\n\r\n")


def serve(sock):
    async def main():
        loop = asyncio.get_running_loop()
        await loop.create_server(Fixture, sock=sock)
        await asyncio.Event().wait()

    uvloop.run(main())


class Bare(asyncio.Protocol):
    """The least a correct client of this kind does: no pool, no deadlines, no limits, no cancellation."""

    def connection_made(self, transport):
        self.transport = transport
        self.parser = httptools.HttpResponseParser(self)
        self.headers, self.pieces = [], []

    def on_header(self, name, value):
        self.headers.append((name.lower(), value))

    def on_body(self, body):
        self.pieces.append(body)

    def on_message_complete(self):
        headers, self.headers = self.headers, []
        body = b"".join(self.pieces)
        self.pieces.clear()
        self.done.set_result((self.parser.get_status_code(), headers, body))

    def data_received(self, data):
        self.parser.feed_data(data)

    def send(self, data):
        self.done = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        return self.done


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def spread(work, times, in_flight):
    left = deque(range(times))

    async def one():
        while left:
            left.pop()
            await work()

    await asyncio.gather(*(one() for _ in range(in_flight)))


async def bare_round(port, times, in_flight):
    loop = asyncio.get_running_loop()
    idle = [(await loop.create_connection(Bare, "127.0.0.1", port))[1] for _ in range(in_flight)]
    lines = b"".join(b"%b: %b\r\n" % pair for pair in HEADERS)

    async def work():
        client = idle.pop()
        head = b"POST /w HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n%b\r\n" % (len(REQUEST_BODY), lines)
        await client.send(head + REQUEST_BODY)
        idle.append(client)

    started = cpu()
    await spread(work, times, in_flight)
    spent = cpu() - started
    for client in idle:
        client.transport.close()
    return spent / times


async def whole_round(transport, port, times, in_flight):
    url, timeouts = Url.parse(f"http://127.0.0.1:{port}/w"), Timeouts()

    async def work():
        reply = await transport.send(UpstreamRequest("POST", url, HEADERS, REQUEST_BODY), timeouts)
        assert reply.whole is not None

    await spread(work, in_flight, in_flight)
    started = cpu()
    await spread(work, times, in_flight)
    return (cpu() - started) / times


async def stream_round(transport, port, streams, chunks):
    url, timeouts = Url.parse(f"http://127.0.0.1:{port}/s{chunks}"), Timeouts()
    seen = 0

    async def one():
        nonlocal seen
        reply = await transport.send(UpstreamRequest("POST", url, HEADERS, REQUEST_BODY), timeouts)
        while await reply.chunk():
            seen += 1

    await asyncio.gather(*(one() for _ in range(streams)))
    seen = 0
    started = cpu()
    await asyncio.gather(*(one() for _ in range(streams)))
    return (cpu() - started) / seen


async def main(port, times, in_flight):
    transport = Transport(TransportSettings(proxy="none"))
    rounds = 5
    bare = [await bare_round(port, times, in_flight) for _ in range(rounds)]
    whole = [await whole_round(transport, port, times, in_flight) for _ in range(rounds)]
    stream = [await stream_round(transport, port, 50, 200) for _ in range(rounds)]
    await transport.aclose()
    print(f"bare httptools client   {min(bare) * 1e6:6.1f} µs CPU per 1 kB request")
    print(f"transport               {min(whole) * 1e6:6.1f} µs CPU per 1 kB request")
    print(f"transport               {min(stream) * 1e6:6.1f} µs CPU per streamed chunk ({len(EVENT)} bytes)")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--requests", type=int, default=20_000)
    arguments.add_argument("--in-flight", type=int, default=16)
    options = arguments.parse_args()
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    upstream = multiprocessing.get_context("fork").Process(target=serve, args=(listening,), daemon=True)
    upstream.start()
    time.sleep(0.2)
    try:
        uvloop.run(main(listening.getsockname()[1], options.requests, options.in_flight))
    finally:
        upstream.terminate()
        upstream.join()
