"""Streams of the wire `openai.chat`: golden files, the oddities of compatible servers, and every way to end."""

from __future__ import annotations

import contextlib
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from headgate.core.errors import GatewayError, UpstreamCut, UpstreamMalformed
from headgate.core.events import is_content
from headgate.providers.wires.openai_chat import OpenAIChat
from tests.support.wires import JSON_VALUES, UNHURRIED, cases, decode_stream, plain_answer, plain_events

__all__: list[str] = []

GOLDEN = Path(__file__).parents[3] / "golden" / "openai"
STREAMS = [
    "stream_text",
    "stream_tools",
    "stream_azure",
    "stream_llamacpp",
    "stream_vllm",
    "stream_two_choices",
]
WIRE = OpenAIChat()
DONE = b"data: [DONE]\n\n"


def chunk(delta: Any, finish: str | None = None, **more: Any) -> bytes:
    """One chunk with one choice; `more` are top-level fields."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "c", "model": "m", "choices": [choice], **more}).encode() + b"\n\n"


def events_of(*pieces: bytes, hide_usage: bool = False) -> list[Any]:
    """What the pieces say, but for Begin."""
    events, _, _ = decode_stream(WIRE.decoder(hide_usage=hide_usage), pieces)
    return plain_events(events)[1:]


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


@pytest.mark.parametrize("name", ["stream_text", "stream_tools", "stream_two_choices"])
def test_the_golden_streams_are_what_the_sdk_reads(name):
    """Fixtures are written from the documentation; the SDK's own model keeps them honest."""
    for line in (GOLDEN / f"{name}.sse").read_text().splitlines():
        if line.startswith("data: {"):
            ChatCompletionChunk.model_validate_json(line[6:])


STREAM = (GOLDEN / "stream_tools.sse").read_bytes()


@UNHURRIED
@given(st.lists(st.integers(0, len(STREAM)), max_size=12), st.booleans())
def test_any_split_says_the_same(cuts, hide_usage):
    """Where the network cuts a stream changes neither events nor bytes, with usage hidden or not."""
    borders = sorted({0, len(STREAM), *cuts})
    pieces = [STREAM[a:b] for a, b in itertools.pairwise(borders)]
    events, passed, _ = decode_stream(WIRE.decoder(hide_usage=hide_usage), pieces)
    assert plain_events(events) == cases("openai", "stream_tools.json")[0]["events"]
    assert passed == (b"".join(_blocks_without_usage()) if hide_usage else STREAM)


def _blocks_without_usage() -> list[bytes]:
    return [block + b"\n\n" for block in STREAM.split(b"\n\n")[:-1] if b'"choices":[]' not in block]


def test_complete_events_of_one_feed_are_one_frame():
    """A burst costs one frame, and what is not complete waits."""
    decoder = WIRE.decoder()
    frame = decoder.feed(chunk({"content": "a"}) + chunk({"content": "b"}) + b"data: {")
    assert frame is not None and frame.data == chunk({"content": "a"}) + chunk({"content": "b"})
    assert [kind for kind, _ in plain_events(frame.events)] == ["Begin", "TextDelta", "TextDelta"]
    assert decoder.feed(b'"choices"') is None


def test_pings_pass_without_meaning():
    """A comment is passed on, so that the caller's own timers stay calm too."""
    frame = WIRE.decoder().feed(b": ping\n\n")
    assert frame is not None and frame.data == b": ping\n\n" and list(frame.events) == []


@pytest.mark.parametrize(
    "delta",
    [
        None,
        {},
        {"role": "assistant"},
        {"role": "assistant", "content": ""},
        {"content": None, "tool_calls": None},
    ],
)
def test_a_delta_that_says_nothing_is_no_content(delta):
    """Until content comes the gateway may still fail over, so a role mark must not count."""
    frame = WIRE.decoder().feed(chunk(delta, ""))
    assert frame is not None and [kind for kind, _ in plain_events(frame.events)] == ["Begin"]
    assert not any(map(is_content, frame.events))


def test_hidden_usage_is_still_reported():
    """The caller did not ask for the chunk, the gateway did: dropped from the bytes, kept as an event."""
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":0}}\n\n'
    text = chunk({"content": "a"}, "stop")
    events, passed, answer = decode_stream(WIRE.decoder(hide_usage=True), [text + b": x\n\n" + usage + DONE])
    assert passed == text + b": x\n\n" + DONE
    assert answer.usage is not None and (answer.usage.input, answer.usage.output) == (3, 0)
    assert plain_events(events)[-1] == ["End", {}]


def test_hidden_usage_beside_choices_is_not_dropped():
    """A chunk that says more than usage is the caller's."""
    last = chunk({"content": "a"}, "stop", usage={"prompt_tokens": 3, "completion_tokens": 1})
    _, passed, _ = decode_stream(WIRE.decoder(hide_usage=True), [last + DONE])
    assert passed == last + DONE


def call(name: str | None = None, arguments: Any = None, **more: Any) -> dict[str, Any]:
    return {"tool_calls": [{"function": {"name": name, "arguments": arguments}, **more}]}


