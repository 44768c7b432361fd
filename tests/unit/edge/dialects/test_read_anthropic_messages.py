"""Messages requests, read."""

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
from headgate.edge.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages


def read(**fields) -> ChatRequest:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **fields}
    return AnthropicMessages().read(json.dumps(body, ensure_ascii=False).encode())


def plain(extra: dict) -> dict:
    return {name: json.loads(bytes(raw)) for name, raw in extra.items()}


def test_a_conversation_is_read_turn_by_turn() -> None:
    """System as text or blocks, calls and results, reasoning with its signature."""
    request = read(
        system=[{"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}],
        messages=[
            {"role": "user", "content": "wäther?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "sig"},
                    {"type": "redacted_thinking", "data": "xx"},
                    {"type": "text", "text": "I look"},
                    {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1.50}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t1",
                        "is_error": True,
                        "content": [
                            {"type": "text", "text": "sun"},
                            {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
                        ],
                    },
                    {"type": "tool_result", "tool_use_id": "t2", "content": "rain"},
                    {"type": "tool_result", "tool_use_id": "t3"},
                ],
            },
            {"role": "system", "content": "from here on, French"},
        ],
    )
    assert [part.text for part in request.system if isinstance(part, Text)] == [
        "be kind",
        "from here on, French",
    ]
    assert plain(request.system[0].extra) == {"cache_control": {"type": "ephemeral"}}
    asked, called, answered = request.messages
    assert asked.parts == [Text(text="wäther?")]
    assert called.parts == [
        Thinking(text="hm", signature="sig"),
        Thinking(redacted="xx"),
        Text(text="I look"),
        ToolCall(id="t1", name="f", arguments='{"a": 1.5}'),
    ]
    assert answered.parts == [
        ToolResult(call_id="t1", is_error=True, content=[Text(text="sun"), Image(url="https://x/y.png")]),
        ToolResult(call_id="t2", content=[Text(text="rain")]),
        ToolResult(call_id="t3", content=[]),
    ]


def test_arguments_stay_byte_for_byte() -> None:
    """A signature over the turn, or a cache, would notice a change."""
    request = AnthropicMessages().read(
        b'{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":'
        b'[{"type":"tool_use","id":"t","name":"f","input":{"b" : 1.0,"a":[ ]}}]}]}'
    )
    call = request.messages[0].parts[0]
    assert isinstance(call, ToolCall)
    assert call.arguments == '{"b" : 1.0,"a":[ ]}'


def test_pictures_and_documents_are_read() -> None:
    """By content, address or id; what other vendors cannot take is opaque."""
    uploaded = {"type": "image", "source": {"type": "file", "file_id": "file_1"}}
    blocks = {"type": "document", "source": {"type": "content", "content": "x"}}
    search = {"type": "search_result", "source": "s", "title": "t", "content": []}
    request = read(
        messages=[
            {
                "role": "user",
                "content": [
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"},
                    },
                    {
                        "type": "document",
                        "title": "T",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
                    },
                    {
                        "type": "document",
                        "source": {"type": "text", "media_type": "text/plain", "data": "a b"},
                    },
                    {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}},
                    {"type": "document", "source": {"type": "file", "file_id": "file_2"}},
                    uploaded,
                    blocks,
                    search,
                ],
            }
        ]
    )
    parts = request.messages[0].parts
    assert parts[:5] == [
        Image(data="iVBO", media_type="image/png"),
        File(data="JVBE", media_type="application/pdf", name="T"),
        File(data="YSBi", media_type="text/plain"),
        File(url="https://x/y.pdf"),
        File(file_id="file_2"),
    ]
    opaque = [part for part in parts if isinstance(part, Opaque)]
    assert [json.loads(bytes(part.raw)) for part in opaque] == [uploaded, blocks, search]
    assert {part.wire for part in opaque} == {"anthropic.messages"}


