"""The wire `openai.responses` against its golden files, and against the vendor's own SDK types."""

from __future__ import annotations

import contextlib
import itertools
import json
from pathlib import Path
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)

from headgate.core.errors import (
    ContentFiltered,
    GatewayError,
    ProviderRateLimited,
    UnsupportedRequest,
    UpstreamCut,
    UpstreamMalformed,
)
from headgate.core.messages import EmbeddingsRequest
from headgate.providers.wires.openai_responses import OpenAIResponses
from tests.support.wires import (
    JSON_VALUES,
    UNHURRIED,
    cases,
    decode_stream,
    plain_answer,
    plain_events,
    request_from,
)

__all__: list[str] = []

GOLDEN = Path(__file__).parents[3] / "golden" / "openai"
STREAMS = ["responses_stream_tools", "responses_stream_search"]
REQUESTS = cases("openai", "responses_requests.json")
WIRE = OpenAIResponses()
SDK: dict[bool, pydantic.TypeAdapter[Any]] = {
    False: pydantic.TypeAdapter(ResponseCreateParamsNonStreaming),
    True: pydantic.TypeAdapter(ResponseCreateParamsStreaming),
}
SDK_EVENT: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(ResponseStreamEvent)


def named(case: dict[str, Any]) -> str:
    return str(case["about"])


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def events_of(*pieces: bytes) -> list[Any]:
    return plain_events(decode_stream(WIRE.decoder(), pieces)[0])


@pytest.mark.parametrize("case", REQUESTS, ids=named)
def test_a_request_is_written_as_the_documentation_shows(case):
    """Canonical in, exactly this JSON out."""
    assert json.loads(WIRE.encode(request_from(case["request"]), case["model"])) == case["body"]


@pytest.mark.parametrize("case", REQUESTS, ids=named)
def test_what_is_written_fits_the_sdks_own_types(case):
    """The SDK's types take the body."""
    body = json.loads(WIRE.encode(request_from(case["request"]), case["model"]))
    SDK[bool(body.get("stream"))].validate_python(body)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"choices": 2}, "one answer"),
        ({"stop": ["x"]}, "stop sequences"),
        ({"tools": [{"name": "computer", "opaque": {"type": "computer"}}]}, "computer"),
        ({"messages": [{"role": "user", "parts": [{"type": "file", "file_id": "x"}]}]}, "file id"),
        (
            {
                "messages": [
                    {"role": "user", "parts": [{"type": "opaque", "wire": "gemini.generate", "raw": {}}]}
                ]
            },
            "gemini",
        ),
    ],
)
def test_what_would_be_lost_is_refused(fields, why):
    """What the API cannot say and what changes the answer is named, not dropped."""
    request = {"model": "f", "messages": [], "extra_wire": "anthropic.messages", **fields}
    with pytest.raises(UnsupportedRequest, match=why):
        WIRE.encode(request_from(request), "m")


def test_responses_give_no_embeddings():
    """The wrong kind of request is the caller's mistake, not a crash."""
    with pytest.raises(UnsupportedRequest):
        WIRE.encode(EmbeddingsRequest(model="f", inputs=["a"]), "m")


@pytest.mark.parametrize("case", cases("openai", "responses_replies.json"), ids=named)
def test_a_whole_reply_is_read(case):
    """The vendor's JSON in, the canonical answer out."""
    assert plain_answer(WIRE.decode(json.dumps(case["reply"]).encode())) == case["answer"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": "rate_limit_exceeded", "message": "slow down"}, ProviderRateLimited),
        ({"code": "invalid_prompt", "message": "flagged"}, ContentFiltered),
    ],
)
def test_a_response_that_failed_is_an_error(error, expected):
    """Status 200 says only that the request was taken."""
    with pytest.raises(expected):
        WIRE.decode(json.dumps({"id": "r", "status": "failed", "output": [], "error": error}).encode())


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"output":3}'])
def test_what_is_no_answer_is_malformed(body):
    """Never an empty answer that looks like one."""
    with pytest.raises(UpstreamMalformed):
        WIRE.decode(body)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("crlf", [False, True])
