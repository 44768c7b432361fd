"""What a collector's answer means for a batch."""

from __future__ import annotations

import gzip

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from headgate.telemetry.otlp.sending import Answer, Collector, Sent
from tests.support.aio import aio

__all__: list[str] = []


class Fake:
    """A `Post` that answers what it is told."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.posted: list[tuple[str, dict[bytes, bytes], bytes, float]] = []

    async def __call__(self, url, headers, body, seconds):
        self.posted.append((url, dict(headers), body, seconds))
        return self.answer


async def send(answer: Answer) -> Sent:
    return await Collector("http://c", {}, 1.0, Fake(answer)).send("traces", b"x")


@aio
async def test_a_batch_leaves_compressed_with_the_headers_of_the_configuration():
    """The signal's path is added to the address, whether it ends in a slash or not."""
    post = Fake(Answer(200))
    collector = Collector("http://c:4318/otlp/", {"Authorization": "Bearer t"}, 2.5, post)
    assert await collector.send("metrics", b"body" * 100) == Sent("ok")
    ((url, headers, body, seconds),) = post.posted
    assert (url, seconds) == ("http://c:4318/otlp/v1/metrics", 2.5)
    assert headers[b"authorization"] == b"Bearer t"
    assert (headers[b"content-type"], headers[b"content-encoding"]) == (b"application/x-protobuf", b"gzip")
    assert gzip.decompress(body) == b"body" * 100


@pytest.mark.parametrize("status", [0, 401, 403, 404, 408, 429, 502, 503, 504])
@aio
async def test_a_collector_that_is_away_or_closed_is_tried_again(status):
    """What the protocol calls retryable, no answer at all, and what a wrong address or token says."""
    sent = await send(Answer(status, b"reset", 7.0))
    assert (sent.outcome, sent.wait) == ("away", 7.0)
    assert sent.why == ("reset" if not status else f"HTTP {status}")


@pytest.mark.parametrize("status", [400, 415, 422, 500, 302])
@aio
async def test_what_would_be_refused_again_is_not_sent_again(status):
    """As the protocol demands; its own words help to see why."""
    sent = await send(Answer(status, b"no such field"))
    assert (sent.outcome, sent.why) == ("refused", f"HTTP {status}: no such field")


@aio
async def test_a_batch_that_is_too_large_is_told_apart():
    """It can be divided."""
    assert (await send(Answer(413))).outcome == "too_large"


@aio
async def test_a_partial_success_is_a_success_that_says_what_is_missing():
    """With the collector's words."""
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 2
    answer.partial_success.error_message = "too old"
    assert await send(Answer(200, answer.SerializeToString())) == Sent("ok", 2, "too old")
