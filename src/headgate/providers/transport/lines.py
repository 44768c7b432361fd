"""Lines of reply heads, taken apart once: a provider says mostly the same ones again."""

from __future__ import annotations

import re
from typing import Any, Final

__all__ = ["CHUNKED", "CODING", "KEEP_ALIVE", "LENGTH", "PLAIN", "TIMEOUT", "Line", "line_of", "status_of"]

PLAIN: Final = 0
LENGTH: Final = 1
"""`content-length`; `number` is what it says."""
CHUNKED: Final = 2
CODING: Final = 3
"""`content-encoding`."""
KEEP_ALIVE: Final = 4
"""`keep-alive`; `number` is its timeout in seconds, -1 if it says none."""

_KEPT: Final = 512
_LONGEST: Final = 256
"""Bytes of a line that is kept."""
# Narrower than HTTP: what is written in any other way is left to the parser.
_LINE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([\t\x20-\x7e\x80-\xff]+)")
_STATUS: Final = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9]) [\t\x20-\x7e]+")
TIMEOUT: Final = re.compile(rb"timeout\s*=\s*(\d{1,6})", re.IGNORECASE)
_BODILESS: Final = (204, 304)


class Line:
    """A header, and what it means for the reply it stands in."""

    __slots__ = ("kind", "number", "pair")

    def __init__(self, pair: tuple[bytes, bytes], kind: int, number: int) -> None:
        # As an object: compiled, a pair of bytes would be taken apart, and made anew for each reply.
        self.pair: Any = pair
        """Name, in lower case, and value."""
        self.kind = kind
        self.number = number


_lines: Final[dict[bytes, Line]] = {}
_statuses: Final[dict[bytes, int]] = {}


def status_of(line: bytes) -> int:
    """Of a final reply that may have a body; 0: it is something else."""
    known = _statuses.get(line)
    if known is not None:
        return known
    found = _STATUS.fullmatch(line)
    status = int(found[1]) if found is not None else 0
    if status in _BODILESS:
        status = 0
    if len(_statuses) < _KEPT and len(line) <= _LONGEST:
        _statuses[line] = status
    return status


def line_of(line: bytes) -> Line | None:
    """A header's line without its end; None: the parser has to say what it is, or what follows from it."""
    known = _lines.get(line)
    if known is not None:
        return known
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    name, value = found.groups()
    name = name.lower()
    if value != value.strip(b" \t"):
        return None
    kind, number = PLAIN, 0
    if name == b"content-length":
        if not value.isdigit() or len(value) > 12:
            return None
        kind, number = LENGTH, int(value)
    elif name == b"transfer-encoding":
        if value.lower() != b"chunked":
            return None
        kind = CHUNKED
    elif name == b"connection":
        if value.lower() != b"keep-alive":
            return None
    elif name == b"keep-alive":
        timeout = TIMEOUT.search(value)
        kind, number = KEEP_ALIVE, int(timeout[1]) if timeout is not None else -1
    elif name == b"content-encoding":
        kind = CODING
    elif name in (b"upgrade", b"proxy-connection"):
        return None
    made = Line((name, value), kind, number)
    if len(line) <= _LONGEST:
        if len(_lines) >= _KEPT:
            _lines.clear()  # dates and the like: what comes again is soon here again
        _lines[line] = made
    return made
