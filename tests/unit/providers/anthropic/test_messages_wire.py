"""The wire `anthropic.messages` against its golden files, and against the vendor's own SDK types."""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pydantic
import pytest
from anthropic.types import (
    ContentBlockParam,
    Message,
    OutputConfigParam,
    ThinkingConfigParam,
    ToolChoiceParam,
    ToolUnionParam,
)
from anthropic.types.message_create_params import MessageCreateParamsBase
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import (
    GatewayError,
    ProviderRefusal,
    UnsupportedRequest,
    UpstreamCut,
    UpstreamMalformed,
)
from headgate.core.events import Failure, TextDelta
from headgate.core.messages import EmbeddingsRequest, Opaque, ToolCall
from headgate.providers.port import Headers
from headgate.providers.wires.anthropic_messages import AnthropicMessages
from headgate.providers.wires.claude import EFFORTS, traits_of
from tests.support.wires import (
    CHATS,
    JSON_VALUES,
    UNHURRIED,
    cases,
    decode_stream,
    headers,
    plain_answer,
    plain_events,
    request_from,
)

GOLDEN = Path(__file__).parents[3] / "golden" / "anthropic"
STREAMS = ["stream_tools", "stream_server_tools"]
WIRE = AnthropicMessages()


def named(case: dict[str, Any]) -> str:
    return str(case["about"])


@pytest.mark.parametrize("case", cases("anthropic", "requests.json"), ids=named)
def test_a_request_is_written_as_the_documentation_shows(case):
    """Canonical in, exactly this JSON out."""
    assert json.loads(WIRE.encode(request_from(case["request"]), case["model"])) == case["body"]


SDK_TYPES: dict[str, pydantic.TypeAdapter[Any]] = {
    "tools": pydantic.TypeAdapter(list[ToolUnionParam]),
    "tool_choice": pydantic.TypeAdapter(ToolChoiceParam),
    "thinking": pydantic.TypeAdapter(ThinkingConfigParam),
    "output_config": pydantic.TypeAdapter(OutputConfigParam),
}
BLOCK = pydantic.TypeAdapter(ContentBlockParam)


@pytest.mark.parametrize("case", cases("anthropic", "requests.json"), ids=named)
def test_what_is_written_fits_the_sdks_own_types(case):
    """No field the SDK does not know, but for what the caller put there, and every block of a type it knows."""
    body = json.loads(WIRE.encode(request_from(case["request"]), case["model"]))
    known = {*MessageCreateParamsBase.__annotations__, "stream", *case["request"].get("extra", {})}
    sampling = {"temperature"} if case["request"].get("extra_wire") == WIRE.name else set()
    assert set(body) - sampling <= known
    for name, kind in SDK_TYPES.items():
        if name in body:
            kind.validate_python(body[name])
    for message in body["messages"]:
        assert message["role"] in ("user", "assistant")
        for block in message["content"] if isinstance(message["content"], list) else ():
            BLOCK.validate_python(block)
            for inner in block["content"] if isinstance(block.get("content"), list) else ():
                BLOCK.validate_python(inner)


@pytest.mark.parametrize("case", cases("anthropic", "replies.json"), ids=named)
def test_a_whole_reply_is_read(case):
    """The vendor's JSON in, the canonical answer out."""
    assert plain_answer(WIRE.decode(json.dumps(case["reply"]).encode())) == case["answer"]


@pytest.mark.parametrize("case", cases("anthropic", "replies.json"), ids=named)
def test_the_golden_replies_are_what_the_sdk_reads(case):
    """So nobody here made up a field."""
    reply = {"usage": {"input_tokens": 0, "output_tokens": 0}, **case["reply"]}
    if "container" not in reply:
        Message.model_validate(reply)


