"""The real `anthropic` SDK against a started gateway, over every provider: what it returns, what the provider received."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest
from pydantic import BaseModel

from tests.support.recording_upstream import RecordingUpstream
from tests.support.sdks import Speaker
from tests.support.vendors import VENDORS, Said, ToolUse, Vendor

__all__: list[str] = []

every_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.provider)
thinking_vendor = pytest.mark.parametrize(
    "vendor", [vendor for vendor in VENDORS if vendor.thinks], ids=lambda vendor: vendor.provider
)

TEXT = "Grüße! Das Wasser steht bei 3,20 m. 🌊"
ANSWER = Said(TEXT, prompt=25, cached=10, completion=7)
THOUGHT = Said(TEXT, thinking="Erst messen, dann reden.", completion=20, reasoning=13)
CALLS = Said(
    "Ich schaue nach.",
    calls=(
        ToolUse("call_a1", "get_weather", {"city": "Zürich", "days": 3}),
        ToolUse("call_b2", "get_weather", {"city": "Rome", "days": 1}),
    ),
)
RIGHT = Said('{"city": "Zürich", "degrees": 21}')
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: Any = [{"name": "get_weather", "description": "Now", "input_schema": SCHEMA}]
MESSAGES: Any = [{"role": "user", "content": "How high is the wäter?"}]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Weather(BaseModel):
    city: str
    degrees: int


def usage_of(usage: Any) -> tuple[int, int, int]:
    return usage.input_tokens, usage.cache_read_input_tokens or 0, usage.output_tokens


@every_vendor
def test_a_message_is_answered_whole(vendor: Vendor, sdk: Speaker, upstream: RecordingUpstream) -> None:
    """Text, reason and usage in Anthropic's disjoint buckets; system prompt, words, bound and our credentials arrive."""
    upstream.answer = vendor.says(ANSWER)
    raw = sdk.get(
        sdk.anthropic.messages.with_raw_response.create(
            model=vendor.name, max_tokens=99, system="Be brief.", messages=MESSAGES
        )
    )
    reply = sdk.get(raw.parse())
    assert [block.text for block in reply.content] == [TEXT]
    assert (reply.role, reply.stop_reason) == ("assistant", "end_turn")
    assert usage_of(reply.usage) == (15, 10, 7)
    assert raw.headers["x-headgate-provider"] == vendor.provider
    assert raw.headers["request-id"].startswith("req_")
    received = upstream.only()
    assert (received.method, received.target) == ("POST", vendor.chat_path)
    assert vendor.authenticated(received)
    asked = vendor.asked(received)
    assert (asked.model, asked.stream, asked.max_tokens) == (vendor.model, False, 99)
    assert (asked.system, asked.texts) == ("Be brief.", ["How high is the wäter?"])


@every_vendor
def test_a_message_is_streamed(vendor: Vendor, sdk: Speaker, upstream: RecordingUpstream) -> None:
    """As plain events, and through the SDK's helper that folds them."""
    upstream.answer = vendor.says(ANSWER)
    ask: dict[str, Any] = {"model": vendor.name, "max_tokens": 99, "messages": MESSAGES}
    plain = sdk.events(sdk.anthropic.messages.create(**ask, stream=True))
    kinds = [event.type for event in plain if event.type != "ping"]
    assert (kinds[0], kinds[1], kinds[-2], kinds[-1]) == (
        "message_start",
        "content_block_start",
        "message_delta",
        "message_stop",
    )
    assert kinds.count("content_block_delta") > 3
    _, folded = sdk.fold(sdk.anthropic.messages.stream(**ask), "get_final_message")
    assert [block.text for block in folded.content] == [TEXT]
    assert folded.stop_reason == "end_turn"
    assert folded.model, "also where the provider names no model"
    assert usage_of(folded.usage) == (15, 10, 7)
    for received in upstream.take():
        assert received.target == (vendor.stream_path or vendor.chat_path)
        assert vendor.asked(received).stream


@every_vendor
def test_tools_are_called_in_parallel(vendor: Vendor, sdk: Speaker, upstream: RecordingUpstream) -> None:
    """Text first, then the calls; whole, and folded by the SDK from pieces of their arguments."""
    upstream.answer = vendor.says(CALLS)
    ask: dict[str, Any] = {"model": vendor.name, "max_tokens": 99, "messages": MESSAGES, "tools": TOOLS}
    whole = sdk.get(sdk.anthropic.messages.create(**ask))
    events, folded = sdk.fold(sdk.anthropic.messages.stream(**ask), "get_final_message")
    for reply in (whole, folded):
        assert reply.stop_reason == "tool_use"
        assert [block.type for block in reply.content] == ["text", "tool_use", "tool_use"]
        assert reply.content[0].text == CALLS.text
        calls = [(block.id, block.name, block.input) for block in reply.content[1:]]
        assert calls == [(call.id, call.name, call.arguments) for call in CALLS.calls]
    assert any(event.type == "input_json" for event in events)
    assert [vendor.asked(each).tools for each in upstream.take()] == [["get_weather"]] * 2