A1 = ["ToolCallBegin", {"index": 0, "id": "a", "name": "f"}]
B1 = ["ToolCallBegin", {"index": 1, "id": "b", "name": "g"}]


def piece(index: int, arguments: str) -> list[Any]:
    return ["ToolCallDelta", {"index": index, "arguments": arguments}]


@pytest.mark.parametrize(
    ("about", "deltas", "expected"),
    [
        (
            "the id is repeated on every delta",
            [
                call("f", "", index=0, id="a"),
                call(None, "{", index=0, id="a"),
                call("f", "}", index=0, id="a"),
            ],
            [A1, piece(0, "{"), piece(0, "}")],
        ),
        (
            "no index, the id tells",
            [call("f", "{}", id="a"), call("g", "[", id="b"), call(None, "]", id="b")],
            [A1, piece(0, "{}"), B1, piece(1, "["), piece(1, "]")],
        ),
        (
            "no index and no id after the first delta",
            [call("f", "{", id="a"), call(None, "}"), call("g", "1", id="b"), call(None, "2")],
            [A1, piece(0, "{"), piece(0, "}"), B1, piece(1, "1"), piece(1, "2")],
        ),
        (
            "every call has index 0",
            [call("f", "{}", index=0, id="a"), call("g", "[]", index=0, id="b")],
            [A1, piece(0, "{}"), B1, piece(1, "[]")],
        ),
        (
            "the name comes late",
            [call(None, "{", index=0, id="a"), call("f", "}", index=0)],
            [A1, piece(0, "{}")],
        ),
        ("arguments as an object", [call("f", {"x": 1}, index=0, id="a")], [A1, piece(0, '{"x":1}')]),
        ("index from 1", [call("f", "{}", index=1, id="a")], [A1, piece(0, "{}")]),
        (
            "no id at all",
            [call("f", "{}", index=0), call("g", "[]", index=1)],
            [
                ["ToolCallBegin", {"index": 0, "id": "call_0_0", "name": "f"}],
                piece(0, "{}"),
                ["ToolCallBegin", {"index": 1, "id": "call_0_1", "name": "g"}],
                piece(1, "[]"),
            ],
        ),
        (
            "the old function_call",
            [{"function_call": {"name": "f", "arguments": ""}}, {"function_call": {"arguments": "{}"}}],
            [["ToolCallBegin", {"index": 0, "id": "call_0_0", "name": "f"}], piece(0, "{}")],
        ),
        (
            "never a name",
            [call(None, "{}", index=0, id="a")],
            [["ToolCallBegin", {"index": 0, "id": "a", "name": ""}], piece(0, "{}")],
        ),
    ],
)
def test_calls_are_told_apart_however_they_come(about, deltas, expected):
    """Servers disagree on what of index, id and name a delta repeats."""
    pieces = [chunk(delta) for delta in deltas]
    assert events_of(*pieces, chunk({}, "tool_calls"), DONE) == [
        *expected,
        ["Stop", {"reason": "tool_use"}],
        ["End", {}],
    ]


def test_a_chunk_with_reasoning_and_text_is_their_border():
    """Reasoning comes first, whatever order the fields have."""
    assert events_of(chunk({"content": "b", "reasoning_content": "a", "reasoning": "a"}, "stop"), DONE)[
        :2
    ] == [
        ["ThinkingDelta", {"text": "a"}],
        ["TextDelta", {"text": "b"}],
    ]


def test_content_as_a_list_is_read():
    """Mistral's reasoning models stream parts."""
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "a"}]},
        {"type": "text", "text": "b"},
        {"type": "z"},
    ]
    _, _, answer = decode_stream(WIRE.decoder(), [chunk({"content": content}, "stop"), DONE])
    assert plain_answer(answer)["choices"][0]["parts"] == [
        {"type": "thinking", "text": "a"},
        {"type": "text", "text": "b"},
        {"type": "opaque", "wire": "openai.chat", "raw": {"type": "z"}},
    ]


def test_what_comes_after_the_end_means_nothing():
    """Neither a second finish_reason nor a chunk after [DONE] is told twice."""
    stop, more = chunk({}, "stop"), chunk({"content": "x"}, "length")
    assert events_of(chunk({"content": "a"}), stop, stop, more, DONE, more) == [
        ["TextDelta", {"text": "a"}],
        ["Stop", {"reason": "end"}],
        ["End", {}],
    ]


@pytest.mark.parametrize("end", [0, 9, 200, STREAM.index(b'"finish_reason":"tool_calls"')])
def test_a_stream_without_its_end_is_cut(end):
    """Nothing, half an event, or calls that never stopped: not shown as success."""
    decoder = WIRE.decoder()
    decoder.feed(STREAM[:end])
    with pytest.raises(UpstreamCut):
        decoder.finish()


