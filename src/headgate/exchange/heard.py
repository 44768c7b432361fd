"""The headers of a request, gone through once: what the edge and the first stages ask each request for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["Heard", "Pairs", "heard_of"]

Pairs = Sequence[tuple[bytes, bytes]]

_BEARER: Final = b"bearer "


class Heard:
    """What headers say that Headgate listens to for every request. Requests with the same headers may share it."""

    __slots__ = ("coded", "key", "labels", "wishes")

    def __init__(self) -> None:
        self.key = b""
        """The caller's, as `Authorization: Bearer` or else `x-api-key` has it; b"" if neither has one."""
        self.labels: list[tuple[bytes, bytes]] = []
        """All that begin with `x-headgate-`, and `traceparent`."""
        self.wishes = False
        """Is there something about answers from memory, for `wish_of`?"""
        self.coded = False
        """Is the body compressed?"""


def heard_of(headers: Pairs) -> Heard:
    """headers: names in lower case."""
    heard = Heard()
    bearer = False
    for pair in headers:
        name, value = pair
        if name == b"authorization":
            if not bearer and value[:7].lower() == _BEARER:
                heard.key, bearer = value[7:].strip(), True
        elif name == b"x-api-key":
            if not bearer:
                heard.key = value.strip()
        elif name == b"cache-control":
            heard.wishes = True
        elif name == b"content-encoding":
            heard.coded = heard.coded or value != b"identity"
        elif name == b"traceparent":
            heard.labels.append(pair)
        elif name[:11] == b"x-headgate-":
            heard.labels.append(pair)
            if name == b"x-headgate-cache":
                heard.wishes = True
    return heard
