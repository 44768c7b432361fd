"""Requests of the responses API, read."""

from __future__ import annotations

import json

import pytest

from headgate.core.errors import InvalidRequest
from headgate.core.messages import (
    ChatRequest,
    File,
    Image,
    Opaque,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from headgate.edge.dialects.openai_responses import OpenAIResponses
from headgate.edge.dialects.openai_responses.marks import encrypted_content, thinking_of


def read(**fields) -> ChatRequest:
    return OpenAIResponses().read(json.dumps({"model": "m", **fields}, ensure_ascii=False).encode())


def plain(extra: dict) -> dict:
    return {name: json.loads(bytes(raw)) for name, raw in extra.items()}


def test_text_is_one_turn() -> None:
    """`input` as a string, `instructions` as the system prompt."""
    request = read(input="hï", instructions="be kind")
    assert request.messages[0].parts == [Text(text="hï")]
    assert request.system == [Text(text="be kind")]


def test_items_are_joined_into_turns() -> None:
    """Reasoning, text and calls of one answer are one turn of the assistant."""
    request = read(
        input=[
            {"role": "developer", "content": "short"},
            {"role": "user", "content": [{"type": "input_text", "text": "wäther?"}]},
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "hm"}],
                "encrypted_content": "gAAA",
            },
            {
                "type": "message",
                "role": "assistant",
                "id": "msg_1",
                "status": "completed",
                "content": [{"type": "output_text", "text": "I look", "annotations": [], "logprobs": []}],
            },
            {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"a":1}'},
            {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "sun"},
            {
                "type": "function_call_output",
                "call_id": "c2",
                "output": [{"type": "input_text", "text": "rain"}],
            },
        ]
    )
    assert request.system == [Text(text="short")]
    asked, answered, results = request.messages
    assert asked.parts == [Text(text="wäther?")]
    thinking, text, first, second = answered.parts
    assert isinstance(thinking, Thinking)
    assert (thinking.text, thinking.signature, plain(thinking.extra)) == ("hm", "openai:gAAA", {"id": "rs_1"})
    assert text == Text(text="I look")
    assert (first, second) == (
        ToolCall(id="c1", name="f", arguments='{"a":1}'),
        ToolCall(id="c2", name="g", arguments="{}"),
    )
    assert results.parts == [
        ToolResult(call_id="c1", content=[Text(text="sun")]),
        ToolResult(call_id="c2", content=[Text(text="rain")]),
    ]


def test_pictures_and_files_are_read() -> None:
    """By address, content or id."""
    request = read(
        input=[
            {
                "role": "user",
                "content": [
                    {"type": "input_image", "image_url": "https://x/y.png", "detail": "high"},
                    {"type": "input_image", "image_url": "data:image/png;base64,iVBO", "detail": "auto"},
                    {"type": "input_image", "file_id": "file-1"},
                    {"type": "input_file", "file_url": "https://x/y.pdf"},
                    {"type": "input_file", "filename": "a.txt", "file_data": "YQ=="},
                ],
            }
        ]
    )
    first, second, uploaded, *files = request.messages[0].parts
    assert first == Image(url="https://x/y.png", detail="high")
    assert second == Image(data="iVBO", media_type="image/png", detail="auto")
    assert isinstance(uploaded, Opaque)
    assert files == [File(url="https://x/y.pdf"), File(data="YQ==", media_type="text/plain", name="a.txt")]


@pytest.mark.parametrize(
    ("item", "side"),
    [
        ({"type": "item_reference", "id": "msg_1"}, "user"),
        ({"id": "msg_1"}, "user"),
        ({"type": "web_search_call", "id": "ws_1", "status": "completed"}, "assistant"),
        ({"type": "shell_call_output", "call_id": "c", "output": []}, "user"),
    ],
)
def test_other_items_are_opaque(item: dict, side: str) -> None:
    """So that another wire refuses what it would lose."""
    (message,) = read(input=[item]).messages
    (part,) = message.parts
    assert isinstance(part, Opaque)
    assert (part.wire, message.role, json.loads(bytes(part.raw))) == ("openai.responses", side, item)


def test_settings_are_read_and_the_rest_is_kept() -> None:
    """Known fields once, unknown ones under their names."""
    request = read(
        input="x",
        max_output_tokens=7,
        temperature=0.5,
        top_p=1,
        stream=True,
        reasoning={"effort": "high", "summary": "auto"},
        text={
            "format": {"type": "json_schema", "name": "s", "schema": {"a": 1}, "strict": True},
            "verbosity": "low",
        },
        tools=[
            {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": None},
            {"type": "web_search"},
        ],
        tool_choice={"type": "function", "name": "f"},
        parallel_tool_calls=False,
        metadata={"k": "v"},
        user="u",
        store=False,
        include=["reasoning.encrypted_content"],
    )
    assert (request.max_tokens, request.temperature, request.effort) == (7, 0.5, "high")
    assert request.response_format is not None
    assert (request.response_format.name, request.response_format.strict) == ("s", True)
    assert [tool.name for tool in request.tools] == ["f", "web_search"]
    assert bytes(request.tools[1].opaque) == b'{"type": "web_search"}'
    assert request.tool_choice == ToolChoice(mode="one", name="f", parallel=False)
    assert (request.user, request.metadata, request.stream) == ("u", {"k": "v"}, True)
    assert plain(request.extra) == {
        "reasoning": {"summary": "auto"},
        "text": {"verbosity": "low"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": {"id": "conv_1"}}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"background": True}, "background"),
        ({"background": False, "previous_response_id": None, "store": True}, None),
    ],
)
def test_what_lies_with_the_vendor_needs_the_vendor(fields: dict, why: str | None) -> None:
    """The field that no other wire can carry is named."""
    assert read(input="x", **fields).native_only == (why or "")


@pytest.mark.parametrize(
    ("signature", "redacted", "outside"),
    [
        ("openai:gAAA", "", "gAAA"),
        ("c2ln", "", "anthropic:c2ln"),
        ("gemini:xyz", "", "gemini:xyz"),
        ("", "blob", "anthropic-redacted:blob"),
        ("", "", ""),
    ],
)
def test_reasoning_comes_back_to_its_own_vendor(signature: str, redacted: str, outside: str) -> None:
    """What goes out as `encrypted_content` comes back as the same signature."""
    assert encrypted_content(signature, redacted) == outside
    assert thinking_of("t", outside) == Thinking(text="t", signature=signature, redacted=redacted)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": 5}, "input"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"input": [{"type": "function_call", "name": "f"}]}, "input[0].call_id"),
        ({"input": "x", "max_output_tokens": "9"}, "max_output_tokens"),
        ({"input": "x", "tools": [{"type": "function"}]}, "tools[0].name"),
        ({"input": "x", "tool_choice": "always"}, "tool_choice"),
        ({"input": "x", "text": {"format": {}}}, "text.format.type"),
        ({"input": "x", "reasoning": {"effort": 5}}, "reasoning.effort"),
    ],
)
def test_a_wrong_field_is_named(fields: dict, param: str) -> None:
    """The error says which, with the path to it."""
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    assert caught.value.param == param
