"""The real Anthropic SDK reads what the messages dialect writes."""

from __future__ import annotations

import json

import anthropic
import msgspec
import pytest

from headgate.core.messages import Answer, Choice, Opaque, Part, Text, Thinking, TokenCount, ToolCall
from headgate.core.usage import Usage
from headgate.edge.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from tests.golden.dialects.scripts import SCRIPTS, encode
from tests.unit.edge.dialects.sdk import anthropic_client

ASKED = [{"role": "user", "content": "?"}]


def final(script: str):
    """What the SDK's own folding of the stream gives."""
    client = anthropic_client(encode("anthropic_messages", SCRIPTS[script]))
    with client.messages.stream(model="m", max_tokens=9, messages=ASKED) as stream:
        return stream.get_final_message()


def blocks(script: str) -> list:
    return [block.to_dict() for block in final(script).content]


def test_text_comes_whole_with_usage() -> None:
    """Cached tokens are beside the others; thinking is part of the output."""
    message = final("text")
    assert message.content[0].text == 'Hello,\n"wörld" 🌍\u2028中'
    assert (message.id, message.model, message.stop_reason) == ("id_1", "model-9", "end_turn")
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens) == (20, 100)
    assert (usage.cache_creation_input_tokens, usage.output_tokens) == (10, 16)
    assert usage.output_tokens_details.thinking_tokens == 5


def test_usage_known_at_the_start_is_in_the_start() -> None:
    """Callers read the input's cost before the answer is complete."""
    client = anthropic_client(encode("anthropic_messages", SCRIPTS["usage_first"]))
    first = next(iter(client.messages.create(model="m", max_tokens=9, messages=ASKED, stream=True)))
    assert first.type == "message_start"
    assert (first.message.usage.input_tokens, first.message.usage.output_tokens) == (4, 0)
    assert final("usage_first").usage.output_tokens == 1


def test_parallel_calls_are_put_in_a_row() -> None:
    """Interleaved pieces end up in their block, in the order the calls began."""
    assert [(block["name"], block["input"]) for block in blocks("parallel_tools")] == [
        ("weather", {"city": "Köln"}),
        ("time", {"zone": "CET"}),
        ("now", {}),
    ]
    assert final("parallel_tools").stop_reason == "tool_use"


def test_calls_are_written_while_they_come() -> None:
    """A call whose arguments are complete makes room for the next at once: nothing waits for the end."""
    encoder = AnthropicMessages().encoder(AnthropicMessages().peek(b'{"model":"m","max_tokens":1}'))
    script = SCRIPTS["calls_in_turn"]
    written = [encoder.feed([event]) for event in script]
    after_second_call = next(n for n, e in enumerate(script) if getattr(e, "index", -1) == 1)
    assert b'"name":"time"' in written[after_second_call]
    assert blocks("calls_in_turn")[-1]["text"] == "Looked."
    assert final("calls_in_turn").stop_reason == "tool_use"


def test_thinking_keeps_its_signature_and_its_place() -> None:
    """Thinking, its signature, ciphertext, text, call."""
    assert blocks("thinking") == [
        {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "c2VjcmV0"},
        {"type": "text", "text": "It is 42."},
        {"type": "tool_use", "id": "call_0", "name": "check", "input": {"n": 42}},
    ]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("empty", "end_turn"),
        ("stop_sequence", "stop_sequence"),
        ("max_tokens", "max_tokens"),
        ("filtered", "refusal"),
        ("refusal", "refusal"),
        ("two_choices", "end_turn"),
    ],
)
def test_the_stop_reason_is_anthropics_word(script: str, reason: str) -> None:
    """Each of our reasons as Anthropic would have said it; one choice only."""
    message = final(script)
    assert message.stop_reason == reason
    assert message.stop_sequence == ("4" if script == "stop_sequence" else None)
    assert len(message.content) == (0 if script == "empty" else 1)


def test_its_own_blocks_pass_an_edit() -> None:
    """Server tools and citations survive when a stage has looked at the stream."""
    search, text = blocks("search")
    assert (search["type"], search["input"]) == ("server_tool_use", {"query": "x"})
    assert text["text"] == "Found."
    assert [citation["cited_text"] for citation in text["citations"]] == ["F"]


def test_an_error_in_the_stream_raises() -> None:
    """With the vendor's type and our code."""
    client = anthropic_client(encode("anthropic_messages", SCRIPTS["error"]))
    with (
        client.messages.stream(model="m", max_tokens=9, messages=ASKED) as stream,
        pytest.raises(anthropic.APIStatusError) as raised,
    ):
        stream.until_done()
    assert raised.value.type == "overloaded_error"
    assert raised.value.error_code == "provider_overloaded"


def test_a_whole_answer_is_a_message() -> None:
    """Blocks in their order; empty text is left out, arguments are an object."""
    answer = Answer(
        model="m-2",
        choices=[
            Choice(
                parts=[
                    Thinking(text="Hm.", signature="s"),
                    Thinking(redacted="r"),
                    Text(text=""),
                    Text(text="So"),
                    ToolCall(id="t1", name="f", arguments='{"a": 1.50}'),
                    ToolCall(id="t2", name="g", arguments=""),
                    ToolCall(id="t3", name="h", arguments='{"a": '),
                ],
                stop_reason="tool_use",
            )
        ],
        usage=Usage(input=1, cache_read=2, cache_write=3, cache_write_1h=4, output=5, reasoning=6),
    )
    body = AnthropicMessages().whole(answer)
    assert b'"input":{"a": 1.50}' in body, "arguments stay as the model wrote them"
    read = anthropic_client(body).messages.create(model="m", max_tokens=9, messages=ASKED)
    assert read.id.startswith("msg_")
    assert [block.type for block in read.content] == [
        "thinking",
        "redacted_thinking",
        "text",
        "tool_use",
        "tool_use",
        "tool_use",
    ]
    assert [block.input for block in read.content[3:]] == [{"a": 1.5}, {}, {"_raw": '{"a": '}]
    assert read.stop_reason == "tool_use"
    usage = read.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (1, 2, 7)
    assert usage.cache_creation.to_dict() == {
        "ephemeral_5m_input_tokens": 3,
        "ephemeral_1h_input_tokens": 4,
    }
    assert (usage.output_tokens, usage.output_tokens_details.thinking_tokens) == (11, 6)


def test_only_its_own_extras_come_back() -> None:
    """Fields of an answer from this wire are written again; another wire's are not."""
    raw = json.dumps({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}).encode()
    parts: list[Part] = [
        Opaque(wire="anthropic.messages", raw=msgspec.Raw(raw)),
        Opaque(wire="openai.chat", raw=msgspec.Raw(b"{}")),
    ]
    extra = {"container": msgspec.Raw(b"null")}
    own = Answer(choices=[Choice(parts=parts)], extra=extra, extra_wire="anthropic.messages")
    foreign = Answer(choices=[Choice(parts=parts)], extra=extra, extra_wire="openai.chat")
    written = json.loads(AnthropicMessages().whole(own))
    assert "container" in written
    assert written["content"] == [json.loads(raw)]
    assert "container" not in json.loads(AnthropicMessages().whole(foreign))


def test_a_token_count_is_read() -> None:
    """`client.messages.count_tokens` gets its number."""
    body = AnthropicCountTokens().whole(TokenCount(input_tokens=17, exact=False))
    assert anthropic_client(body).messages.count_tokens(model="m", messages=ASKED).input_tokens == 17
