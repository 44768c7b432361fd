"""What a caller says about answers from memory: `Cache-Control` of a request (RFC 9111, 5.2.1) and `x-headgate-cache`.

Headers come from strangers: nothing here raises. What cannot be read is taken for the stricter of what it may have meant,
so nobody gets an older answer than they asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf

__all__ = ["NO_WISH", "Wish", "wish_of"]

_FOREVER = 2.0**31
"""Seconds. RFC 9111, 1.2.2: whoever cannot hold a number takes this for it."""
_LONGEST = 4096
"""Bytes of all such headers together that are read."""
_DIRECTIVE = re.compile(r'\s*([^\s,;="]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^,]*))?[^,]*(?:,|$)')
_ON = (b"", b"on")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the caller allows. Said nothing, everything: what the operator has set holds."""

    read: bool = True
    """May it be answered from memory at all? `no-cache` and `x-headgate-cache: off` say no."""
    keep: bool = True
    """May its answer be kept, or shared with others who ask? `no-store` and `x-headgate-cache: off` say no."""
    off: bool = False
    """`x-headgate-cache: off`: nothing is looked up, kept, joined or learned."""
    max_age: float | None = None
    """Seconds that an answer may be old; None: not said."""
    min_fresh: float = 0.0
    """Seconds that an answer must still be fresh for."""
    max_stale: float = 0.0
    """Seconds beyond its time that an answer may be; inf: any."""
    if_error: float = 0.0
    """The same for an answer that is given because no model answers."""
    only_if_cached: bool = False
    """Nothing but an answer from memory is wanted."""

    @property
    def most_seconds(self) -> float | None:
        """How old an answer may be, whatever its time; None: not said."""
        return self.max_age if self.read else 0.0

    def takes(self, age: float, left: float, *, stale: float = 0.0) -> bool:
        """May an answer be given that is `age` seconds old and fresh for `left` more (negative: no longer)? stale: seconds
        beyond its time that the operator allows; what the caller allows on top is up to `max_stale`."""
        if not self.read or (self.min_fresh and left < self.min_fresh):
            return False
        if left < -max(stale, self.max_stale):
            return False
        return self.max_age is None or age <= self.max_age + self.max_stale

    def takes_on_error(self, age: float, left: float, *, if_error: float = 0.0) -> bool:
        """The same where no model answers. if_error: seconds beyond its time that the operator allows."""
        if not self.read:
            return False
        allowed = max(if_error, self.if_error, self.max_stale)
        return left >= -allowed and (
            self.max_age is None or age <= self.max_age + max(self.if_error, self.max_stale)
        )


NO_WISH = Wish()
"""Of who said nothing."""


def wish_of(headers: Iterable[tuple[bytes, bytes]]) -> Wish:
    """headers: of the request, names in lower case. There may be several of one name: all of them hold."""
    said: list[bytes] = []
    off = False
    for name, value in headers:
        if name == b"cache-control":
            said.append(value)
        elif name == b"x-headgate-cache" and value.strip().lower() not in _ON:
            # Nobody writes it to be given old answers: a misspelt `off` is no `on`.
            off = True
    if not said and not off:
        return NO_WISH
    return _wish(b",".join(said), off=off)


def _wish(text: bytes, *, off: bool) -> Wish:
    strange = len(text) > _LONGEST
    read, keep, only = not (strange or off), not (strange or off), False
    found: dict[str, float] = {}
    for name, value in () if strange else _directives(text.decode("latin-1").lower()):
        if name == "no-cache":
            read = False
        elif name == "no-store":
            keep = False
        elif name == "only-if-cached":
            only = True
        elif name in ("max-age", "min-fresh"):
            if not value:
                continue  # no number at all says nothing
            seconds = _seconds(value)
            if seconds is None:
                read = False
            elif name == "max-age":
                found[name] = min(seconds, found.get(name, inf))
            else:
                found[name] = max(seconds, found.get(name, 0.0))
        elif name in ("max-stale", "stale-if-error"):
            seconds = inf if name == "max-stale" and value is None else _seconds(value) or 0.0
            found[name] = min(seconds, found.get(name, inf))
    return Wish(
        read=read,
        keep=keep,
        off=off,
        max_age=found.get("max-age"),
        min_fresh=found.get("min-fresh", 0.0),
        max_stale=found.get("max-stale", 0.0),
        if_error=found.get("stale-if-error", 0.0),
        only_if_cached=only,
    )


def _directives(text: str) -> Iterator[tuple[str, str | None]]:
    at = 0
    while at < len(text):
        match = _DIRECTIVE.match(text, at)
        if match is None:
            at = text.find(",", at) + 1
            if not at:
                return
            continue
        value = match.group(2)
        yield match.group(1), None if value is None else value.strip().strip('"').strip()
        at = match.end()


def _seconds(value: str | None) -> float | None:
    """None if it is no number of whole seconds."""
    if value is None or not value.isascii() or not value.isdigit():
        return None
    return _FOREVER if len(value) > 9 else float(value)
