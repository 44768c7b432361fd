"""Token counts without a tokenizer: by kind of byte, offline, 12 µs per kB."""

from __future__ import annotations

__all__ = ["estimate_tokens"]


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