@every_vendor
def test_results_of_tools_and_pictures_arrive(
    vendor: Vendor, blocking: Speaker, upstream: RecordingUpstream
) -> None:
    """The second turn of a conversation with tools, in the provider's own words."""
    upstream.answer = vendor.says(ANSWER)
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    messages: Any = [
        {"role": "user", "content": [{"type": "text", "text": "Weather here?"}, picture]},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
                for call in CALLS.calls
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_a1", "content": "sünny"},
                {
                    "type": "tool_result",
                    "tool_use_id": "call_b2",
                    "content": [{"type": "text", "text": "rain"}],
                },
                {"type": "text", "text": "So?"},
            ],
        },
    ]
    blocking.anthropic.messages.create(model=vendor.name, max_tokens=9, messages=messages, tools=TOOLS)
    asked = vendor.asked(upstream.only())
    assert asked.texts == ["Weather here?", "So?"]
    assert asked.images == 1
    assert asked.calls == [("get_weather", call.arguments) for call in CALLS.calls]
    assert [identity for identity, _ in asked.results] == ["call_a1", "call_b2"]
    assert "sünny" in asked.results[0][1]
    assert "rain" in asked.results[1][1]


@thinking_vendor
def test_thinking_is_shown(vendor: Vendor, sdk: Speaker, upstream: RecordingUpstream) -> None:
    """As blocks of their own before the text, whole and streamed."""
    upstream.answer = vendor.says(THOUGHT)
    ask: dict[str, Any] = {
        "model": vendor.name,
        "max_tokens": 4000,
        "messages": MESSAGES,
        "thinking": {"type": "enabled", "budget_tokens": 2048},
    }
    whole = sdk.get(sdk.anthropic.messages.create(**ask))
    events, folded = sdk.fold(sdk.anthropic.messages.stream(**ask), "get_final_message")
    for reply in (whole, folded):
        assert [block.type for block in reply.content] == ["thinking", "text"]
        assert reply.content[0].thinking == THOUGHT.thinking
        assert reply.content[1].text == TEXT
        assert reply.usage.output_tokens == 20
    assert any(event.type == "thinking" for event in events)
    for received in upstream.take():
        assert b"2048" in received.body or b"adaptive" in received.body, "the wish to think arrived"


@every_vendor
def test_answers_follow_a_schema(vendor: Vendor, sdk: Speaker, upstream: RecordingUpstream) -> None:
    """`parse` and `stream` give an instance of the caller's model; the provider received its schema."""
    upstream.answer = vendor.says(RIGHT)
    ask: dict[str, Any] = {
        "model": vendor.name,
        "max_tokens": 99,
        "messages": MESSAGES,
        "output_format": Weather,
    }
    parsed = sdk.get(sdk.anthropic.messages.parse(**ask))
    _, folded = sdk.fold(sdk.anthropic.messages.stream(**ask), "get_final_message")
    for reply in (parsed, folded):
        assert reply.parsed_output == Weather(city="Zürich", degrees=21)
    for received in upstream.take():
        assert set(vendor.asked(received).schema["properties"]) == {"city", "degrees"}


@every_vendor
def test_tokens_are_counted(vendor: Vendor, sdk: Speaker, upstream: RecordingUpstream) -> None:
    """By the provider where it can, else by our estimate."""
    upstream.answer = vendor.says(ANSWER)
    counted = sdk.get(sdk.anthropic.messages.count_tokens(model=vendor.name, messages=MESSAGES))
    if vendor.counts:
        assert counted.input_tokens == 42
        assert vendor.authenticated(upstream.only())
    else:
        assert 4 <= counted.input_tokens <= 40
        assert upstream.take() == []


def test_models_are_listed(sdk: Speaker) -> None:
    """Features and models of the configuration, in Anthropic's pages."""
    names = [model.id for model in sdk.events(sdk.anthropic.models.list())]
    assert {"small", "hurried"} <= set(names)


def test_one_model_is_looked_up(sdk: Speaker) -> None:
    """By the name a caller may use."""
    found = sdk.get(sdk.anthropic.models.retrieve("small"))
    assert (found.id, found.type, found.display_name) == ("small", "model", "small")
    with pytest.raises(anthropic.NotFoundError, match="small"):
        sdk.get(sdk.anthropic.models.retrieve("smal"))


def test_the_simulated_provider_answers_everything(sdk: Speaker, upstream: RecordingUpstream) -> None:
    """Messages, thinking, tools and structure, without anything behind the gateway."""
    ask: dict[str, Any] = {
        "model": "sim/steady",
        "max_tokens": 2000,
        "messages": [{"role": "user", "content": "What is the weather in Paris and in Rome?"}],
    }
    messages = sdk.anthropic.messages
    whole = sdk.get(messages.create(**ask))
    _, folded = sdk.fold(messages.stream(**ask), "get_final_message")
    assert whole.content[0].text == folded.content[0].text != ""
    thinking = {"type": "enabled", "budget_tokens": 1024}
    _, thought = sdk.fold(messages.stream(**ask, thinking=thinking), "get_final_message")
    assert [block.type for block in thought.content] == ["thinking", "text"]
    _, called = sdk.fold(messages.stream(**ask, tools=TOOLS), "get_final_message")
    assert [block.input["city"] for block in called.content if block.type == "tool_use"] == ["Paris", "Rome"]
    assert sdk.get(messages.parse(**ask, output_format=Weather)).parsed_output.city == "Paris"
    assert sdk.get(messages.count_tokens(model="sim/steady", messages=ask["messages"])).input_tokens > 0
    assert upstream.take() == []
