"""Expressions that take time in proportion to the text, whatever the text is; compiled when first used."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

__all__ = ["BORDER", "expression", "folded", "utf8", "whole_words"]

BORDER = r"[^\pL\pN_]"
"""A character that no word goes on with."""
_MOST_BYTES = 32 << 20


@lru_cache(maxsize=64)
def expression(text: str) -> Any:
    """`text` as RE2 knows it: searched in bytes of UTF-8, upper and lower case apart."""
    import re2  # noqa: PLC0415 - 5 MB and 15 ms that only those pay who have a cache

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_BYTES
    return re2.compile(text, options)


def whole_words(alternatives: Sequence[str]) -> str:
    """An expression that finds any of `alternatives`, as a word or words of its own."""
    return f"(?:^|{BORDER})(?:{'|'.join(alternatives)})(?:$|{BORDER})"


def folded(text: str) -> str:
    """Without case, and without kinds of the same letter or digit."""
    once = text if text.isascii() else unicodedata.normalize("NFKC", text).replace("\u2019", "'")
    return once.casefold()


def utf8(text: str) -> bytes:
    """As `expression` wants it. Half characters become question marks."""
    return text.encode("utf-8", "replace")
