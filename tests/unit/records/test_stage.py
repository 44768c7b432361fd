"""Record: what is written down of a request, whatever its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from headgate.core.errors import (
    CallerHungUp,
    NotAuthenticated,
    ProviderOverloaded,
    UnknownModel,
    UpstreamReset,
)
from headgate.core.events import (
    Begin,
    End,
    Event,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallBegin,
    ToolCallDelta,
    UsageReport,
)
from headgate.core.frame import Frame
from headgate.core.messages import Answer, Choice, Text, Thinking
from headgate.core.section import Size
from headgate.core.usage import Usage
from headgate.exchange.exchange import Exchange
from headgate.exchange.pumping import Pumped
from headgate.exchange.reply import Reply, whole
from headgate.providers.catalog.settings import PriceSettings, own_rates
from headgate.records.entries import Opened
from headgate.records.estimate import tokens_of_text
from headgate.records.reading import JournalReader
from headgate.records.settings import RecordSettings
from headgate.stores.sink import Position
from tests.support.aio import aio
from tests.support.exchanges import BODY, closed
from tests.support.recording import Recording

__all__: list[str] = []

REPLY = b'{"choices":[{"message":{"content":"Two metres."}}]}'
OWN = own_rates(PriceSettings(input=Decimal(1), output=Decimal(2)))


TOLD = Usage(input=100, output=20)
ANSWER = Answer(choices=[Choice(parts=[Text(text="Two metres.")])])


def answering(recording: Recording, usage: Usage | None = TOLD):
    async def proceed(exchange: Exchange) -> Reply:
        recording.clock.advance(0.001)
        attempt = recording.desk.attempt(exchange, recording.desk.endpoint(own_price=OWN))
        now = recording.clock.monotonic()
        attempt.sent_at = now + 0.001
        attempt.first_byte_at = now + 0.1
        recording.clock.advance(0.2)
        attempt.ended_at = recording.clock.monotonic()
        attempt.status, attempt.usage, attempt.finish_reason = 200, usage, "end"
        attempt.reported_model, attempt.upstream_request_id = "gpt-4o-mini-2024", "req_up"
        recording.clock.advance(0.003)
        return Reply(wire="openai.chat", body=REPLY, answer=ANSWER)

    return proceed


def streaming(
    recording: Recording, events: list, *, then: Exception | None = None, usage: Usage | None = None
):
    async def frames():
        for event in events:
            yield Frame(b"data: x\n\n", [event])
        if then is not None:
            raise then

    async def proceed(exchange: Exchange) -> Reply:
        attempt = recording.desk.attempt(exchange, recording.desk.endpoint(own_price=OWN))
        attempt.status, attempt.usage = 200, usage
        return Reply(wire="openai.chat", frames=frames())

    return proceed


def refusing(error: Exception):
    async def proceed(exchange: Exchange) -> Reply:
        raise error

    return proceed


@aio
async def test_a_whole_answer_leaves_a_row_an_attempt_and_both_contents(tmp_path_factory) -> None:
    """The row says who, what, how long, how many tokens and how much; the contents are the bytes themselves."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    exchange = recording.desk.exchange()
    exchange.user, exchange.session, exchange.feature = "u1", "s1", "support"
    exchange.tags, exchange.notes = {"a": "b"}, {"route": "simple"}
    exchange.queued_seconds = 0.5
    exchange.trace_parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await recording.serve(exchange, answering(recording))
    row, (attempt,) = await recording.stored(exchange)
    assert (row.key_id, row.team, row.tenant, row.user, row.session, row.feature) == (
        "key_1",
        "canal",
        "acme",
        "u1",
        "s1",
        "support",
    )
    assert (row.tags, row.notes) == ('{"a":"b"}', '{"route":"simple"}')
    assert (row.trace_id, row.parent_id) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert (row.operation, row.dialect, row.stream, row.config_hash) == (
        "chat",
        "openai.chat",
        False,
        "c0ffee",
    )
    assert (row.requested_model, row.routed_model, row.reported_model) == (
        "small",
        "small",
        "gpt-4o-mini-2024",
    )
    assert (row.provider, row.region, row.status, row.outcome, row.finish_reason) == (
        "openai",
        "eu",
        200,
        "ok",
        "end",
    )
    assert (row.attempts, row.queued_us, row.overhead_us) == (
        1,
        500_000,
        0,
    ) and row.total_us == pytest.approx(204_000, abs=2)
    assert (row.input_tokens, row.output_tokens, row.cost_nanos, row.cost_label) == (
        100,
        20,
        140_000,
        "exact",
    )
    assert (row.bytes_in, row.bytes_out) == (len(BODY), len(REPLY))
    prompt, reply = (
        await recording.store.content(row.request_content),
        await recording.store.content(row.reply_content),
    )
    assert prompt and (prompt.kind, prompt.data, prompt.truncated) == ("openai.chat", BODY, False)
    assert reply and (reply.kind, reply.data) == ("openai.chat", REPLY)
    assert (attempt.request_id, attempt.number, attempt.model, attempt.outcome) == (
        row.id,
        1,
        "gpt-4o-mini",
        "ok",
    )
    assert (attempt.cost_nanos, attempt.cost_label, attempt.upstream_request_id) == (
        140_000,
        "exact",
        "req_up",
    )
    assert attempt.started_us == pytest.approx(1_000, abs=2)
    assert attempt.ended_us == pytest.approx(201_000, abs=2)
    recording.close()


