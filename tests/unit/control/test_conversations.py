"""What was said in a prompt, read by its shape, whatever vendor's it is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.control.conversations import Said, last_said, said_in
from headgate.stores.spans import Content

__all__: list[str] = []


def content(data: bytes) -> Content:
    return Content(hash="h", kind="k", data=data, size=len(data))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}]},
            [Said("system", "Be kind."), Said("user", "Hello")],
        ),
        (
            {"system": [{"type": "text", "text": "Be kind."}], "messages": [{"role": "user", "content": [{"type": "text", "text": "See"}, {"type": "image"}]}]},
            [Said("system", "Be kind."), Said("user", "See\n[image]")],
        ),
        ({"instructions": "Be kind.", "input": "Hello"}, [Said("system", "Be kind."), Said("user", "Hello")]),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hello"}]}, {"type": "function_call", "name": "f", "arguments": "{}"}, {"type": "function_call_output", "output": "4"}]},
            [Said("user", "Hello"), Said("assistant", "[call] f({})"), Said("tool", "4")],
        ),
        (
            {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": '{"a":1}'}}]}, {"role": "tool", "content": "4"}]},
            [Said("assistant", '[call] f({"a":1})'), Said("tool", "4")],
        ),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "name": "f", "input": {"a": 1}}]}, {"role": "user", "content": [{"type": "tool_result", "content": "4"}]}]},
            [Said("assistant", '[call] f({"a":1})'), Said("user", "[result] 4")],
        ),
        ({"input": ["one", "two"]}, [Said("user", "one"), Said("user", "two")]),
        ({"contents": [{"role": "model", "parts": [{"text": "Hi"}]}]}, [Said("assistant", "Hi")]),
    ],
)  # fmt: skip
def test_messages_are_read_of_every_dialect(body: dict[str, Any], said: list[Said]) -> None:
    """Texts as they are; calls and pictures in brackets."""
    assert list(said_in(content(msgspec.json.encode(body)))) == said


def test_the_last_thing_the_user_said_is_the_turn() -> None:
    """Not an answer that was sent along, nor a tool's result."""
    body = {
        "messages": [
            {"role": "user", "content": "First"},
            {"role": "user", "content": "Second"},
            {"role": "assistant", "content": "Hm"},
        ]
    }
    assert last_said(content(msgspec.json.encode(body))) == "Second"
    assert last_said(content(b'{"messages": [{"role": "us')) == ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["messages", "input", "role", "content", "type", "text", "parts", "function", "tool_calls", "name"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(json_values | st.none(), st.binary(max_size=20))
def test_whatever_somebody_sends_can_be_shown(value: Any, noise: bytes) -> None:
    """Nothing breaks on a body that makes no sense."""
    for data in (msgspec.json.encode(value), noise):
        for each in said_in(content(data)):
            assert isinstance(each.role, str)
            assert isinstance(each.text, str)
