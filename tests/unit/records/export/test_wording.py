"""Conversations in the conventions' form."""

from __future__ import annotations

import msgspec

from headgate.core.messages import (
    Answer,
    ChatRequest,
    Choice,
    Image,
    Message,
    Opaque,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from headgate.records.export.wording import answer_words, prompt_words
from headgate.telemetry.otlp import names

__all__: list[str] = []


def test_a_conversation_with_tools_is_told_turn_by_turn():
    """Roles and parts as the conventions name them; pictures are named and not copied."""
    request = ChatRequest(
        model="m",
        system=[Text(text="Be brief.")],
        messages=[
            Message(role="user", parts=[Text(text="Weather?"), Image(data="AAAA", media_type="image/png")]),
            Message(role="assistant", parts=[ToolCall(id="c1", name="weather", arguments='{"city":"Rome"}')]),
            Message(role="user", parts=[ToolResult(call_id="c1", content=[Text(text="sunny")])]),
            Message(role="assistant", parts=[Opaque(wire="openai.chat", raw=msgspec.Raw(b'{"audio":"x"}'))]),
        ],
        max_tokens=50,
        temperature=0.5,
    )
    found = dict(prompt_words(request))
    assert msgspec.json.decode(str(found[names.INPUT_MESSAGES])) == [
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "Weather?"},
                {"type": "image", "mime_type": "image/png"},
            ],
        },
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Rome"}}],
        },
        {
            "role": "tool",
            "parts": [
                {
                    "type": "tool_call_response",
                    "id": "c1",
                    "response": [{"type": "text", "content": "sunny"}],
                }
            ],
        },
        {"role": "assistant", "parts": [{"type": "openai.chat"}]},
    ]
    assert msgspec.json.decode(str(found[names.SYSTEM_INSTRUCTIONS])) == [
        {"type": "text", "content": "Be brief."}
    ]
    assert (found[names.REQUEST_MAX_TOKENS], found[names.REQUEST_TEMPERATURE]) == (50, 0.5)
    assert names.REQUEST_TOP_P not in found


def test_an_answer_says_why_it_ended():
    """Broken arguments of a tool stay as the model wrote them."""
    answer = Answer(
        choices=[
            Choice(
                parts=[Thinking(text="Hm."), ToolCall(id="c", name="f", arguments='{"a":')],
                stop_reason="tool_use",
            ),
            Choice(parts=[Text(text="Yes.")]),
        ]
    )
    ((name, text),) = answer_words(answer)
    assert name == names.OUTPUT_MESSAGES
    first, second = msgspec.json.decode(str(text))
    assert first["parts"] == [
        {"type": "reasoning", "content": "Hm."},
        {"type": "tool_call", "id": "c", "name": "f", "arguments": '{"a":'},
    ]
    assert (first["finish_reason"], second["finish_reason"]) == ("tool_call", "other")
