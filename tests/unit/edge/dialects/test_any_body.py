"""Whatever a caller sends, reading it ends in a request or in one of our errors."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.core.errors import InvalidRequest, MalformedBody
from headgate.core.messages import ChatRequest, Message, Text
from headgate.edge.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.edge.dialects.openai_embeddings import OpenAIEmbeddings
from headgate.edge.dialects.openai_responses import OpenAIResponses
from headgate.exchange.dialect import Dialect

DIALECTS: list[Dialect] = [
    OpenAIChat(),
    OpenAIResponses(),
    OpenAIEmbeddings(),
    AnthropicMessages(),
    AnthropicCountTokens(),
]
EACH = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)

WORDS = st.sampled_from(
    [
        "model",
        "messages",
        "role",
        "content",
        "type",
        "text",
        "user",
        "assistant",
        "system",
        "tool",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "id",
        "input",
        "image_url",
        "url",
        "data:",
        "data:x;base64,AA",
        "tools",
        "tool_choice",
        "auto",
        "none",
        "one",
        "response_format",
        "json_schema",
        "schema",
        "stop",
        "thinking",
        "enabled",
        "budget_tokens",
        "output_config",
        "format",
        "source",
        "base64",
        "url",
        "file",
        "document",
        "tool_use",
        "tool_result",
        "tool_use_id",
        "tool_call_id",
        "function_call",
        "function_call_output",
        "call_id",
        "reasoning",
        "summary",
        "encrypted_content",
        "metadata",
        "user_id",
        "max_tokens",
        "max_output_tokens",
        "stream",
        "stream_options",
        "include_usage",
        "n",
        "refusal",
        "custom",
        "image",
        "input_text",
        "output_text",
        "input_image",
        "input_file",
        "instructions",
        "parallel_tool_calls",
        "redacted_thinking",
        "message",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=6)
    ),
    max_leaves=40,
)


def attempt(dialect: Dialect, body: bytes) -> None:
    for look in (dialect.peek, dialect.read):
        with suppress(InvalidRequest):
            look(body)


@EACH
@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=60))
def test_random_bytes_are_refused_in_our_words(dialect: Dialect, body: bytes) -> None:
    """No other exception ever comes out."""
    attempt(dialect, body)


@EACH
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    fields=st.dictionaries(WORDS, JSON, max_size=8),
    messages=st.lists(st.dictionaries(WORDS, JSON), max_size=3),
)
def test_random_json_is_read_or_refused(
    dialect: Dialect, fields: dict[str, Any], messages: list[Any]
) -> None:
    """Known names in unknown places, and the other way round."""
    body = {"model": "m", "max_tokens": 5, "messages": messages, "input": messages, **fields}
    attempt(dialect, json.dumps(body).encode())


@EACH
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", MalformedBody),
        (b"{", MalformedBody),
        (b'{"model":"m","x":"\xff"}', MalformedBody),
        (b'{"model":"m","x":"\xed\xa0\x80"}', MalformedBody),
        (b'{"model":"\\ud800"}', MalformedBody),
        (b'{"model":"m","x":NaN}', MalformedBody),
        (b'{"model":"m","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", MalformedBody),
        (b'{"model":"m","x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}", MalformedBody),
        (b'\xef\xbb\xbf{"model":"m"}', MalformedBody),
        (b"[]", InvalidRequest),
        (b'"model"', InvalidRequest),
        (b"null", InvalidRequest),
        (b'{"model":["m"]}', InvalidRequest),
        (b'{"input":"x","messages":[],"max_tokens":1}', InvalidRequest),
        (b'{"model":"","input":"x","messages":[],"max_tokens":1}', InvalidRequest),
    ],
    ids=range(15),
)
def test_broken_bodies_are_told_apart(dialect: Dialect, body: bytes, kind: type) -> None:
    """No JSON is one thing, JSON of the wrong shape another."""
    with pytest.raises(InvalidRequest) as caught:
        dialect.peek(body)
    assert type(caught.value) is kind
    if b'"model"' not in body:
        assert caught.value.param in (None, "model")


@EACH
def test_a_body_that_is_no_object_is_said_so(dialect: Dialect) -> None:
    """In words a caller understands."""
    with pytest.raises(InvalidRequest, match="body: expected `object`, got `array`"):
        dialect.peek(b"[]")


def test_a_huge_number_is_no_crash() -> None:
    """Python refuses to read integers of more than 4,300 digits."""
    attempt(OpenAIChat(), b'{"model":"m","messages":[],"seed":' + b"9" * 5_000 + b"}")
    attempt(OpenAIChat(), b'{"model":"m","messages":[],"metadata":{"a":' + b"9" * 5_000 + b"}}")
    attempt(OpenAIChat(), b'{"model":"m","messages":[],"max_tokens":' + b"9" * 400 + b"}")


def test_peek_sees_what_the_request_says() -> None:
    """The fields every stage needs, in each dialect."""
    peek = OpenAIChat().peek(
        b'{"messages":[{"role":"user","content":"model"}],"model":"m","stream":true,"max_tokens":5,'
        b'"max_completion_tokens":6,"user":"u","stream_options":{"include_usage":true},"metadata":{"a":"b"}}'
    )
    assert (peek.model, peek.stream, peek.max_tokens, peek.user) == ("m", True, 6, "u")
    assert peek.include_usage
    assert peek.metadata == {"a": "b"}
    assert OpenAIChat().peek(b'{"model":"m","max_tokens":-1}').max_tokens is None
    for limits in (b'"max_tokens":9,"max_completion_tokens":6', b'"max_tokens":6,"max_completion_tokens":9'):
        assert OpenAIChat().peek(b'{"model":"m",' + limits + b"}").max_tokens == 9, (
            "servers differ in which counts"
        )
    assert OpenAIChat().peek(b'{"model":"m","max_tokens":-1,"max_completion_tokens":6}').max_tokens is None
    assert OpenAIChat().peek(b'{"model":"m","safety_identifier":"s","stream":null}').user == "s"
    peek = AnthropicMessages().peek(b'{"model":"m","max_tokens":5,"metadata":{"user_id":"u"}}')
    assert (peek.max_tokens, peek.user, peek.stream) == (5, "u", False)
    peek = OpenAIResponses().peek(b'{"model":"m","input":"x","max_output_tokens":5,"stream":true}')
    assert (peek.max_tokens, peek.stream) == (5, True)
    assert OpenAIEmbeddings().peek(b'{"model":"m","input":["a"],"user":"u"}').user == "u"


TURNS = st.lists(
    st.tuples(st.sampled_from(["user", "assistant"]), st.text(min_size=1)), min_size=1, max_size=5
)


@settings(max_examples=100, deadline=None)
@given(turns=TURNS, system=st.text(min_size=1))
def test_a_text_conversation_is_the_same_in_every_dialect(turns: list[tuple[str, str]], system: str) -> None:
    """Said in three dialects, read as one."""
    messages = [{"role": role, "content": text} for role, text in turns]
    bodies: list[tuple[Dialect, dict[str, Any]]] = [
        (OpenAIChat(), {"messages": [{"role": "system", "content": system}, *messages]}),
        (AnthropicMessages(), {"system": system, "messages": messages, "max_tokens": 3}),
        (OpenAIResponses(), {"instructions": system, "input": messages}),
    ]
    wanted = _joined([Message(role=role, parts=[Text(text=text)]) for role, text in turns])  # type: ignore[arg-type]
    for dialect, body in bodies:
        request = dialect.read(json.dumps({"model": "m", **body}).encode())
        assert isinstance(request, ChatRequest)
        assert request.system == [Text(text=system)]
        assert _joined(request.messages) == wanted
        assert request.extra == {}


def _joined(messages: list[Message]) -> list[tuple[str, list[Any]]]:
    """Neighbours of one role as one turn, as a wire would write them."""
    turns: list[tuple[str, list[Any]]] = []
    for message in messages:
        if turns and turns[-1][0] == message.role:
            turns[-1][1].extend(message.parts)
        else:
            turns.append((message.role, list(message.parts)))
    return turns
