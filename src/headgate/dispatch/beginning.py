"""A request that asks a model to go on with an answer that somebody else has begun. Pure."""

from __future__ import annotations

import msgspec

from headgate.core.messages import ChatRequest, Message, Text
from headgate.core.tokens import estimate_tokens

__all__ = ["can_be_begun", "with_beginning"]


def can_be_begun(text: str) -> bool:
    """May an answer be asked for that begins with `text`? Not with white space alone, nor with half a surrogate pair."""
    return bool(text.strip()) and (
        text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
    )


def with_beginning(request: ChatRequest, text: str) -> ChatRequest:
    """`request`, with `text` as the beginning of its answer, but for the white space at its end, which vendors refuse.

    What was said counts towards the limit on the answer. Reasoning is not asked for: it has been done, and vendors that
    are told to reason refuse to go on with an answer."""
    beginning = text.rstrip()
    messages = list(request.messages)
    last = messages[-1] if messages else None
    if last is not None and last.role == "assistant" and last.parts and isinstance(last.parts[-1], Text):
        # The caller itself had begun the answer: two messages would be two turns.
        begun = msgspec.structs.replace(last.parts[-1], text=last.parts[-1].text + beginning)
        messages[-1] = msgspec.structs.replace(last, parts=[*last.parts[:-1], begun])
    else:
        messages.append(Message(role="assistant", parts=[Text(text=beginning)]))
    most = request.max_tokens
    if most is not None:
        most = max(1, most - estimate_tokens(beginning.encode()))
    extra = {name: raw for name, raw in request.extra.items() if name != "thinking"}
    return msgspec.structs.replace(
        request, messages=messages, max_tokens=most, thinking_budget=None, extra=extra
    )
