"""Messages cut out of `application/vnd.amazon.eventstream`, with botocore's parser."""

from __future__ import annotations

import struct
from typing import Any

from headgate.core.errors import UpstreamMalformed

__all__ = ["MAX_HELD", "MessageSplitter", "botocore_module"]

MAX_HELD = 8 * 1024 * 1024
"""The longest message, in bytes."""

_SHORTEST = 16
"""A message without headers and payload: its two lengths and two checksums."""


def botocore_module(name: str) -> Any:
    """A module of botocore, loaded when it is first needed: Bedrock is an extra.

    Raises ImportError that says how to get it."""
    from importlib import import_module  # noqa: PLC0415

    try:
        return import_module(f"botocore.{name}")
    except ModuleNotFoundError:
        raise ImportError("Bedrock needs botocore: pip install headgate[bedrock]") from None


class MessageSplitter:
    """Splits one stream into messages: (kind, name, payload), kind being `event`, `exception` or `error`."""

    __slots__ = ("_buffer", "_errors", "_held", "_pending", "plain", "taken")

    def __init__(self) -> None:
        self._buffer: Any = None
        self._errors: tuple[type[Exception], ...] = ()
        self._held = 0
        self._pending = b""
        self.taken = b""
        """The bytes of the messages the last `feed` returned."""
        self.plain = False
        """It is JSON instead of a stream; all of it is held, and `rest` gives it."""

    def feed(self, data: bytes) -> list[tuple[str, str, bytes]]:
        """Raises UpstreamMalformed for bytes that are no such stream."""
        if self._buffer is None and not self.plain:
            self._open(data)
        self._pending += data
        if len(self._pending) > MAX_HELD:
            raise UpstreamMalformed(detail=f"a message of the stream is over {MAX_HELD} bytes")
        self.taken = b""
        if self.plain or self._buffer is None:
            return []
        self._buffer.add_data(data)
        return self._messages()

    def rest(self) -> bytes:
        """What is held of a message that is not complete."""
        return self._pending

    def _open(self, data: bytes) -> None:
        # A message begins with its length, in four bytes of which the first is 0 below 16 MiB.
        first = data[:1]
        if first == b"{":
            self.plain = True
        elif first not in (b"", b"\0"):
            raise UpstreamMalformed(detail=f"no event stream: {data[:120]!r}")
        elif first:
            eventstream = botocore_module("eventstream")
            self._buffer = eventstream.EventStreamBuffer()
            self._errors = (eventstream.ParserError, struct.error, LookupError, ValueError)

    def _messages(self) -> list[tuple[str, str, bytes]]:
        found = []
        size = 0
        try:
            for message in self._buffer:
                length = message.prelude.total_length
                if length < _SHORTEST:
                    raise UpstreamMalformed(detail=f"a message of {length} bytes")
                size += length
                headers = message.headers
                kind = str(headers.get(":message-type", "event"))
                name = headers.get(f":{kind}-type") or headers.get(":error-code") or ""
                found.append((kind, str(name), message.payload))
        except self._errors as error:
            raise UpstreamMalformed(detail=f"no event stream: {error}") from None
        self.taken, self._pending = self._pending[:size], self._pending[size:]
        return found
