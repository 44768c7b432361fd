"""Who looks: somebody signed in, somebody with a key, or this machine's own browser. And whose forms are believed.

A proxy on this machine makes everybody look local, and a foreign page can point its own name at 127.0.0.1; so forwarded requests
and requests for another host's name have to sign in too.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from headgate.admission.rights import DASHBOARD, routes_of
from headgate.dashboard.looking import Viewer
from headgate.exchange.caller import Caller

__all__ = [
    "COOKIE",
    "NOTICE",
    "Visitors",
    "address_of",
    "believes",
    "cookies_of",
    "is_https",
    "key_of",
    "new_secret",
    "own_browser",
    "same_site",
    "source_of",
]

Scope = MutableMapping[str, Any]
Headers = Iterable[tuple[bytes, bytes]]

COOKIE = "headgate"
"""Of somebody who is signed in."""
NOTICE = "headgate-notice"
"""A sentence for the next page."""
_FORWARDED = frozenset((b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"))
_LOCAL = Caller(key_id="local", key_name="this computer", roles=("viewer",), routes=routes_of(["viewer"]))


@dataclass(frozen=True, slots=True)
class Visitors:
    """Recognises viewers."""

    caller_of: Callable[[bytes], Caller | None]
    """Whose key it is."""
    signed_in: Callable[[bytes], Awaitable[Caller | None]]
    """Whose cookie it is. Raises StoreUnavailable."""
    secret: bytes = b""
    """For the forms of those who have none."""
    local: Callable[[], bool] = lambda: True
    """May this machine's own browser see the pages without signing in?"""

    async def viewer(self, scope: Scope) -> Viewer | None:
        """None: nobody we know, or nobody who may see anything here."""
        key = key_of(scope["headers"])
        if key:
            caller = self.caller_of(key)
            return _viewer(caller, "key", key) if caller is not None and DASHBOARD in caller.routes else None
        cookie = cookies_of(scope["headers"]).get(COOKIE, "").encode()
        if cookie:
            caller = await self.signed_in(cookie)
            if caller is not None and DASHBOARD in caller.routes:
                return _viewer(caller, "person", cookie, session=cookie)
        if self.local() and own_browser(scope):
            return _viewer(_LOCAL, "local", self.secret)
        return None


def new_secret() -> bytes:
    """For `Visitors`."""
    return secrets.token_bytes(32)


def _viewer(caller: Caller, kind: str, secret: bytes, *, session: bytes = b"") -> Viewer:
    token = hashlib.blake2b(b"form", key=hashlib.blake2b(secret, digest_size=32).digest(), digest_size=16)
    return Viewer(caller, caller.key_name, kind, token.hexdigest(), session)


def believes(viewer: Viewer, token: str) -> bool:
    """Is the form from a page of ours? token: as it came."""
    return hmac.compare_digest(viewer.csrf.encode(), token.encode())


def same_site(headers: Headers) -> bool:
    """Does the browser say that a form comes from here? One that says nothing is no browser, or a very old one."""
    said = dict(headers)
    fetched = said.get(b"sec-fetch-site", b"")
    if fetched and fetched not in (b"same-origin", b"none"):
        return False
    origin = said.get(b"origin")
    if origin is None:
        return True
    try:
        # A proxy may speak another scheme with us than with the browser.
        place = urlsplit(origin.decode("latin-1")).netloc
    except ValueError:
        return False
    return place == said.get(b"host", b"").decode("latin-1")


def key_of(headers: Headers) -> bytes:
    """The key in a header: as Bearer token, as x-api-key, or as the password of HTTP Basic."""
    for name, value in headers:
        if name == b"x-api-key":
            return value.strip()
        if name == b"authorization":
            scheme, _, rest = value.partition(b" ")
            if scheme.lower() == b"bearer":
                return rest.strip() or b"?"
            if scheme.lower() == b"basic":
                try:
                    return base64.b64decode(rest, validate=True).partition(b":")[2] or b"?"
                except binascii.Error:
                    return b"?"
    return b""


def cookies_of(headers: Headers) -> dict[str, str]:
    """What the browser keeps for us; unreadable ones are none."""
    found: dict[str, str] = {}
    for name, value in headers:
        if name == b"cookie":
            for part in value.decode("latin-1").split(";"):
                read: SimpleCookie = SimpleCookie()
                try:
                    read.load(part.strip())
                except CookieError:
                    continue
                found.update({key: morsel.value for key, morsel in read.items()})
    return found


def own_browser(scope: Scope) -> bool:
    """Is it this machine's own browser, as far as one can tell?"""
    client = scope.get("client")
    if not client or not _loopback(client[0]):
        return False
    if any(name in _FORWARDED for name, _ in scope["headers"]):
        return False
    if scope.get("http_version") == "1.0":
        # No browser speaks it, but a proxy that was told nothing does: it names neither itself nor the host that was asked for.
        return False
    return _loopback(_host_name(_host(scope)))


def source_of(scope: Scope) -> str:
    """Whose tries are counted together: the address; of IPv6 the network, because one machine has as many addresses as it likes.

    A proxy on this machine or in this network says for whom it asks: else one guesser would have everybody wait. Who asks us directly
    from elsewhere is not believed."""
    client = (scope.get("client") or ("",))[0]
    if _is_near(client):
        said = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        # The last one is what the proxy itself has seen; those before it are what it was told.
        last = said[-1].decode("latin-1").rpartition(",")[2].strip() if said else ""
        client = last if _address(last) is not None else client
    address = _address(client)
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
    return client


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_near(client: str) -> bool:
    address = _address(client)
    return address is not None and (address.is_private or address.is_loopback)


def is_https(scope: Scope) -> bool:
    """Does the browser speak TLS, with us or with a proxy before us?"""
    if scope.get("scheme") == "https":
        return True
    return any(name == b"x-forwarded-proto" and value == b"https" for name, value in scope["headers"])


def address_of(scope: Scope) -> str:
    """Where the reader's browser reached us, so that what is copied from the page works from the reader's machine."""
    return f"{'https' if is_https(scope) else 'http'}://{_host(scope) or 'localhost'}"


def _host(scope: Scope) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