@pytest.mark.parametrize("name", STREAMS)
def test_the_sdk_folds_the_golden_streams_into_the_same_answer(name):
    """Text, calls and tokens as the vendor's own accumulator has them."""
    data = (GOLDEN / f"{name}.sse").read_bytes()
    reply = httpx2.MockTransport(
        lambda _: httpx2.Response(200, content=data, headers={"content-type": "text/event-stream"})
    )
    client = anthropic.Anthropic(api_key="k", http_client=httpx2.Client(transport=reply))
    asked: Any = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    with client.messages.stream(**asked) as stream:
        theirs = stream.get_final_message()
    _, _, ours = decode_stream(WIRE.decoder(), [data])
    calls = [part for part in ours.choices[0].parts if isinstance(part, ToolCall)]
    used = [block for block in theirs.content if block.type == "tool_use"]
    assert ours.text == "".join(block.text for block in theirs.content if block.type == "text")
    assert [json.loads(call.arguments) for call in calls] == [block.input for block in used]
    assert [call.id for call in calls] == [block.id for block in used]
    assert ours.usage is not None and ours.usage.completion == theirs.usage.output_tokens
    assert ours.usage.input == theirs.usage.input_tokens
    assert len(ours.choices[0].parts) == len(theirs.content)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("crlf", [False, True])
def test_a_stream_is_read_however_it_is_cut(name, size, crlf):
    """Byte by byte, in small pieces or at once, with either line end: the same events, and the same bytes passed."""
    [case] = cases("anthropic", f"{name}.json")
    data = (GOLDEN / f"{name}.sse").read_bytes()
    data = data.replace(b"\n", b"\r\n") if crlf else data
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    events, passed, answer = decode_stream(WIRE.decoder(), pieces)
    assert plain_events(events) == case["events"]
    assert passed == data
    assert plain_answer(answer) == case["answer"]


STREAM = (GOLDEN / "stream_tools.sse").read_bytes()


@UNHURRIED
@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_split_says_the_same(cuts):
    """Where the network cuts a stream changes neither events nor bytes."""
    borders = sorted({0, len(STREAM), *cuts})
    pieces = [STREAM[a:b] for a, b in itertools.pairwise(borders)]
    events, passed, _ = decode_stream(WIRE.decoder(), pieces)
    assert plain_events(events) == cases("anthropic", "stream_tools.json")[0]["events"]
    assert passed == STREAM


EVENT_LIKE = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["message_start", "content_block_start", "content_block_delta", "message_delta", "error"]
        )
    },
    optional=dict.fromkeys(("index", "delta", "content_block", "message", "usage", "error"), JSON_VALUES),
)


@UNHURRIED
@given(
    st.binary(max_size=200) | EVENT_LIKE.map(lambda value: b"data: " + json.dumps(value).encode() + b"\n\n")
)
def test_nonsense_is_refused_and_never_breaks_us(data):
    """Whatever an upstream sends, only our own errors come out."""
    decoder = WIRE.decoder()
    with contextlib.suppress(GatewayError):
        decoder.feed(data)
        decoder.finish()
    with contextlib.suppress(UpstreamMalformed):
        WIRE.decode(data)
    assert isinstance(WIRE.decode_error(400, Headers(), data), GatewayError)


@pytest.mark.parametrize("case", cases("anthropic", "errors.json"), ids=named)
def test_an_error_reply_becomes_its_class(case):
    """By type and words first, then by status; the vendor's body is kept, its words are bounded."""
    body = case["text"].encode() if "text" in case else json.dumps(case["body"]).encode()
    error = WIRE.decode_error(case["status"], headers(**case.get("headers", {})), body)
    assert (type(error).__name__, error.retry_after) == (case["error"], case.get("retry_after"))
    assert isinstance(error, ProviderRefusal)
    assert error.wire == "anthropic.messages" and error.upstream_status == case["status"]
    assert error.body == body


def test_a_huge_error_page_is_cut():
    """Neither detail nor kept body grows with what a broken proxy sends."""
    error = WIRE.decode_error(502, Headers(), b"<p>" + b"gone " * 200_000)
    assert len(error.detail) <= 300 and len(error.body) <= 65536  # type: ignore[attr-defined]


