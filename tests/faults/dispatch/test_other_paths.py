"""Embeddings and token counts fail over as answers do: what can heal is asked elsewhere, what cannot is told."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.faults.dispatch.conftest import BOUND, Feature, Stage
from tests.support import vendor_faults as faults
from tests.support.asking import Got
from tests.support.misbehaving import Play
from tests.support.three_wires import PROMPT, VECTOR

__all__: list[str] = []

PATHS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "embeddings": ("chat", "/v1/embeddings", {"input": "How high is the water?", "encoding_format": "float"}),
    "count": (
        "messages",
        "/v1/messages/count_tokens",
        {"messages": [{"role": "user", "content": "How high is the water?"}]},
    ),
}
"""Name -> wire of the provider, path, what is asked."""
FAULTS: dict[str, tuple[Play, set[str]]] = {
    "429": (faults.refusing("rate limit"), {"provider_rate_limited"}),
    "500": (faults.refusing("failed"), {"provider_failed"}),
    "overloaded": (faults.refusing("overloaded"), {"provider_overloaded"}),
    "refused key": (faults.refusing("key"), {"provider_auth_failed"}),
    "reset": (faults.reset_for_good, {"upstream_reset"}),
    "silence": (faults.silence, {"headers_timeout"}),
    "html": (faults.html, {"upstream_malformed"}),
    "malformed": (faults.malformed_first, {"upstream_malformed"}),
    "cut": (faults.cut, {"upstream_cut"}),
    "empty": (faults.empty, {"upstream_malformed"}),
}
ALL = [pytest.param(path, id=path) for path in PATHS]


def ask(feature: Feature, path: str) -> Got:
    """Ask this feature for what the path gives."""
    gateway = feature.stage.gateway
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=10)
    began = time.monotonic()
    try:
        headers = {"authorization": f"Bearer {gateway.key}", "anthropic-version": "2023-06-01"}
        body = json.dumps({"model": feature.name, **PATHS[path][2]})
        connection.request("POST", PATHS[path][1], body, headers)
        reply = connection.getresponse()
        found = {name.lower(): value for name, value in reply.getheaders()}
        return Got(PATHS[path][0], reply.status, found, reply.read(), cut=False)
    finally:
        connection.close()
        assert time.monotonic() - began < BOUND, "the caller was kept waiting beyond every deadline"


def right(got: Got) -> bool:
    """Is it the answer?"""
    said = json.loads(got.body)
    if "data" in said:
        return got.status == 200 and said["data"][0]["embedding"] == VECTOR
    return got.status == 200 and said.get("input_tokens") == PROMPT


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize("fault", FAULTS)
def test_another_model_answers(stage: Stage, fault: str, path: str) -> None:
    """The caller notices nothing but the second attempt in the headers."""
    play, codes = FAULTS[fault]
    feature = stage.feature("twin", PATHS[path][0]).plays(play)
    got = ask(feature, path)
    assert right(got) and got.headers["x-headgate-model"] == feature.spare
    assert (got.headers["x-headgate-attempts"], got.headers["x-headgate-fallback"]) == ("2", "true")
    record, (failed, answered) = stage.record(got)
    assert failed["error_class"] in codes
    # An answer that broke off may be on the provider's bill.
    assert failed["cost_nanos"] == 0 or fault == "cut"
    assert (answered["kind"], answered["outcome"], record["outcome"]) == ("failover", "ok", "ok")


@pytest.mark.parametrize("path", ALL)
def test_a_mistake_is_told_once(stage: Stage, path: str) -> None:
    """In the provider's own words."""
    feature = stage.feature("twin", PATHS[path][0]).plays(faults.refusing("invalid"))
    got = ask(feature, path)
    assert (got.status, feature.asked()) == (400, (1, 0))
    assert got.body == stage.provider.asked(feature.first)[0].wire.refusal("invalid").body


@pytest.mark.parametrize("path", ALL)
def test_when_all_fail_the_last_error_is_told(stage: Stage, path: str) -> None:
    """With a status, no cost, and the word that SDKs shall not go on."""
    feature = stage.feature("twin", PATHS[path][0])
    feature.plays(faults.html, faults.refusing("overloaded", b"retry-after: 30"))
    got = ask(feature, path)
    assert got.status in (502, 503, 529) and got.headers["x-should-retry"] == "false"
    record, attempts = stage.record(got)
    assert record["outcome"] == "failed" and [one["cost_nanos"] for one in attempts] == [0] * len(attempts)
