"""The wire `bedrock.converse` against its golden files, and against botocore's own model of the service."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import struct
import subprocess
import sys
from binascii import crc32
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
from botocore.eventstream import EventStream
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import GatewayError, UnsupportedRequest, UpstreamCut, UpstreamMalformed
from headgate.core.messages import EmbeddingsRequest, TokenCount
from headgate.providers.port import Headers
from headgate.providers.wires.bedrock_converse import BedrockConverse, BedrockCountTokens
from headgate.providers.wires.bedrock_converse.framing import MAX_HELD
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
from tests.unit.providers.bedrock.eventstream import event, message

WIRE = BedrockConverse()
COUNT = BedrockCountTokens()
SERVICE = botocore.session.get_session().get_service_model("bedrock-runtime")
SCRIPTS = cases("bedrock", "stream.json")
STREAMS = [b"".join(event(name, body) for name, body in script["messages"]) for script in SCRIPTS]


def named(case: dict[str, Any]) -> str:
    return str(case["about"])


@pytest.mark.parametrize("case", cases("bedrock", "requests.json"), ids=named)
def test_a_request_is_written_as_the_documentation_shows(case):
    """Canonical in, exactly this JSON out."""
    assert json.loads(WIRE.encode(request_from(case["request"]), case["model"])) == case["body"]


def as_parameters(value: Any, key: str = "") -> Any:
    """What a caller of botocore would have handed in: blobs as bytes."""
    if isinstance(value, dict):
        return {name: as_parameters(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_parameters(inner, key) for inner in value]
    return base64.b64decode(value) if key in ("bytes", "redactedContent") else value


@pytest.mark.parametrize("case", cases("bedrock", "requests.json"), ids=named)
@pytest.mark.parametrize("operation", ["Converse", "ConverseStream"])
def test_botocore_would_send_the_same(case, operation):
    """Every field is one the service's model knows, and its serializer writes the same body."""
    body = json.loads(WIRE.encode(request_from(case["request"]), case["model"]))
    model = SERVICE.operation_model(operation)
    parameters = as_parameters(body) | {"modelId": case["model"]}
    assert not ParamValidator().validate(parameters, model.input_shape).generate_report()
    sent = create_serializer("rest-json", include_validation=False).serialize_to_request(parameters, model)
    assert json.loads(sent["body"]) == body


@pytest.mark.parametrize("case", cases("bedrock", "requests.json"), ids=named)
def test_a_count_asks_in_the_words_the_service_knows(case):
    """Only what makes the prompt."""
    body = json.loads(COUNT.encode(request_from(case["request"]), case["model"]))
    parameters = as_parameters(body) | {"modelId": case["model"]}
    report = ParamValidator().validate(parameters, SERVICE.operation_model("CountTokens").input_shape)
    assert not report.generate_report()
    assert body["input"]["converse"]["messages"] == case["body"]["messages"]


def test_a_count_is_read_as_exact_and_what_is_none_is_refused():
    """In both directions."""
    assert COUNT.decode(b'{"inputTokens": 5}') == TokenCount(input_tokens=5, exact=True)
    with pytest.raises(UpstreamMalformed):
        COUNT.decode(b"{}")
    for refused in (lambda: COUNT.encode(EmbeddingsRequest(model="m", inputs=["x"]), "m"), COUNT.decoder):
        with pytest.raises(UnsupportedRequest):
            refused()
    assert COUNT.decode_error(429, Headers(), b"").code == "provider_rate_limited"
    assert COUNT.splice(b"{}", "m") == WIRE.splice(b"{}", "m") == b"{}"


@pytest.mark.parametrize("case", cases("bedrock", "replies.json"), ids=named)
def test_a_whole_reply_is_read(case):
    """The vendor's JSON in, the canonical answer out."""
    assert plain_answer(WIRE.decode(json.dumps(case["reply"]).encode())) == case["answer"]


@pytest.mark.parametrize("number", range(len(SCRIPTS)))
@pytest.mark.parametrize("size", [1, 13, 100_000])
def test_a_stream_is_read_however_it_is_cut(number, size):
    """Byte by byte, in small pieces or at once: the same events, and the same bytes passed."""
    data = STREAMS[number]
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    events, passed, answer = decode_stream(WIRE.decoder(), pieces)
    assert plain_events(events) == SCRIPTS[number]["events"]
    assert passed == data
    assert plain_answer(answer) == SCRIPTS[number]["answer"]