def test_an_error_event_in_a_stream_is_a_failure_of_its_class():
    """An error inside a 200 ends the stream with the class the same error has as a status."""
    decoder = WIRE.decoder()
    frame = decoder.feed(
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    )
    assert frame is not None and plain_events(frame.events) == [
        ["Failure", {"error": "ProviderOverloaded", "message": "Overloaded"}]
    ]
    assert decoder.finish() is None


def test_plain_json_instead_of_a_stream_is_a_failure():
    """A proxy that answers 200 with an error body is not taken for an empty answer."""
    decoder = WIRE.decoder()
    assert decoder.feed(b'{"type":"error","error":{"type":"api_error",') is None
    decoder.feed(b'"message":"boom"}}')
    frame = decoder.finish()
    assert frame is not None and isinstance(frame.events[0], Failure)


@pytest.mark.parametrize(
    "body", [b"<!doctype html><p>hi", b'{"id": "msg"}', b"data: {nonsense}\n\n", b"data: 1\n\n"]
)
def test_what_is_no_stream_is_malformed(body):
    """HTML, other JSON and broken events are said to be what they are."""
    decoder = WIRE.decoder()
    with pytest.raises(UpstreamMalformed):
        decoder.feed(body)
        decoder.finish()


@pytest.mark.parametrize("end", [0, 200, STREAM.index(b"event: message_stop"), len(STREAM) - 9])
def test_a_stream_without_its_end_is_cut(end):
    """Even one that already gave its stop reason."""
    decoder = WIRE.decoder()
    decoder.feed(STREAM[:end])
    with pytest.raises(UpstreamCut):
        decoder.finish()


def test_a_last_event_without_blank_line_still_counts():
    """Some proxies trim the end of a body."""
    events, passed, _ = decode_stream(WIRE.decoder(), [STREAM.rstrip(b"\n")])
    assert plain_events(events)[-1] == ["End", {}]
    assert passed == STREAM.rstrip(b"\n")


def test_an_event_is_known_by_its_data_when_its_name_is_missing():
    """Proxies that drop `event:` lines exist."""
    line = b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}\n\n'
    frame = WIRE.decoder().feed(line)
    assert frame is not None and [type(event) for event in frame.events] == [TextDelta]


MESSAGES = [{"role": "user", "parts": [{"type": "text", "text": "x"}]}]


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ({"temperature": 0.2, "top_p": 0.9, "top_k": 5}, {"temperature": 0.2, "top_k": 5}),
        ({"temperature": 1.7}, {"temperature": 1.0}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"temperature": 0.2, "top_k": 5, "effort": "low"}, {}),
        ({"top_p": 0.97, "effort": "low"}, {"top_p": 0.97}),
        ({"temperature": 0.2, "effort": "none"}, {"temperature": 0.2}),
    ],
)
def test_sampling_is_said_without_clashes_on_old_versions(said, written):
    """Up to API version 2023-06-01: at most 1, not both temperature and top_p, next to nothing beside thinking."""
    request = request_from({"model": "m", "messages": MESSAGES, **said})
    body = json.loads(AnthropicMessages(sampling=True).encode(request, "claude-sonnet-4-5"))
    assert {k: v for k, v in body.items() if k in ("temperature", "top_p", "top_k")} == written


@pytest.mark.parametrize(
    ("wire", "model"), [(WIRE, "claude-sonnet-4-5"), (AnthropicMessages(sampling=True), "claude-opus-4-7")]
)
def test_sampling_is_left_out_where_it_is_refused(wire, model):
    """API version 2026-10-21, and models from 4.7 on, answer 400 to any of the three."""
    request = request_from({"model": "m", "messages": MESSAGES, "temperature": 1.0, "top_p": 1.0, "top_k": 1})
    assert not {"temperature", "top_p", "top_k"} & set(json.loads(wire.encode(request, model)))


