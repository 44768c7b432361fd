"""What an application says beside its words, and what it says on the next turn, reaches every provider in its own terms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from tests.support.gateway import RunningGateway
from tests.support.recording_upstream import Answered, Received, RecordingUpstream
from tests.support.records import shown
from tests.support.sdks import Speaker
from tests.support.vendors import VENDORS, Said, ToolUse, Vendor

__all__: list[str] = []

every_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.provider)
BY_NAME = {vendor.provider: vendor for vendor in VENDORS}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: Any = [
    {"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("weather", "time")
]
SIGNED = ["claude", "bedrock"]


@every_vendor
@pytest.mark.parametrize("forced", ["", "any", "weather"])
def test_a_chats_wishes_arrive(
    vendor: Vendor, forced: str, blocking: Speaker, upstream: RecordingUpstream
) -> None:
    """Words to stop at, a bound in its older spelling, and whether a tool must be called."""
    upstream.answer = vendor.says(Said("Done."))
    choice: Any = {"": "auto", "any": "required"}.get(
        forced, {"type": "function", "function": {"name": forced}}
    )
    blocking.openai.chat.completions.create(
        model=vendor.name,
        messages=[{"role": "user", "content": "Go."}],
        stop=["END", "FIN"],
        max_tokens=77,
        tools=TOOLS,
        tool_choice=choice,
    )
    asked = vendor.asked(upstream.only())
    assert (asked.stop, asked.max_tokens) == (["END", "FIN"], 77)
    assert (asked.tools, asked.choice) == (["weather", "time"], forced)


@every_vendor
@pytest.mark.parametrize("forced", ["", "any", "weather"])
def test_a_messages_wishes_arrive(
    vendor: Vendor, forced: str, blocking: Speaker, upstream: RecordingUpstream
) -> None:
    """The same in Anthropic's words."""
    upstream.answer = vendor.says(Said("Done."))
    choice: Any = {"": {"type": "auto"}, "any": {"type": "any"}}.get(forced, {"type": "tool", "name": forced})
    blocking.anthropic.messages.create(
        model=vendor.name,
        max_tokens=77,
        messages=[{"role": "user", "content": "Go."}],
        stop_sequences=["END", "FIN"],
        tools=[{"name": name, "input_schema": SCHEMA} for name in ("weather", "time")],
        tool_choice=choice,
    )
    asked = vendor.asked(upstream.only())
    assert (asked.stop, asked.max_tokens) == (["END", "FIN"], 77)
    assert (asked.tools, asked.choice) == (["weather", "time"], forced)


@every_vendor
def test_a_responses_own_items_can_be_sent_back(
    vendor: Vendor, sdk: Speaker, upstream: RecordingUpstream
) -> None:
    """As OpenAI's guide does it: append `response.output`, add the tool's result, ask again."""
    call = ToolUse("call_a1", "weather", {"city": "Zürich"})
    upstream.answer = vendor.says(Said("I look.", calls=(call,)))
    tools: Any = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}]
    given: list[Any] = [{"role": "user", "content": "Weather?"}]
    first = sdk.get(sdk.openai.responses.create(model=vendor.name, input=given, tools=tools))
    upstream.take()
    given += first.output
    given.append({"type": "function_call_output", "call_id": "call_a1", "output": "sunny"})
    upstream.answer = vendor.says(Said("Sunny."))
    second = sdk.get(sdk.openai.responses.create(model=vendor.name, input=given, tools=tools))
    assert second.output_text == "Sunny."
    asked = vendor.asked(upstream.only())
    assert asked.calls == [("weather", {"city": "Zürich"})]
    assert asked.results[0][0] == "call_a1" and "sunny" in asked.results[0][1]


@pytest.mark.parametrize("provider", SIGNED)
@pytest.mark.parametrize("dialect", ["messages", "responses"])
def test_signed_thinking_comes_back_to_who_signed_it(
    provider: str, dialect: str, sdk: Speaker, upstream: RecordingUpstream
) -> None:
    """An answer with tools goes on only if the model's own reasoning comes back to it, signature included."""
    vendor = BY_NAME[provider]
    call = ToolUse("call_a1", "weather", {"city": "Rome"})
    upstream.answer = vendor.says(Said("I look.", thinking="Rome, then.", calls=(call,)))
    if dialect == "messages":
        ask: dict[str, Any] = {"model": vendor.name, "max_tokens": 4000}
        ask["tools"] = [{"name": "weather", "input_schema": SCHEMA}]
        ask["thinking"] = {"type": "enabled", "budget_tokens": 2048}
        turns: list[Any] = [{"role": "user", "content": "Weather?"}]
        _, reply = sdk.fold(sdk.anthropic.messages.stream(**ask, messages=turns), "get_final_message")
        turns.append({"role": "assistant", "content": reply.content})
        result = {"type": "tool_result", "tool_use_id": "call_a1", "content": "sunny"}
        turns.append({"role": "user", "content": [result]})
        upstream.take()
        sdk.get(sdk.anthropic.messages.create(**ask, messages=turns))
    else:
        more: dict[str, Any] = {"model": vendor.name, "reasoning": {"effort": "low"}}
        more["tools"] = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}]
        given: list[Any] = [{"role": "user", "content": "Weather?"}]
        _, response = sdk.fold(sdk.openai.responses.stream(**more, input=given), "get_final_response")
        given += [item.to_dict() for item in response.output]
        given.append({"type": "function_call_output", "call_id": "call_a1", "output": "sunny"})
        upstream.take()
        sdk.get(sdk.openai.responses.create(**more, input=given))
    asked = vendor.asked(upstream.only())
    assert asked.thoughts == [("Rome, then.", "c2lnbmVk")]
    assert asked.results[0][0] == "call_a1"