def test_one_choice_of_two_that_never_stopped_is_a_cut():
    """Each choice has to say why it stopped, unless [DONE] came."""
    two = {
        "choices": [
            {"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"},
            {"index": 1, "delta": {"content": "b"}},
        ]
    }
    decoder = WIRE.decoder()
    decoder.feed(b"data: " + json.dumps(two).encode() + b"\n\n")
    with pytest.raises(UpstreamCut):
        decoder.finish()


@pytest.mark.parametrize("last", [chunk({}, "stop"), DONE])
@pytest.mark.parametrize("trim", [1, 2])
def test_a_last_event_without_its_blank_line_counts(last, trim):
    """Some proxies trim the end of a body; the caller gets the line that makes the event complete."""
    first = chunk({"content": "a"})
    events, passed, _ = decode_stream(WIRE.decoder(), [first + last[:-trim]])
    assert plain_events(events)[-1] == ["End", {}]
    assert passed == first + last


ERROR = b'{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}'


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"data: " + ERROR + b"\n\n", "ProviderRateLimited"),
        (b"event: error\ndata: " + ERROR + b"\n\n", "ProviderRateLimited"),
        (b'event: error\ndata: {"message":"boom"}\n\n', "ProviderFailed"),
        (b"event: error\ndata: boom\n\n", "ProviderFailed"),
        (chunk({"content": ""}, "error", error={"code": 503, "message": "gone"}), "ProviderOverloaded"),
        (chunk({"content": ""}, "error"), "ProviderFailed"),
        (b'data: {"object":"error","message":"no","code":400}\n\n', "ProviderRejected"),
        (b'data: {"error":"plain words"}\n\n', "ProviderFailed"),
        (b'data: {"error":{"message":"bad","type":"invalid_request_error"}}\n\n', "ProviderRejected"),
        (b'data: {"error":{"message":"The engine is overloaded"}}\n\n', "ProviderOverloaded"),
    ],
)
def test_an_error_inside_a_stream_is_a_failure_of_its_class(data, error):
    """After content or before it, named or not; what follows means nothing, and it is no cut."""
    events, passed, _ = decode_stream(WIRE.decoder(), [chunk({"content": "a"}), data, DONE])
    assert [(kind, fields.get("error")) for kind, fields in plain_events(events)[2:]] == [("Failure", error)]
    assert passed == chunk({"content": "a"}) + data + DONE


def test_an_error_body_instead_of_a_stream_is_a_failure():
    """llama.cpp answered 200 with JSON for a prompt too long."""
    decoder = WIRE.decoder()
    assert decoder.feed(ERROR[:20]) is None and decoder.feed(ERROR[20:]) is None
    frame = decoder.finish()
    assert frame is not None and plain_events(frame.events) == [
        ["Failure", {"error": "ProviderRateLimited", "message": "slow down"}]
    ]


def test_a_whole_answer_instead_of_a_stream_is_told_as_events():
    """A server that does not stream still answers; its bytes are not events, so they do not pass."""
    decoder = WIRE.decoder()
    decoder.feed(b'{"id":"c","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}')
    frame = decoder.finish()
    assert frame is not None and frame.data is None
    assert plain_events(frame.events)[1:] == [
        ["TextDelta", {"text": "hi"}],
        ["Stop", {"reason": "end"}],
        ["End", {}],
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"<!doctype html><p>hi",
        b'{"id": "c"}',
        b"data: {nonsense}\n\n",
        b"data: 1\n\n",
        b'data: {"choices":3}\n\n',
        b'data: {"choices":[{"index":1000000000,"delta":{"content":"x"}}]}\n\n',
        b'data: {"choices":[{"index":-1,"delta":{"content":"x"}}]}\n\n',
        DONE,
    ],
)
def test_what_is_no_stream_is_malformed(body):
    """HTML, other JSON, broken chunks, and a [DONE] before anything was said."""
    decoder = WIRE.decoder()
    with pytest.raises(UpstreamMalformed):
        decoder.feed(body)
        decoder.finish()


DELTA_LIKE = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("content", "reasoning", "refusal", "tool_calls", "function_call", "role"), JSON_VALUES
    ),
)
CHUNK_LIKE = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("usage", "error", "timings", "id", "created", "model"), JSON_VALUES),
        "choices": JSON_VALUES
        | st.lists(
            st.fixed_dictionaries(
                {}, optional={"delta": DELTA_LIKE, "index": st.integers(-1, 3), "finish_reason": JSON_VALUES}
            ),
            max_size=2,
        ),
    },
)


@UNHURRIED
@given(
    st.lists(
        st.binary(max_size=60)
        | CHUNK_LIKE.map(lambda value: b"data: " + json.dumps(value).encode() + b"\n\n"),
        max_size=4,
    )
)
def test_nonsense_is_refused_and_never_breaks_us(pieces):
    """Whatever an upstream sends, only our own errors come out."""
    decoder = WIRE.decoder(hide_usage=True)
    try:
        for data in pieces:
            decoder.feed(data)
        decoder.finish()
    except GatewayError:
        pass
    with contextlib.suppress(GatewayError):
        WIRE.decode(b"".join(pieces).removeprefix(b"data: "))
