"""What a provider says about a call it did not serve, without the credentials that went with the call.

Some servers repeat the key they did not like, or print all headers on a page about what went wrong. Their words go into
records, logs and answers.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence

from headgate.core.errors import GatewayError, ProviderRefusal

__all__ = ["carries_credentials", "hush", "without_credentials_of"]

_HARMLESS = frozenset(
    {
        b"accept",
        b"anthropic-beta",
        b"anthropic-version",
        b"content-type",
        b"openai-beta",
        b"openai-organization",
        b"openai-project",
        b"x-amz-content-sha256",
        b"x-amz-date",
        b"x-headgate-fault",
    }
)
_SHORTEST = 6
"""Shorter ones are no secrets, and would be found in every other word."""
_BEGINNING = 12
"""So much of a credential is as bad as all of it: what is quoted is often cut off. Vendors' own marks are about as long."""
_ENTITIES = {
    ord("&"): (b"amp",),
    ord("<"): (b"lt",),
    ord(">"): (b"gt",),
    ord('"'): (b"quot",),
    ord("'"): (b"apos",),
}
_BACKSLASH = 0x5C
_INSTEAD = b"[credential removed]"

Sent = Sequence[tuple[bytes, bytes]]
"""Headers of a call, names in lower case."""


def carries_credentials(headers: Sent) -> bool:
    """Is there any header that may hold a secret?"""
    return any(True for _ in _credentials(headers))


def without_credentials_of(headers: Sent, said: bytes) -> bytes:
    """`said` with what those headers hold taken out, and beginnings of it, however JSON, HTML and addresses spell it."""
    for credential in _credentials(headers):
        said = _without(credential, said)
    return said


def hush(error: GatewayError, headers: Sent) -> None:
    """Take what those headers hold out of an error that quotes what the provider said."""

    def clean(text: str) -> str:
        said = text.encode("utf-8", "surrogatepass")
        cleaned = without_credentials_of(headers, said)
        return text if cleaned is said else cleaned.decode("utf-8", "replace")

    error.message, error.detail = clean(error.message), clean(error.detail)
    error.args = (error.message,)
    if isinstance(error, ProviderRefusal):
        error.body = without_credentials_of(headers, error.body)


def _credentials(headers: Sent) -> Iterator[bytes]:
    for name, value in headers:
        if name in _HARMLESS or value.startswith(b"AWS4-"):
            continue  # a signature is good for this one call, and the key it is made with is not in it
        # `Bearer KEY` is also repeated without its first word, and of `Basic ...` what is in it.
        scheme, _, rest = value.partition(b" ") if name == b"authorization" else (b"", b"", b"")
        bare = rest.strip() or value
        found = [bare, *(_of_basic(bare) if scheme.lower() == b"basic" else ())]
        yield from (each for each in found if len(each) >= _SHORTEST)


def _of_basic(text: bytes) -> Sequence[bytes]:
    """`user:password`, and the password alone."""
    try:
        pair = base64.b64decode(text, validate=True)
    except binascii.Error:
        return ()
    return pair, pair.partition(b":")[2]


def _without(credential: bytes, said: bytes) -> bytes:
    beginning, rest = credential[:_BEGINNING], credential[_BEGINNING:]
    pieces, done = [], 0
    for found in re.finditer(b"".join(map(_any_spelling, beginning)), said, re.IGNORECASE):
        if found.start() < done:
            continue
        end = found.end()
        for code in rest:
            more = re.compile(_any_spelling(code), re.IGNORECASE).match(said, end)
            if more is None:
                break
            end = more.end()
        pieces += [said[done : found.start()], _INSTEAD]
        done = end
    return b"".join([*pieces, said[done:]]) if pieces else said


def _any_spelling(code: int) -> bytes:
    if code == _BACKSLASH:
        # With three before it, as below, a row of them could be read in so many ways that trying them all takes for ever.
        return rb"(?:%5c|\\{1,2})"
    plain = re.escape(bytes([code]))
    if plain.isalnum():
        return plain
    # The longest first, or `&` would be taken out of `&amp;` alone. What is quoted by Python has its backslashes twice.
    ways = [b"&%b;" % name for name in _ENTITIES.get(code, ())]
    ways += [b"&#0*%d;" % code, b"&#x0*%x;" % code, rb"\\{1,2}u00%02x" % code, b"%%%02x" % code]
    ways += [rb"\\{1,3}" + plain, plain]
    return b"(?:" + b"|".join(ways) + b")"
