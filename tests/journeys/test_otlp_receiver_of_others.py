"""A receiver that nobody here wrote takes what a started gateway exports: Datadog's test agent, a server of its own process
which speaks OTLP over HTTP and tells what it has got.
"""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.gateway import RunningGateway, running_gateway
from tests.support.ports import free_port

__all__: list[str] = []

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
MARKER = "planted-marker-of-a-prompt"
CONFIG = """
[providers.sim]
kind = "simulated"
speed = 0
models.steady = { error_rate = 0 }
models.dead = { error_rate = 1, faults = ["error_500"] }

[models]
down = { endpoints = [{ provider = "sim", model = "dead", price = { input = 1, output = 1 } }] }
up = { endpoints = [{ provider = "sim", model = "steady", price = { input = 1, output = 1 } }] }

[features]
plain = { route = "up" }
failing_over = { route = "down", fallback = ["up"], retry = { attempts = 1 } }

[telemetry.otlp]
endpoint = "ADDRESS"
every = "200ms"
"""


class Receiver:
    """As its own pages tell."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as reply:
            return json.load(reply)

    def spans(self) -> list[dict[str, Any]]:
        """Each with its attributes as a dictionary and the name of who sent it."""
        found = []
        for request in self.ask("/test/session/traces"):
            for resource in request["resource_spans"]:
                sender = values(resource["resource"]["attributes"])
                for scope in resource["scope_spans"]:
                    found += [
                        {**span, "attributes": values(span["attributes"]), "sender": sender}
                        for span in scope["spans"]
                    ]
        return sorted(found, key=lambda span: int(span["start_time_unix_nano"]))

    def metrics(self) -> dict[str, dict[str, Any]]:
        """The newest of each name."""
        found: dict[str, dict[str, Any]] = {}
        for request in self.ask("/test/session/metrics"):
            for resource in request["resource_metrics"]:
                for scope in resource["scope_metrics"]:
                    for metric in scope["metrics"]:
                        before = found.setdefault(metric["name"], metric)
                        found[metric["name"]] = max(before, metric, key=told_at)
        return found


def told_at(metric: dict[str, Any]) -> int:
    """When its newest point was told."""
    data = next(metric[kind] for kind in ("sum", "gauge", "histogram") if kind in metric)
    return max((int(point["time_unix_nano"]) for point in data["data_points"]), default=0)


def values(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """OTLP's JSON of attributes, as Python has it."""
    return {pair["key"]: value_of(pair["value"]) for pair in pairs}


def value_of(value: dict[str, Any]) -> Any:
    ((kind, inner),) = value.items()
    if "array" in kind:
        return [value_of(each) for each in inner["values"]]
    return int(inner) if "int" in kind else inner


@contextlib.contextmanager
def receiver(folder: Path) -> Iterator[Receiver]:
    """Started as its users start it."""
    ports = [free_port() for _ in range(4)]
    command = [
        str(Path(sys.executable).with_name("ddapm-test-agent")),
        *("--host", "127.0.0.1", "--port", str(ports[0]), "--web-ui-port", str(ports[3])),
        *("--otlp-http-port", str(ports[1]), "--otlp-grpc-port", str(ports[2])),
    ]
    with (folder / "receiver.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    found = Receiver(f"http://127.0.0.1:{ports[1]}")
    try:
        due = time.monotonic() + 30
        while True:
            assert process.poll() is None and time.monotonic() < due, (folder / "receiver.log").read_text()
            with contextlib.suppress(OSError):
                found.ask("/test/session/traces")
                break
            time.sleep(0.1)
        yield found
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ask(gateway: RunningGateway, feature: str, *, stream: bool = False) -> str:
    """The request's id."""
    body = {"model": feature, "stream": stream, "messages": [{"role": "user", "content": MARKER}]}
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


def of_hex(value: str) -> str:
    """Ids are base64 there, as JSON of protobuf has bytes."""
    return base64.b64decode(value).hex()


def test_a_receiver_of_others_takes_traces_and_metrics(tmp_path: Path) -> None:
    """Names, attributes, who is whose parent; and the metrics: our own, and the conventions' histograms."""
    with receiver(tmp_path) as got, running_gateway(tmp_path, CONFIG.replace("ADDRESS", got.url)) as gateway:
        ids = [ask(gateway, "plain"), ask(gateway, "failing_over", stream=True)]
        due = time.monotonic() + 30
        while len(got.spans()) < 5 or "gen_ai.server.request.duration" not in got.metrics():
            assert time.monotonic() < due, (tmp_path / "receiver.log").read_text()[-3_000:]
            time.sleep(0.2)
        assert gateway.stop() == 0
        spans, metrics, log = got.spans(), got.metrics(), gateway.log
    assert "Traceback" not in log and "did not take" not in log
    assert len(spans) == len({span["span_id"] for span in spans}) == 5
    assert {of_hex(span["trace_id"]) for span in spans} == {TRACE}
    assert MARKER not in json.dumps(spans) and MARKER not in json.dumps(metrics)
    assert {span["sender"]["service.name"] for span in spans} == {"headgate"}
    asked = {
        span["attributes"]["headgate.request.id"]: span
        for span in spans
        if span["kind"] == "SPAN_KIND_SERVER"
    }
    assert sorted(asked) == sorted(ids)
    assert {of_hex(span["parent_span_id"]) for span in asked.values()} == {PARENT}
    first = asked[ids[0]]
    assert first["name"] == "chat plain"
    assert int(first["end_time_unix_nano"]) > int(first["start_time_unix_nano"])
    said = first["attributes"]
    assert (said["gen_ai.operation.name"], said["gen_ai.provider.name"]) == ("chat", "sim")
    assert (said["gen_ai.request.model"], said["gen_ai.conversation.id"]) == ("plain", "s-1")
    assert said["gen_ai.usage.input_tokens"] > 0 < said["gen_ai.usage.output_tokens"]
    assert said["gen_ai.response.finish_reasons"] == ["stop"]
    tried = [span for span in spans if span["parent_span_id"] == asked[ids[1]]["span_id"]]
    assert [span["attributes"]["gen_ai.request.model"] for span in tried] == ["dead", "steady"]
    assert [span["attributes"]["headgate.attempt.kind"] for span in tried] == ["first", "failover"]
    assert tried[0]["status"]["code"] == "STATUS_CODE_ERROR" and tried[0]["attributes"]["error.type"]
    for name in (
        "gen_ai.server.request.duration",
        "gen_ai.client.operation.duration",
        "headgate.request_seconds",
    ):
        points = metrics[name]["histogram"]["data_points"]
        assert all(
            int(point["count"]) == sum(map(int, point["bucket_counts"])) and len(point["explicit_bounds"])
            for point in points
        )
        assert sum(int(point["count"]) for point in points) == (3 if "client" in name else 2)
    assert {"gen_ai.client.token.usage", "headgate.tokens", "headgate.cost_usd"} <= set(metrics)
    points = metrics["headgate.requests"]["sum"]["data_points"]
    counted = {tuple(values(point["attributes"]).values()): int(point["as_int"]) for point in points}
    assert counted["plain", "ok"] == counted["failing_over", "ok"] == 1