def test_a_stream_is_read_however_it_is_cut(name, size, crlf):
    """Byte by byte, in small pieces or at once, with either line end: the same events, and the same bytes passed."""
    [case] = cases("openai", f"{name}.json")
    data = (GOLDEN / f"{name}.sse").read_bytes()
    data = data.replace(b"\n", b"\r\n") if crlf else data
    events, passed, answer = decode_stream(
        WIRE.decoder(), [data[at : at + size] for at in range(0, len(data), size)]
    )
    assert plain_events(events) == case["events"]
    assert passed == data
    assert plain_answer(answer) == case["answer"]


@pytest.mark.parametrize("name", STREAMS)
def test_the_golden_streams_are_what_the_sdk_reads(name):
    """Fixtures are written from the documentation; the SDK's own types know each event."""
    for line in (GOLDEN / f"{name}.sse").read_text().splitlines():
        if line.startswith("data: "):
            known = SDK_EVENT.validate_python({"response": None, **json.loads(line[6:])} | _whole(line[6:]))
            assert known.type == json.loads(line[6:])["type"]


def _whole(data: str) -> dict[str, Any]:
    """What the SDK demands of a response object and the fixtures leave out, as it does not matter here."""
    response = json.loads(data).get("response")
    return {"response": {"tool_choice": "auto", "tools": [], **response}} if response else {}


STREAM = (GOLDEN / "responses_stream_tools.sse").read_bytes()


@UNHURRIED
@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_split_says_the_same(cuts):
    """Where the network cuts a stream changes neither events nor bytes."""
    borders = sorted({0, len(STREAM), *cuts})
    pieces = [STREAM[a:b] for a, b in itertools.pairwise(borders)]
    events, passed, _ = decode_stream(WIRE.decoder(), pieces)
    assert plain_events(events) == cases("openai", "responses_stream_tools.json")[0]["events"]
    assert passed == STREAM


CREATED = event("response.created", response={"id": "r", "model": "m", "status": "in_progress"})
COMPLETED = event(
    "response.completed", response={"id": "r", "model": "m", "status": "completed", "output": []}
)
BEGIN = ["Begin", {"id": "r", "model": "m", "extra_wire": "openai.responses"}]
END = [["Stop", {"reason": "end"}], ["End", {}]]


def test_items_that_came_without_pieces_are_told_by_their_end():
    """Compatible servers send some items whole."""
    message = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "hi", "annotations": []}],
    }
    reasoning = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "hm"}],
        "encrypted_content": "gA",
    }
    done = [
        event("response.output_item.done", output_index=0, item=reasoning),
        event("response.output_item.done", output_index=1, item=message),
        event(
            "response.output_item.done",
            output_index=2,
            item={"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        ),
    ]
    assert events_of(CREATED, *done, COMPLETED) == [
        BEGIN,
        ["ThinkingDelta", {"text": "hm", "signature": "openai:gA"}],
        ["TextDelta", {"text": "hi"}],
        ["ToolCallBegin", {"index": 0, "id": "c", "name": "f"}],
        ["ToolCallDelta", {"index": 0, "arguments": "{}"}],
        ["Stop", {"reason": "tool_use"}],
        ["End", {}],
    ]


def test_a_refusal_and_open_reasoning_are_read():
    """Both have deltas of their own."""
    said = [
        event("response.reasoning_text.delta", output_index=0, delta="hm"),
        event("response.refusal.delta", output_index=1, delta="No."),
    ]
    assert events_of(CREATED, *said, COMPLETED) == [
        BEGIN,
        ["ThinkingDelta", {"text": "hm"}],
        ["TextDelta", {"text": "No.", "kind": "refusal"}],
        *END,
    ]


def test_an_answer_begins_before_it_says_anything():
    """Also where the server leaves `response.created` out."""
    said = event("response.output_text.delta", output_index=0, delta="x")
    assert events_of(said, COMPLETED) == [["Begin", {}], ["TextDelta", {"text": "x"}], *END]


def test_a_stream_may_begin_with_its_end_and_go_on_after_it():
    """No `response.created`, and a [DONE] that this wire does not know: both harm nobody."""
    assert events_of(COMPLETED, b"data: [DONE]\n\n") == [BEGIN, *END]


def test_events_are_known_by_their_name_when_the_type_is_missing():
    """Some servers say it only in the `event:` line."""
    line = b'event: response.output_text.delta\ndata: {"delta":"x"}\n\n'
    assert events_of(CREATED, line, COMPLETED) == [BEGIN, ["TextDelta", {"text": "x"}], *END]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (event("error", code="rate_limit_exceeded", message="slow"), "ProviderRateLimited"),
        (event("error", error={"type": "server_error", "message": "slow"}), "ProviderFailed"),
        (
            event(
                "response.failed",
                response={"status": "failed", "error": {"code": "bio_policy", "message": "slow"}},
            ),
            "ContentFiltered",
        ),
        (
            event(
                "response.failed",
                response={"status": "failed", "error": {"code": "empty_image_file", "message": "slow"}},
            ),
            "ProviderRejected",
        ),
        (b'data: {"error":{"message":"slow","code":"insufficient_quota"}}\n\n', "ProviderQuotaSpent"),
    ],
)
def test_an_error_inside_a_stream_is_a_failure_of_its_class(data, error):
    """As an event, as a failed response, or without a type at all."""
    assert events_of(CREATED, data) == [BEGIN, ["Failure", {"error": error, "message": "slow"}]]


