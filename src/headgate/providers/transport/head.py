"""The head of a request, as bytes. Nothing a caller puts into a header can start a line of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

__all__ = ["head_around", "host_line", "render_head", "size_line"]

# Names seen on nearly every call; knowing them saves a pattern match each.
_KNOWN: Final = frozenset(
    (
        b"accept",
        b"anthropic-beta",
        b"anthropic-version",
        b"api-key",
        b"authorization",
        b"content-type",
        b"idempotency-key",
        b"openai-organization",
        b"openai-project",
        b"traceparent",
        b"tracestate",
        b"user-agent",
        b"x-amz-content-sha256",
        b"x-amz-date",
        b"x-amz-security-token",
        b"x-api-key",
        b"x-goog-api-key",
        b"x-request-id",
    )
)
# Two of any of these would let two servers on the way read two different messages.
_OURS: Final = frozenset(
    (
        b"accept-encoding",
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET: Final = re.compile(rb"[!-~]+")
_BODILESS: Final = frozenset(("GET", "HEAD", "DELETE", "OPTIONS"))


def host_line(scheme: str, host: str, port: int) -> bytes:
    """The value of `host`: brackets around IPv6, the port only where it is not the scheme's own."""
    name = f"[{host}]".encode() if ":" in host else host.encode("ascii" if host.isascii() else "idna")
    return name if port == (443 if scheme == "https" else 80) else b"%b:%d" % (name, port)


def render_head(
    method: str, target: bytes, fixed: bytes, headers: Sequence[tuple[bytes, bytes]], length: int
) -> bytes:
    """Request line and headers with the empty line: see `head_around`, which raises, and `size_line`."""
    before, after = head_around(method, target, fixed, headers)
    return before + size_line(method, length) + after


def size_line(method: str, length: int) -> bytes:
    """The one header that depends on the body.

    length:  bytes of body; said even when 0, unless the method usually has none."""
    return b"" if not length and method in _BODILESS else b"content-length: %d\r\n" % length


def head_around(
    method: str, target: bytes, fixed: bytes, headers: Sequence[tuple[bytes, bytes]]
) -> tuple[bytes, bytes]:
    """What stands in a head before that line, and what after it.

    fixed:   what every request of the origin carries, from ` HTTP/1.1` on, ending with an end of line.
    Raises: ValueError, naming the header and never its value, for anything that cannot stand in a head."""
    lines = []
    for pair in headers:
        if pair[0] not in _KNOWN:
            _check_name(pair[0])
        lines.append(b": ".join(pair))
    block = b"\r\n".join(lines)
    breaks = max(0, len(lines) - 1)
    if block.count(b"\n") != breaks or block.count(b"\r") != breaks or b"\0" in block:
        raise ValueError(f"a header value holds a line break or a zero byte: {_culprits(headers)}")
    if not _TARGET.fullmatch(target) or not method.isalpha():
        raise ValueError("the request line holds a character that cannot stand there")
    # HTTP lets a header come after ours or before; `fixed` ends with its line break, `block` does not.
    return b"%b %b%b" % (method.encode(), target, fixed), block + (b"\r\n\r\n" if block else b"\r\n")


def _check_name(name: bytes) -> None:
    if name.lower() in _OURS:
        raise ValueError(f"the transport writes `{name.decode('latin-1')}` itself")
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name[:40]!r} is not the name of a header")


def _culprits(headers: Sequence[tuple[bytes, bytes]]) -> str:
    return ", ".join(name.decode("latin-1") for name, value in headers if set(value) & {0, 10, 13})
