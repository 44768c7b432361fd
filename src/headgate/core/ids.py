"""Time-ordered ids: rows arrive in key order, so a B-tree only ever grows at its right edge.

An id is 63 bits: 41 bits of milliseconds since 2024-01-01 UTC (until 2093), 10 bits of node, 12 bits of sequence.
Random keys made SQLite's writer fall behind at 7,000 requests a second; these do not. The number is the primary key
and the OpenTelemetry span id; callers see it as `req_` and 13 characters of Crockford's base 32, which sort alike.
"""

from __future__ import annotations

import os
from typing import Final

from headgate.core.clock import Clock, SystemClock

__all__ = [
    "IdSource",
    "RequestId",
    "id_ns",
    "newest_id",
    "oldest_id",
    "parse_request_id",
    "request_id_text",
    "trace_id",
]

_EPOCH_MS: Final = 1_704_067_200_000
_SLACK_MS: Final = 60_000
_LAST: Final = (1 << 63) - 1
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = [a + b for a in _ALPHABET for b in _ALPHABET]
_VALUES: Final = {c: i for i, c in enumerate(_ALPHABET)} | {"o": 0, "i": 1, "l": 1}
_PREFIX: Final = "req_"
_TEXT_LENGTH: Final = 13

RequestId = int

_PROCESS: Final = int.from_bytes(os.urandom(8), "big")


class IdSource:
    """Hands out ids, each greater than the one before, also when the clock steps back."""

    def __init__(self, clock: Clock | None = None, node: int | None = None) -> None:
        """node: 0 to 1023, different on each process that writes to one database; random if not given."""
        self._wall_ns = (clock or SystemClock()).wall_ns
        self.be(int.from_bytes(os.urandom(2), "big") if node is None else node)
        self._last_ms = 0
        self._sequence = 0

    def be(self, node: int) -> None:
        """Be another node from the next id on; of larger numbers the lowest ten bits count."""
        self._node_bits = (node & 0x3FF) << 12

    @property
    def node(self) -> int:
        """Which node this is, 0 to 1023."""
        return self._node_bits >> 12

    def next(self) -> RequestId:
        """The next id. Not thread-safe: one source per event loop."""
        ms = self._wall_ns() // 1_000_000 - _EPOCH_MS
        if ms > self._last_ms:
            self._last_ms, self._sequence = ms, 0
        else:
            self._sequence += 1
            if self._sequence > 0xFFF:
                # 4,096 ids in one millisecond, or a clock that went back: borrow from the next one.
                self._last_ms, self._sequence = self._last_ms + 1, 0
        return self._last_ms << 22 | self._node_bits | self._sequence


def oldest_id(wall_ns: int) -> RequestId:
    """No request that came at `wall_ns` or later has a smaller id; a minute is allowed between a request's id and its
    clock. 0 for a time before ids began."""
    return min(max(wall_ns // 1_000_000 - _EPOCH_MS - _SLACK_MS, 0) << 22, _LAST)


def newest_id(wall_ns: int) -> RequestId:
    """No request that came before `wall_ns` has a greater id; a minute is allowed between a request's id and its clock."""
    return min((max(wall_ns // 1_000_000 - _EPOCH_MS, 0) + _SLACK_MS) << 22, _LAST)


def id_ns(request_id: RequestId) -> int:
    """When it was given, wall clock, to the millisecond; up to a minute from when the request came."""
    return ((request_id >> 22) + _EPOCH_MS) * 1_000_000


def request_id_text(request_id: RequestId) -> str:
    """`req_` and 13 characters; texts sort as the numbers do."""
    return (
        f"{_PREFIX}{_ALPHABET[request_id >> 60]}{_PAIRS[request_id >> 50 & 1023]}{_PAIRS[request_id >> 40 & 1023]}"
        f"{_PAIRS[request_id >> 30 & 1023]}{_PAIRS[request_id >> 20 & 1023]}{_PAIRS[request_id >> 10 & 1023]}"
        f"{_PAIRS[request_id & 1023]}"
    )


def parse_request_id(text: str) -> RequestId:
    """The number behind `req_…`; upper case and the look-alikes o, i, l are read kindly. Raises ValueError."""
    body = text.strip().lower().removeprefix(_PREFIX)
    if len(body) != _TEXT_LENGTH or any(c not in _VALUES for c in body):
        raise ValueError(f"`{text}` is not a request id; one looks like {request_id_text(0)}")
    number = 0
    for character in body:
        number = number << 5 | _VALUES[character]
    if number >> 63:
        raise ValueError(f"`{text}` is not a request id: its number is out of range")
    return number


def trace_id(request_id: RequestId) -> str:
    """A W3C trace id (32 hex digits) for a request that brought none: its number, and its number well stirred.

    Samplers look at the right half and want it spread evenly; asking the system for randomness costs a system call."""
    stirred = hash((request_id, _PROCESS))  # 64 bits with a sign
    # As bytes: formatting numbers costs five times as much.
    return (request_id.to_bytes(8, "big") + stirred.to_bytes(8, "big", signed=True)).hex()
