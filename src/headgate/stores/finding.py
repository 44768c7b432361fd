"""A text in contents: JSON of many vendors, in which a letter may be written as itself or as `\\u00e4`."""

from __future__ import annotations

import json
import re
from itertools import groupby

__all__ = ["Needle"]


class Needle:
    """What is looked for. Large and small letters count as equal."""

    def __init__(self, text: str) -> None:
        runs = ["".join(run) for simple, run in groupby(text, _is_simple) if simple]
        # Letters beyond ASCII, quotes and line ends have more than one spelling, and a pattern takes ten times as long: the longest
        # part that has only one is looked for first.
        self._plain = max(runs, key=len, default="").lower().encode()
        self._pattern: re.Pattern[bytes] | None = None
        if runs != [text]:
            spelt = b"".join(_spellings(character) for character in text)
            self._pattern = re.compile(spelt, re.IGNORECASE)

    def prepared(self, data: bytes) -> bytes:
        """Contents, as `stands_in` wants them."""
        return data.lower()

    def stands_in(self, prepared: bytes, start: int = 0, end: int | None = None) -> bool:
        """Is it there, between these places?"""
        stop = len(prepared) if end is None else end
        if self._plain and prepared.find(self._plain, start, stop) < 0:
            return False
        return self._pattern is None or self._pattern.search(prepared, start, stop) is not None


def _is_simple(character: str) -> bool:
    return character.isascii() and character.isprintable() and character not in '"\\/'


def _spellings(character: str) -> bytes:
    """Every way in which JSON may write it, large or small."""
    if _is_simple(character):
        return re.escape(character.lower().encode())
    ways: dict[bytes, None] = {}
    for each in (character, character.lower(), character.upper()):
        ways[re.escape(each.encode("utf-8", "surrogatepass"))] = None
        ways[re.escape(json.dumps(each)[1:-1].encode())] = None
    if character == "/":
        ways[rb"\\/"] = None
    return b"(?:" + b"|".join(ways) + b")"
