"""The real OpenAI SDK reads what the responses dialect writes."""

from __future__ import annotations

import msgspec
import openai
import pytest

from headgate.core.messages import Answer, Choice, Opaque, Text, Thinking, ToolCall
from headgate.core.usage import Usage
from headgate.edge.dialects.openai_responses import OpenAIResponses
from tests.golden.dialects.scripts import SCRIPTS, encode
from tests.unit.edge.dialects.sdk import openai_client


def final(script: str):
    """What the SDK's own folding of the stream gives."""
    client = openai_client(encode("openai_responses", SCRIPTS[script]))
    with client.responses.stream(model="m", input="?") as stream:
        return stream.get_final_response()


def last(script: str):
    """The last event, for streams that do not complete."""
    client = openai_client(encode("openai_responses", SCRIPTS[script]))
    return list(client.responses.create(model="m", input="?", stream=True))[-1]


def test_text_comes_whole_with_usage() -> None:
    """Input with what came from the cache, output with reasoning."""
    response = final("text")
    assert response.output_text == 'Hello,\n"wörld" 🌍\u2028中'
    assert (response.id, response.model, response.status) == ("id_1", "model-9", "completed")
    usage = response.usage
    assert (usage.input_tokens, usage.input_tokens_details.cached_tokens) == (130, 100)
    assert usage.input_tokens_details.cache_write_tokens == 10
    assert (usage.output_tokens, usage.output_tokens_details.reasoning_tokens) == (16, 5)
    assert usage.total_tokens == 146


def test_parallel_calls_are_put_together() -> None:
    """Interleaved pieces end up at their item."""
    assert [(item.call_id, item.name, item.arguments) for item in final("parallel_tools").output] == [
        ("call_0", "weather", '{"city":"Köln"}'),
        ("call_1", "time", '{"zone":"CET"}'),
        ("call_2", "now", "{}"),
    ]


def test_items_of_one_kind_follow_each_other() -> None:
    """Text, two calls, text: four items, each done before the next begins, as nothing interleaves."""
    assert [item.type for item in final("calls_in_turn").output] == [
        "message",
        "function_call",
        "function_call",
        "message",
    ]
    client = openai_client(encode("openai_responses", SCRIPTS["calls_in_turn"]))
    order = [
        (event.type.rpartition(".")[2], event.output_index)
        for event in client.responses.create(model="m", input="?", stream=True)
        if event.type.startswith("response.output_item.")
    ]
    assert order == [(what, index) for index in range(4) for what in ("added", "done")]


def test_reasoning_is_a_summary_and_what_its_vendor_needs() -> None:
    """The signature goes out marked as Anthropic's, so that it comes back to nobody else."""
    reasoning, redacted, message, call = final("thinking").output
    assert [part.text for part in reasoning.summary] == ["Let me see."]
    assert reasoning.encrypted_content == "anthropic:c2ln"
    assert (redacted.summary, redacted.encrypted_content) == ([], "anthropic-redacted:c2VjcmV0")
    assert message.content[0].text == "It is 42."
    assert call.arguments == '{"n":42}'


def test_a_refusal_is_a_part_of_its_own() -> None:
    """Not output text."""
    assert final("refusal").output[0].content[0].to_dict() == {"type": "refusal", "refusal": "I can't"}


@pytest.mark.parametrize(
    ("script", "reason"), [("max_tokens", "max_output_tokens"), ("filtered", "content_filter")]
)
def test_an_incomplete_response_says_why(script: str, reason: str) -> None:
    """It ends with `response.incomplete`."""
    event = last(script)
    assert event.type == "response.incomplete"
    assert (event.response.status, event.response.incomplete_details.reason) == ("incomplete", reason)


@pytest.mark.parametrize("script", ["empty", "stop_sequence", "two_choices"])
def test_other_endings_are_complete(script: str) -> None:
    """The first choice only."""
    assert last(script).response.status == "completed"


def test_an_error_in_the_stream_raises() -> None:
    """The SDK raises the error event; who reads on finds the failed response."""
    body = encode("openai_responses", SCRIPTS["error"])
    with pytest.raises(openai.APIError) as raised:
        list(openai_client(body).responses.create(model="m", input="?", stream=True))
    assert raised.value.code == "provider_overloaded"
    assert b"response.failed" in body


def test_a_whole_answer_is_a_response() -> None:
    """Items in their order, neighbouring texts in one message."""
    raw = (
        b'{"id":"ws_1","type":"web_search_call","status":"completed","action":{"type":"search","query":"x"}}'
    )
    answer = Answer(
        id="resp_1",
        model="m-2",
        choices=[
            Choice(
                parts=[
                    Thinking(text="Hm.", signature="openai:enc"),
                    Opaque(wire="openai.responses", raw=msgspec.Raw(raw)),
                    Text(text="a"),
                    Text(text="b"),
                    ToolCall(id="call_1", name="f", arguments='{"a":1}'),
                ],
                stop_reason="max_tokens",
            )
        ],
        usage=Usage(input=1, output=2),
        extra={"temperature": msgspec.Raw(b"0.5"), "status": msgspec.Raw(b'"completed"')},
        extra_wire="openai.responses",
    )
    body = OpenAIResponses(now=lambda: 7.0).whole(answer)
    read = openai_client(body).responses.create(model="m", input="?")
    assert [item.type for item in read.output] == [
        "reasoning",
        "web_search_call",
        "message",
        "function_call",
    ]
    assert read.output_text == "ab"
    assert read.output[0].encrypted_content == "enc"
    assert (read.status, read.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert (read.created_at, read.temperature, read.usage.total_tokens) == (7, 0.5, 3)
