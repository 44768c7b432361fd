"""What is stored reaches a collector once, in order, whatever happens on the way."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from headgate.core.messages import Answer, ChatRequest, Choice, Message, Text
from headgate.records.export import relay as relay_module
from headgate.records.export.claim import CLAIM_SECONDS, Claim
from headgate.records.export.histograms import Histograms
from headgate.records.export.relay import Plan, Relay
from headgate.records.export.spans import Place
from headgate.stores.backends.memory import MemorySpans
from headgate.stores.backends.memory.exports import MemoryExports
from headgate.stores.errors import StoreUnavailable
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import AttemptRow, Content, RequestRow
from headgate.telemetry.otlp import names
from headgate.telemetry.otlp.sending import Answer as PostAnswer
from headgate.telemetry.otlp.sending import Collector
from headgate.telemetry.otlp.settings import OtlpSettings
from headgate.testing.clock import FakeClock
from tests.support.aio import aio
from tests.support.otlp_receiver import attributes

__all__: list[str] = []

WORDS = "what nobody else shall read"


class Installation:
    """A database, a collector and as many nodes as are asked for."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.spans = MemorySpans()
        self.exports = MemoryExports(self.spans)
        self.answers: list[PostAnswer] = []
        self.taken: list[bytes] = []
        self._nodes = 0

    async def post(self, url: str, headers: object, body: bytes, seconds: float) -> PostAnswer:
        answer = self.answers.pop(0) if self.answers else PostAnswer(200)
        if answer.status == 200:
            self.taken.append(body)
        return answer

    def node(self) -> Relay:
        self._nodes += 1
        claim = Claim("otlp", self.exports, self.spans, self.clock, node=f"node {self._nodes}")
        return Relay(self.spans, self.exports, claim, Histograms(0), self.clock)

    def plan(self, **given: Any) -> Plan:
        settings = OtlpSettings(endpoint="http://c", **given)
        return Plan(
            settings=settings,
            collector=Collector("http://c", {}, 1.0, self.post),
            places=Place,
            resource=b"",
            version="1",
            read_prompt=lambda content: ChatRequest(
                model="m", messages=[Message(role="user", parts=[Text(text=content.data.decode())])]
            ),
            read_answer=lambda content: Answer(choices=[Choice(parts=[Text(text=content.data.decode())])]),
        )

    def store(self, numbers: Iterable[int], **given: Any) -> None:
        rows = [
            RequestRow(number, self.clock.wall_ns(), f"{number:032x}", attempts=1, operation="chat", **given)
            for number in numbers
        ]
        attempts = [AttemptRow(1000 + row.id, row.id, 1, "p", "m") for row in rows]
        content = Content(hash="h", kind="k", data=WORDS.encode(), size=len(WORDS))
        self.spans.write(
            Batch(journal="j", position=Position(), requests=rows, attempts=attempts, contents=[content])
        )

    def told(self) -> list[int]:
        """Ids of the spans the collector took, in order."""

        return [
            int.from_bytes(span.span_id, "big")
            for body in self.taken
            for resource in ExportTraceServiceRequest.FromString(gzip.decompress(body)).resource_spans
            for span in resource.scope_spans[0].spans
        ]


def both(numbers: Iterable[int]) -> list[int]:
    """A request's span and that of its attempt."""
    return [each for number in numbers for each in (number, 1000 + number)]


async def all_of(relay: Relay, plan: Plan) -> str:
    step = "more"
    while step == "more":
        step = await relay.step(plan)
    return step


@aio
async def test_every_request_is_told_once_with_its_attempts():
    """In the order of storing, over as many batches as it takes; history from before the first start is not."""
    here = Installation()
    here.store(range(1, 4))
    node, plan = here.node(), here.plan()
    assert await all_of(node, plan) == "done"
    here.store(range(10, 260))
    assert await all_of(node, plan) == "done"
    assert here.told() == both(range(10, 260))
    assert node.counts == {"sent": 500, "refused": 0, "given_up": 0}


@aio
async def test_a_restart_neither_repeats_nor_leaves_out():
    """The mark is in the database. A process that was killed holds it for a minute."""
    here = Installation()
    first, plan = here.node(), here.plan()
    await all_of(first, plan)
    here.store([1, 2])
    await all_of(first, plan)
    here.store([3])
    second = here.node()
    assert await all_of(second, plan) == "done"
    assert here.told() == both([1, 2]), "the first may still be alive"
    here.clock.advance(CLAIM_SECONDS + 1)
    assert await all_of(second, plan) == "done"
    assert here.told() == both([1, 2, 3])


@aio
async def test_of_two_nodes_one_exports_for_both():
    """And the other goes on at once when it lets go."""
    here = Installation()
    one, two, plan = here.node(), here.node(), here.plan()
    for _ in range(2):
        assert await all_of(one, plan) == await all_of(two, plan) == "done"
    here.store([1])
    await all_of(two, plan)
    assert here.told() == []
    await one._claim.let_go()
    await all_of(two, plan)
    await all_of(one, plan)
    assert here.told() == both([1])


@aio
async def test_while_the_collector_is_away_nothing_is_lost():
    """The same batch is tried again; what came meanwhile follows."""
    here = Installation()
    node, plan = here.node(), here.plan()
    await all_of(node, plan)
    here.store([1])
    here.answers = [PostAnswer(503, retry_after=9.0), PostAnswer(0, b"reset"), PostAnswer(429)]
    for _ in range(3):
        assert await node.step(plan) == "away"
    assert node.trouble == "HTTP 429" and node.posts["failed"] == 3
    here.store([2])
    assert await all_of(node, plan) == "done"
    assert here.told() == both([1, 2])