@aio
async def test_overhead_is_what_neither_the_provider_nor_the_queue_took(tmp_path_factory) -> None:
    """1 ms before the call and 3 ms after it are ours."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    exchange = recording.desk.exchange()
    await recording.serve(exchange, answering(recording))
    row, _ = await recording.stored(exchange)
    assert 3_990 <= row.overhead_us <= 4_010
    assert len(row.trace_id) == 32 and row.trace_id.startswith(f"{exchange.id:016x}")
    recording.close()


@aio
async def test_an_attempt_is_in_the_file_before_the_transport_can_write(tmp_path_factory) -> None:
    """What dispatch scheduled after announcing the attempt finds it recorded, with the caller's body."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    seen: list[Opened] = []

    def transport_writes() -> None:
        reader = JournalReader(recording.journal.directory, recording.journal.name, Position(1, 0))
        for segment, offset, _ in reader.read(recording.journal.end, 1 << 20):
            entry = reader.entry_at(Position(segment, offset))
            assert isinstance(entry, Opened)
            seen.append(entry)
        reader.close()

    async def proceed(exchange: Exchange) -> Reply:
        recording.desk.attempt(exchange)
        asyncio.get_running_loop().call_soon(transport_writes)
        await asyncio.sleep(0)
        return whole(Answer())

    exchange = recording.desk.exchange()
    await recording.serve(exchange, proceed)
    (opened,) = seen
    assert opened.request.id == exchange.id and opened.body is not None and opened.body.data == BODY
    recording.close()