@pytest.mark.parametrize("number", range(len(SCRIPTS)))
def test_botocore_reads_the_golden_streams_too(number):
    """So the bytes the tests write are what the service writes."""
    shape = SERVICE.operation_model("ConverseStream").output_shape.members["stream"]
    raw = SimpleNamespace(stream=lambda: iter([STREAMS[number]]), close=lambda: None)
    read = EventStream(raw, shape, create_parser("rest-json")._event_stream_parser, "ConverseStream")
    assert [next(iter(found)) for found in read] == [name for name, _ in SCRIPTS[number]["messages"]]


@UNHURRIED
@given(st.lists(st.integers(0, len(STREAMS[0])), max_size=12))
def test_any_split_says_the_same(cuts):
    """Where the network cuts a stream changes neither events nor bytes."""
    data = STREAMS[0]
    borders = sorted({0, len(data), *cuts})
    events, passed, _ = decode_stream(WIRE.decoder(), [data[a:b] for a, b in itertools.pairwise(borders)])
    assert plain_events(events) == SCRIPTS[0]["events"] and passed == data


NAMES = [
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
    "new",
]
EVENTS = st.builds(
    event, st.sampled_from(NAMES), JSON_VALUES, kind=st.sampled_from(["event", "exception", "error"])
)


@UNHURRIED
@given(st.binary(max_size=100) | EVENTS, st.integers(0, 60), st.integers(0, 255))
def test_nonsense_is_refused_and_never_breaks_us(data, at, byte):
    """Random bytes, random payloads in good frames, good frames with one byte changed."""
    broken = data[:at] + bytes([byte]) + data[at + 1 :]
    for piece in (data, broken):
        decoder = WIRE.decoder()
        with contextlib.suppress(GatewayError):
            decoder.feed(piece)
            decoder.finish()
        with contextlib.suppress(UpstreamMalformed):
            WIRE.decode(piece)
        assert isinstance(WIRE.decode_error(400, Headers(), piece), GatewayError)


@pytest.mark.parametrize("case", cases("bedrock", "errors.json"), ids=named)
def test_an_error_reply_becomes_its_class(case):
    """By the exception's name and words first, then by status."""
    body = case["text"].encode() if "text" in case else json.dumps(case["body"]).encode()
    error = WIRE.decode_error(case["status"], headers(**case.get("headers", {})), body)
    assert (type(error).__name__, error.retry_after) == (case["error"], case.get("retry_after"))


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("throttlingException", "ProviderRateLimited"),
        ("modelStreamErrorException", "ProviderFailed"),
        ("internalServerException", "ProviderFailed"),
        ("serviceUnavailableException", "ProviderOverloaded"),
        ("validationException", "ProviderRejected"),
    ],
)
def test_an_exception_in_a_stream_is_a_failure_of_its_class(name, error):
    """And the stream is over with it."""
    events, _, _ = decode_stream(WIRE.decoder(), [event(name, {"message": "boom"}, kind="exception")])
    assert plain_events(events) == [["Failure", {"error": error, "message": "boom"}]]


def test_an_unmodelled_error_in_a_stream_is_a_failure():
    """AWS documents a third kind of message beside events and exceptions."""
    data = message({":message-type": "error", ":error-code": "InternalError", ":error-message": "x"}, b"")
    events, _, _ = decode_stream(WIRE.decoder(), [data])
    assert plain_events(events) == [["Failure", {"error": "ProviderFailed", "message": "InternalError"}]]


def test_plain_json_instead_of_a_stream_is_a_failure():
    """A proxy that answers 200 with an error body is not taken for an empty answer."""
    events, passed, _ = decode_stream(WIRE.decoder(), [b'{"mess', b'age": "boom"}'])
    assert plain_events(events) == [["Failure", {"error": "ProviderFailed", "message": "boom"}]]
    assert passed == b'{"message": "boom"}'


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hi",
        b'{"a": 1}',
        struct.pack("!III", 12, 0, crc32(struct.pack("!II", 12, 0))),
        event("messageStop", {"stopReason": 7}),
        event("messageStop", [1]),
        event("contentBlockDelta", {"delta": {"text": "x"}})[:-1] + b"!",
    ],
)
def test_what_is_no_stream_is_malformed(body):
    """HTML, other JSON, lengths that cannot be, broken payloads, wrong checksums."""
    decoder = WIRE.decoder()
    with pytest.raises(UpstreamMalformed):
        decoder.feed(body)
        decoder.finish()


