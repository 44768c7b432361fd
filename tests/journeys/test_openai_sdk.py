"""The real `openai` SDK against a started gateway, over every provider: what it returns, and what the provider received."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.support.recording_upstream import RecordingUpstream
from tests.support.sdks import Speaker
from tests.support.vendors import VECTORS, VENDORS, OpenAI, Said, ToolUse, Vendor

__all__: list[str] = []

every_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.provider)

TEXT = "Grüße! Das Wasser steht bei 3,20 m. 🌊"
ANSWER = Said(TEXT, prompt=25, cached=10, completion=7)
CALLS = Said(
    calls=(
        ToolUse("call_a1", "get_weather", {"city": "Zürich", "days": 3}),
        ToolUse("call_b2", "get_weather", {"city": "Rome", "days": 1}),
    )
)
RIGHT = Said('{"city": "Zürich", "degrees": 21}')
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: Any = [
    {"type": "function", "function": {"name": "get_weather", "description": "Now", "parameters": SCHEMA}}
]
FLAT_TOOLS: Any = [{"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": False}]
MESSAGES: Any = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "How high is the wäter?"},
]
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Weather(BaseModel):
    city: str
    degrees: int


def usage_of(usage: Any) -> tuple[int, int, int]:
    return usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens, usage.completion_tokens


@every_vendor
def test_a_chat_is_answered_whole(vendor: Vendor, sdk: Speaker, upstream: RecordingUpstream) -> None:
    """Text, reason and usage come back; model, roles, words, bound and our credentials arrive."""
    upstream.answer = vendor.says(ANSWER)
    raw = sdk.get(
        sdk.openai.chat.completions.with_raw_response.create(
            model=vendor.name, messages=MESSAGES, max_completion_tokens=99
        )
    )
    reply = sdk.get(raw.parse())
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == (TEXT, "stop")
    assert usage_of(reply.usage) == (25, 10, 7)
    assert reply.model, "also where the provider names no model"
    assert raw.headers["x-headgate-provider"] == vendor.provider
    assert raw.headers["x-headgate-model"] == vendor.model
    assert raw.headers["x-headgate-attempts"] == "1"
    assert raw.headers["x-request-id"].startswith("req_")
    received = upstream.only()
    assert (received.method, received.target) == ("POST", vendor.chat_path)
    assert vendor.authenticated(received)
    asked = vendor.asked(received)
    assert (asked.model, asked.stream, asked.max_tokens) == (vendor.model, False, 99)
    assert (asked.system, asked.texts) == ("Be brief.", ["How high is the wäter?"])


@every_vendor
def test_a_chat_is_streamed(vendor: Vendor, sdk: Speaker, upstream: RecordingUpstream) -> None:
    """Piece by piece, with usage at the end because it was asked for."""
    upstream.answer = vendor.says(ANSWER)
    chunks = sdk.events(
        sdk.openai.chat.completions.create(
            model=vendor.name, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    )
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert "".join(piece or "" for piece in pieces) == TEXT
    assert all(chunk.model for chunk in chunks)
    assert len([piece for piece in pieces if piece]) > 3, "the stream came in pieces"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert usage_of(chunks[-1].usage) == (25, 10, 7)
    received = upstream.only()
    assert received.target == (vendor.stream_path or vendor.chat_path)
    assert vendor.asked(received).stream


@every_vendor
def test_usage_nobody_asked_for_is_not_shown(
    vendor: Vendor, blocking: Speaker, upstream: RecordingUpstream
) -> None:
    """Headgate asks the provider for its own accounts; applications that index `choices[0]` must not see that."""
    upstream.answer = vendor.says(ANSWER)
    chunks = blocking.events(
        blocking.openai.chat.completions.create(model=vendor.name, messages=MESSAGES, stream=True)
    )
    assert all(chunk.choices for chunk in chunks)
    assert not any(chunk.usage for chunk in chunks)


@every_vendor
def test_tools_are_called_in_parallel(vendor: Vendor, sdk: Speaker, upstream: RecordingUpstream) -> None:
    """Whole, and folded by the SDK from deltas of their arguments."""
    upstream.answer = vendor.says(CALLS)
    ask: dict[str, Any] = {"model": vendor.name, "messages": MESSAGES, "tools": TOOLS}
    whole = sdk.get(sdk.openai.chat.completions.create(**ask))
    events, folded = sdk.fold(sdk.openai.chat.completions.stream(**ask), "get_final_completion")
    for reply in (whole, folded):
        choice = reply.choices[0]
        assert choice.finish_reason == "tool_calls"
        assert [call.id for call in choice.message.tool_calls] == ["call_a1", "call_b2"]
        assert [call.function.name for call in choice.message.tool_calls] == ["get_weather"] * 2
        arguments = [json.loads(call.function.arguments) for call in choice.message.tool_calls]
        assert arguments == [call.arguments for call in CALLS.calls]
    assert any(event.type == "tool_calls.function.arguments.delta" for event in events)
    assert [vendor.asked(each).tools for each in upstream.take()] == [["get_weather"]] * 2


@every_vendor
def test_results_of_tools_and_pictures_arrive(
    vendor: Vendor, blocking: Speaker, upstream: RecordingUpstream
) -> None:
    """The second turn of a conversation with tools, in the provider's own words."""
    upstream.answer = vendor.says(ANSWER)
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.text}}
        for call in CALLS.calls
    ]
    pictured = {"type": "image_url", "image_url": {"url": PIXEL}}
    messages: Any = [
        {"role": "user", "content": [{"type": "text", "text": "Weather here?"}, pictured]},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_a1", "content": "sünny"},
        {"role": "tool", "tool_call_id": "call_b2", "content": "rain"},
    ]
    blocking.openai.chat.completions.create(model=vendor.name, messages=messages, tools=TOOLS)
    asked = vendor.asked(upstream.only())
    assert asked.texts == ["Weather here?"]
    assert asked.images == 1
    assert asked.calls == [("get_weather", call.arguments) for call in CALLS.calls]
    assert [identity for identity, _ in asked.results] == ["call_a1", "call_b2"]
    assert "sünny" in asked.results[0][1]
    assert "rain" in asked.results[1][1]


