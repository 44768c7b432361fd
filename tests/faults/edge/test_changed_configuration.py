"""A changed headgate.toml under load: no request fails, the next ones are served by it, and a bad file changes nothing."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

from tests.faults.edge.conftest import PROVIDERS
from tests.support.aio import aio_within
from tests.support.chat_wire import DONE, STREAM_HEAD, WHOLE, content, finish, framed, usage
from tests.support.fault_server import Peer, fault_server, ok
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.ports import free_port
from tests.support.raw_client import RawCaller, request_bytes, until

__all__: list[str] = []


TURNED = """
[providers.second]
kind = "openai"
base_url = "http://127.0.0.1:{second}/v1"

[features.pair]
route = "second/m"
"""


def body(*, stream: bool) -> bytes:
    return json.dumps(
        {"model": "pair", "stream": stream, "messages": [{"role": "user", "content": "How high is it?"}]}
    ).encode()


async def provider(peer: Peer) -> None:
    """Answers whole and in streams that take a while."""
    while True:
        asked = json.loads((await peer.request()).body)
        if not asked.get("stream"):
            await peer.send(ok(WHOLE))
            continue
        await peer.send(STREAM_HEAD)
        for word in range(8):
            await peer.send(framed(content(f"{word} ")))
            await asyncio.sleep(0.02)
        await peer.send(framed(finish() + usage() + DONE) + framed(b""))


class Load:
    """Callers that ask until they are told to stop; every answer must be good."""

    def __init__(self, gateway: RunningGateway) -> None:
        self._gateway = gateway
        self.served: Counter[str] = Counter()
        self.over = False

    def run(self, stream: bool) -> None:
        with RawCaller(self._gateway.url) as caller:
            while not self.over:
                caller.send(request_bytes("/v1/chat/completions", body(stream=stream), key=self._gateway.key))
                reply = caller.reply()
                assert reply.status == 200, reply
                assert DONE in reply.body if stream else reply.json["choices"]
                self.served[reply.headers["x-headgate-provider"]] += 1

    async def reaches(self, provider_name: str) -> None:
        """Wait until five more answers came from there."""
        before = self.served[provider_name]
        found = await asyncio.to_thread(until, lambda: self.served[provider_name] >= before + 5)
        assert found, f"{provider_name} does not serve: {self.served}"


@aio_within(60)
async def test_a_changed_file_is_taken_over_without_a_failed_request(tmp_path: Path) -> None:
    """The route turns to the other provider, and the first, gone from the file, ends what it began; broken files between."""
    first, second = free_port(), free_port()
    config = PROVIDERS.format(first=first, second=second)
    turned = config[: config.index("[providers.first]")] + TURNED.format(second=second)
    async with fault_server(provider, port=first), fault_server(provider, port=second):
        with running_gateway(tmp_path, config) as gateway:
            file, load = tmp_path / "headgate.toml", Load(gateway)
            running = [
                asyncio.create_task(asyncio.to_thread(load.run, stream)) for stream in (False, True, True)
            ]
            try:
                await load.reaches("first")
                kept = "the changed configuration is not used"
                for number, broken in enumerate(("[features", config + '[features.x]\nrout = "small"\n'), 1):
                    file.write_text(broken)
                    assert await asyncio.to_thread(until, lambda n=number: gateway.log.count(kept) == n)  # type: ignore[misc]
                    await load.reaches("first")
                assert "features.x.rout: no such key; did you mean `route`?" in gateway.log
                file.write_text(turned)
                await load.reaches("second")
                file.write_text(config)
                await load.reaches("first")
            finally:
                load.over = True
                await asyncio.gather(*running)
            assert gateway.log.count(" replaces ") == 2
            assert "Traceback" not in gateway.log
            assert gateway.stop() == 0