@aio
async def test_a_stream_is_folded_and_its_frames_pass_untouched(tmp_path_factory) -> None:
    """Recording is no edit: the wire and the very frames stay; what is kept is the answer they spell."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    events: list[Event] = [
        Begin(id="x", model="m"),
        TextDelta(text="Two "),
        TextDelta(text="metres."),
        ToolCallBegin(index=0, id="c", name="measure"),
        ToolCallDelta(index=0, arguments='{"at":"weir"}'),
        Stop(reason="tool_use"),
        UsageReport(usage=Usage(input=7, output=9)),
        End(),
    ]
    passed = [Frame(b"data: %d\n\n" % n, [event]) for n, event in enumerate(events)]

    async def frames():
        for frame in passed:
            yield frame

    async def proceed(exchange: Exchange) -> Reply:
        attempt = recording.desk.attempt(exchange, recording.desk.endpoint(own_price=OWN))
        attempt.status, attempt.usage = 200, Usage(input=7, output=9)
        return Reply(wire="openai.chat", frames=frames(), status=200)

    exchange = recording.desk.exchange(stream=True)
    reply = await recording.stage(exchange, proceed)
    assert reply.wire == "openai.chat" and reply.frames is not None
    assert [frame async for frame in reply.frames] == passed
    await closed(exchange)
    row, _ = await recording.stored(exchange)
    content = await recording.store.content(row.reply_content)
    assert content is not None and content.kind == "canonical"
    answer = msgspec.json.decode(content.data, type=Answer)
    assert answer.text == "Two metres." and answer.usage == Usage(input=7, output=9)
    assert row.outcome == "ok" and row.stream and row.bytes_out == sum(len(f.data or b"") for f in passed)
    recording.close()


class _Calls:
    """Frames that come by call, with a break after each that a full reader asks for. See `Pumped`."""

    def __init__(self, frames: list[Frame]) -> None:
        self._left = list(frames)

    def __aiter__(self) -> _Calls:
        return self

    async def __anext__(self) -> Frame:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop(0)

    async def pump(self, deliver: Callable[[Frame], bool]) -> bool:
        while self._left:
            if not deliver(self._left.pop(0)):
                return False
        return True

    async def aclose(self) -> None:
        self._left.clear()


@aio
@pytest.mark.parametrize("spared", [1, 3, 70, 200])
async def test_words_without_events_are_kept_in_their_place(tmp_path_factory, spared: int) -> None:
    """However many in a row, between thoughts and calls, and with a reader who stops now and then: said in this order."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    between: list[Event] = [ThinkingDelta(text="hm"), TextDelta(text="so"), ThinkingDelta(text="well")]
    frames = [Frame(b"b", [Begin(id="x", model="m")])]
    for event in between:
        frames += [Frame(b"w", words=f"{number} ") for number in range(spared)]
        frames.append(Frame(b"e", [event]))
    frames.append(Frame(b"s", [Stop(reason="end"), UsageReport(usage=Usage(input=7, output=9)), End()]))

    async def proceed(exchange: Exchange) -> Reply:
        attempt = recording.desk.attempt(exchange, recording.desk.endpoint(own_price=OWN))
        attempt.status, attempt.usage = 200, Usage(input=7, output=9)
        return Reply(wire="openai.chat", frames=_Calls(frames), status=200)

    exchange = recording.desk.exchange(stream=True)
    reply = await recording.stage(exchange, proceed)
    passed: list[Frame] = []

    def deliver(frame: Frame) -> bool:
        passed.append(frame)
        return len(passed) % 7 > 0

    assert isinstance(reply.frames, Pumped)
    while not await reply.frames.pump(deliver):
        pass
    assert passed == frames
    await closed(exchange)
    row, _ = await recording.stored(exchange)
    content = await recording.store.content(row.reply_content)
    assert content is not None
    answer = msgspec.json.decode(content.data, type=Answer)
    words = "".join(f"{number} " for number in range(spared))
    assert answer.choices[0].parts == [
        Text(text=words),
        Thinking(text="hm"),
        Text(text=words + "so" + words),
        Thinking(text="well"),
    ]
    recording.close()


