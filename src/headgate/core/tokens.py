"""Token counts without a tokenizer: by kind of byte, offline, 12 µs per kB."""

from __future__ import annotations

import re

__all__ = ["estimate_tokens", "tokens_of_body", "tokens_of_bytes"]

_SAMPLE = 65_536
"""Bytes looked at; a longer text is estimated from its beginning: this runs on the event loop, a body may have megabytes."""
_TOKENS_PER_BLOB = 800
"""A picture or document inside a prompt costs by its size in pixels or pages, which its base64 does not tell: vendors
charge from 85 to some 1,600 tokens for a picture."""
_BLOB = re.compile(rb"[A-Za-z0-9+/_=-]{1024,}")


def _classes() -> bytes:
    table = bytearray(256)
    for byte in range(256):
        character = chr(byte)
        if character.isascii() and character.isalpha():
            table[byte] = 1
        elif character in "0123456789":
            table[byte] = 2
        elif character == "\n":
            table[byte] = 3
        elif character == " ":
            table[byte] = 4
        elif byte < 0x80:
            table[byte] = 5
        elif 0xE3 <= byte <= 0xED:
            table[byte] = 6  # lead byte of Chinese, Japanese and Korean characters
        elif byte >= 0xC0:
            table[byte] = 7  # lead byte of every other script
    return bytes(table)


_TABLE = _classes()
_WEIGHTS = (0.0, 0.19, 0.85, 0.45, 0.21, 0.56, 0.77, 0.30)


def estimate_tokens(text: bytes) -> int:
    """About how many tokens `text` (UTF-8) is, at least 1 if there is any.

    Mean error 6.5 %, 95th percentile 17 % against o200k on 849 texts (code, JSON, prose, six languages); odd texts can be
    off by two thirds. Good for reservations and for labelling a bill `estimated`, never for an exact one.
    Source: docs/decisions/0005-prices.md."""
    if not text:
        return 0
    classes = text.translate(_TABLE)
    return max(1, round(sum(weight * classes.count(kind) for kind, weight in enumerate(_WEIGHTS) if kind)))


def tokens_of_bytes(data: bytes) -> int:
    """Tokens of UTF-8 text of any length; at least 1 unless it is empty."""
    if len(data) <= _SAMPLE:
        return estimate_tokens(data)
    return round(estimate_tokens(data[:_SAMPLE]) * len(data) / _SAMPLE)


def tokens_of_body(body: bytes) -> int:
    """Prompt tokens of a request's body, its JSON included: that is about what roles and tool schemas cost.

    Pictures and documents in base64 count a flat amount each."""
    if len(body) < 1024:
        return tokens_of_bytes(body)
    rest, blobs = _BLOB.subn(b"", body)
    return tokens_of_bytes(rest) + blobs * _TOKENS_PER_BLOB
