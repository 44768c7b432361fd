"""One started gateway per worker, with every kind of provider behind it, for the tests that speak through SDKs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.gateway import RunningGateway, running_gateway
from tests.support.recording_upstream import RecordingUpstream, recording_upstream
from tests.support.sdks import Speaker, speakers
from tests.support.vendors import VENDORS

__all__: list[str] = []

AWS = {
    "AWS_ACCESS_KEY_ID": "AKIATESTTESTTEST0000",
    "AWS_SECRET_ACCESS_KEY": "c2VjcmV0",
    "AWS_EC2_METADATA_DISABLED": "true",
}
OTHERS = """
[defaults]
retry = { attempts = 1 }

[health]  # one gateway for many faults: what a row of them leads to has its own tests
failures = 1000000
least_calls = 1000000
probe = false
eject = false

[server]
drain_time = "500ms"

[providers.sim]
kind = "simulated"
speed = 0
models.steady = { error_rate = 0, quality = 1 }

[providers.nobody]
kind = "openai"
base_url = "http://127.0.0.1:9/v1"

[models.small]
endpoints = [{ provider = "house", model = "llama-3-8b" }]

[features.backed]
route = "house/llama-3-8b"
fallback = ["nobody/home", "claude/claude-opus-4-7", "gemini/gemini-2.5-flash"]

[features.hurried]
route = "house/llama-3-8b"
timeouts = { first_token = "300ms", between_tokens = "300ms", total = "600ms" }
"""


@pytest.fixture(scope="session")
def _everything(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RecordingUpstream, RunningGateway]]:
    with recording_upstream() as upstream:
        config = "\n".join(vendor.section(upstream.url) for vendor in VENDORS) + OTHERS
        with running_gateway(tmp_path_factory.mktemp("gateway"), config, environment=AWS) as gateway:
            yield upstream, gateway
            assert "Traceback" not in gateway.log, gateway.log


@pytest.fixture
def upstream(_everything: tuple[RecordingUpstream, RunningGateway]) -> RecordingUpstream:
    """Every provider but the simulated one; empty at the start of each test."""
    found = _everything[0]
    found.take()
    found.heard.clear()
    return found


@pytest.fixture(scope="session")
def gateway(_everything: tuple[RecordingUpstream, RunningGateway]) -> RunningGateway:
    return _everything[1]


@pytest.fixture(scope="session")
def _speakers(gateway: RunningGateway) -> Iterator[dict[str, Speaker]]:
    with speakers(gateway) as both:
        yield both


@pytest.fixture(params=["sync", "async"])
def sdk(request: pytest.FixtureRequest, _speakers: dict[str, Speaker]) -> Speaker:
    """Both ways to use the SDKs."""
    return _speakers[request.param]


@pytest.fixture
def blocking(_speakers: dict[str, Speaker]) -> Speaker:
    """One of the two, where the way does not matter."""
    return _speakers["sync"]
