"""The wire `openai.chat` against its golden files, and against the vendor's own SDK types."""

from __future__ import annotations

import json
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)

from headgate.core.errors import (
    ContextTooLong,
    GatewayError,
    ProviderOverloaded,
    UnsupportedRequest,
    UpstreamMalformed,
)
from headgate.core.messages import EmbeddingsRequest
from headgate.providers.port import Glimpse
from headgate.providers.wires.openai_chat import OpenAIChat
from tests.support.wires import UNHURRIED, cases, plain_answer, request_from

__all__: list[str] = []

WIRE = OpenAIChat()
REQUESTS = cases("openai", "chat_requests.json")
SDK: dict[bool, pydantic.TypeAdapter[Any]] = {
    False: pydantic.TypeAdapter(CompletionCreateParamsNonStreaming),
    True: pydantic.TypeAdapter(CompletionCreateParamsStreaming),
}
NOT_OPENAIS = {"top_k", "reasoning_content"}


def named(case: dict[str, Any]) -> str:
    return str(case["about"])


def body_of(case: dict[str, Any]) -> Any:
    return json.loads(OpenAIChat(**case.get("wire", {})).encode(request_from(case["request"]), case["model"]))


@pytest.mark.parametrize("case", REQUESTS, ids=named)
def test_a_request_is_written_as_the_documentation_shows(case):
    """Canonical in, exactly this JSON out."""
    assert body_of(case) == case["body"]


@pytest.mark.parametrize("case", REQUESTS, ids=named)
def test_what_is_written_fits_the_sdks_own_types(case):
    """The SDK's types take the body, and know each of its top-level fields."""
    body = body_of(case)
    kind = SDK[bool(body.get("stream"))]
    kind.validate_python(body)
    assert set(body) - NOT_OPENAIS <= set(CompletionCreateParamsStreaming.__annotations__)


@pytest.mark.parametrize(
    ("parts", "role", "why"),
    [
        ([{"type": "file", "url": "https://e.org/a.pdf"}], "user", "a file by URL"),
        ([{"type": "file", "file_id": "file_011"}], "user", "another vendor's file id"),
        (
            [{"type": "opaque", "wire": "anthropic.messages", "raw": {"type": "search_result"}}],
            "user",
            "anthropic.messages",
        ),
        ([{"type": "tool_call", "id": "c", "name": "f"}], "user", "belongs to the assistant"),
        ([{"type": "image", "url": "https://e.org/a.png"}], "assistant", "holds a image"),
    ],
)
def test_what_would_be_lost_is_refused(parts, role, why):
    """A part the wire has no word for is named, not dropped: the answer would be to another question."""
    request = {"model": "f", "messages": [{"role": role, "parts": parts}], "extra_wire": "anthropic.messages"}
    with pytest.raises(UnsupportedRequest, match=why):
        WIRE.encode(request_from(request), "m")


def test_another_vendors_own_tool_is_refused_by_name():
    """A server tool runs at its vendor alone."""
    tools = [{"name": "web_search_20250305", "opaque": {"type": "web_search_20250305"}}]
    request = request_from({"model": "f", "messages": [], "tools": tools, "extra_wire": "anthropic.messages"})
    with pytest.raises(UnsupportedRequest, match="web_search_20250305"):
        WIRE.encode(request, "m")


def test_a_chat_gives_no_embeddings():
    """The wrong kind of request is the caller's mistake, not a crash."""
    with pytest.raises(UnsupportedRequest):
        WIRE.encode(EmbeddingsRequest(model="f", inputs=["a"]), "m")


@pytest.mark.parametrize(
    ("budget", "effort"),
    [(None, None), (0, None), (1024, "low"), (4096, "medium"), (16384, "high"), (64000, "high")],
)
def test_a_budget_of_thinking_becomes_a_word(budget, effort):
    """The table of `effort_of`; nothing is said for no budget, as models that cannot reason refuse the field."""
    request = {"model": "f", "messages": [], "thinking_budget": budget}
    assert json.loads(WIRE.encode(request_from(request), "m")).get("reasoning_effort") == effort


def test_an_effort_said_in_words_wins():
    """OpenAI's `none` reaches the canonical request as budget 0 and effort `none`."""
    request = {"model": "f", "messages": [], "thinking_budget": 0, "effort": "none"}
    assert json.loads(WIRE.encode(request_from(request), "m"))["reasoning_effort"] == "none"


@pytest.mark.parametrize("case", cases("openai", "chat_replies.json"), ids=named)
def test_a_whole_reply_is_read(case):
    """The vendor's JSON in, the canonical answer out."""
    assert plain_answer(WIRE.decode(json.dumps(case["reply"]).encode())) == case["answer"]


