"""A collector for tests: a real HTTP server that reads what comes with the protocol's own published classes."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

__all__ = ["OtlpReceiver", "attributes", "otlp_receiver", "plain"]


def plain(value: AnyValue) -> Any:
    """As Python has it."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(each) for each in value.array_value.values]
    return getattr(value, kind) if kind else None


def attributes(pairs: Any) -> dict[str, Any]:
    """Name -> value; a name that is there twice is a mistake."""
    found: dict[str, Any] = {}
    pair: KeyValue
    for pair in pairs:
        assert pair.key not in found, f"{pair.key} is there twice"
        found[pair.key] = plain(pair.value)
    return found


@dataclass
class OtlpReceiver:
    """What came, decoded. `status` is what the next ones are answered with."""

    url: str
    status: int = 200
    traces: list[ExportTraceServiceRequest] = field(default_factory=list)
    metrics: list[ExportMetricsServiceRequest] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    refused: int = 0

    def spans(self) -> list[Any]:
        """In the order in which they came."""
        return [
            span
            for request in list(self.traces)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def points(self, name: str) -> dict[str, Any]:
        """The newest state of a metric: sender -> points."""
        found: dict[str, Any] = {}
        for request in list(self.metrics):
            for resource in request.resource_metrics:
                sender = attributes(resource.resource.attributes)["service.instance.id"]
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        if metric.name == name:
                            found[sender] = list(getattr(metric, metric.WhichOneof("data")).data_points)
        return found

    def until(self, happened: Callable[[OtlpReceiver], object], seconds: float = 20.0) -> None:
        """Wait for it."""
        due = time.monotonic() + seconds
        while not happened(self):
            assert time.monotonic() < due, (
                f"it did not happen: {len(self.traces)} traces, {self.refused} refused"
            )
            time.sleep(0.02)


@contextmanager
def otlp_receiver() -> Iterator[OtlpReceiver]:
    """On a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert self.headers["content-type"] == "application/x-protobuf"
            assert self.headers["content-encoding"] == "gzip"
            answer = b""
            if receiver.status == 200:
                body = gzip.decompress(body)
                receiver.raw.append(body)
                receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
                if self.path.endswith("/v1/traces"):
                    receiver.traces.append(ExportTraceServiceRequest.FromString(body))
                    answer = ExportTraceServiceResponse().SerializeToString()
                else:
                    assert self.path.endswith("/v1/metrics"), self.path
                    receiver.metrics.append(ExportMetricsServiceRequest.FromString(body))
                    answer = ExportMetricsServiceResponse().SerializeToString()
            else:
                receiver.refused += 1
            self.send_response(receiver.status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = OtlpReceiver(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
