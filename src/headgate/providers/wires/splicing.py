"""Change one top-level field of a JSON object and leave every other byte as the caller wrote it.

The quick way cuts the value out where it stands. It is taken only when it cannot be fooled: the key occurs as a key
exactly once in the whole body and no key is written with escapes. Else the top level alone is decoded, its values
kept as raw bytes, and joined again. Quicker still is to know that the word itself, in its quotes, occurs only once: a
key of that name, with or without a colon behind it, would be a second one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from headgate.core.errors import MalformedBody
from headgate.providers.port import Marks

__all__ = ["add_field", "add_limit", "add_prompt_cache_key", "replace_model", "top_level"]

_WORD: Final = b'"model"'
# The same word not followed by a colon is a value, as in `"enum": ["model"]`.
_MODEL: Final = re.compile(rb'"model"\s*:\s*("(?:[^"\\]|\\.)*")?')
_VALUE: Final = re.compile(rb'\s*:\s*("(?:[^"\\]|\\.)*")')
# Letters and `_` written as escapes, which no encoder does.
_HIDDEN: Final = re.compile(rb"\\u00[4-7]")
_BACKSLASH: Final = 92
_LEAST_KEPT: Final = 1024
"""Tokens of a prompt from which on OpenAI keeps its beginning."""
_TOP_LEVEL: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode: Final = msgspec.json.encode


def replace_model(body: bytes, model: str) -> bytes:
    """`body` with its top-level `model` set to `model`; the very same object if it says so already.

    Raises MalformedBody when `body` is no JSON object."""
    value = _encode(model)
    parts = body.split(_WORD, 2)
    if len(parts) == 2 and not _may_be_hidden(body):
        rest = parts[1]
        found = _VALUE.match(rest)
        if found is not None:
            start, end = found.span(1)
            if rest[start:end] == value:
                return body
            return parts[0] + _WORD + rest[:start] + value + rest[end:]
    span = _only_model(body)
    if span is None:
        fields = top_level(body)
        fields["model"] = msgspec.Raw(value)
        return _encode(fields)
    start, end = span
    return body if body[start:end] == value else b"".join((body[:start], value, body[end:]))


def _may_be_hidden(body: bytes) -> bool:
    """The letters of `model` written as escapes would begin like this. A backslash alone is found ten times faster."""
    return _BACKSLASH in body and b"\\u006" in body


def _only_model(body: bytes) -> tuple[int, int] | None:
    """Where the value of the one key `model` stands; None if there is another or it might be hidden."""
    if _may_be_hidden(body):
        return None
    found = _MODEL.search(body)
    if found is None or found[1] is None or _MODEL.search(body, found.end()) is not None:
        return None
    return found.span(1)


def top_level(body: bytes) -> dict[str, msgspec.Raw]:
    """The fields of a JSON object, their values byte for byte; of a name that occurs twice the last one.

    Raises MalformedBody when `body` is no JSON object."""
    try:
        return _TOP_LEVEL.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody(f"The body is not a JSON object: {error}") from None


def add_field(body: bytes, name: str, value: bytes) -> bytes:
    """`body`, a JSON object with at least one field and none of that name, with the field added at its end."""
    end = body.rindex(b"}")
    return b"".join((body[:end], b",", _encode(name), b":", value, body[end:]))


def add_limit(body: bytes, field: str, most: int, *, unless: Sequence[bytes]) -> bytes | None:
    """`body`, a JSON object with at least one field, with a number added at its end. None if one of `unless` (names of fields
    in quotes) may stand in it: then two would be said, and servers differ in which of them counts."""
    for name in unless:
        if name in body:
            return None
    if _BACKSLASH in body and _HIDDEN.search(body) is not None:
        return None
    return add_field(body, field, b"%d" % most)


def add_prompt_cache_key(body: bytes, marks: Marks) -> bytes:
    """`body`, a request in one of OpenAI's formats that says no such key, with one, if it is long enough to be kept. OpenAI keeps
    beginnings without being told; requests of one key come to the machine that has theirs."""
    if (
        marks.tokens < _LEAST_KEPT
        or not marks.key
        or (_BACKSLASH in body and _HIDDEN.search(body) is not None)
    ):
        return body
    return add_field(body, "prompt_cache_key", _encode(marks.key))