@pytest.mark.parametrize("case", cases("openai", "chat_replies.json")[:2], ids=named)
def test_the_golden_replies_are_what_the_sdk_reads(case):
    """Fixtures are written from the documentation; the SDK's own model keeps them honest."""
    ChatCompletion.model_validate(case["reply"])


def test_unknown_fields_of_a_reply_stay_byte_exact():
    """A number keeps the digits the provider wrote."""
    answer = WIRE.decode(b'{"choices":[{"message":{"content":"x"}}],"cost" : 1.500,"o":{ "a":1 }}')
    assert {name: bytes(raw) for name, raw in answer.extra.items()} == {"cost": b"1.500", "o": b'{ "a":1 }'}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"choices":[]}',
        b'{"choices":[{"message":{"content":1}}]}',
        b'{"choices":[{"message":{}}],"usage":{"prompt_tokens":-1}}',
        b'{"choices":[{"message":{}}],"usage":{"prompt_tokens":1e300}}',
        b'{"choices":[{"message":{}}],"created":1e300}',
    ],
)
def test_what_is_no_answer_is_malformed(body):
    """Never an empty answer that looks like one."""
    with pytest.raises(UpstreamMalformed):
        WIRE.decode(body)


def test_an_error_sent_with_status_200_is_an_error():
    """Routers do that when the model behind them fails after they have begun."""
    with pytest.raises(ContextTooLong):
        WIRE.decode(b'{"error":{"message":"too long","code":"context_length_exceeded"}}')


def test_an_answer_broken_off_by_an_error_is_an_error():
    """Routers say it in the choice, beside what there is of the answer."""
    choice = {
        "message": {"content": "Once"},
        "finish_reason": "error",
        "error": {"code": 503, "message": "gone"},
    }
    with pytest.raises(ProviderOverloaded):
        WIRE.decode(json.dumps({"choices": [choice]}).encode())


SAID = {
    "finish_reason": st.sampled_from(
        [None, "", "stop", "length", "tool_calls", "content_filter", "eos", "odd", 7]
    ),
    "stop_reason": st.sampled_from([None, "", "END", 7]),
    "message": st.none()
    | st.fixed_dictionaries(
        {"role": st.just("assistant")},
        optional={
            "content": st.sampled_from([None, "hi", "a\nb", []]),
            "tool_calls": st.sampled_from([None, [], [{"id": "c", "function": {"name": "f"}}]]),
            "function_call": st.sampled_from([None, {"name": "f", "arguments": "{}"}]),
        },
    ),
}
COUNT = st.sampled_from([None, 0, 1, 7, 200, -1, 2**60, "3"])
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from([None, "", "m1", 3]),
        "system_fingerprint": st.sampled_from([None, "", "fp_1", "f" * 200, 3]),
        "choices": st.lists(st.fixed_dictionaries({}, optional=SAID), max_size=3),
        "timings": st.fixed_dictionaries(
            {}, optional={"prompt_n": COUNT, "predicted_n": COUNT, "cache_n": COUNT}
        ),
        "usage": st.none()
        | st.fixed_dictionaries(
            {},
            optional={
                "prompt_tokens": COUNT,
                "completion_tokens": COUNT,
                "total_tokens": COUNT,
                "prompt_cache_hit_tokens": COUNT,
                "prompt_tokens_details": st.none()
                | st.fixed_dictionaries({}, optional={"cached_tokens": COUNT, "cache_write_tokens": COUNT}),
                "completion_tokens_details": st.none()
                | st.fixed_dictionaries({}, optional={"reasoning_tokens": COUNT}),
            },
        ),
    },
)


@UNHURRIED
@given(ANSWERS)
def test_a_glance_sees_what_reading_it_all_would(said):
    """Model, usage, system and why it stopped, of whatever can be read at all."""
    body = json.dumps(said).encode()
    try:
        answer = OpenAIChat().decode(body)
    except GatewayError:
        return
    seen = OpenAIChat().glance(body)
    stop = answer.choices[0].stop_reason
    found = seen.stop_reason if isinstance(seen, Glimpse) else seen.choices[0].stop_reason
    assert (seen.model, seen.usage, seen.fingerprint, found) == (
        answer.model,
        answer.usage,
        answer.fingerprint,
        stop,
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"choices":[]}',
        b'{"error":{"message":"no"}}',
        b'{"choices":[{"finish_reason":"stop"},{"finish_reason":"error","error":{"message":"no"}}]}',
    ],
)
def test_what_is_no_answer_is_refused_at_a_glance_too(body):
    """With the same error."""
    with pytest.raises(GatewayError) as read:
        OpenAIChat().decode(body)
    with pytest.raises(GatewayError) as glanced:
        OpenAIChat().glance(body)
    assert (type(glanced.value), glanced.value.message) == (type(read.value), read.value.message)