def test_settings_are_read_and_the_rest_is_kept() -> None:
    """Known fields once, unknown ones byte-exact under their names."""
    request = read(
        temperature=1,
        top_p=0.5,
        top_k=4,
        stop_sequences=["END"],
        stream=True,
        metadata={"user_id": "u", "other": 1},
        tools=[
            {"name": "f", "description": "d", "input_schema": {"type": "object"}, "strict": True, "x": 1},
            {"type": "web_search_20250305", "name": "web_search"},
        ],
        tool_choice={"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        service_tier="auto",
        brand_new=[1],
    )
    assert (request.max_tokens, request.temperature, request.top_p, request.top_k) == (9, 1.0, 0.5, 4)
    assert (request.stop, request.user) == (["END"], "u")
    assert request.stream
    function, search = request.tools
    assert (function.name, function.description, function.strict) == ("f", "d", True)
    assert plain(function.extra) == {"x": 1}
    assert (search.name, json.loads(bytes(search.opaque))["name"]) == ("web_search_20250305", "web_search")
    assert request.tool_choice == ToolChoice(mode="one", name="f", parallel=False)
    assert plain(request.extra) == {"service_tier": "auto", "brand_new": [1]}
    assert request.extra_wire == "anthropic.messages"


@pytest.mark.parametrize(
    ("said", "choice"),
    [
        ({"type": "auto"}, ToolChoice(mode="auto")),
        ({"type": "any", "disable_parallel_tool_use": False}, ToolChoice(mode="any", parallel=True)),
        ({"type": "none"}, ToolChoice(mode="none")),
    ],
)
def test_the_choice_of_tools_is_read(said: dict, choice: ToolChoice) -> None:
    """In Anthropic's words."""
    assert read(tool_choice=said).tool_choice == choice


@pytest.mark.parametrize(
    ("thinking", "budget", "kept"),
    [
        ({"type": "enabled", "budget_tokens": 2048}, 2048, False),
        ({"type": "enabled", "budget_tokens": 2048, "display": "omitted"}, 2048, True),
        ({"type": "disabled"}, 0, False),
        ({"type": "adaptive"}, None, True),
        ({"type": "between_tools"}, None, True),
    ],
)
def test_thinking_is_a_budget_or_kept_as_it_is(thinking: dict, budget: int | None, kept: bool) -> None:
    """What the canonical request cannot say stays in `extra`."""
    request = read(thinking=thinking)
    assert request.thinking_budget == budget
    assert plain(request.extra) == ({"thinking": thinking} if kept else {})


@pytest.mark.parametrize("name", ["output_config", "output_format"])
def test_a_structured_output_is_a_response_format(name: str) -> None:
    """Today's field and the beta's."""
    wanted = {"type": "json_schema", "schema": {"type": "object"}}
    request = read(**{name: {"format": wanted, "effort": "high"} if name == "output_config" else wanted})
    assert request.response_format is not None
    assert json.loads(bytes(request.response_format.schema)) == {"type": "object"}
    assert request.effort == ("high" if name == "output_config" else "")
    assert request.extra == {}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": 1}]}]},
            "messages[0].content[0].content",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64"}}]}]},
            "messages[0].content[0].source.data",
        ),
        ({"metadata": {"user_id": 5}}, "metadata.user_id"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"tools": [{"description": "x"}]}, "tools[0].name"),
        ({"system": 5}, "system"),
    ],
)
def test_a_wrong_field_is_named(fields: dict, param: str) -> None:
    """The error says which, with the path to it."""
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    assert caught.value.param == param


def test_counting_needs_no_limit() -> None:
    """The same request without `max_tokens`, and never a stream."""
    body = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}'
    assert AnthropicCountTokens().read(body).max_tokens is None
    assert not AnthropicCountTokens().peek(body).stream
    with pytest.raises(InvalidRequest) as caught:
        AnthropicMessages().peek(body)
    assert caught.value.param == "max_tokens"
