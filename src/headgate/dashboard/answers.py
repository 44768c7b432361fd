"""Answers to browsers, with the headers that all of them have."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

__all__ = [
    "Answer",
    "cookie",
    "html",
    "is_ours",
    "json",
    "read_notice",
    "see",
    "send_answer",
    "text",
    "write_notice",
]

Send = Callable[[Any], Awaitable[None]]

_SAFE = [
    # Scripts and styles from here only, and none in the pages themselves: nothing that a recorded name contains can do anything.
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            b"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]
_NO_STORE = (b"cache-control", b"no-store")


class Answer(NamedTuple):
    """What is sent."""

    status: int
    body: bytes = b""
    kind: bytes = b"text/plain; charset=utf-8"
    headers: Sequence[tuple[bytes, bytes]] = (_NO_STORE,)


def text(status: int, words: str, *, headers: Sequence[tuple[bytes, bytes]] = ()) -> Answer:
    """A few words."""
    return Answer(status, words.encode() + b"\n", headers=(_NO_STORE, *headers))


def html(status: int, page: str, *, headers: Sequence[tuple[bytes, bytes]] = ()) -> Answer:
    """A page."""
    return Answer(status, page.encode(), b"text/html; charset=utf-8", (_NO_STORE, *headers))


def json(body: bytes) -> Answer:
    """Data for a plot."""
    return Answer(200, body, b"application/json")


def see(location: str, *, headers: Sequence[tuple[bytes, bytes]] = ()) -> Answer:
    """Elsewhere, by GET. location: of this site; whatever leads away from it leads to `/`."""
    place = location if is_ours(location) else "/"
    return Answer(
        303,
        headers=(_NO_STORE, (b"location", quote(place, safe="/?&=%#:,;+@!$'()*~-._[]").encode()), *headers),
    )


def cookie(name: str, value: str, *, seconds: int, secure: bool) -> tuple[bytes, bytes]:
    """The header that has a browser keep something; seconds 0: forget it."""
    tail = "; Secure" if secure else ""
    return b"set-cookie", f"{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{tail}".encode(
        "latin-1"
    )


def write_notice(words: str) -> str:
    """As the value of a cookie."""
    return quote(words[:500], safe="")


def read_notice(value: str) -> str:
    """From the value of a cookie."""
    return unquote(value)[:500]


async def send_answer(send: Send, method: str, answer: Answer) -> None:
    """To the browser."""
    headers = [
        (b"content-type", answer.kind),
        (b"content-length", b"%d" % len(answer.body)),
        *_SAFE,
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})


def is_ours(location: str) -> bool:
    """Does it lead to a page of this site? Browsers pass over tabs and line ends in addresses."""
    return location.startswith("/") and not location.startswith(("//", "/\\")) and location.isprintable()
