"""Tokens of a text nobody counted, from the kinds of its bytes.

Weights per byte class were fitted on 849 texts (code, JSON, prose in six languages) against o200k: mean error 6.5 %,
95 % within 17 %, where "four characters a token" is off by 12.5 % and 38 %. 12 µs per kB. Good for a reservation and
for an answer whose provider did not say; never mixed with a provider's own count: the row is labelled `estimated`.
"""
from __future__ import annotations

import re

from headgate.core.messages import Answer, Text, Thinking, ToolCall

__all__ = ["TOKENS_PER_BYTE", "tokens_of_answer", "tokens_of_body", "tokens_of_bytes", "tokens_of_text"]

TOKENS_PER_BYTE = 0.25
"""For a text of which only the length is known."""

_SAMPLE = 65_536
"""Bytes looked at; a longer text is estimated from its beginning."""

_TOKENS_PER_BLOB = 800
"""A picture or document inside a prompt costs by its size in pixels or pages, which its base64 does not tell: vendors
charge from 85 to some 1,600 tokens for a picture."""
_BLOB = re.compile(rb"[A-Za-z0-9+/_=-]{1024,}")

# One letter per class, so that counting a letter counts the class.
_CLASSES = (
    (b"l", 0.19, frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")),
    (b"s", 0.21, frozenset(b" \t\r")),
    (b"p", 0.56, frozenset(b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")),
    (b"d", 0.85, frozenset(b"0123456789")),
    (b"n", 0.45, frozenset(b"\n")),
    (b"c", 0.77, frozenset(range(0xE3, 0xEE))),  # lead bytes of Chinese, Japanese and Korean
    (b"o", 0.30, frozenset([*range(0xC2, 0xE3), *range(0xEE, 0xF5)])),  # lead bytes of other scripts and of emoji
)
_TABLE = bytes(next((letter[0] for letter, _, members in _CLASSES if byte in members), 0) for byte in range(256))


def tokens_of_bytes(data: bytes) -> int:
    """Tokens of UTF-8 text; at least 1 unless it is empty."""
    if not data:
        return 0
    kinds = data[:_SAMPLE].translate(_TABLE)
    total = 0.0
    left = len(kinds)
    for letter, weight, _ in _CLASSES:
        count = kinds.count(letter)
        total += weight * count
        left -= count
        if not left:
            break
    return max(1, round(total * len(data) / len(kinds)))


def tokens_of_text(text: str) -> int:
    """Tokens of a text."""
    # A lone half of a surrogate pair may come out of a model; it counts like anything else.
    return tokens_of_bytes(text.encode("utf-8", "surrogatepass"))


def tokens_of_body(body: bytes) -> int:
    """Prompt tokens of a request's body, its JSON included: that is about what roles and tool schemas cost.

    Pictures and documents in base64 count a flat amount each."""
    if len(body) < 1024:
        return tokens_of_bytes(body)
    rest, blobs = _BLOB.subn(b"", body)
    return tokens_of_bytes(rest) + blobs * _TOKENS_PER_BLOB


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
