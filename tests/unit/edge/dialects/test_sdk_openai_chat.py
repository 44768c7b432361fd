"""The real OpenAI SDK reads what the chat dialect writes."""

from __future__ import annotations

import msgspec
import openai
import pytest

from headgate.core.messages import Answer, Choice, Opaque, Text, Thinking, ToolCall
from headgate.core.usage import Usage
from headgate.edge.dialects.openai_chat import OpenAIChat
from tests.golden.dialects.scripts import SCRIPTS, encode
from tests.unit.edge.dialects.sdk import openai_client

ASKED = [{"role": "user", "content": "?"}]


def chunks(script: str):
    client = openai_client(encode("openai_chat", SCRIPTS[script]))
    return list(client.chat.completions.create(model="m", messages=ASKED, stream=True))


def final(script: str):
    """What the SDK's own folding of the stream gives."""
    client = openai_client(encode("openai_chat", SCRIPTS[script]))
    with client.chat.completions.stream(model="m", messages=ASKED) as stream:
        return stream.get_final_completion()


def test_text_comes_whole_with_usage_at_the_end() -> None:
    """Text in pieces, characters of several bytes among them, then the usage in a chunk without choices."""
    read = chunks("text")
    said = "".join(chunk.choices[0].delta.content or "" for chunk in read if chunk.choices)
    assert said == 'Hello,\n"wörld" 🌍\u2028中'
    assert (read[0].id, read[0].model, read[0].created) == ("id_1", "model-9", 1_600_000_000)
    assert [chunk.choices[0].finish_reason for chunk in read if chunk.choices][-1] == "stop"
    last = read[-1]
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (130, 16, 146)
    assert last.usage.prompt_tokens_details.cached_tokens == 100
    assert last.usage.completion_tokens_details.reasoning_tokens == 5


def test_usage_is_left_out_unless_asked_for() -> None:
    """Without `stream_options.include_usage` no chunk speaks of usage."""
    dialect = OpenAIChat()
    peek = dialect.peek(b'{"model":"m","stream":true}')
    written = dialect.encoder(peek).feed(SCRIPTS["text"])
    assert b"usage" not in written
    assert written.endswith(b"data: [DONE]\n\n")


def test_parallel_calls_are_put_together() -> None:
    """Interleaved pieces end up at their call; a call without arguments has the empty object."""
    calls = final("parallel_tools").choices[0].message.tool_calls
    assert [(call.id, call.function.name, call.function.arguments) for call in calls] == [
        ("call_0", "weather", '{"city":"Köln"}'),
        ("call_1", "time", '{"zone":"CET"}'),
        ("call_2", "now", "{}"),
    ]
    assert final("parallel_tools").choices[0].finish_reason == "tool_calls"


def test_calls_decide_the_finish_reason() -> None:
    """A provider that ends such a turn like any other is corrected."""
    assert final("calls_in_turn").choices[0].finish_reason == "tool_calls"


def test_reasoning_is_beside_content() -> None:
    """`reasoning_content`, as the compatible servers write it; ciphertext is not shown."""
    read = chunks("thinking")
    thought = "".join(getattr(c.choices[0].delta, "reasoning_content", "") for c in read if c.choices)
    assert thought == "Let me see."
    assert final("thinking").choices[0].message.content == "It is 42."


def test_a_refusal_is_no_content() -> None:
    """OpenAI has a field of its own for it."""
    message = final("refusal").choices[0].message
    assert (message.refusal, message.content) == ("I can't", "")


def test_choices_keep_apart() -> None:
    """Each has its role, text and reason."""
    said: dict[int, list[object]] = {0: [], 1: []}
    for chunk in chunks("two_choices"):
        for choice in chunk.choices:
            said[choice.index] += [choice.delta.role, choice.delta.content, choice.finish_reason]
    assert [one for one in said[0] if one] == ["assistant", "one", "stop"]
    assert [one for one in said[1] if one] == ["assistant", "two", "length"]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("empty", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("filtered", "content_filter"),
    ],
)
def test_the_finish_reason_is_openais_word(script: str, reason: str) -> None:
    """Each of our reasons as OpenAI would have said it."""
    read = chunks(script)
    assert [c.choices[0].finish_reason for c in read if c.choices and c.choices[0].finish_reason] == [reason]


