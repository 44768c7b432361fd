"""Routing as callers see it: a started gateway over several simulated providers."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.gateway import RunningGateway, running_gateway

__all__: list[str] = []

CONFIG = """
[providers.house]
kind = "simulated"
speed = 0
region = "eu"
models.steady = { error_rate = 0 }
models.strong = { error_rate = 0 }
[providers.cloud]
kind = "simulated"
speed = 0
self_hosted = false
region = "us"
models.steady = { error_rate = 0 }
models.strong = { error_rate = 0 }
[providers.europe]
kind = "simulated"
speed = 0
self_hosted = false
region = "eu-west-1"
models.steady = { error_rate = 0 }
[models.small]
endpoints = [{ provider = "house", model = "steady" }, { provider = "cloud", model = "steady" }]
[models.large]
endpoints = [{ provider = "cloud", model = "strong" }]
[models.spread]
endpoints = [{ provider = "cloud", model = "steady", weight = 1 }, { provider = "europe", model = "steady", weight = 3 }]
strategy = "weighted"
sticky = true
[models.near]
endpoints = [{ provider = "cloud", model = "steady" }, { provider = "europe", model = "steady" }]
strategy = "nearest"
[models.blind]
endpoints = [{ provider = "cloud", model = "steady", abilities = ["tools"] }, { provider = "europe", model = "steady" }]
[features.chat]
route = { simple = "small", complex = "large" }
[features.private]
route = "large"
fallback = ["small"]
data = "sensitive"
degrade = ["model:large"]
[require]
sensitive = { self_hosted = true }
[[policies]]
name = "sorting"
when = { tags = { task = "sort" } }
use = "near"
"""
HARD = "Compare both designs, analyse where each fails, and justify the trade-offs."
PICTURE = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path_factory.mktemp("routing"), CONFIG) as running:
        yield running
        assert "Traceback" not in running.log, running.log


def ask(
    gateway: RunningGateway, model: str, text: Any = "hello", **headers: str
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=30)
    given = {f"x-headgate-{name}": value for name, value in headers.items()}
    try:
        connection.request(
            "POST",
            "/v1/chat/completions",
            json.dumps({"model": model, "messages": [{"role": "user", "content": text}]}),
            {"authorization": f"Bearer {gateway.key}", **given},
        )
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read().decode()
    finally:
        connection.close()


def answered_by(gateway: RunningGateway, model: str, text: Any = "hello", **headers: str) -> str:
    status, head, body = ask(gateway, model, text, **headers)
    assert status == 200, body
    return f"{head['x-headgate-provider']}/{head['x-headgate-model']}"


def test_difficulty_decides_and_the_caller_may_overrule_it(gateway: RunningGateway) -> None:
    """By what is asked, or by header."""
    assert answered_by(gateway, "chat") == "house/steady"
    assert answered_by(gateway, "chat", HARD) == "cloud/strong"
    assert answered_by(gateway, "chat", tier="complex") == "cloud/strong"
    assert ask(gateway, "chat", tier="hardest")[0] == 400


def test_sensitive_data_stays_in_the_house_also_when_that_fails(gateway: RunningGateway) -> None:
    """No fallback, no rung of the ladder takes it elsewhere."""
    assert answered_by(gateway, "private", HARD) == "house/steady"
    assert answered_by(gateway, "chat", HARD, data="sensitive") == "house/steady"
    status, head, _ = ask(gateway, "private", fault="error_500")
    assert status >= 500 and head.get("x-headgate-provider") == "house"


def test_a_request_that_may_go_nowhere_is_refused_in_words(gateway: RunningGateway) -> None:
    """403, with the rule."""
    status, _, body = ask(gateway, "large", tags="data=sensitive")
    assert status == 403 and "own machines" in json.loads(body)["error"]["message"]
    assert json.loads(body)["error"]["code"] == "no_endpoint_allowed"


def test_a_policy_and_the_callers_region_decide(gateway: RunningGateway) -> None:
    """In one request."""
    assert answered_by(gateway, "chat", tags="task=sort", region="eu") == "europe/steady"
    assert answered_by(gateway, "chat", tags="task=sort", region="us") == "cloud/steady"


def test_traffic_is_spread_and_sessions_stay(gateway: RunningGateway) -> None:
    """By weight, and by session."""
    found = Counter(answered_by(gateway, "spread") for _ in range(60))
    assert found["europe/steady"] > found["cloud/steady"] > 0
    for session in ("a", "b", "c", "d"):
        assert len({answered_by(gateway, "spread", session=session) for _ in range(6)}) == 1


def test_what_an_endpoint_cannot_do_goes_to_another(gateway: RunningGateway) -> None:
    """Without a failed attempt."""
    assert answered_by(gateway, "blind") == "cloud/steady"
    status, head, _ = ask(gateway, "blind", PICTURE)
    assert (status, head["x-headgate-provider"], head["x-headgate-attempts"]) == (200, "europe", "1")


def test_the_record_says_why(gateway: RunningGateway) -> None:
    """Tier and reason, on the request's row."""
    _, head, _ = ask(gateway, "chat", HARD)
    command = [sys.executable, "-m", "headgate", "show", head["x-request-id"], "--json"]
    due = time.monotonic() + 20
    while True:
        done = subprocess.run(command, cwd=gateway.directory, capture_output=True, text=True, timeout=60)
        if done.returncode == 0:
            break
        # A request is on record a moment after its last byte.
        assert time.monotonic() < due, done.stderr
    row = json.loads(done.stdout)["request"]
    assert (row["tier"], row["routed_model"]) == ("complex", "large")
    assert "asks to reason" in str(row["notes"])