@aio
async def test_a_caller_who_leaves_a_stream_is_recorded_as_hung_up(tmp_path_factory) -> None:
    """What came until then is kept, its tokens are estimated, and the provider's stream is closed."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    let_go = []

    async def frames():
        try:
            while True:
                yield Frame(b"data: x\n\n", [TextDelta(text="water ")])
        finally:
            let_go.append(True)

    async def proceed(exchange: Exchange) -> Reply:
        recording.desk.attempt(exchange, recording.desk.endpoint(own_price=OWN)).status = 200
        return Reply(wire="openai.chat", frames=frames())

    exchange = recording.desk.exchange(stream=True)
    reply = await recording.stage(exchange, proceed)
    assert reply.frames is not None
    for _ in range(3):
        await anext(aiter(reply.frames))
    await reply.frames.aclose()  # type: ignore[attr-defined]
    assert let_go == [True]
    exchange.error = CallerHungUp("gone")
    await closed(exchange)
    row, (attempt,) = await recording.stored(exchange)
    assert (row.outcome, row.status, row.error_class) == ("hung_up", 499, "caller_hung_up")
    assert (attempt.outcome, row.cost_label) == ("hung_up", "estimated")
    assert row.output_tokens > 0 and row.input_tokens > 0 and row.cost_nanos
    content = await recording.store.content(row.reply_content)
    assert content is not None and msgspec.json.decode(content.data, type=Answer).text == "water water water "
    recording.close()


@aio
async def test_a_stream_that_nobody_finished_is_never_recorded_as_ok(tmp_path_factory) -> None:
    """Even if nobody said why: a row that says ok means a complete answer."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    exchange = recording.desk.exchange(stream=True)
    reply = await recording.stage(exchange, streaming(recording, [TextDelta(text="a"), TextDelta(text="b")]))
    assert reply.frames is not None
    await anext(aiter(reply.frames))
    await reply.frames.aclose()  # type: ignore[attr-defined]
    await closed(exchange)
    row, _ = await recording.stored(exchange)
    assert row.outcome == "hung_up"
    recording.close()


@aio
async def test_missing_usage_is_estimated_and_says_so(tmp_path_factory) -> None:
    """A provider that does not count still costs: tokens are estimated from the bytes, the label is estimated."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    exchange = recording.desk.exchange()
    await recording.serve(exchange, answering(recording, usage=None))
    row, (attempt,) = await recording.stored(exchange)
    assert attempt.cost_label == row.cost_label == "estimated"
    assert 10 < row.input_tokens < 60 and 2 <= row.output_tokens <= 6
    assert row.cost_nanos == row.input_tokens * 1000 + row.output_tokens * 2000
    recording.close()


@aio
async def test_an_unknown_price_is_unknown_and_not_zero(tmp_path_factory) -> None:
    """Nobody should believe that a model without a price is free."""
    recording = Recording(tmp_path_factory.mktemp("j"))

    async def proceed(exchange: Exchange) -> Reply:
        attempt = recording.desk.attempt(exchange, recording.desk.endpoint(model="homemade"))
        attempt.status, attempt.usage = 200, Usage(input=1, output=1)
        return whole(Answer())

    exchange = recording.desk.exchange()
    await recording.serve(exchange, proceed)
    row, (attempt,) = await recording.stored(exchange)
    assert (attempt.cost_nanos, attempt.cost_label) == (None, "unknown")
    assert (row.cost_nanos, row.cost_label) == (None, "unknown")
    recording.close()


@aio
async def test_attempts_are_billed_by_how_far_they_came(tmp_path_factory) -> None:
    """Never reached: nothing. Refused with a status: free. Reset before any answer: nothing, as far as one can tell. Answered: exact."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    endpoint = recording.desk.endpoint(own_price=OWN)

    async def proceed(exchange: Exchange) -> Reply:
        unreached = recording.desk.attempt(exchange, endpoint)
        unreached.reached_provider = False
        refused = recording.desk.attempt(exchange, endpoint)
        refused.status, refused.error = 529, ProviderOverloaded("busy", upstream_status=529)
        reset = recording.desk.attempt(exchange, endpoint)
        reset.error = UpstreamReset(detail="gone")
        good = recording.desk.attempt(exchange, endpoint)
        good.status, good.usage = 200, Usage(input=10, output=10)
        return whole(Answer())

    exchange = recording.desk.exchange()
    await recording.serve(exchange, proceed)
    row, attempts = await recording.stored(exchange)
    assert [a.cost_label for a in attempts] == ["", "exact", "estimated", "exact"]
    assert [a.outcome for a in attempts] == ["ok", "failed", "failed", "ok"]
    costs = [a.cost_nanos for a in attempts]
    assert costs == [0, 0, 0, 30_000]
    assert row.cost_nanos == sum(cost or 0 for cost in costs) and row.cost_label == "estimated"
    assert row.attempts == 4 and row.input_tokens == sum(a.input_tokens for a in attempts)
    recording.close()