@every_vendor
def test_answers_follow_a_schema(vendor: Vendor, sdk: Speaker, upstream: RecordingUpstream) -> None:
    """`parse` and `stream` give an instance of the caller's model; the provider received its schema."""
    upstream.answer = vendor.says(RIGHT)
    ask: dict[str, Any] = {"model": vendor.name, "messages": MESSAGES, "response_format": Weather}
    parsed = sdk.get(sdk.openai.chat.completions.parse(**ask))
    _, folded = sdk.fold(sdk.openai.chat.completions.stream(**ask), "get_final_completion")
    for reply in (parsed, folded):
        assert reply.choices[0].message.parsed == Weather(city="Zürich", degrees=21)
    for received in upstream.take():
        assert set(vendor.asked(received).schema["properties"]) == {"city", "degrees"}


@every_vendor
def test_a_response_is_answered_whole_and_streamed(
    vendor: Vendor, sdk: Speaker, upstream: RecordingUpstream
) -> None:
    """The newer API, also over providers that have never heard of it."""
    upstream.answer = vendor.says(ANSWER)
    ask: dict[str, Any] = {
        "model": vendor.name,
        "instructions": "Be brief.",
        "input": "How high is the wäter?",
        "max_output_tokens": 99,
    }
    whole = sdk.get(sdk.openai.responses.create(**ask))
    events, folded = sdk.fold(sdk.openai.responses.stream(**ask), "get_final_response")
    for reply in (whole, folded):
        assert (reply.output_text, reply.status) == (TEXT, "completed")
        usage = reply.usage
        assert (usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens) == (
            25,
            10,
            7,
        )
    kinds = [event.type for event in events]
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    assert kinds.count("response.output_text.delta") > 3
    whole_call, streamed_call = upstream.take()
    native = isinstance(vendor, OpenAI) and vendor.provider != "house"
    assert ("/responses" in whole_call.target) == native
    for received in (whole_call, streamed_call):
        asked = vendor.asked(received)
        assert (asked.system, asked.texts) == ("Be brief.", ["How high is the wäter?"])
        assert asked.max_tokens == 99
    assert [vendor.asked(each).stream for each in (whole_call, streamed_call)] == [False, True]


