"""What the headers `x-headgate-tags` and `x-headgate-variables` say, read in one way by whoever needs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from headgate.core.errors import InvalidRequest

__all__ = ["MOST_VARIABLES", "tags_of", "variables_of"]

MOST_VARIABLES = 4096
"""Bytes of all variables of a prompt together, as the header has them: they are recorded."""

_MOST_CHARS = 256
"""Of one name, and of one value."""
_MOST_TAGS = 8192
"""Characters of all tags together: they are recorded. Beyond that only `data` is read."""
_NONE: Mapping[str, str] = MappingProxyType({})


def tags_of(headers: Iterable[tuple[bytes, bytes]], known: Mapping[str, str] = _NONE) -> dict[str, str]:
    """The tags that are known, and every one of every such header (names in lower case). Of two with one name the later
    one counts.

    Not for `data`: where one says `sensitive`, none takes that back, for data must not go astray by a second header that
    somebody on the way has added."""
    found = dict(known)
    room = _MOST_TAGS
    for header, text in headers:
        if header != b"x-headgate-tags":
            continue
        for piece in text.decode("utf-8", "replace").split(","):
            before, _, after = piece.partition("=")
            name, value = before.strip()[:_MOST_CHARS].strip(), after.strip()[:_MOST_CHARS].strip() or "true"
            if name == "data":
                if found.get(name, "").lower() != "sensitive":
                    found[name] = value
            elif name and room > 0:
                room -= len(name) + len(value)
                found[name] = value
    return found


def variables_of(value: bytes) -> dict[str, str]:
    """What a prompt's variables were, by name. Raises InvalidRequest: whoever sends them relies on them, and an answer may be given
    again to who says the same ones."""
    if len(value) > MOST_VARIABLES:
        raise InvalidRequest(
            f"`{_VARIABLES}` has {len(value):,} bytes; at most {MOST_VARIABLES:,} are taken",
            param=_VARIABLES,
        )
    try:
        return _decode_variables(value)
    except (msgspec.DecodeError, ValueError):
        # Not the decoder's words: they may repeat what stands there.
        raise InvalidRequest(
            f'`{_VARIABLES}` is no JSON object of texts; write it as {{"name": "Ada"}}, letters beyond ASCII as \\u00e9',
            param=_VARIABLES,
        ) from None


_VARIABLES = "x-headgate-variables"
_decode_variables = msgspec.json.Decoder(dict[str, str]).decode