@aio
async def test_counting_tokens_costs_nothing(tmp_path_factory) -> None:
    """Vendors count for free."""
    recording = Recording(tmp_path_factory.mktemp("j"))

    async def proceed(exchange: Exchange) -> Reply:
        recording.desk.attempt(exchange).status = 200
        return Reply(wire="anthropic.messages", body=b'{"input_tokens":4}')

    exchange = recording.desk.exchange(operation="count_tokens")
    await recording.serve(exchange, proceed)
    row, _ = await recording.stored(exchange)
    assert (row.cost_nanos, row.cost_label, row.input_tokens) == (0, "exact", 0)
    recording.close()


@aio
async def test_a_refusal_is_recorded_with_its_reason_and_without_a_cost(tmp_path_factory) -> None:
    """No provider was asked, so nothing was spent and the label is empty."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    exchange = recording.desk.exchange()
    with pytest.raises(UnknownModel):
        await recording.serve(exchange, refusing(UnknownModel("no model `smal`; near: small")))
    row, attempts = await recording.stored(exchange)
    assert (row.outcome, row.status, row.error_class) == ("refused", 404, "model_not_found")
    assert (row.cost_nanos, row.cost_label, attempts) == (None, "", [])
    assert row.error_detail.startswith("no model")
    content = await recording.store.content(row.request_content)
    assert content is not None and content.data == BODY
    recording.close()


@aio
async def test_a_strangers_body_is_not_kept(tmp_path_factory) -> None:
    """Whoever has no key must not be able to fill the disk."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    exchange = recording.desk.exchange(known=False)
    with pytest.raises(NotAuthenticated):
        await recording.serve(exchange, refusing(NotAuthenticated("no key")))
    row, _ = await recording.stored(exchange)
    assert (row.status, row.request_content, row.bytes_in) == (401, "", len(BODY))
    recording.close()


@aio
async def test_content_off_leaves_no_trace_of_it_anywhere(tmp_path_factory) -> None:
    """Not in the store and not in the journal's bytes; tokens and costs are recorded all the same."""
    directory = tmp_path_factory.mktemp("j")
    recording = Recording(directory, settings=RecordSettings(content=False))
    exchange = recording.desk.exchange()
    await recording.serve(exchange, answering(recording, usage=None))
    stream = recording.desk.exchange(stream=True)
    await recording.serve(
        stream, streaming(recording, [TextDelta(text="metres secret")], usage=Usage(output=1))
    )
    refused = recording.desk.exchange()
    with pytest.raises(UnknownModel):
        await recording.serve(refused, refusing(UnknownModel("no")))
    recording.journal.flush()
    raw = b"".join(path.read_bytes() for path in directory.iterdir())
    assert b"water" not in raw and b"metres" not in raw and len(raw) > 300
    for one in (exchange, stream, refused):
        row, _ = await recording.stored(one)
        assert (row.request_content, row.reply_content) == ("", "")
        assert row.bytes_in == len(BODY)
    recording.close()


@pytest.mark.parametrize("kept", [False, True])
@aio
async def test_vectors_are_kept_only_if_asked_for(tmp_path_factory, kept) -> None:
    """An embedding is 20 kB that nobody reads; the text it was made of is kept as any prompt."""
    recording = Recording(tmp_path_factory.mktemp("j"), settings=RecordSettings(vectors=kept))
    exchange = recording.desk.exchange(operation="embeddings")
    await recording.serve(exchange, answering(recording))
    row, _ = await recording.stored(exchange)
    assert row.request_content and bool(row.reply_content) is kept
    assert row.input_tokens == 100
    recording.close()


@aio
async def test_a_content_over_the_limit_is_cut_and_marked(tmp_path_factory) -> None:
    """The first bytes are kept, the true size is told."""
    recording = Recording(tmp_path_factory.mktemp("j"), settings=RecordSettings(content_limit=Size(40)))
    exchange = recording.desk.exchange()
    await recording.serve(exchange, answering(recording))
    row, _ = await recording.stored(exchange)
    for content_hash, full in ((row.request_content, BODY), (row.reply_content, REPLY)):
        content = await recording.store.content(content_hash)
        assert content is not None and content.data == full[:40]
        assert content.truncated and content.size == len(full)
    recording.close()


