"""Started gateways for strangers to be bad to: one per worker and kind, checked for health after every test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.gateway import RunningGateway, running_gateway
from tests.support.ports import free_port
from tests.support.raw_client import RawCaller, request_bytes, sockets_of, until

__all__: list[str] = []

CONFIG = """
[server]
request_time = "1s"
keep_alive = "4s"
max_body = "2 MB"

[providers.sim]
kind = "simulated"
speed = 0
models.steady = { error_rate = 0, quality = 1 }

[providers.nobody]
kind = "openai"
base_url = "http://127.0.0.1:9/v1"

[models.small]
endpoints = [{ provider = "sim", model = "steady" }]

[features.support-chat]
route = "small"
"""
GOOD = json.dumps({"model": "small", "messages": [{"role": "user", "content": "Hello?"}]}).encode()


def is_well(gateway: RunningGateway, path: str = "/v1/chat/completions") -> bool:
    """Does a good request still get its answer?"""
    with RawCaller(gateway.url) as caller:
        caller.send(request_bytes(path, GOOD, "connection: close", key=gateway.key))
        return caller.reply().status == 200


@pytest.fixture(scope="session")
def _strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningGateway, int]]:
    with running_gateway(tmp_path_factory.mktemp("strict"), CONFIG) as gateway:
        assert is_well(gateway)
        yield gateway, until(lambda: sockets_of(gateway))


@pytest.fixture
def strict(_strict: tuple[RunningGateway, int]) -> Iterator[RunningGateway]:
    """A gateway with tight bounds. Afterwards it must serve, have let go of every connection, and have no stack in its log."""
    gateway, sockets = _strict
    yield gateway
    assert gateway.process.poll() is None, "the gateway is gone"
    assert is_well(gateway)
    assert until(lambda: sockets_of(gateway) <= sockets, seconds=15), "connections are left open"
    assert "Traceback" not in gateway.log


@dataclass(frozen=True, slots=True)
class Behind:
    """A gateway whose providers are played by the test: `fault_server(script, port=behind.first)`."""

    gateway: RunningGateway
    first: int
    """Where `small`, `pair` and `hurried` are asked."""
    second: int
    """Where `pair` and `hasty-pair` fail over to."""


PROVIDERS = """
[health]  # one gateway for hundreds of faults: what a row of them leads to has its own tests
failures = 1000000
least_calls = 1000000
probe = false
eject = false

[server]
drain_time = "3s"
max_drains = 2
write_stall = "3s"

[providers.first]
kind = "openai"
base_url = "http://127.0.0.1:{first}/v1"

[providers.second]
kind = "openai"
base_url = "http://127.0.0.1:{second}/v1"

[models.small]
endpoints = [{{ provider = "first", model = "m" }}]
price = {{ input = 1, output = 1 }}

[models.other]
endpoints = [{{ provider = "second", model = "m" }}]
price = {{ input = 1, output = 1 }}

[features.once]
route = "small"
retry = {{ attempts = 1 }}

[features.pair]
route = "small"
fallback = ["other"]
retry = {{ attempts = 1 }}

[features.hurried]
route = "small"
retry = {{ attempts = 1 }}
timeouts = {{ connect = "2s", first_token = "400ms", between_tokens = "400ms", total = "900ms" }}

[features.stalling]
route = "small"
retry = {{ attempts = 1 }}
timeouts = {{ between_tokens = "400ms" }}

[features.hasty-pair]
route = "small"
fallback = ["other"]
retry = {{ attempts = 1 }}
timeouts = {{ first_token = "1500ms", total = "2s" }}
"""


RESTING = """
[features.once-{name}]
route = "first/{name}"
retry = {{ attempts = 1 }}

[features.pair-{name}]
route = "first/{name}"
fallback = ["other"]
retry = {{ attempts = 1 }}
timeouts = {{ first_token = "1500ms", total = "2s" }}
"""
"""After these faults an endpoint is left alone for a while, so each test has one of its own."""
RESTING_NAMES = [
    f"{fault}-{shape}{asker}"
    for fault in ("429", "401")
    for shape in ("whole", "stream")
    for asker in ("", "-by_chat", "-by_responses", "-by_messages")
]


@pytest.fixture(scope="session")
def _behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    first, second = free_port(), free_port()
    config = PROVIDERS.format(first=first, second=second)
    config += "".join(RESTING.format(name=name) for name in RESTING_NAMES)
    with running_gateway(tmp_path_factory.mktemp("behind"), config) as gateway:
        yield Behind(gateway, first, second)


@pytest.fixture
def behind(_behind: Behind) -> Iterator[Behind]:
    """Afterwards the gateway must be there, hold no caller's connection, and have no stack in its log."""
    yield _behind
    gateway = _behind.gateway
    assert gateway.process.poll() is None, "the gateway is gone"
    assert until(lambda: sockets_of(gateway) <= 4, seconds=15), f"{sockets_of(gateway)} sockets are left open"
    assert "Traceback" not in gateway.log
