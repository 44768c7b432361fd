"""A started gateway's metrics, read as Prometheus reads them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.gateway import RunningGateway, running_gateway

__all__: list[str] = []

CONFIG = """
[providers.sim]
kind = "simulated"
speed = 0
models.steady = { error_rate = 0 }
models.dead = { error_rate = 1, faults = ["error_500"] }

[models]
down = { endpoints = [{ provider = "sim", model = "dead" }], health = { failures = 3 } }
up = { endpoints = [{ provider = "sim", model = "steady" }] }

[features]
plain = { route = "up", shadow = { model = "up", share = 1.0 } }
degrading = { route = "down", retry = { attempts = 2, patience = "1s" }, degrade = ["say:Later."] }
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path_factory.mktemp("metrics"), CONFIG) as running:
        yield running
        assert "Traceback" not in running.log, running.log


def ask(gateway: RunningGateway, feature: str, *, key: str = "", **headers: str) -> int:
    """The status of one request."""
    body = json.dumps({"model": feature, "messages": [{"role": "user", "content": "hello"}]}).encode()
    sent = {"authorization": f"Bearer {key or gateway.key}", "content-type": "application/json", **headers}
    request = urllib.request.Request(f"{gateway.url}/v1/chat/completions", body, sent)
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            reply.read()
            return int(reply.status)
    except urllib.error.HTTPError as refused:
        refused.read()
        return refused.code


def metrics(gateway: RunningGateway, headers: Mapping[str, str] | None = None) -> dict[str, float]:
    """Name and values of the labels, joined -> number."""
    request = urllib.request.Request(f"{gateway.url}/metrics", headers=dict(headers or {}))
    with urllib.request.urlopen(request, timeout=20) as reply:
        assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
        families = text_string_to_metric_families(reply.read().decode())
        return {
            " ".join((sample.name.removeprefix("headgate_"), *sample.labels.values())): sample.value
            for family in families
            for sample in family.samples
        }


def test_every_degraded_answer_is_counted(gateway: RunningGateway) -> None:
    """Beside the header and the record; the calls before it are counted by their kind."""
    before = metrics(gateway)
    assert before["degraded_total degrading say"] == 0, "a counter is there before its first event"
    assert ask(gateway, "degrading") == 200
    after = metrics(gateway)
    assert after["degraded_total degrading say"] == 1
    assert after["requests_total degrading ok"] == before["requests_total degrading ok"] + 1
    assert after["attempts_total sim dead first failed"] == 1
    assert after["attempts_total sim dead retry failed"] == 1


def test_a_breaker_that_opens_is_seen(gateway: RunningGateway) -> None:
    """By the endpoint's name; the others stay at 0."""
    for _ in range(3):
        assert ask(gateway, "degrading") == 200
    seen = metrics(gateway)
    assert seen["endpoint_open sim/dead"] == 1 and seen["endpoint_open sim/steady"] == 0


def test_copies_are_no_requests(gateway: RunningGateway) -> None:
    """But are counted as what they are; nothing was lost, nothing is under way."""
    before = metrics(gateway)
    assert ask(gateway, "plain") == 200
    after = metrics(gateway)
    assert after["requests_total plain ok"] == before["requests_total plain ok"] + 1
    assert after["shadows_total"] == before["shadows_total"] + 1
    assert after["shadows_dropped_total"] == after["records_dropped_total"] == after["in_flight"] == 0
    assert "journal_bytes" in after


def test_what_a_stranger_says_is_no_feature(gateway: RunningGateway) -> None:
    """Nobody without a key can make a series."""
    assert ask(gateway, "plain", key="hg_wrong", **{"x-headgate-feature": "made-up"}) == 401
    seen = metrics(gateway)
    assert seen["requests_total  refused"] >= 1 and not any("made-up" in name for name in seen)


def test_who_may_see_the_page_may_see_the_numbers(gateway: RunningGateway) -> None:
    """This machine itself, or a key; a forwarded request needs the key."""
    key = {"authorization": f"Bearer {gateway.key}", "x-forwarded-for": "10.0.0.9"}
    assert metrics(gateway, key)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        metrics(gateway, {"x-forwarded-for": "10.0.0.9"})
