"""Chat requests, read."""

from __future__ import annotations

import json

import pytest

from headgate.core.errors import InvalidRequest, MalformedBody
from headgate.core.messages import (
    ChatRequest,
    File,
    Image,
    Message,
    Opaque,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from headgate.edge.dialects.openai_chat import OpenAIChat


def read(**fields) -> ChatRequest:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    return OpenAIChat().read(json.dumps(body, ensure_ascii=False).encode())


def said(*messages: object) -> list[Message]:
    return read(messages=list(messages)).messages


def plain(extra: dict) -> dict:
    return {name: json.loads(bytes(raw)) for name, raw in extra.items()}


def test_a_conversation_is_read_turn_by_turn() -> None:
    """System and developer apart; the rest in order, results of parallel calls in one turn."""
    request = read(
        messages=[
            {"role": "system", "content": "be kind"},
            {"role": "developer", "content": [{"type": "text", "text": "and short"}]},
            {"role": "user", "content": "wäther?", "name": "Ada"},
            {
                "role": "assistant",
                "content": None,
                "reasoning_content": "hm",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                    {"id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}, "x": 1},
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "sun"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "rain"}], "y": 2},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}], "refusal": None},
        ]
    )
    assert request.system == [Text(text="be kind"), Text(text="and short")]
    user, asked, results, refused = request.messages
    assert user.parts == [Text(text="wäther?")]
    assert plain(user.extra) == {"name": "Ada"}
    thinking, first, second = asked.parts
    assert thinking == Thinking(text="hm")
    assert first == ToolCall(id="c1", name="f", arguments='{"a":1}')
    assert isinstance(second, ToolCall)
    assert (second.id, second.arguments, plain(second.extra)) == ("c2", "", {"x": 1})
    assert [type(part) for part in results.parts] == [ToolResult, ToolResult]
    assert results.role == "user"
    assert results.parts[0] == ToolResult(call_id="c1", content=[Text(text="sun")])
    assert plain(results.parts[1].extra) == {"y": 2}
    assert refused.parts == [Text(text="no")]


def test_parts_are_read_as_what_they_are() -> None:
    """Pictures by address and by content, files, and what only OpenAI knows."""
    audio = {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}
    (message,) = said(
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "see", "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}},
                {"type": "image_url", "image_url": "data:text/plain,a%20b"},
                {
                    "type": "file",
                    "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"},
                },
                {"type": "file", "file": {"file_id": "file-1"}},
                audio,
            ],
        }
    )
    text, *others, opaque = message.parts
    assert isinstance(text, Text)
    assert plain(text.extra) == {"cache_control": {"type": "ephemeral"}}
    assert others == [
        Image(url="https://x/y.png", detail="low"),
        Image(data="iVBO", media_type="image/png"),
        Image(data="YSBi", media_type="text/plain"),
        File(data="JVBE", media_type="application/pdf", name="a.pdf"),
        File(file_id="file-1"),
    ]
    assert isinstance(opaque, Opaque)
    assert opaque.wire == "openai.chat"
    assert json.loads(bytes(opaque.raw)) == audio


def test_functions_of_the_old_style_get_call_ids() -> None:
    """Each result belongs to the latest call of its function."""
    call = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    result = {"role": "function", "name": "f", "content": "1"}
    request = read(
        messages=[{"role": "user", "content": "?"}, call, result, call, result],
        functions=[{"name": "f", "description": "d", "parameters": {"type": "object"}}],
        function_call={"name": "f"},
    )
    ids = [part.id for m in request.messages for part in m.parts if isinstance(part, ToolCall)]
    answered = [part.call_id for m in request.messages for part in m.parts if isinstance(part, ToolResult)]
    assert ids == answered
    assert len(set(ids)) == 2
    assert request.tools[0].name == "f"
    assert request.tool_choice == ToolChoice(mode="one", name="f")