@every_vendor
def test_a_conversation_kept_at_the_vendor_goes_there_or_nowhere(
    vendor: Vendor, blocking: Speaker, upstream: RecordingUpstream
) -> None:
    """A provider that knows nothing of it would answer without what was said before: that is refused, not done."""
    upstream.answer = vendor.says(Said("Go on."))
    ask: dict[str, Any] = {"model": vendor.name, "input": "And?", "previous_response_id": "resp_9"}
    if vendor.provider in ("openai", "azure"):
        assert blocking.openai.responses.create(**ask).output_text == "Go on."
        assert upstream.only().json["previous_response_id"] == "resp_9"
        return
    with pytest.raises(openai.BadRequestError, match="previous_response_id") as raised:
        blocking.openai.responses.create(**ask)
    assert raised.value.param == "previous_response_id"
    assert upstream.take() == []


def test_several_answers_at_once(blocking: Speaker, upstream: RecordingUpstream) -> None:
    """Where a provider gives one answer only, `n` is refused rather than ignored."""
    ask: dict[str, Any] = {"messages": [{"role": "user", "content": "Go."}], "n": 2}
    for provider in SIGNED:
        upstream.answer = BY_NAME[provider].says(Said("never"))
        with pytest.raises(openai.BadRequestError) as raised:
            blocking.openai.chat.completions.create(model=BY_NAME[provider].name, **ask)
        assert raised.value.param == "n"
    assert upstream.take() == []


def failing_at_first(received: Received) -> Answered:
    """The house server is overloaded, Anthropic answers."""
    if received.target.startswith("/v1/chat"):
        return BY_NAME["house"].refuses(503, "later")(received)
    return BY_NAME["claude"].says(Said("From the second."))(received)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_another_provider_takes_over_and_the_sdks_do_not_notice(
    stream: bool, sdk: Speaker, upstream: RecordingUpstream, gateway: RunningGateway
) -> None:
    """One is overloaded, one unreachable, the third answers in another wire; headers and record tell of all three."""
    upstream.answer = failing_at_first
    ask: dict[str, Any] = {"model": "backed", "messages": [{"role": "user", "content": "Go."}]}
    raw = sdk.get(sdk.openai.chat.completions.with_raw_response.create(**ask, stream=stream))
    said = sdk.get(raw.parse())
    if stream:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in sdk.events(said))
    else:
        text = said.choices[0].message.content
    assert text == "From the second."
    assert raw.headers["x-headgate-attempts"] == "3"
    assert raw.headers["x-headgate-fallback"] == "true"
    assert raw.headers["x-headgate-provider"] == "claude"
    assert [received.target for received in upstream.take()] == ["/v1/chat/completions", "/v1/messages"]
    record = shown(gateway, raw.headers["x-request-id"])
    assert (record.request.outcome, record.request.feature) == ("ok", "backed")
    assert [(attempt.provider, attempt.error_class) for attempt in record.attempts] == [
        ("house", "provider_overloaded"),
        ("nobody", "connect_failed"),
        ("claude", ""),
    ]


def endless(received: Received) -> Answered:
    """Words without end."""

    async def words() -> AsyncIterator[bytes]:
        pieces = BY_NAME["house"].pieces(Said("word " * 3))
        yield pieces[0]
        while True:
            yield pieces[1]
            await asyncio.sleep(0.01)

    return Answered(words(), headers=[("content-type", "text/event-stream")])


def test_an_application_that_has_read_enough_leaves(
    blocking: Speaker, upstream: RecordingUpstream, gateway: RunningGateway
) -> None:
    """Closing the SDK's stream is no failure of the provider; it is written down as what it is, and estimated."""
    upstream.answer = endless
    asked = blocking.openai.chat.completions.with_streaming_response.create(
        model="small", messages=[{"role": "user", "content": "Go."}], stream=True
    )
    with asked as response:
        request_id = response.headers["x-request-id"]
        chunks = iter(response.parse())
        assert "".join(next(chunks).choices[0].delta.content or "" for _ in range(5)).startswith("word")
    record = shown(gateway, request_id)
    assert record.request.outcome == "hung_up"
    assert record.attempts[0].cost_label in ("estimated", "unknown")
    assert record.request.output_tokens > 0
    upstream.only()