@aio
async def test_a_request_cancelled_under_way_is_recorded(tmp_path_factory) -> None:
    """Cancelled is an end like any other."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    exchange = recording.desk.exchange()

    async def proceed(exchange: Exchange) -> Reply:
        recording.desk.attempt(exchange)
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.ensure_future(recording.serve(exchange, proceed))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    exchange.hung_up = True
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    row, (attempt,) = await recording.stored(exchange)
    assert (row.outcome, row.status, attempt.outcome, attempt.cost_label) == (
        "hung_up",
        499,
        "hung_up",
        "unknown",
    )
    recording.close()


@aio
async def test_an_end_that_nobody_explained_is_recorded_as_our_fault(tmp_path_factory) -> None:
    """A bug in a stage is not a success."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    exchange = recording.desk.exchange()
    with pytest.raises(ZeroDivisionError):
        await recording.serve(exchange, refusing(ZeroDivisionError()))
    row, _ = await recording.stored(exchange)
    assert (row.outcome, row.error_class, row.status) == ("failed", "internal_error", 500)
    recording.close()


@aio
async def test_an_error_inside_a_stream_keeps_the_status_that_was_sent(tmp_path_factory) -> None:
    """200 had gone out; the outcome says that it failed."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    exchange = recording.desk.exchange(stream=True)
    error = UpstreamReset(detail="cut")
    with pytest.raises(UpstreamReset):
        await recording.serve(exchange, streaming(recording, [TextDelta(text="a")], then=error))
    exchange_error_row, _ = await recording.stored(exchange)
    assert exchange_error_row.status == 200
    assert exchange_error_row.outcome != "ok"
    recording.close()


@aio
async def test_a_stream_that_was_never_begun_is_closed_all_the_same(tmp_path_factory) -> None:
    """The caller may be gone before the first frame is asked for; the provider's stream must not stay open."""
    recording = Recording(tmp_path_factory.mktemp("j"))

    class Frames:
        closed = False

        def __aiter__(self):
            return self

        async def __anext__(self) -> Frame:
            raise AssertionError("nobody asked")

        async def aclose(self) -> None:
            self.closed = True

    frames = Frames()

    async def proceed(exchange: Exchange) -> Reply:
        return Reply(wire="openai.chat", frames=frames)

    exchange = recording.desk.exchange(stream=True)
    reply = await recording.stage(exchange, proceed)
    await reply.frames.aclose()  # type: ignore[union-attr]
    assert frames.closed
    await closed(exchange)
    row, _ = await recording.stored(exchange)
    assert row.outcome == "hung_up"
    recording.close()


@aio
async def test_a_caller_who_left_is_no_failure_even_if_draining_breaks(tmp_path_factory) -> None:
    """The request is hung up; the attempt says what broke."""
    recording = Recording(tmp_path_factory.mktemp("j"))

    async def proceed(exchange: Exchange) -> Reply:
        attempt = recording.desk.attempt(exchange, recording.desk.endpoint(own_price=OWN))
        attempt.error = exchange.error = UpstreamReset(detail="broke while draining")
        exchange.hung_up = True
        return whole(ANSWER)

    exchange = recording.desk.exchange()
    await recording.serve(exchange, proceed)
    row, (attempt,) = await recording.stored(exchange)
    assert (row.outcome, row.status, attempt.outcome, attempt.error_class) == (
        "hung_up",
        499,
        "failed",
        "upstream_reset",
    )
    recording.close()