@aio
async def test_what_is_refused_for_good_does_not_keep_back_the_rest():
    """It is counted."""
    here = Installation()
    node, plan = here.node(), here.plan()
    await all_of(node, plan)
    here.store([1])
    here.answers = [PostAnswer(400, b"no")]
    await all_of(node, plan)
    here.store([2])
    await all_of(node, plan)
    assert here.told() == both([2])
    assert node.counts == {"sent": 2, "refused": 2, "given_up": 0}


@aio
async def test_a_batch_that_is_too_large_is_divided_until_it_fits():
    """What is too large by itself is dropped."""
    here = Installation()
    node, plan = here.node(), here.plan()
    await all_of(node, plan)
    here.store([1, 2])
    here.answers = [PostAnswer(413), PostAnswer(200), PostAnswer(413), PostAnswer(413), PostAnswer(200)]
    await all_of(node, plan)
    assert here.told() == [1, 1001, 1002]
    assert node.counts == {"sent": 3, "refused": 1, "given_up": 0}


@aio
async def test_batches_are_bounded(monkeypatch):
    """In bytes, whatever a request holds."""
    monkeypatch.setattr(relay_module, "BATCH_BYTES", 1_000)
    here = Installation()
    node, plan = here.node(), here.plan()
    await all_of(node, plan)
    here.store(range(1, 21))
    await all_of(node, plan)
    assert here.told() == both(range(1, 21))
    assert len(here.taken) > 5


@aio
async def test_what_is_too_old_is_given_up_and_counted():
    """A collector that was away for a week gets the last hour."""
    here = Installation()
    node, plan = here.node(), here.plan(give_up=3600.0)
    await all_of(node, plan)
    here.store([1])
    here.answers = [PostAnswer(503)]
    assert await node.step(plan) == "away"
    here.clock.advance(4000)
    here.store([2])
    assert await all_of(node, plan) == "done"
    here.store([3], total_us=0)
    here.clock.advance(4000)
    here.store([4])
    await all_of(node, plan)
    assert here.told() == both([2, 4])
    assert node.counts == {"sent": 4, "refused": 0, "given_up": 4}


@aio
async def test_a_node_that_lost_its_claim_stops_in_the_middle():
    """Another has begun where the mark stands; two must not go on side by side."""
    here = Installation()
    one, two, plan = here.node(), here.node(), here.plan()
    await all_of(one, plan)
    here.store([1])
    here.answers = [PostAnswer(503)]
    assert await one.step(plan) == "away"
    here.clock.advance(CLAIM_SECONDS + 1)
    await all_of(two, plan)
    assert await all_of(one, plan) == "done"
    assert here.told() == both([1])


@aio
async def test_a_mark_beyond_the_end_is_not_waited_for():
    """The database was restored from an older copy."""
    here = Installation()
    node, plan = here.node(), here.plan()
    here.store(range(1, 6))
    await all_of(node, plan)
    await node._claim.let_go()
    here.spans = MemorySpans()
    here.exports._spans = here.spans
    other = here.node()
    await all_of(other, plan)
    here.store([7])
    await all_of(other, plan)
    assert here.told() == both([7])


@aio
async def test_content_leaves_only_if_it_is_switched_on():
    """Words of prompts and answers are in no byte that is sent otherwise."""

    for content in (False, True):
        here = Installation()
        node, plan = here.node(), here.plan(content=content)
        await all_of(node, plan)
        here.store([1], request_content="h", reply_content="h")
        await all_of(node, plan)
        (body,) = map(gzip.decompress, here.taken)
        assert (WORDS.encode() in body) == content
        if content:
            request = ExportTraceServiceRequest.FromString(body)
            found = attributes(request.resource_spans[0].scope_spans[0].spans[0].attributes)
            assert found[names.INPUT_MESSAGES] == (
                f'[{{"role":"user","parts":[{{"type":"text","content":"{WORDS}"}}]}}]'
            )
            assert WORDS in found[names.OUTPUT_MESSAGES]


@aio
async def test_a_database_that_fails_in_the_middle_leaves_nothing_out(monkeypatch):
    """Half a batch must not pass for a whole one."""
    here = Installation()
    node, plan = here.node(), here.plan(content=True)
    await all_of(node, plan)
    here.store([1, 2], request_content="h")
    whole, asked = here.spans.content, []

    async def fails_once(number: str) -> Content | None:
        asked.append(number)
        if len(asked) == 2:
            raise StoreUnavailable("away")
        return await whole(number)

    monkeypatch.setattr(here.spans, "content", fails_once)
    try:
        await node.step(plan)
    except StoreUnavailable:
        pass
    else:
        raise AssertionError("it fails in the middle")
    await all_of(node, plan)
    assert here.told() == both([1, 2])


@aio
async def test_without_traces_the_histograms_still_count():
    """From the same rows."""
    here = Installation()
    node, plan = here.node(), here.plan(traces=False)
    await all_of(node, plan)
    here.store([1, 2], total_us=20_000)
    await all_of(node, plan)
    assert here.told() == []
    by_name = {each.name: each.histogram for each in node._histograms.metrics()}
    found = by_name[names.REQUEST_DURATION]
    assert found is not None
    (series,) = found.series.values()
    assert sum(series.counts) == 2 and series.total == 0.04