@pytest.mark.parametrize(
    ("model", "adaptive", "budget"),
    [
        ("claude-3-7-sonnet-20250219", False, True),
        ("claude-haiku-4-5-20251001", False, True),
        ("claude-opus-4-20250514", False, True),
        ("claude-sonnet-4-6", True, True),
        ("claude-opus-4-7", True, False),
        ("claude-sonnet-5", True, False),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", False, True),
        ("claude-next", True, False),
        ("house-model-3", True, False),
    ],
)
def test_a_models_name_tells_how_it_thinks(model, adaptive, budget):
    """4.6 brought adaptive thinking, 4.7 took budgets away; an unknown name is taken for a current model."""
    assert traits_of(model)[:2] == (adaptive, budget)


@pytest.mark.parametrize("said", [{"effort": "none"}, {"thinking_budget": 0}])
def test_models_that_always_think_are_told_to_think_little(said):
    """They answer 400 to thinking switched off."""
    request = request_from({"model": "m", "messages": MESSAGES, **said})
    body = json.loads(WIRE.encode(request, "claude-fable-5-1"))
    assert "thinking" not in body and body["output_config"] == {"effort": "low"}


@UNHURRIED
@given(CHATS)
def test_whatever_was_asked_is_written_as_json_or_refused(chat):
    """No part, in no order, breaks the writer."""
    with contextlib.suppress(UnsupportedRequest):
        json.loads(WIRE.encode(chat, "claude-sonnet-4-5"))


def test_every_effort_is_one_the_sdk_knows():
    """The table's first column is the vendor's own words."""
    kind = pydantic.TypeAdapter(OutputConfigParam)
    for effort, budget in EFFORTS.values():
        kind.validate_python({"effort": effort})
        assert budget >= 1024


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ({"choices": 2}, "n"),
        ({"tools": [{"name": "code_interpreter", "opaque": {"type": "code_interpreter"}}]}, "tools"),
        (
            {"messages": [{"role": "user", "parts": [{"type": "opaque", "wire": "openai.chat", "raw": {}}]}]},
            "messages[0]",
        ),
        ({"system": [{"type": "opaque", "wire": "gemini.generate", "raw": {}}]}, "system"),
        (
            {"messages": [{"role": "user", "parts": [{"type": "file", "file_id": "file-1"}]}]},
            "messages[0].content[0]",
        ),
        (
            {
                "messages": [
                    {"role": "user", "parts": [{"type": "file", "data": "AA==", "media_type": "audio/wav"}]}
                ]
            },
            "messages[0].content[0]",
        ),
        (
            {
                "messages": [
                    {"role": "user", "parts": [{"type": "file", "data": "/w==", "media_type": "text/plain"}]}
                ]
            },
            "messages[0].content[0]",
        ),
        (
            {
                "messages": [
                    {"role": "assistant", "parts": [{"type": "image", "url": "https://example.org/a.png"}]}
                ]
            },
            "messages[0].content[0]",
        ),
    ],
)
def test_what_would_be_lost_is_refused_by_name(request_, param):
    """Content is never dropped in silence: the error names the field."""
    with pytest.raises(UnsupportedRequest) as caught:
        WIRE.encode(request_from({"model": "m", "messages": MESSAGES, **request_}), "claude-opus-5-5")
    assert caught.value.param == param


def test_embeddings_are_refused():
    """The vendor has none."""
    with pytest.raises(UnsupportedRequest):
        WIRE.encode(EmbeddingsRequest(model="m", inputs=["x"]), "claude-opus-5-5")


def test_only_the_models_name_is_spliced():
    """All other bytes are the caller's, odd spacing included."""
    body = b'{"model" : "support-chat","x":[1.0,  2]}'
    assert WIRE.splice(body, "claude-opus-5-5") == b'{"model" : "claude-opus-5-5","x":[1.0,  2]}'


def test_raw_parts_do_not_keep_the_reply_alive():
    """A kept part is a copy: a slice of a megabyte reply would hold the megabyte."""
    [case] = [
        case for case in cases("anthropic", "replies.json") if case["about"].startswith("a server tool")
    ]
    body = json.dumps(case["reply"]).encode()
    before = sys.getrefcount(body)
    answer = WIRE.decode(body)
    assert isinstance(answer.choices[0].parts[0], Opaque) and "container" in answer.extra
    assert sys.getrefcount(body) == before
