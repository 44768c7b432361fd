"""Requests in: query and body as typed values, within bounds; whatever is wrong is told with its place."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from headgate.control.http.problems import Problem
from headgate.core.near import did_you_mean

__all__ = ["MOST_BODY", "HungUp", "read_body", "read_json", "read_query"]

MOST_BODY = 64_000
"""Bytes of a body, at most."""
_MOST_PARAMETERS = 50
_PLACE = re.compile(r" - at `(?:key in )?\$?\.?(.*)`$")
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(.*)`")

Headers = Sequence[tuple[bytes, bytes]]
S = TypeVar("S", bound=msgspec.Struct)


class HungUp(Exception):
    """The caller left before the body was complete: nobody is there to answer."""


def read_query(text: bytes, kind: type[S] | None) -> S | None:
    """The query as a `kind`. Raises Problem for parameters that are unknown, given twice or of another type."""
    try:
        pairs = parse_qsl(
            text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError:
        raise Problem(
            "invalid_request",
            f"the query cannot be read: percent-encoded UTF-8, at most {_MOST_PARAMETERS} parameters",
        ) from None
    known = kind.__struct_encode_fields__ if kind is not None else ()
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            near = did_you_mean(name, known) or "; this path takes none"
            raise Problem("invalid_request", f"no parameter `{_short(name)}`{near}", param=_short(name))
        if name in given:
            raise Problem("invalid_request", f"`{name}` is given twice: once is enough", param=name)
        given[name] = value
    if kind is None:
        return None
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as wrong:
        raise _invalid(wrong, known) from None


async def read_body(headers: Headers, receive: Callable[[], Awaitable[Any]]) -> bytes:
    """The bytes of the body. Raises Problem if it is too large or compressed, HungUp."""
    for name, value in headers:
        if name == b"content-length" and int(value) > MOST_BODY:
            raise _too_large()
        if name == b"content-encoding" and value != b"identity":
            raise Problem("unsupported_media_type", "send the body without content-encoding")
    pieces: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HungUp
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > MOST_BODY:
            raise _too_large()
        more = message.get("more_body", False)
    return b"".join(pieces)


def read_json(headers: Headers, body: bytes, kind: type[S], *, required: bool) -> S:
    """The body as a `kind`. required: is there a field that must be given? Else no body at all is as good as `{}`.

    Raises Problem."""
    if not body and not required:
        body = b"{}"
    else:
        _check_type(headers)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as wrong:
        raise _invalid(wrong, kind.__struct_encode_fields__) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise Problem("malformed_body", f"the body is not JSON: {_short(str(wrong))}") from None


def _check_type(headers: Headers) -> None:
    for name, value in headers:
        if name == b"content-type":
            kind, _, parameters = value.decode("latin-1").lower().partition(";")
            charset = parameters.strip().removeprefix("charset=").strip('"')
            if kind.strip() == "application/json" and charset in ("", "utf-8", "utf8", "us-ascii"):
                return
            break
    raise Problem("unsupported_media_type", "send the body as `content-type: application/json`, in UTF-8")


def _invalid(wrong: msgspec.ValidationError, known: Iterable[str]) -> Problem:
    text = str(wrong)
    place = _PLACE.search(text)
    param = place[1] if place else ""
    text = text[: place.start()] if place else text
    if unknown := _UNKNOWN_FIELD.fullmatch(text):
        name = unknown[1]
        near = did_you_mean(name, known)
        return Problem("invalid_request", f"no field `{_short(name)}`{near}", param=_short(name))
    words = text[:1].lower() + text[1:]
    return Problem("invalid_request", _short(f"`{param}`: {words}" if param else words), param=_short(param))


def _too_large() -> Problem:
    # The rest of the body is not worth reading.
    return Problem(
        "body_too_large", f"the body is over {MOST_BODY:,} bytes", headers=[(b"connection", b"close")]
    )


def _short(text: str) -> str:
    """At most 300 characters, all of which can be printed: it comes from the caller and goes back to the caller."""
    return "".join(character if character.isprintable() else "?" for character in text[:300])
