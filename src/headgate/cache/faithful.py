"""Which bodies are told wholly by their canonical form, and what a body says that changes no answer.

Reading a body into the canonical conversation loses a little: where a system message stood, fields of parts that no other
vendor knows. A provider of the caller's own dialect sees them all the same, as bodies pass untouched. So only conversations
of a simple form are compared across dialects; of any other the body itself is part of what is compared.

This knows the dialects' fields by name and nothing of their code; a field it does not know makes a body not simple.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any

__all__ = ["WHO_AND_HOW", "is_told_wholly", "rest_of", "without_question"]

Tree = Mapping[str, Any]

WHO_AND_HOW = frozenset(
    {
        "stream",
        "stream_options",
        "encoding_format",
        "user",
        "safety_identifier",
        "metadata",
        "prompt_cache_key",
        "prompt_cache_retention",
    }
)
"""Fields of a body that say who asks (the scope's business), how the answer is to be written, and where a provider looks for
a prefix that it has read before. None of them changes what is answered."""

_TEXT = frozenset({"text", "input_text", "output_text"})
_MESSAGE = frozenset({"role", "content"})
_PART = frozenset({"type", "text"})
_SCHEMA = frozenset({"name", "schema", "strict", "description"})


def rest_of(body: Tree) -> dict[str, Any]:
    """What the body says besides."""
    return {name: value for name, value in body.items() if name not in WHO_AND_HOW}


def is_told_wholly(wire: str, body: Tree) -> bool:
    """Does the canonical form of the body (in the dialect `wire`) lack nothing of it?"""
    test = _TESTS.get(wire)
    return test is not None and test(body)


def without_question(rest: Mapping[str, Any]) -> dict[str, Any] | None:
    """`rest` with the text of the last message left blank; None if the last thing it holds is no text of the user's."""
    name = "messages" if "messages" in rest else "input"
    turns = rest.get(name)
    if isinstance(turns, str):
        return {**rest, name: ""}
    if not isinstance(turns, list) or not turns:
        return None
    last = turns[-1]
    if not isinstance(last, dict) or last.get("role") != "user":
        return None
    content = last.get("content")
    blank: object
    if isinstance(content, str):
        blank = ""
    elif isinstance(content, list) and all(_is_text(part) for part in content):
        blank = [{**part, "text": ""} for part in content]
    else:
        return None
    return {**rest, name: [*turns[:-1], {**last, "content": blank}]}


def _is_text(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") in _TEXT and isinstance(part.get("text"), str)


def _is_plain_content(content: object) -> bool:
    if isinstance(content, str):
        return True
    return isinstance(content, list) and all(_is_text(part) and part.keys() == _PART for part in content)


def _is_plain_turn(turn: object, roles: tuple[str, ...] = ("user", "assistant")) -> bool:
    return (
        isinstance(turn, dict)
        and turn.keys() == _MESSAGE
        and turn["role"] in roles
        and _is_plain_content(turn["content"])
    )


def _are_plain_turns(turns: object) -> bool:
    return isinstance(turns, list) and all(_is_plain_turn(turn) for turn in turns)


def _is_plain_format(wanted: object) -> bool:
    if not isinstance(wanted, dict):
        return wanted is None
    if wanted.get("type") == "json_schema" and "json_schema" in wanted:
        schema = wanted["json_schema"]
        return (
            wanted.keys() == {"type", "json_schema"} and isinstance(schema, dict) and schema.keys() <= _SCHEMA
        )
    return wanted.keys() == {"type"}


def _has(body: Tree, *names: str) -> bool:
    return any(name in body for name in names)


def _chat(body: Tree) -> bool:
    if _has(body, "tools", "tool_choice", "functions", "function_call", "parallel_tool_calls"):
        return False
    if _has(body, "max_tokens") and _has(body, "max_completion_tokens"):
        return False
    turns = body.get("messages")
    if not isinstance(turns, list) or not turns:
        return False
    first = turns[0]
    if isinstance(first, dict) and first.get("role") == "system":
        # One, at the beginning, as one text: there is no second way to say that.
        if not (_is_plain_turn(first, ("system",)) and isinstance(first["content"], str)):
            return False
        turns = turns[1:]
    return _are_plain_turns(turns) and _is_plain_format(body.get("response_format"))


def _messages(body: Tree) -> bool:
    if _has(body, "tools", "tool_choice", "output_config", "output_format", "mcp_servers", "container"):
        return False
    thinking = body.get("thinking", {"type": "disabled"})
    if not isinstance(thinking, dict) or not thinking.keys() <= {"type", "budget_tokens"}:
        return False
    return isinstance(body.get("system", ""), str) and _are_plain_turns(body.get("messages"))


def _responses(body: Tree) -> bool:
    if _has(body, "tools", "tool_choice", "parallel_tool_calls"):
        return False
    if not isinstance(body.get("instructions", ""), str) or not _said_short(body):
        return False
    turns = body.get("input")
    if isinstance(turns, str):
        return True
    if not isinstance(turns, list):
        return False
    roles = []
    for turn in turns:
        bare = (
            {name: value for name, value in turn.items() if name != "type"}
            if isinstance(turn, dict)
            else turn
        )
        if not _is_plain_turn(bare) or turn.get("type", "message") != "message":
            return False
        roles.append(turn["role"])
    # Neighbours of one side become one turn, and then nobody knows that they were two.
    return all(one != other for one, other in pairwise(roles))


def _said_short(body: Tree) -> bool:
    reasoning, text = body.get("reasoning", {}), body.get("text", {})
    return (
        isinstance(reasoning, dict)
        and reasoning.keys() <= {"effort"}
        and isinstance(text, dict)
        and text.keys() <= {"format"}
        and _is_plain_form(text.get("format"))
    )


def _is_plain_form(wanted: object) -> bool:
    if not isinstance(wanted, dict):
        return wanted is None
    if wanted.get("type") == "json_schema":
        return wanted.keys() <= {"type", *_SCHEMA}
    return wanted.keys() == {"type"}


_TESTS: Mapping[str, Callable[[Tree], bool]] = MappingProxyType(
    {
        "openai.chat": _chat,
        "anthropic.messages": _messages,
        "openai.responses": _responses,
        "openai.embeddings": lambda _body: True,
    }
)
