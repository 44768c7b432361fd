"""`kill -9` of a started gateway under load: every request a provider received is in the records after the next start."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import random
import re
import threading
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from headgate.control.traces import Shown
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.recording_upstream import Answered, Received, RecordingUpstream, recording_upstream
from tests.support.records import all_shown
from tests.support.vendors import House, Said

__all__: list[str] = []

HOUSE = House()
CLIENTS = 8
CONFIG = """
[models.small]
endpoints = [{ provider = "house", model = "llama-3-8b" }]
price = { input = 1, cache_read = 1, output = 1 }
"""
ANSWER = Said(
    "The water stands at three metres and twenty, and it is rising.", prompt=25, cached=10, completion=7
)


class Load:
    """Callers that ask one thing after another, every second one for a stream, until their gateway is gone."""

    def __init__(self, gateway: RunningGateway, numbers: itertools.count[int]) -> None:
        self._address = gateway.url.removeprefix("http://")
        self._key = gateway.key
        self._numbers = numbers
        self.finished: list[list[str]] = [[] for _ in range(CLIENTS)]
        """Markers of whole answers and complete streams, by caller, in order."""
        self._threads = [threading.Thread(target=self._ask_on, args=(done,)) for done in self.finished]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a caller is stuck on a gateway that is gone"

    def _ask_on(self, done: list[str]) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=20)
        try:
            while True:
                number = next(self._numbers)
                marker = f"marker-{number:06}"
                if not self._asked(connection, marker, stream=number % 2 == 0):
                    return
                done.append(marker)
        except (OSError, http.client.HTTPException):
            return  # killed
        finally:
            connection.close()

    def _asked(self, connection: http.client.HTTPConnection, marker: str, *, stream: bool) -> bool:
        body = {
            "model": "small",
            "stream": stream,
            "messages": [{"role": "user", "content": f"{marker} level?"}],
        }
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        reply = connection.getresponse()
        said = reply.read()
        assert reply.status == 200, said
        return (said.rstrip().endswith(b"}") and not stream) or b"data: [DONE]" in said


def marker_in(body: bytes) -> str:
    found = re.search(rb"marker-\d+", body)
    assert found, body
    return found[0].decode()


def slowly(received: Received) -> Answered:
    """The house's answer, a few milliseconds before each piece."""
    pause = (hash(received.body) % 7 + 1) / 1000
    if not HOUSE.asked(received).stream:
        return Answered(_paced([HOUSE.whole(ANSWER)], pause * 5))
    return Answered(_paced(HOUSE.pieces(ANSWER), pause), headers=HOUSE.stream_headers())


async def _paced(pieces: list[bytes], pause: float) -> AsyncIterator[bytes]:
    for piece in pieces:
        await asyncio.sleep(pause)
        yield piece


def run_and_kill(
    directory: Path, upstream: RecordingUpstream, numbers: itertools.count[int], after: int
) -> Load:
    """Start, load, and SIGKILL once the upstream has received `after` more requests."""
    known = len(upstream.received)
    with running_gateway(directory, HOUSE.section(upstream.url) + CONFIG) as gateway:
        load = Load(gateway, numbers)
        load.start()
        while len(upstream.received) < known + after:
            upstream.heard.clear()
            assert upstream.heard.wait(20), f"the load stopped by itself:\n{gateway.log}"
        gateway.kill()
        assert gateway.process.returncode == -9
        load.join()
    return load


def test_every_request_a_provider_received_is_recorded(tmp_path: Path) -> None:
    """Exact if it had finished, marked as cut off and estimated if not; each once; three deaths at different moments."""
    numbers = itertools.count(1)
    with recording_upstream() as upstream:
        upstream.answer = slowly
        loads = [
            run_and_kill(tmp_path, upstream, numbers, after)
            for after in (random.Random().randint(1, 20), 120, 400)
        ]
        with running_gateway(tmp_path, HOUSE.section(upstream.url) + CONFIG) as gateway:
            records = all_shown(gateway)
        received = Counter(marker_in(each.body) for each in upstream.received)
    assert set(received.values()) == {1}, "nobody asked the provider twice"
    stored: dict[str, Shown] = {}
    for record in records:
        assert record.prompt is not None
        marker = marker_in(record.prompt.data)
        assert marker not in stored, f"{marker} is recorded twice"
        stored[marker] = record
    assert received.keys() <= stored.keys(), "the provider knows of requests that the records do not"
    finished = {marker for load in loads for done in load.finished for marker in done}
    # A caller that went on to its next question has long been written down. For the very last answer each caller saw, the
    # kill may have come between its last byte and the end of that turn of the gateway's loop.
    certain = {marker for load in loads for done in load.finished for marker in done[:-1]}
    cut = {marker for marker, record in stored.items() if record.request.outcome == "cut_off"}
    assert len(certain) > 300
    assert len(cut) <= CLIENTS * len(loads)
    for marker, record in stored.items():
        row = record.request
        assert len(record.attempts) == 1
        if marker in cut:
            assert marker not in certain
            assert row.cost_label == record.attempts[0].cost_label == "estimated"
            assert (row.cost_nanos or 0) == 1000 * (row.input_tokens + row.output_tokens) > 0
        else:
            assert (row.outcome, row.status, row.cost_label) == ("ok", 200, "exact")
            assert row.cost_nanos == (25 + 7) * 1000
            assert record.reply_text == ANSWER.text
    assert received.keys() - finished, "the kills hit requests that were under way"