@pytest.mark.parametrize("provider", ["openai", "house", "azure"])
def test_a_server_that_does_not_stream_still_answers_a_stream(
    provider: str, sdk: Speaker, upstream: RecordingUpstream
) -> None:
    """Its whole answer comes as events in the caller's dialect, not as a stream with nothing in it."""
    vendor = BY_NAME[provider]
    call = ToolUse("call_a1", "weather", {"city": "Rome"})
    upstream.answer = lambda received: Answered(vendor.whole(Said("All at once.", calls=(call,))))
    ask: Any = {"model": vendor.name, "messages": [{"role": "user", "content": "Go."}]}
    _, chat = sdk.fold(sdk.openai.chat.completions.stream(**ask, tools=TOOLS), "get_final_completion")
    message = chat.choices[0].message
    assert (message.content, chat.choices[0].finish_reason) == ("All at once.", "tool_calls")
    assert [one.function.arguments for one in message.tool_calls] == [call.text]
    _, folded = sdk.fold(sdk.anthropic.messages.stream(**ask, max_tokens=9), "get_final_message")
    assert [block.type for block in folded.content] == ["text", "tool_use"]


@pytest.mark.parametrize("provider", ["house", "claude", "gemini"])
def test_beta_requests_reach_the_same_road(provider: str, sdk: Speaker, upstream: RecordingUpstream) -> None:
    """`client.beta.messages` adds a query and a header; the header goes on to Anthropic and to nobody else."""
    vendor = BY_NAME[provider]
    upstream.answer = vendor.says(Said("Hi."))
    ask: Any = {"model": vendor.name, "max_tokens": 9, "messages": [{"role": "user", "content": "Go."}]}
    ask["betas"] = ["context-1m-2025-08-07"]
    reply = sdk.get(sdk.anthropic.beta.messages.create(**ask))
    _, folded = sdk.fold(sdk.anthropic.beta.messages.stream(**ask), "get_final_message")
    assert reply.content[0].text == folded.content[0].text == "Hi."
    expected = "context-1m-2025-08-07" if provider == "claude" else None
    assert [received.header("anthropic-beta") for received in upstream.take()] == [expected] * 2


def test_who_asks_and_why_is_recorded(
    blocking: Speaker, upstream: RecordingUpstream, gateway: RunningGateway
) -> None:
    """Headers beside the SDK's own arguments, and the caller's trace."""
    upstream.answer = BY_NAME["house"].says(Said("Hi."))
    raw = blocking.openai.chat.completions.with_raw_response.create(
        model="small",
        messages=[{"role": "user", "content": "Go."}],
        extra_headers={
            "x-headgate-user": "bob",
            "x-headgate-session": "s1",
            "x-headgate-tags": "team=a,run=7",
            "x-headgate-feature": "backed",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        },
    )
    row = shown(gateway, raw.headers["x-request-id"]).request
    assert (row.user, row.session, row.feature) == ("bob", "s1", "backed")
    assert row.tags == '{"team":"a","run":"7"}'
    assert (row.trace_id, row.parent_id) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


@every_vendor
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", ["chat", "messages", "responses"])
def test_usage_is_recorded_exactly(
    vendor: Vendor,
    stream: bool,
    dialect: str,
    blocking: Speaker,
    upstream: RecordingUpstream,
    gateway: RunningGateway,
) -> None:
    """In disjoint buckets, however the provider counts and whatever the caller speaks; without a price the cost is
    unknown, never zero."""
    upstream.answer = vendor.says(Said("All of it.", prompt=25, cached=10, completion=7))
    said: Any = [{"role": "user", "content": "Go."}]
    ask: Any = {"model": vendor.name, "stream": stream}
    if dialect == "chat":
        raw = blocking.openai.chat.completions.with_raw_response.create(**ask, messages=said)
    elif dialect == "responses":
        raw = blocking.openai.responses.with_raw_response.create(**ask, input="Go.")
    else:
        raw = blocking.anthropic.messages.with_raw_response.create(**ask, messages=said, max_tokens=9)
    reply = raw.parse()
    if stream:
        assert len(list(reply)) > 2
    record = shown(gateway, raw.headers["x-request-id"])
    row = record.request
    assert (row.input_tokens, row.cache_read_tokens, row.cache_write_tokens) == (15, 10, 0)
    assert row.output_tokens + row.reasoning_tokens == 7
    assert (row.outcome, row.stream, row.provider) == ("ok", stream, vendor.provider)
    assert (row.cost_label, bool(row.cost_nanos)) in (("exact", True), ("unknown", False))
    assert row.cost_nanos is None or row.cost_label == "exact"
    assert record.reply_text == "All of it."
    assert len(record.attempts) == 1
