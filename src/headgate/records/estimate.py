"""Tokens of what nobody counted: of a request's body as it came, of an answer as far as it came.

Bounded, since a body may have megabytes and this runs on the event loop: a long text is estimated from its beginning.
Never mixed with a provider's own count: the row is labelled `estimated`.
"""

from __future__ import annotations

from headgate.core.messages import Answer, Text, Thinking, ToolCall
from headgate.core.tokens import tokens_of_body, tokens_of_bytes

__all__ = ["TOKENS_PER_BYTE", "tokens_of_answer", "tokens_of_body", "tokens_of_bytes", "tokens_of_text"]

TOKENS_PER_BYTE = 0.25
"""For a text of which only the length is known."""


def tokens_of_text(text: str) -> int:
    """Tokens of a text."""
    # A lone half of a surrogate pair may come out of a model; it counts like anything else.
    return tokens_of_bytes(text.encode("utf-8", "surrogatepass"))


def tokens_of_answer(answer: object) -> tuple[int, int]:
    """(answer tokens, reasoning tokens) of what came of an answer; vectors and counts have none."""
    if not isinstance(answer, Answer):
        return 0, 0
    output = reasoning = 0
    for choice in answer.choices:
        for part in choice.parts:
            if isinstance(part, Text):
                output += tokens_of_text(part.text)
            elif isinstance(part, ToolCall):
                output += tokens_of_text(part.name) + tokens_of_text(part.arguments)
            elif isinstance(part, Thinking):
                reasoning += tokens_of_text(part.text)
    return output, reasoning
