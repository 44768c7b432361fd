"""What the header `x-headgate-tags` says, read in one way by whoever needs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

__all__ = ["tags_of"]

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
