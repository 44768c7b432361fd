"""The heads of a connection's requests. They mostly say the same but for the length of the body: then the parser need not be asked."""

from __future__ import annotations

import urllib.parse
from typing import Any, Final

from headgate.exchange.heard import heard_of

__all__ = ["Head", "target_of"]

_LONGEST: Final = 8192
"""Bytes of a head that is remembered: a connection keeps one as long as it lasts."""
_DIGITS: Final = 9
_LENGTH: Final = b"\r\ncontent-length:"
# With these, it takes more than a length to say where the request ends.
_APART: Final = (b"transfer-encoding", b"expect", b"upgrade")


class Head:
    """What the parser has made of a head, and what bytes that was.

    It has the caller's key in it, as the request has; a connection keeps the one that came last. A head that is not the same to the last
    byte is parsed, and its key looked up, like any other: one that is right in part gets nobody anywhere."""

    __slots__ = (
        "_after",
        "_before",
        "_bytes",
        "_size",
        "expects",
        "headers",
        "heard",
        "keep_alive",
        "old",
        "scope",
    )

    def __init__(
        self, scope: dict[str, Any], headers: list[tuple[bytes, bytes]], *, keep_alive: bool
    ) -> None:
        """scope: of requests with this head, but for what each has of its own."""
        self.scope = scope
        self.headers = headers
        self.heard = heard_of(headers)
        self.keep_alive = keep_alive
        self.old: bool = scope["http_version"] != "1.1"
        self.expects = False
        """Does the caller wait for leave to send the body?"""
        for name, value in headers:
            if name == b"expect":
                self.expects = value.lower() == b"100-continue"
        self._bytes = b""
        self._size = 0
        self._before = b""
        self._after = b""

    def remember(self, data: bytes) -> bool:
        """data: begins with the request that this is the head of. False: others like it have to be parsed."""
        end = data.find(b"\r\n\r\n") + 4
        if not (4 <= end <= _LONGEST and self.keep_alive and b"A" <= data[:1] <= b"Z"):
            return False
        head = data[:end]
        # As many lines as headers, and no other line break: so this is where the parser, too, saw the end of the head.
        breaks = len(self.headers) + 2
        if not head.count(b"\r\n") == head.count(b"\n") == head.count(b"\r") == breaks:
            return False
        lengths = []
        for name, value in self.headers:
            if name in _APART:
                return False
            if name == b"content-length":
                lengths.append(value)
        if not lengths:
            self._bytes, self._size = head, 0
            return True
        starts = head.lower().find(_LENGTH) + len(_LENGTH)
        ends = head.find(b"\r\n", starts)
        digits = head[starts:ends].lstrip(b" ")
        if len(lengths) > 1 or digits != lengths[0] or not digits.isdigit() or len(digits) > _DIGITS:
            return False
        self._bytes, self._size = head, int(digits)
        self._before, self._after = head[: ends - len(digits)], head[ends:]
        return True

    def body_at(self, data: bytes) -> int:
        """Where the body begins, if `data` is one whole request with this head; 0: it has to be parsed."""
        known = self._bytes
        if data.startswith(known):
            return len(known) if len(data) - len(known) == self._size else 0
        return self._of_another_length(data) if self._before and data.startswith(self._before) else 0

    def _of_another_length(self, data: bytes) -> int:
        starts = len(self._before)
        ends = data.find(b"\r", starts, starts + _DIGITS + 1)
        digits = data[starts : max(ends, starts)]
        begins = ends + len(self._after)
        # No digits at all, or others than 0 to 9, are for the parser to refuse.
        if (
            not digits.isdigit()
            or not data.startswith(self._after, ends)
            or len(data) - begins != int(digits)
        ):
            return 0
        self._bytes, self._size = data[:begins], int(digits)
        self.headers = [
            (name, digits if name == b"content-length" else value) for name, value in self.headers
        ]
        self.scope = {**self.scope, "headers": self.headers}
        return begins


def target_of(url: bytes) -> tuple[str, bytes]:
    """Path and query of a request's target."""
    path, _, query = url.partition(b"?")
    if path[:1] != b"/":
        # Absolute form, as proxies are sent: what counts is the path.
        path = urllib.parse.urlsplit(path.decode("latin-1")).path.encode("latin-1") or b"/"
    return urllib.parse.unquote(path.decode("latin-1")), query
