"""What one gateway learns of an endpoint, every other on the same Redis knows at once."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path

import pytest

from tests.support.aio import aio_within
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.redis_server import redis_server

__all__: list[str] = []

CONFIG = """
[server]
redis = "{redis}"

[health]
failures = 3
cooldown = "30s"

[providers.sim]
kind = "simulated"
speed = 0
models.broken = {{ like = "sim-small", error_rate = 1, faults = ["error_500"] }}
models.steady = {{ like = "sim-small", error_rate = 0 }}

[models.pair]
endpoints = [{{ provider = "sim", model = "broken" }}, {{ provider = "sim", model = "steady" }}]
"""


def answered_by(gateway: RunningGateway) -> tuple[str, int]:
    """(model, attempts) of one request for `pair`."""
    request = urllib.request.Request(
        f"{gateway.url}/v1/chat/completions",
        json.dumps({"model": "pair", "messages": [{"role": "user", "content": "Hello"}]}).encode(),
        {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as reply:
        return reply.headers["x-headgate-model"], int(reply.headers["x-headgate-attempts"])


def at_once(gateway: RunningGateway, word: str) -> float:
    """Seconds until the gateway's log says so."""
    began = time.monotonic()
    while word not in gateway.log:
        assert time.monotonic() - began < 10, gateway.log
        time.sleep(0.005)
    return time.monotonic() - began


@pytest.mark.needs("redis")
@aio_within(90)
async def test_an_endpoint_that_failed_at_one_gateway_is_not_tried_by_the_others(tmp_path: Path) -> None:
    """Three failures at the first: the second goes to the next endpoint at once, and so does a third that starts later."""
    folders = [tmp_path / name for name in ("first", "second", "third")]
    for folder in folders:
        folder.mkdir()
    async with redis_server() as redis:
        config = CONFIG.format(redis=redis.url)
        with running_gateway(folders[0], config) as first, running_gateway(folders[1], config) as second:
            assert [answered_by(first)[1] for _ in range(3)] == [2, 2, 2], "it fails over each time"
            took = at_once(second, "as another node found")
            print(f"the second gateway knew {1000 * took:.0f} ms after the third failure was answered")
            assert answered_by(first)[1] == 1
            assert answered_by(second) == ("steady", 1)
            with running_gateway(folders[2], config) as third:
                at_once(third, "as another node found")
                assert answered_by(third) == ("steady", 1)
