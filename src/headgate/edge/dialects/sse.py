"""Writing server-sent events (WHATWG HTML, section 9.2) and the JSON in them."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["DONE", "data_event", "json_bytes", "json_line", "named_event"]

DONE = b"data: [DONE]\n\n"
"""How OpenAI ends a stream of chat chunks."""

json_bytes = msgspec.json.Encoder().encode
"""The JSON of a value, compact, in UTF-8."""


def json_line(value: Any) -> bytes:
    """The JSON of a value on one line, for whoever reads it.

    JSON escapes CR and LF, which end a line of SSE. Many clients split text where Unicode ends a line, too."""
    data = json_bytes(value)
    if data.isascii():
        return data
    for character, escape in _LINE_ENDS:
        if character in data:
            data = data.replace(character, escape)
    return data


_LINE_ENDS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))


def data_event(value: Any) -> bytes:
    """An event without a name."""
    return b"data: " + json_line(value) + b"\n\n"


def named_event(name: bytes, value: Any) -> bytes:
    """An event with a name, as Anthropic and the responses API write them."""
    return b"event: " + name + b"\ndata: " + json_line(value) + b"\n\n"
