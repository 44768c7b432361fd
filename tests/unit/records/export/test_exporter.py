"""The task that exports: begins, goes on, changes its plan, and ends."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from typing import Any

import msgspec

from headgate.core.clock import SystemClock
from headgate.core.messages import Answer, ChatRequest, Message, Text
from headgate.core.section import Duration
from headgate.records.export.exporter import MARK, Exporter
from headgate.records.export.relay import Plan
from headgate.records.export.spans import Place
from headgate.stores.backends.memory import MemorySpans
from headgate.stores.backends.memory.exports import MemoryExports
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import Content, RequestRow
from headgate.telemetry.metrics import Metrics
from headgate.telemetry.otlp.protobuf import encode_resource
from headgate.telemetry.otlp.sending import Answer as PostAnswer
from headgate.telemetry.otlp.sending import Collector
from headgate.telemetry.otlp.settings import OtlpSettings
from tests.support.aio import aio

__all__: list[str] = []

WORDS = b"what nobody else shall read"


class Here:
    """A database, a collector and one node."""

    def __init__(self) -> None:
        self.spans = MemorySpans()
        self.exports = MemoryExports(self.spans)
        self.metrics = Metrics()
        self.clock = SystemClock()
        self.exporter = Exporter(self.spans, self.exports, self.metrics, self.clock, node="n")
        self.status = 200
        self.traces: list[bytes] = []
        self.posts = 0

    async def post(self, url: str, headers: object, body: bytes, seconds: float) -> PostAnswer:
        self.posts += 1
        if url.endswith("traces") and self.status == 200:
            self.traces.append(gzip.decompress(body))
        return PostAnswer(self.status)

    def plan(self, **given: Any) -> Plan:
        return Plan(
            settings=msgspec.structs.replace(
                OtlpSettings(endpoint="http://c", every=Duration(0.02)), **given
            ),
            collector=Collector("http://c", {}, 1.0, self.post),
            places=Place,
            resource=encode_resource([("service.name", "headgate")]),
            version="1",
            read_prompt=lambda content: ChatRequest(
                model="m", messages=[Message(role="user", parts=[Text(text=content.data.decode())])]
            ),
            read_answer=lambda content: Answer(),
        )

    def store(self, number: int) -> None:
        row = RequestRow(number, self.clock.wall_ns(), "", operation="chat", request_content="h")
        content = Content(hash="h", kind="k", data=WORDS, size=len(WORDS))
        self.spans.write(Batch(journal="j", position=Position(), requests=[row], contents=[content]))


async def until(happened: Callable[[], object]) -> None:
    while not happened():
        await asyncio.sleep(0.005)


@aio
async def test_it_begins_and_ends_as_the_configuration_says():
    """Also while it runs. Without a plan nothing is sent, nothing is marked, and no metric of it is shown."""
    here = Here()
    here.exporter.start()
    await asyncio.sleep(0.05)
    assert here.posts == 0 and await here.exports.mark(MARK) is None
    assert b"otlp" not in here.metrics.text()
    here.exporter.use(here.plan())
    await until(lambda: here.posts)
    here.store(1)
    await until(lambda: here.traces)
    assert b'headgate_otlp_spans_total{outcome="sent"} 1' in here.metrics.text()
    here.exporter.use(None)
    await until(lambda: here.exports._marks[MARK].holder == "")
    sent = here.posts
    await asyncio.sleep(0.05)
    assert here.posts <= sent + 1
    here.exporter.use(here.plan())
    here.store(2)
    await until(lambda: len(here.traces) == 2)
    await here.exporter.aclose(1.0)
    await here.exporter.aclose(1.0)
    assert here.exports._marks[MARK].holder == ""


@aio
async def test_what_was_stored_last_is_sent_before_the_end():
    """However long it is until the next time."""
    here = Here()
    here.exporter.use(here.plan(every=3600.0))
    here.exporter.start()
    await until(lambda: here.posts)
    here.store(1)
    await here.exporter.aclose(1.0)
    assert len(here.traces) == 1


@aio
async def test_content_that_is_switched_off_does_not_leave_with_a_batch_that_waited():
    """The batch is made anew."""
    here = Here()
    here.exporter.use(here.plan(content=True))
    here.exporter.start()
    await until(lambda: here.posts)
    here.status = 503
    here.store(1)
    await until(lambda: here.exporter.relay.posts["failed"])
    here.exporter.use(here.plan(content=False))
    here.status = 200
    await until(lambda: here.traces)
    await here.exporter.aclose(1.0)
    assert len(here.traces) == 1 and WORDS not in here.traces[0]


@aio
async def test_a_mistake_of_ours_does_not_end_the_export(monkeypatch):
    """It is logged, and tried again."""
    here = Here()
    here.exporter.use(here.plan())
    whole, tried = here.exporter.relay.step, []

    async def fails_twice(plan: Plan) -> Any:
        tried.append(plan)
        if len(tried) < 3:
            raise RuntimeError("a bug")
        return await whole(plan)

    monkeypatch.setattr(here.exporter.relay, "step", fails_twice)
    here.exporter.start()
    await until(lambda: len(tried) >= 3 and here.exports._marks)
    here.store(1)
    await until(lambda: here.traces)
    await here.exporter.aclose(1.0)


@aio
async def test_every_metric_that_is_shown_is_sent():
    """Under its name there, with its labels, beside the histograms of the conventions."""
    here = Here()
    here.metrics.requests.add(("f", "ok"))
    found = {each.name: each for each in here.exporter.points()}
    (point,) = found["headgate.requests"].points
    assert (point.attributes, point.value) == ([("headgate.feature", "f"), ("headgate.outcome", "ok")], 1)
    assert found["headgate.requests"].kind == "counter"
    shown = {metric.name for metric, _ in here.metrics.series()}
    here.metrics.measures.measured(("f", "small", "ok")).add(2_000_000, 100, 0, 0, 0, 0)
    of_times = {each.name: each for each in here.exporter.points()}["headgate.request_seconds"]
    assert of_times.kind == "histogram" and of_times.histogram is not None
    ((attributes, series),) = of_times.histogram.series.items()
    assert dict(attributes)["headgate.model"] == "small" and (sum(series.counts), series.total) == (1, 2.0)
    assert len(found) == len(shown) + len(list(here.metrics.histograms())) + 4