def test_a_failed_response_still_reports_what_it_used():
    """Tokens were spent all the same."""
    failed = event(
        "response.failed",
        response={"status": "failed", "error": {}, "usage": {"input_tokens": 3, "output_tokens": 1}},
    )
    assert [kind for kind, _ in events_of(CREATED, failed)] == ["Begin", "UsageReport", "Failure"]


@pytest.mark.parametrize("end", [0, 9, 200, STREAM.index(b"event: response.completed"), len(STREAM) - 9])
def test_a_stream_without_its_end_is_cut(end):
    """Even when every item was complete."""
    decoder = WIRE.decoder()
    decoder.feed(STREAM[:end])
    with pytest.raises(UpstreamCut):
        decoder.finish()


def test_a_last_event_without_its_blank_line_counts():
    """Some proxies trim the end of a body; the caller gets the line that makes the event complete."""
    events, passed, _ = decode_stream(WIRE.decoder(), [STREAM.rstrip(b"\n")])
    assert plain_events(events)[-1] == ["End", {}] and passed == STREAM


def test_a_whole_answer_instead_of_a_stream_is_told_as_events():
    """A server that does not stream still answers."""
    decoder = WIRE.decoder()
    decoder.feed(b'{"id":"r","model":"m","status":"completed","output":[]}')
    frame = decoder.finish()
    assert frame is not None and frame.data is None and plain_events(frame.events) == [BEGIN, *END]


def test_an_error_body_instead_of_a_stream_is_a_failure():
    """It is not taken for an answer without output."""
    decoder = WIRE.decoder()
    decoder.feed(b'{"error":{"message":"no","code":"invalid_prompt"}}')
    frame = decoder.finish()
    assert frame is not None and plain_events(frame.events) == [
        ["Failure", {"error": "ContentFiltered", "message": "no"}]
    ]


@pytest.mark.parametrize(
    "body", [b"<p>", b'{"id": "r"}', b"data: {x}\n\n", b"data: 1\n\n", event("response.created", response=3)]
)
def test_what_is_no_stream_is_malformed(body):
    """HTML, other JSON and broken events are said to be what they are."""
    decoder = WIRE.decoder()
    with pytest.raises(UpstreamMalformed):
        decoder.feed(body)
        decoder.finish()


KINDS = [*sorted(WIRE.decoder()._MEANINGS), "response.output_text.delta", "response.x"]
EVENT_LIKE = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS)},
    optional={
        **dict.fromkeys(("delta", "response", "error", "part"), JSON_VALUES),
        **dict.fromkeys(("output_index", "summary_index"), st.integers(0, 3) | st.none()),
        "item": JSON_VALUES
        | st.fixed_dictionaries(
            {"type": st.sampled_from(["message", "function_call", "reasoning", "x"])},
            optional=dict.fromkeys(("content", "summary", "arguments", "call_id", "name"), JSON_VALUES),
        ),
    },
)


@UNHURRIED
@given(
    st.lists(
        st.binary(max_size=60)
        | EVENT_LIKE.map(lambda value: b"data: " + json.dumps(value).encode() + b"\n\n"),
        max_size=4,
    )
)
def test_nonsense_is_refused_and_never_breaks_us(pieces):
    """Whatever an upstream sends, only our own errors come out."""
    decoder = WIRE.decoder()
    try:
        for data in pieces:
            decoder.feed(data)
        decoder.finish()
    except GatewayError:
        pass
    with contextlib.suppress(GatewayError):
        WIRE.decode(b"".join(pieces).removeprefix(b"data: "))
