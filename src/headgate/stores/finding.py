"""A text in contents: JSON of many vendors, in which a letter may be written as itself or as `\\u00e4`."""

from __future__ import annotations

import json
import re

__all__ = ["Needle"]


class Needle:
    """What is looked for. Large and small letters count as equal."""

    def __init__(self, text: str) -> None:
        self._plain = text.lower().encode("utf-8", "surrogatepass")
        # Letters beyond ASCII, quotes and line ends have more than one spelling; a pattern takes a hundred times as long.
        self._pattern: re.Pattern[bytes] | None = None
        if not _is_simple(text):
            spelt = b"".join(_spellings(character) for character in text)
            self._pattern = re.compile(spelt, re.IGNORECASE)

    def prepared(self, data: bytes) -> bytes:
        """Contents, as `stands_in` wants them."""
        return data.lower() if self._pattern is None else data

    def stands_in(self, prepared: bytes, start: int = 0, end: int | None = None) -> bool:
        """Is it there, between these places?"""
        stop = len(prepared) if end is None else end
        if self._pattern is None:
            return prepared.find(self._plain, start, stop) >= 0
        return self._pattern.search(prepared, start, stop) is not None


def _is_simple(text: str) -> bool:
    return text.isascii() and json.dumps(text) == f'"{text}"' and "/" not in text


def _spellings(character: str) -> bytes:
    """Every way in which JSON may write it, large or small."""
    ways: dict[bytes, None] = {}
    for each in (character, character.lower(), character.upper()):
        ways[re.escape(each.encode("utf-8", "surrogatepass"))] = None
        ways[re.escape(json.dumps(each)[1:-1].encode())] = None
    if character == "/":
        ways[rb"\\/"] = None
    return b"(?:" + b"|".join(ways) + b")"
