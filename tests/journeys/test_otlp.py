"""A started gateway and a collector that reads with the protocol's own published classes."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import RunningGateway, running_gateway
from tests.support.otlp_receiver import OtlpReceiver, attributes, otlp_receiver
from tests.support.postgres_server import postgres_server

__all__: list[str] = []

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SECRET = "collector-token-4711"
MARKER = "planted-marker-of-a-prompt"
CONFIG = """
[providers.sim]
kind = "simulated"
speed = 0
models.steady = { error_rate = 0 }
models.dead = { error_rate = 1, faults = ["error_500"] }

[models]
down = { endpoints = [{ provider = "sim", model = "dead" }] }
up = { endpoints = [{ provider = "sim", model = "steady" }] }

[features]
plain = { route = "up" }
failing_over = { route = "down", fallback = ["up"], retry = { attempts = 1 } }

[telemetry.otlp]
endpoint = "ADDRESS"
headers = { authorization = "Bearer ${COLLECTOR_TOKEN}" }
every = "200ms"
resource = { "deployment.environment.name" = "test" }
"""


def config(receiver: OtlpReceiver, more: str = "") -> str:
    return CONFIG.replace("ADDRESS", receiver.url) + more


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with otlp_receiver() as running:
        yield running


def start(folder: Path, text: str) -> Any:
    return running_gateway(folder, text, environment={"COLLECTOR_TOKEN": SECRET})


def ask(gateway: RunningGateway, feature: str, *, stream: bool = False, words: str = MARKER) -> str:
    """The request's id."""
    body = {"model": feature, "stream": stream, "messages": [{"role": "user", "content": words}]}
    request = urllib.request.Request(
        f"{gateway.url}/v1/chat/completions",
        json.dumps(body).encode(),
        {
            "authorization": f"Bearer {gateway.key}",
            "content-type": "application/json",
            "traceparent": f"00-{TRACE}-{PARENT}-01",
            "x-headgate-session": "s-1",
        },
    )
    with urllib.request.urlopen(request, timeout=20) as reply:
        reply.read()
        return str(reply.headers["x-request-id"])


def test_every_request_and_attempt_becomes_a_span(tmp_path: Path, receiver: OtlpReceiver) -> None:
    """In the caller's trace, with the conventions' names; prompts are in no byte of it, and what stops in time is sent."""
    with start(tmp_path, config(receiver)) as gateway:
        ids = [ask(gateway, "plain"), ask(gateway, "failing_over", stream=True)]
        receiver.until(lambda it: len(it.spans()) >= 5)
        ids.append(ask(gateway, "plain"))
        assert gateway.stop() == 0
        assert SECRET not in gateway.log and "Traceback" not in gateway.log
    spans = receiver.spans()
    assert len(spans) == len({span.span_id for span in spans}) == 7
    whole = {attributes(span.attributes)["headgate.request.id"]: span for span in spans if span.kind == 2}
    assert sorted(whole) == sorted(ids)
    for span in spans:
        assert span.trace_id.hex() == TRACE
        assert span.end_time_unix_nano > span.start_time_unix_nano
    assert all(span.parent_span_id.hex() == PARENT for span in whole.values())
    found = attributes(whole[ids[0]].attributes)
    assert (found["gen_ai.operation.name"], found["gen_ai.provider.name"]) == ("chat", "sim")
    assert (found["gen_ai.request.model"], found["headgate.feature"]) == ("plain", "plain")
    assert found["gen_ai.conversation.id"] == "s-1" and found["http.response.status_code"] == 200
    assert found["gen_ai.usage.input_tokens"] > 0 < found["gen_ai.usage.output_tokens"]
    assert found["gen_ai.response.finish_reasons"] == ["stop"]
    children = [span for span in spans if span.parent_span_id == whole[ids[1]].span_id]
    tried = [attributes(span.attributes) for span in children]
    assert [each["gen_ai.request.model"] for each in tried] == ["dead", "steady"]
    assert [each["headgate.attempt.kind"] for each in tried] == ["first", "failover"]
    assert tried[0]["error.type"] and children[0].status.code == 2
    assert tried[1]["gen_ai.response.time_to_first_chunk"] > 0
    assert not any(MARKER.encode() in body for body in receiver.raw)
    assert {each["authorization"] for each in receiver.headers} == {f"Bearer {SECRET}"}
    (sender,) = {
        json.dumps(attributes(each.resource.attributes), sort_keys=True)
        for request in receiver.traces
        for each in request.resource_spans
    }
    assert json.loads(sender).items() >= {
        ("service.name", "headgate"),
        ("deployment.environment.name", "test"),
    }