@aio
async def test_what_was_drained_after_the_caller_left_is_billed_exactly(tmp_path_factory) -> None:
    """The provider finished and told its usage: the attempt is fine, only nobody heard it."""
    recording = Recording(tmp_path_factory.mktemp("j"))

    async def proceed(exchange: Exchange) -> Reply:
        reply = await answering(recording)(exchange)
        exchange.hung_up = True
        return reply

    exchange = recording.desk.exchange()
    await recording.serve(exchange, proceed)
    row, (attempt,) = await recording.stored(exchange)
    assert (row.outcome, row.cost_label, attempt.outcome) == ("hung_up", "exact", "ok")
    recording.close()


@aio
async def test_all_calls_under_way_end_with_the_caller_who_leaves(tmp_path_factory) -> None:
    """Two side by side: neither has answered. What failed before, or was given up, keeps its own end."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    exchange = recording.desk.exchange()

    async def proceed(exchange: Exchange) -> Reply:
        recording.desk.attempt(exchange).error = UpstreamReset(detail="gone")
        recording.desk.attempt(exchange).abandoned = True
        for _ in range(2):
            recording.desk.attempt(exchange)
        exchange.hung_up = True
        raise CallerHungUp("gone")

    with pytest.raises(CallerHungUp):
        await recording.serve(exchange, proceed)
    row, attempts = await recording.stored(exchange)
    assert row.outcome == "hung_up"
    assert [one.outcome for one in attempts] == ["failed", "abandoned", "hung_up", "hung_up"]
    recording.close()


@aio
async def test_a_usage_told_at_the_opening_of_a_stream_that_was_left_is_no_bill(tmp_path_factory) -> None:
    """The prompt's tokens are right; those of the answer are estimated from what came, and the label says so."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    exchange = recording.desk.exchange(stream=True)
    opening = Usage(input=100, output=1)
    words = [TextDelta(text="many words of an answer ") for _ in range(20)]
    reply = await recording.stage(exchange, streaming(recording, words, usage=opening))
    assert reply.frames is not None
    for _ in words:
        await anext(aiter(reply.frames))
    exchange.hung_up = exchange.attempts[0].cut_short = True
    await reply.frames.aclose()  # type: ignore[attr-defined]
    await closed(exchange)
    row, (attempt,) = await recording.stored(exchange)
    assert (attempt.outcome, attempt.cost_label, row.cost_label) == ("hung_up", "estimated", "estimated")
    assert attempt.input_tokens == 100 and attempt.output_tokens > 50
    recording.close()


HEARD = {
    "after 200 characters on b (continuation)": "rest",
    "after 200 characters on b (restart)": "all",
    "after 90 characters on restart/x (continuation)": "rest",
    "after 90 characters on a (continuation); after 200 characters on b (restart)": "all",
    "after 90 characters on a (restart); after 200 characters on b (continuation)": "rest",
    "after 200 characters on b (restart); nothing was missing after 480 characters": "all",
}


@pytest.mark.parametrize(("note", "said"), HEARD.items())
@aio
async def test_what_a_finishing_call_said_is_estimated_by_how_it_went_on(
    tmp_path_factory, note, said
) -> None:
    """A continuation said what the heard calls before it had not; a restart said all. Given up ones were never heard."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    exchange = recording.desk.exchange(stream=True)

    async def frames():
        for _ in range(20):
            yield Frame(b"data: x\n\n", [TextDelta(text="many words of an answer ")])

    async def proceed(exchange: Exchange) -> Reply:
        endpoint = recording.desk.endpoint(own_price=OWN)
        broken, left, last = (recording.desk.attempt(exchange, endpoint) for _ in range(3))
        broken.error, broken.seen_completion = UpstreamReset(detail="x"), 20
        left.abandoned, left.seen_completion = True, 1000
        left.kind = last.kind = "resume"
        exchange.answering = last
        exchange.notes["resumed"] = note
        for one in exchange.attempts:
            one.status = 200
        return Reply(wire="openai.chat", frames=frames())

    await recording.serve(exchange, proceed)
    _, (_, _, last) = await recording.stored(exchange)
    whole_answer = tokens_of_text("many words of an answer " * 20)
    assert whole_answer > 50 and last.cost_label == "estimated"
    assert last.output_tokens == (whole_answer if said == "all" else whole_answer - 20)
    recording.close()