def test_an_error_in_the_stream_raises() -> None:
    """The SDK raises it, with our message and code, after the text that came before."""
    client = openai_client(encode("openai_chat", SCRIPTS["error"]))
    seen = []
    with pytest.raises(openai.APIError) as raised:
        for chunk in client.chat.completions.create(model="m", messages=ASKED, stream=True):
            seen.append(chunk.choices[0].delta.content)
    assert seen == ["", "Hel"]
    assert raised.value.code == "provider_overloaded"
    assert "overloaded" in raised.value.message


def test_a_whole_answer_is_a_chat_completion() -> None:
    """Text, reasoning, calls and usage at their places."""
    answer = Answer(
        id="chatcmpl-1",
        model="m-2",
        choices=[
            Choice(
                parts=[
                    Thinking(text="Hm."),
                    Text(text="Wait "),
                    Text(text="…"),
                    ToolCall(id="call_1", name="f", arguments='{"a":1}'),
                    ToolCall(id="", name="g", arguments=""),
                ],
                stop_reason="tool_use",
            ),
            Choice(stop_reason="end"),
        ],
        usage=Usage(input=1, cache_read=2, output=3, reasoning=4),
    )
    client = openai_client(OpenAIChat(now=lambda: 7.9).whole(answer))
    read = client.chat.completions.create(model="m", messages=ASKED)
    assert (read.id, read.model, read.created, read.object) == ("chatcmpl-1", "m-2", 7, "chat.completion")
    message = read.choices[0].message
    assert message.content == "Wait …"
    assert getattr(message, "reasoning_content") == "Hm."  # noqa: B009 - not in the SDK's type
    assert [(c.function.name, c.function.arguments) for c in message.tool_calls] == [
        ("f", '{"a":1}'),
        ("g", "{}"),
    ]
    assert message.tool_calls[1].id.startswith("call_")
    assert read.choices[0].finish_reason == "tool_calls"
    assert (read.choices[1].message.content, read.choices[1].finish_reason) == ("", "stop")
    assert (read.usage.prompt_tokens, read.usage.completion_tokens) == (3, 7)


def test_what_only_openai_knows_is_put_back() -> None:
    """Custom tool calls, spoken words and log probabilities of an answer over this very wire."""
    custom = b'{"id":"c","type":"custom","custom":{"name":"x","input":"y"}}'
    spoken = b'{"type":"audio","audio":{"id":"a","data":"AA==","expires_at":1,"transcript":"t"}}'
    choice = Choice(
        parts=[Opaque(wire="openai.chat", raw=msgspec.Raw(raw)) for raw in (custom, spoken)],
        extra={"logprobs": msgspec.Raw(b'{"content":[],"refusal":null}')},
        stop_reason="tool_use",
    )
    extra = {"service_tier": msgspec.Raw(b'"flex"')}
    body = OpenAIChat().whole(Answer(choices=[choice], extra=extra, extra_wire="openai.chat"))
    read = openai_client(body).chat.completions.create(model="m", messages=ASKED)
    assert read.service_tier == "flex"
    assert read.choices[0].message.tool_calls[0].custom.input == "y"
    assert read.choices[0].message.audio.transcript == "t"
    assert read.choices[0].logprobs.content == []
    foreign = OpenAIChat().whole(Answer(choices=[choice], extra=extra, extra_wire="anthropic.messages"))
    assert b"flex" not in foreign


def test_a_whole_answer_without_usage_has_none() -> None:
    """Not said is not zero."""
    client = openai_client(OpenAIChat().whole(Answer(choices=[Choice(parts=[Text(text="a")])])))
    assert client.chat.completions.create(model="m", messages=ASKED).usage is None