def test_tools_keep_their_schema_byte_for_byte() -> None:
    """Custom tools are OpenAI's own."""
    body = (
        b'{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f","description":"d",'
        b'"parameters":{"b": 1.0,  "a":2},"strict":true}},{"type":"custom","custom":{"name":"c"}}]}'
    )
    function, custom = OpenAIChat().read(body).tools
    assert bytes(function.schema) == b'{"b": 1.0,  "a":2}'
    assert (function.name, function.description, function.strict) == ("f", "d", True)
    assert (custom.name, bytes(custom.opaque)) == ("custom", b'{"type":"custom","custom":{"name":"c"}}')


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({}, None),
        ({"tool_choice": "none"}, ToolChoice(mode="none")),
        ({"tool_choice": "required"}, ToolChoice(mode="any")),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, ToolChoice(mode="one", name="f")),
        ({"parallel_tool_calls": False}, ToolChoice(mode="auto", parallel=False)),
        (
            {"tool_choice": "required", "parallel_tool_calls": False},
            ToolChoice(mode="any", parallel=False),
        ),
    ],
)
def test_the_choice_of_tools_is_read(fields: dict, choice: ToolChoice | None) -> None:
    """In OpenAI's words."""
    tools = [{"type": "function", "function": {"name": "f"}}]
    request = read(tools=tools, **fields)
    assert request.tool_choice == choice
    assert request.tools == [Tool(name="f")]
    assert request.extra == {}


def test_settings_are_read_and_the_rest_is_kept() -> None:
    """Known fields once, unknown ones byte-exact under their names; null is not said."""
    request = read(
        max_tokens=5,
        max_completion_tokens=7,
        temperature=0,
        top_p=0.5,
        n=2,
        seed=-3,
        stop="END",
        presence_penalty=1,
        frequency_penalty=-1,
        reasoning_effort="low",
        stream=True,
        stream_options={"include_usage": True, "include_obfuscation": False},
        user="u",
        metadata={"k": "v"},
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "s", "schema": {"a": 1}, "strict": True},
        },
        logit_bias={"50": 1},
        service_tier=None,
        brand_new=[1, 2],
    )
    assert (request.max_tokens, request.temperature, request.top_p, request.choices) == (7, 0.0, 0.5, 2)
    assert (request.seed, request.stop, request.effort) == (-3, ["END"], "low")
    assert (request.presence_penalty, request.frequency_penalty) == (1.0, -1.0)
    assert request.stream
    assert request.include_usage
    assert (request.user, request.metadata) == ("u", {"k": "v"})
    assert request.response_format is not None
    assert (request.response_format.name, request.response_format.strict) == ("s", True)
    assert json.loads(bytes(request.response_format.schema)) == {"a": 1}
    assert request.extra_wire == "openai.chat"
    assert plain(request.extra) == {
        "logit_bias": {"50": 1},
        "service_tier": None,
        "brand_new": [1, 2],
        "stream_options": {"include_obfuscation": False},
    }


def test_a_safety_identifier_names_the_user() -> None:
    """It has taken the place of `user`, and stays where it was for those who know it."""
    request = read(safety_identifier="hash")
    assert request.user == "hash"
    assert plain(request.extra) == {"safety_identifier": "hash"}


def test_no_effort_means_no_thinking() -> None:
    """Also for vendors that count thinking in tokens."""
    assert read(reasoning_effort="none").thinking_budget == 0


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 3}, "model"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [1]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": {}}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}
                ]
            },
            "messages[0].content[0].image_url.url",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "type": "function"}]}]},
            "messages[0].tool_calls[0].function",
        ),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"max_tokens": 2**40}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"n": 0}, "n"),
        ({"stop": [1]}, "stop[0]"),
        ({"tools": [{}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tool_choice": "always"}, "tool_choice"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
        ({"user": 5}, "user"),
        ({"metadata": []}, "metadata"),
    ],
)
def test_a_wrong_field_is_named(fields: dict, param: str) -> None:
    """The error says which, with the path to it."""
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    assert caught.value.param == param
    assert not isinstance(caught.value, MalformedBody)


def test_a_missing_list_of_messages_is_named() -> None:
    """Not taken for an empty one."""
    with pytest.raises(InvalidRequest) as caught:
        OpenAIChat().read(b'{"model":"m"}')
    assert caught.value.param == "messages"
