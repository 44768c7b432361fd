"""The wire `gemini.generate` against its golden files."""

from __future__ import annotations

import contextlib
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import (
    ContentFiltered,
    GatewayError,
    UnsupportedRequest,
    UpstreamCut,
    UpstreamMalformed,
)
from headgate.core.events import Failure
from headgate.core.messages import EmbeddingsRequest
from headgate.providers.port import Headers
from headgate.providers.wires.gemini import GeminiGenerate
from headgate.providers.wires.gemini.models import is_current, model_path
from headgate.providers.wires.gemini.writing import BUDGETS, LEVELS
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

GOLDEN = Path(__file__).parents[3] / "golden" / "gemini"
STREAM = (GOLDEN / "stream.sse").read_bytes()
[EXPECTED] = cases("gemini", "stream.json")
WIRE = GeminiGenerate()


def named(case: dict[str, Any]) -> str:
    return str(case["about"])


@pytest.mark.parametrize("case", cases("gemini", "requests.json"), ids=named)
def test_a_request_is_written_as_the_documentation_shows(case):
    """Canonical in, exactly this JSON out."""
    assert json.loads(WIRE.encode(request_from(case["request"]), case["model"])) == case["body"]


@pytest.mark.parametrize("case", cases("gemini", "replies.json"), ids=named)
def test_a_whole_reply_is_read(case):
    """The vendor's JSON in, the canonical answer out; a made id is the same at every reading."""
    body = json.dumps(case["reply"]).encode()
    answer = WIRE.decode(body)
    for part in answer.choices[0].parts:
        if getattr(part, "id", "").startswith("call_"):
            assert plain_answer(WIRE.decode(body)) == plain_answer(answer)
            part.id = "MADE"  # type: ignore[union-attr]
    assert plain_answer(answer) == case["answer"]


def test_made_ids_differ_between_calls_and_replies():
    """Two calls alike in one reply, and the same call in two replies, are four different calls."""
    call = {"functionCall": {"name": "now", "args": {}}}
    ids = set()
    for reply in ("r1", "r2"):
        body = {
            "candidates": [{"content": {"parts": [call, call]}, "finishReason": "STOP"}],
            "responseId": reply,
        }
        ids |= {part.id for part in WIRE.decode(json.dumps(body).encode()).choices[0].parts}  # type: ignore[union-attr]
    assert len(ids) == 4 and all(len(made) <= 40 for made in ids)


def test_what_gemini_said_comes_back_to_it_unchanged():
    """The signature returns to the very call it came with."""
    answer = WIRE.decode(json.dumps(cases("gemini", "replies.json")[1]["reply"]).encode())
    turn = {"role": "assistant", "parts": plain_answer(answer)["choices"][0]["parts"]}
    body = json.loads(WIRE.encode(request_from({"model": "m", "messages": [turn]}), "gemini-3-pro-preview"))
    first, second = body["contents"][0]["parts"]
    assert first["thoughtSignature"] == "Q0FF" and first["functionCall"]["id"] == "x7"
    assert "thoughtSignature" not in second


@pytest.mark.parametrize("size", [1, 9, 100_000])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_a_stream_is_read_however_it_is_cut(size, ends):
    """Byte by byte, in small pieces or at once: the same events, and the same bytes passed."""
    data = STREAM.replace(b"\r\n", ends)
    events, passed, answer = decode_stream(
        WIRE.decoder(), [data[at : at + size] for at in range(0, len(data), size)]
    )
    assert plain_events(events) == EXPECTED["events"]
    assert passed == data
    assert plain_answer(answer) == EXPECTED["answer"]


@UNHURRIED
@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_split_says_the_same(cuts):
    """Where the network cuts a stream changes neither events nor bytes."""
    borders = sorted({0, len(STREAM), *cuts})
    events, passed, _ = decode_stream(WIRE.decoder(), [STREAM[a:b] for a, b in itertools.pairwise(borders)])
    assert plain_events(events) == EXPECTED["events"] and passed == STREAM


CHUNK_LIKE = st.fixed_dictionaries(
    {},
    optional={
        "candidates": JSON_VALUES
        | st.lists(st.fixed_dictionaries({}, optional={"content": JSON_VALUES, "finishReason": JSON_VALUES})),
        "usageMetadata": JSON_VALUES,
        "error": JSON_VALUES,
        "promptFeedback": JSON_VALUES,
    },
)


@UNHURRIED
@given(st.binary(max_size=200) | CHUNK_LIKE.map(lambda value: json.dumps(value).encode()))
def test_nonsense_is_refused_and_never_breaks_us(data):
    """Whatever an upstream sends, only our own errors come out."""
    for piece in (data, b"data: " + data + b"\n\n"):
        decoder = WIRE.decoder()
        with contextlib.suppress(GatewayError):
            decoder.feed(piece)
            decoder.finish()
    with contextlib.suppress(GatewayError):
        WIRE.decode(data)
    assert isinstance(WIRE.decode_error(400, Headers(), data), GatewayError)