def test_metrics_say_what_the_page_of_metrics_says(tmp_path: Path, receiver: OtlpReceiver) -> None:
    """And the histograms of the conventions, counted from the same records."""
    with start(tmp_path, config(receiver)) as gateway:
        for _ in range(3):
            ask(gateway, "plain")
        receiver.until(lambda it: len(it.spans()) >= 6)
        assert gateway.stop() == 0
    (points,) = receiver.points("headgate.requests").values()
    counted = {tuple(attributes(each.attributes).values()): each.as_int for each in points}
    assert counted["plain", "ok"] == 3
    (points,) = receiver.points("gen_ai.server.request.duration").values()
    (point,) = points
    assert point.count == sum(point.bucket_counts) == 3
    assert attributes(point.attributes)["gen_ai.request.model"] == "plain"
    (points,) = receiver.points("gen_ai.client.token.usage").values()
    assert {attributes(each.attributes)["gen_ai.token.type"]: each.count for each in points} == {
        "input": 3,
        "output": 3,
    }
    for name in ("gen_ai.client.operation.duration", "gen_ai.server.time_to_first_token"):
        ((point,),) = receiver.points(name).values()
        assert point.count == 3
    (points,) = receiver.points("headgate.otlp_spans").values()
    assert {attributes(each.attributes)["headgate.outcome"]: each.as_int for each in points}["sent"] == 6


def test_content_is_told_where_it_is_switched_on(tmp_path: Path, receiver: OtlpReceiver) -> None:
    """As messages of the conventions, whole answers and streams alike."""
    with start(tmp_path, config(receiver, "content = true\n")) as gateway:
        ask(gateway, "plain")
        ask(gateway, "plain", stream=True)
        receiver.until(lambda it: len(it.spans()) >= 4)
    for span in receiver.spans():
        if span.kind != 2:
            continue
        found = attributes(span.attributes)
        (asked,) = json.loads(found["gen_ai.input.messages"])
        assert asked == {"role": "user", "parts": [{"type": "text", "content": MARKER}]}
        (answered,) = json.loads(found["gen_ai.output.messages"])
        assert answered["role"] == "assistant" and answered["parts"][0]["content"]
        assert answered["finish_reason"] == "stop"


def test_a_collector_that_is_away_costs_requests_nothing(tmp_path: Path, receiver: OtlpReceiver) -> None:
    """They are answered; what they were is told when it is back, once, also over a restart."""
    receiver.status = 503
    with start(tmp_path, config(receiver)) as gateway:
        first = ask(gateway, "plain")
        receiver.until(lambda it: it.refused >= 2)
        assert gateway.stop() == 0
        assert "collector" in gateway.log
    with start(tmp_path, config(receiver)) as gateway:
        second = ask(gateway, "plain")
        receiver.status = 200
        receiver.until(lambda it: len(it.spans()) >= 4)
        assert gateway.stop() == 0
    told = [attributes(span.attributes)["headgate.request.id"] for span in receiver.spans() if span.kind == 2]
    assert told == [first, second]


def test_without_a_collector_nothing_is_there(tmp_path: Path) -> None:
    """No metric of it, and nothing of it in the database."""
    text = CONFIG.partition("[telemetry.otlp]")[0]
    with start(tmp_path, text) as gateway:
        ask(gateway, "plain")
        with urllib.request.urlopen(f"{gateway.url}/metrics", timeout=20) as reply:
            assert b"otlp" not in reply.read()


@pytest.mark.needs("postgres")
def test_of_nodes_that_share_a_database_one_exports_for_all(tmp_path: Path, receiver: OtlpReceiver) -> None:
    """Each request once; when the one that exports stops, the other goes on."""
    with postgres_server() as server:
        text = f'[server]\ndatabase = "{server.new_database()}"\n{config(receiver)}'
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
        with start(tmp_path / "one", text) as one, start(tmp_path / "two", text) as two:
            receiver.until(lambda it: len(it.points("headgate.in_flight")) == 2)
            asked = [ask(node, "plain") for _ in range(10) for node in (one, two)]
            receiver.until(lambda it: len(it.spans()) >= 40)
            assert one.stop() == 0
            asked += [ask(two, "plain") for _ in range(5)]
            receiver.until(lambda it: len(it.spans()) >= 50)
            assert two.stop() == 0
    told = [attributes(span.attributes)["headgate.request.id"] for span in receiver.spans() if span.kind == 2]
    assert sorted(told) == sorted(asked)
    assert len(receiver.points("headgate.requests")) == 2, "metrics are every node's own"


def test_a_collector_that_never_answers_holds_up_neither_requests_nor_stopping(tmp_path: Path) -> None:
    """It takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text = CONFIG.replace("ADDRESS", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with start(tmp_path, text) as gateway:
            for _ in range(5):
                ask(gateway, "plain")
            begun = time.monotonic()
            assert gateway.stop() == 0
            assert time.monotonic() - begun < 15
            assert "Traceback" not in gateway.log