def test_a_message_that_never_ends_is_not_held_for_ever():
    """Memory is bounded, whatever length it promised."""
    decoder = WIRE.decoder()
    promised = struct.pack("!II", MAX_HELD * 3 // 2, 0)
    decoder.feed(promised + struct.pack("!I", crc32(promised)))
    with pytest.raises(UpstreamMalformed):
        decoder.feed(b"x" * MAX_HELD)


def test_a_stream_that_stopped_is_complete_without_its_metadata():
    """The answer is whole; only what it cost was not said."""
    data = event("messageStart", {"role": "assistant"}) + event("messageStop", {"stopReason": "end_turn"})
    events, _, answer = decode_stream(WIRE.decoder(), [data])
    assert plain_events(events)[-1] == ["End", {}] and answer.usage is None


@pytest.mark.parametrize("count", [0, 1, 15])
def test_a_stream_that_did_not_stop_is_cut(count):
    """Also in the middle of a message."""
    decoder = WIRE.decoder()
    decoder.feed(b"".join(event(*pair) for pair in SCRIPTS[0]["messages"][:count]) + STREAMS[0][:9])
    with pytest.raises(UpstreamCut):
        decoder.finish()


def parts(*found: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "parts": list(found)}]}


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ({"choices": 2}, "n"),
        ({"tools": [{"name": "web_search", "opaque": {"type": "web_search"}}]}, "tools"),
        (parts({"type": "opaque", "wire": "openai.chat", "raw": {}}), "messages[0].content[0]"),
        (parts({"type": "image", "url": "https://example.org/cat.png"}), "messages[0].content[0]"),
        (parts({"type": "image", "data": "AA==", "media_type": "image/tiff"}), "messages[0].content[0]"),
        (
            parts({"type": "text", "text": "x"}, {"type": "file", "file_id": "file-1"}),
            "messages[0].content[1]",
        ),
        ({"system": [{"type": "opaque", "wire": "openai.chat", "raw": {}}]}, "system"),
        (
            {
                "tools": [{"name": "a"}],
                "tool_choice": {"mode": "none"},
                "messages": [{"role": "assistant", "parts": [{"type": "tool_call", "id": "a", "name": "a"}]}],
            },
            "tool_choice",
        ),
    ],
)
def test_what_would_be_lost_is_refused_by_name(request_, param):
    """Content is never dropped in silence: the error names the field."""
    with pytest.raises(UnsupportedRequest) as caught:
        WIRE.encode(request_from({"model": "m", "messages": [], **request_}), "amazon.nova-lite-v1:0")
    assert caught.value.param == param


@UNHURRIED
@given(CHATS)
def test_whatever_was_asked_is_written_as_json_or_refused(chat):
    """No part, in no order, breaks the writer."""
    with contextlib.suppress(UnsupportedRequest):
        json.loads(WIRE.encode(chat, "anthropic.claude-sonnet-4-5"))


def test_embeddings_are_refused():
    """Converse makes none."""
    with pytest.raises(UnsupportedRequest):
        WIRE.encode(EmbeddingsRequest(model="m", inputs=["x"]), "m")


def test_long_ids_stay_apart_and_match_their_results():
    """Bedrock takes 64 characters; a cut alone could make two calls one."""
    chat = parts()
    ids = ["x" * 100 + "1", "x" * 100 + "2"]
    chat["messages"] = [
        {"role": "assistant", "parts": [{"type": "tool_call", "id": one, "name": "a"} for one in ids]},
        {"role": "user", "parts": [{"type": "tool_result", "call_id": one, "content": []} for one in ids]},
    ]
    calls, results = json.loads(WIRE.encode(request_from({"model": "m", **chat}), "m"))["messages"]
    sent = [block["toolUse"]["toolUseId"] for block in calls["content"]]
    assert sent == [block["toolResult"]["toolUseId"] for block in results["content"]]
    assert len(set(sent)) == 2 and max(map(len, sent)) <= 64


def test_the_wire_needs_no_botocore_until_a_stream_comes():
    """It is an extra; a missing one says how to get it."""
    script = (
        "import sys; sys.modules['botocore'] = None\n"
        "from headgate.providers.wires.bedrock_converse import BedrockConverse\n"
        "decoder = BedrockConverse().decoder()\n"
        "from headgate.providers.adapters.bedrock import BedrockAdapter, BedrockSettings\n"
        "for attempt in (lambda: decoder.feed(bytes(20)), lambda: BedrockAdapter(BedrockSettings(region='x'))):\n"
        "    try: attempt()\n"
        "    except ImportError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == ["Bedrock needs botocore: pip install headgate[bedrock]"] * 2