@pytest.mark.parametrize("case", cases("gemini", "errors.json"), ids=named)
def test_an_error_reply_becomes_its_class(case):
    """By status word, reason and message first, then by HTTP status."""
    body = case["text"].encode() if "text" in case else json.dumps(case["body"]).encode()
    error = WIRE.decode_error(case["status"], headers(**case.get("headers", {})), body)
    assert (type(error).__name__, error.retry_after) == (case["error"], case.get("retry_after"))


BLOCKED = b'{"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 8, "totalTokenCount": 8}, "responseId": "r"}'


def test_a_blocked_prompt_is_a_refusal_though_its_status_is_200():
    """Whole and streamed; what it cost is still reported."""
    with pytest.raises(ContentFiltered, match="PROHIBITED_CONTENT"):
        WIRE.decode(BLOCKED)
    decoder = WIRE.decoder()
    frame = decoder.feed(b"data: " + BLOCKED + b"\n\n")
    assert frame is not None
    kinds = [type(event).__name__ for event in frame.events]
    assert kinds == ["Begin", "UsageReport", "Failure"]
    assert decoder.finish() is None


@pytest.mark.parametrize("wrap", [b"%s", b"[%s]", b"data: %s\n\n"])
def test_an_error_inside_a_200_is_a_failure_of_its_class(wrap):
    """As an event, or as plain JSON where a stream was promised."""
    error = b'{"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}'
    events, _, _ = decode_stream(WIRE.decoder(), [wrap % error])
    assert isinstance(events[-1], Failure) and events[-1].error.code == "provider_overloaded"


@pytest.mark.parametrize("body", [b"<html>hi", b'{"a": 1}', b"data: {nonsense}\n\n"])
def test_what_is_no_stream_is_malformed(body):
    """HTML, other JSON and broken events."""
    decoder = WIRE.decoder()
    with pytest.raises(UpstreamMalformed):
        decoder.feed(body)
        decoder.finish()


@pytest.mark.parametrize("end", [0, 100, STREAM.rindex(b"data:"), STREAM.rindex(b"data:") + 40])
def test_a_stream_without_a_finish_reason_is_cut(end):
    """There is no other mark of its end."""
    decoder = WIRE.decoder()
    decoder.feed(STREAM[:end])
    with pytest.raises(UpstreamCut):
        decoder.finish()


def test_a_choice_that_never_stopped_makes_the_stream_cut():
    """Of two candidates both must end."""
    decoder = WIRE.decoder()
    decoder.feed(
        b'data: {"candidates":[{"index":0,"finishReason":"STOP"},{"index":1,"content":{"parts":[{"text":"x"}]}}]}\n\n'
    )
    with pytest.raises(UpstreamCut):
        decoder.finish()


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"candidates": [{"content": {"parts": [{"text": "x"}]}}]}'])
def test_a_reply_without_a_finished_candidate_is_malformed(body):
    """Silence is no answer."""
    with pytest.raises(UpstreamMalformed):
        WIRE.decode(body)


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ({"tools": [{"name": "web_search", "opaque": {"type": "web_search"}}]}, "tools"),
        (
            {"messages": [{"role": "user", "parts": [{"type": "opaque", "wire": "openai.chat", "raw": {}}]}]},
            "messages[0].content[0]",
        ),
        (
            {"messages": [{"role": "user", "parts": [{"type": "file", "file_id": "file-1"}]}]},
            "messages[0].content[0]",
        ),
        (
            {
                "messages": [
                    {"role": "user", "parts": [{"type": "tool_result", "call_id": "c9", "content": []}]}
                ]
            },
            "messages[0].content[0]",
        ),
        ({"system": [{"type": "opaque", "wire": "openai.chat", "raw": {}}], "messages": []}, "system"),
    ],
)
def test_what_would_be_lost_is_refused_by_name(request_, param):
    """Content is never dropped in silence: the error names the field."""
    with pytest.raises(UnsupportedRequest) as caught:
        WIRE.encode(request_from({"model": "m", "messages": [], **request_}), "gemini-2.5-flash")
    assert caught.value.param == param


@UNHURRIED
@given(CHATS)
def test_whatever_was_asked_is_written_as_json_or_refused(chat):
    """No part, in no order, breaks the writer."""
    with contextlib.suppress(UnsupportedRequest):
        json.loads(WIRE.encode(chat, "gemini-3-pro-preview"))


def test_embeddings_have_a_wire_of_their_own():
    """generateContent makes none."""
    with pytest.raises(UnsupportedRequest):
        WIRE.encode(EmbeddingsRequest(model="m", inputs=["x"]), "gemini-2.5-flash")


def test_every_effort_has_a_budget_and_a_level():
    """The two tables know the same words, and only levels the API has."""
    assert set(BUDGETS) == set(LEVELS)
    assert set(LEVELS.values()) <= {"minimal", "low", "medium", "high"}


def test_a_models_name_tells_its_generation_and_stands_safely_in_a_path():
    """`..` and `/` of a caller's making do not lead elsewhere."""
    assert [is_current(m) for m in ("gemini-2.5-pro", "gemini-3-pro-preview", "gemini-flash-latest")] == [
        False,
        True,
        True,
    ]
    assert model_path("gemini-2.5-pro") == "models/gemini-2.5-pro"
    assert model_path("tunedModels/my-1") == "tunedModels/my-1"
    assert model_path("models/../../x?y") == "models/..%2F..%2Fx%3Fy"