@every_vendor
def test_a_response_calls_tools_and_follows_a_schema(
    vendor: Vendor, sdk: Speaker, upstream: RecordingUpstream
) -> None:
    """Function calls as items, whole and folded; `parse` with the caller's model."""
    upstream.answer = vendor.says(CALLS)
    ask: dict[str, Any] = {"model": vendor.name, "input": "Weather?", "tools": FLAT_TOOLS}
    whole = sdk.get(sdk.openai.responses.create(**ask))
    _, folded = sdk.fold(sdk.openai.responses.stream(**ask), "get_final_response")
    for reply in (whole, folded):
        items = [item for item in reply.output if item.type == "function_call"]
        assert [(item.call_id, item.name) for item in items] == [(call.id, call.name) for call in CALLS.calls]
        assert [json.loads(item.arguments) for item in items] == [call.arguments for call in CALLS.calls]
    assert [vendor.asked(each).tools for each in upstream.take()] == [["get_weather"]] * 2
    upstream.answer = vendor.says(RIGHT)
    parsed = sdk.get(sdk.openai.responses.parse(model=vendor.name, input="Weather?", text_format=Weather))
    assert parsed.output_parsed == Weather(city="Zürich", degrees=21)
    assert set(vendor.asked(upstream.only()).schema["properties"]) == {"city", "degrees"}


@every_vendor
@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_texts_become_vectors(
    vendor: Vendor, sdk: Speaker, upstream: RecordingUpstream, encoding: Any
) -> None:
    """As numbers, packed, and as the SDK asks by itself; providers without embeddings say so."""
    upstream.answer = vendor.says(ANSWER)
    more = {} if encoding is None else {"encoding_format": encoding}
    call = lambda: sdk.get(sdk.openai.embeddings.create(model=vendor.name, input=["one", "two"], **more))  # noqa: E731
    if not vendor.embeds:
        with pytest.raises(openai.BadRequestError, match="offers no embeddings"):
            call()
        assert upstream.take() == []
        return
    made = call()
    assert made.model
    if encoding == "base64":
        assert all(isinstance(one.embedding, str) for one in made.data)
    else:
        assert [one.embedding for one in made.data] == VECTORS
    assert vendor.authenticated(upstream.only())


def test_models_are_listed(sdk: Speaker) -> None:
    """Features and models of the configuration, under the names a caller may use."""
    names = [model.id for model in sdk.events(sdk.openai.models.list())]
    assert {"small", "hurried"} <= set(names)


@pytest.mark.parametrize(
    ("name", "owner"), [("small", "headgate"), ("hurried", "headgate"), ("house/llama-3-8b", "house")]
)
def test_one_model_is_looked_up(name: str, owner: str, sdk: Speaker) -> None:
    """By the name a caller may use, slashes included; other names are not found, with near ones."""
    found = sdk.get(sdk.openai.models.retrieve(name))
    assert (found.id, found.owned_by, found.object) == (name, owner, "model")
    with pytest.raises(openai.NotFoundError, match="small"):
        sdk.get(sdk.openai.models.retrieve("smal"))


@pytest.mark.parametrize("name", ["small", "backed"])
def test_names_of_the_configuration_are_models(
    name: str, blocking: Speaker, upstream: RecordingUpstream
) -> None:
    """A model's or a feature's name is as good as provider and model; the provider sees its own name."""
    vendor = VENDORS[1]
    upstream.answer = vendor.says(ANSWER)
    reply = blocking.openai.chat.completions.create(model=name, messages=MESSAGES)
    assert reply.choices[0].message.content == TEXT
    assert vendor.asked(upstream.only()).model == "llama-3-8b"


def test_the_simulated_provider_answers_everything(sdk: Speaker, upstream: RecordingUpstream) -> None:
    """Chats, tools, structure, responses and vectors, without anything behind the gateway."""
    ask: dict[str, Any] = {
        "model": "sim/steady",
        "messages": [{"role": "user", "content": "What is the weather in Paris and in Rome?"}],
    }
    chat = sdk.openai.chat.completions
    whole = sdk.get(chat.create(**ask))
    _, folded = sdk.fold(chat.stream(**ask), "get_final_completion")
    assert whole.choices[0].message.content == folded.choices[0].message.content != ""
    _, called = sdk.fold(chat.stream(**ask, tools=TOOLS), "get_final_completion")
    assert [json.loads(call.function.arguments)["city"] for call in called.choices[0].message.tool_calls] == [
        "Paris",
        "Rome",
    ]
    assert sdk.get(chat.parse(**ask, response_format=Weather)).choices[0].message.parsed.city == "Paris"
    response = sdk.get(sdk.openai.responses.create(model="sim/steady", input="How do I bake bread?"))
    _, folded_response = sdk.fold(
        sdk.openai.responses.stream(model="sim/steady", input="How do I bake bread?"), "get_final_response"
    )
    assert response.output_text == folded_response.output_text != ""
    made = sdk.get(sdk.openai.embeddings.create(model="sim/sim-embed", input=["one", "two"]))
    assert len(made.data) == 2
    assert upstream.take() == []
