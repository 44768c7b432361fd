"""Sessions as conversations: each request of one as a turn, what was said last and what was answered.

Bodies are read by their shape, whatever vendor's they are: nothing here needs to know a dialect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from headgate.control.traces import reply_text
from headgate.stores.searching import Search, Searching
from headgate.stores.spans import Content, RequestRow, SpanStore

__all__ = ["MOST_TURNS", "Conversing", "Said", "Turn", "conversation", "last_said", "said_in"]

MOST_TURNS = 200
_NAMES = {"model": "assistant", "developer": "system"}


class Conversing(SpanStore, Searching, Protocol):
    """What a conversation is read from."""


class Said(msgspec.Struct, frozen=True):
    """One message of a prompt."""

    role: str
    """system, user, assistant, tool."""
    text: str
    """Its text; what is no text is named in brackets: `[image]`."""


class Turn(msgspec.Struct, frozen=True):
    """One request of a conversation."""

    request: RequestRow
    asked: str
    """The last thing that the user said; "" if it is not kept."""
    answered: str
    """The text of the answer; "" if there is none or it is not kept."""


async def conversation(
    store: Conversing, session: str, *, before: int = 0, limit: int = 50, content: bool
) -> tuple[Sequence[Turn], int]:
    """The newest turns of a session whose ids are less than `before` (0: from now on), oldest of them first, and the id before which
    earlier ones are (0: there are none). content: may prompts and answers be read? Raises StoreUnavailable."""
    found = await store.search(
        Search(only={"session": session, "purpose": ""}), before=before, limit=min(limit, MOST_TURNS)
    )
    turns = []
    for row in reversed(found.rows):
        prompt = await _kept(store, row.request_content) if content else None
        reply = await _kept(store, row.reply_content) if content else None
        turns.append(Turn(row, last_said(prompt) if prompt else "", reply_text(reply) if reply else ""))
    return turns, found.next


async def _kept(store: SpanStore, content_hash: str) -> Content | None:
    return await store.content(content_hash) if content_hash else None


def last_said(prompt: Content) -> str:
    """What the user said last; "" if the body says nothing that can be read."""
    said = said_in(prompt)
    return next((one.text for one in reversed(said) if one.role == "user" and one.text), "")


def said_in(prompt: Content) -> Sequence[Said]:
    """The messages of a prompt, in order; none if it was cut off or is of no known shape."""
    try:
        body = msgspec.json.decode(prompt.data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ()
    return list(_messages(body)) if isinstance(body, dict) else ()


def _messages(body: Mapping[str, Any]) -> Iterator[Said]:
    for name in ("system", "instructions"):
        if text := _text(body.get(name)):
            yield Said("system", text)
    given = body.get("messages", body.get("input", body.get("contents")))
    if isinstance(given, str):
        yield Said("user", given)
    for each in given if isinstance(given, list) else ():
        if isinstance(each, str):
            yield Said("user", each)
        elif isinstance(each, dict):
            yield _said(each)


def _said(message: Mapping[str, Any]) -> Said:
    role = message.get("role")
    if not isinstance(role, str):
        # The form of OpenAI's responses: calls and their results stand among the messages.
        role = "assistant" if message.get("type") == "function_call" else "tool"
    text = _text(message.get("content", message.get("parts", message.get("output"))))
    calls = [_call(each) for each in _list(message.get("tool_calls"))]
    if message.get("type") == "function_call":
        calls.append(_call({"function": message}))
    return Said(_NAMES.get(role, role), "\n".join(part for part in (text, *calls) if part))


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return _part(value)
    return "\n".join(part for part in (_text(each) for each in _list(value)) if part)


def _part(part: Mapping[str, Any]) -> str:
    for name in ("text", "refusal"):
        if isinstance(part.get(name), str):
            return str(part[name])
    kind = part.get("type")
    if kind == "tool_use":
        return _call({"function": {"name": part.get("name"), "arguments": _json(part.get("input"))}})
    if kind == "tool_result":
        return f"[result] {_text(part.get('content'))}"
    return f"[{kind}]" if isinstance(kind, str) else ""


def _call(call: object) -> str:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return ""
    return f"[call] {function.get('name')}({function.get('arguments', '')})"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
