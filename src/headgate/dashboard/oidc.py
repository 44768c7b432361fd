"""Signing in at an identity provider: OpenID Connect's authorization code flow, with PKCE, state and nonce.

Source: OpenID Connect Core 1.0, section 3.1; RFC 7636; RFC 9700. Nothing is believed but a token that the provider signed
for us, in answer to what this browser was sent away with.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import importlib.util
import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from headgate.admission.rights import ROLES
from headgate.admission.tokens.reading import load_keys
from headgate.control.signing import NotSignedIn
from headgate.core.errors import GatewayError
from headgate.dashboard.settings import OidcSettings
from headgate.providers.port import Timeouts, Upstream, UpstreamRequest, Url

__all__ = ["Identity", "Oidc", "Sent"]

log = logging.getLogger("headgate.people")

_TIMEOUTS = Timeouts(connect=5.0, headers=10.0, first_content=10.0, between=10.0, total=15.0)
_LARGEST = 1_000_000
_KNOWN_SECONDS = 600.0
_LEEWAY_SECONDS = 30
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_UNREACHABLE = "the identity provider cannot be reached or understood; try again in a moment, or sign in with a password or a key"
_REFUSED = "the identity provider's answer does not fit what this browser asked; start again"


class Sent(msgspec.Struct, frozen=True):
    """What the browser keeps while it is away."""

    state: str
    nonce: str
    verifier: str
    next: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the provider says it is."""

    subject: str
    email: str
    name: str
    roles: tuple[str, ...]
    proven: bool = False
    """Does the provider vouch for the address? Some say nothing of it."""


@dataclass(frozen=True, slots=True)
class _Provider:
    authorize: str
    token: str
    keys: str
    basic: bool
    """Are id and secret sent as HTTP Basic?"""
    read_at: float


class Oidc:
    """One identity provider. Nothing is asked of it before somebody wants to sign in."""

    def __init__(self, settings: OidcSettings, upstream: Upstream) -> None:
        """upstream: how it is reached. Raises ValueError if the program that checks tokens is not installed."""
        if importlib.util.find_spec("jwt") is None:
            raise ValueError("`[dashboard.oidc]` needs the extra: pip install 'headgate[sso]'")
        self.settings = settings
        self._upstream = upstream
        self._known: _Provider | None = None

    async def leave(self, back: str, after: str) -> tuple[str, Sent]:
        """Where the browser is sent, and what it has to bring back. back: our callback. after: the page that is wanted.

        Raises NotSignedIn."""
        provider = await self._provider()
        sent = Sent(
            secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), after[:500]
        )
        challenge = base64.urlsafe_b64encode(hashlib.sha256(sent.verifier.encode()).digest()).rstrip(b"=")
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": back,
            "scope": " ".join(self.settings.scopes),
            "state": sent.state,
            "nonce": sent.nonce,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
        }
        joint = "&" if urlsplit(provider.authorize).query else "?"
        return f"{provider.authorize}{joint}{urlencode(asked)}", sent

    async def come_back(self, query: Mapping[str, str], sent: Sent | None, back: str) -> Identity:
        """Who has come back. sent: what the browser brought. Raises NotSignedIn."""
        if sent is None or not hmac.compare_digest(query.get("state", "").encode(), sent.state.encode()):
            raise NotSignedIn(_REFUSED)
        # RFC 9207: an answer of another provider is not taken for this one's.
        if query.get("iss", self.settings.issuer) != self.settings.issuer:
            raise NotSignedIn(_REFUSED)
        if "error" in query or not query.get("code"):
            said = query.get("error_description") or query.get("error", "")
            words = "".join(each for each in said[:200] if each.isprintable())
            raise NotSignedIn(f"the identity provider did not let you in: {words or 'it gave no reason'}")
        provider = await self._provider()
        token = await self._redeem(provider, query["code"], sent.verifier, back)
        claims = await asyncio.to_thread(self._checked, token, load_keys(await self._fetch(provider.keys)))
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), sent.nonce.encode()):
            raise NotSignedIn(_REFUSED)
        return self._identity(claims)

    def _checked(self, token: str, keys: Mapping[str, Any]) -> Mapping[str, Any]:
        import jwt  # noqa: PLC0415 - an extra

        settings = self.settings
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = next(iter(keys.values())) if kid is None and len(keys) == 1 else keys[str(kid)]
            claims: dict[str, Any] = jwt.decode(
                token,
                key=key,
                algorithms=list(_ALGORITHMS),
                audience=settings.client_id,
                issuer=settings.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, KeyError, ValueError, TypeError) as wrong:
            log.warning("an ID token of %s was refused: %s", settings.issuer, type(wrong).__name__)
            raise NotSignedIn(_REFUSED) from None
        if claims.get("azp", settings.client_id) != settings.client_id:
            raise NotSignedIn(_REFUSED)
        return claims

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        email = str(claims.get("email", "")).strip().lower()
        # In words, as some have it; left out, nothing is said.
        said = claims.get("email_verified")
        proven = said is True or said == "true"
        if not email or not (proven or said is None):
            raise NotSignedIn(
                "the identity provider tells no proven e-mail address; it must be asked for `email`"
            )
        words = _words(_claim(claims, self.settings.roles_claim))
        wanted = {
            *self.settings.everybody,
            *(role for word, role in self.settings.roles.items() if word in words),
        }
        return Identity(
            subject=str(claims["sub"])[:300],
            email=email[:250],
            name="".join(each for each in str(claims.get("name", ""))[:100] if each.isprintable()),
            roles=tuple(role for role in ROLES if role in wanted),
            proven=proven,
        )

    async def _provider(self) -> _Provider:
        known = self._known
        if known is not None and time.monotonic() - known.read_at < _KNOWN_SECONDS:
            return known
        issuer = self.settings.issuer
        try:
            read = msgspec.json.decode(
                await self._fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            )
            if read["issuer"] != issuer:
                raise ValueError(f"it calls itself {read['issuer']!r}")
            methods = read.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            made = _Provider(
                authorize=_sound(read["authorization_endpoint"]),
                token=_sound(read["token_endpoint"]),
                keys=_sound(read["jwks_uri"]),
                basic="client_secret_basic" in methods,
                read_at=time.monotonic(),
            )
        except (KeyError, TypeError, ValueError, msgspec.DecodeError) as wrong:
            log.warning("cannot read the description of %s: %s", issuer, wrong)
            raise NotSignedIn(_UNREACHABLE) from None
        self._known = made
        return made

    async def _redeem(self, provider: _Provider, code: str, verifier: str, back: str) -> str:
        settings = self.settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": verifier,
        }
        headers = [(b"content-type", b"application/x-www-form-urlencoded"), (b"accept", b"application/json")]
        if settings.client_secret and provider.basic:
            pair = f"{quote(settings.client_id, safe='')}:{quote(settings.client_secret, safe='')}"
            headers.append((b"authorization", b"Basic " + base64.b64encode(pair.encode())))
        else:
            form["client_id"] = settings.client_id
            if settings.client_secret:
                form["client_secret"] = settings.client_secret
        request = UpstreamRequest("POST", Url.parse(provider.token), headers, urlencode(form).encode())
        answer = await self._sent(request)
        try:
            return str(msgspec.json.decode(answer)["id_token"])
        except (ValueError, KeyError, TypeError):
            raise NotSignedIn(_REFUSED) from None

    async def _fetch(self, address: str) -> bytes:
        return await self._sent(
            UpstreamRequest("GET", Url.parse(address), [(b"accept", b"application/json")])
        )

    async def _sent(self, request: UpstreamRequest) -> bytes:
        try:
            async with asyncio.timeout(_TIMEOUTS.total):
                reply = await self._upstream.send(request, _TIMEOUTS)
                try:
                    body = await reply.read(_LARGEST)
                finally:
                    reply.close()
        except (OSError, GatewayError, TimeoutError) as wrong:
            log.warning("the identity provider does not answer: %s", wrong)
            raise NotSignedIn(_UNREACHABLE) from None
        if reply.status != 200:
            # Redirects are not followed: only what the operator wrote is believed.
            log.warning("the identity provider answers HTTP %s", reply.status)
            raise NotSignedIn(_UNREACHABLE if request.method == "GET" else _REFUSED)
        return body


def _sound(address: object) -> str:
    text = str(address)
    parts = urlsplit(text)
    if parts.scheme == "https" or (
        parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    ):
        return text
    raise ValueError(f"{text!r} is no https address")


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of that name, else what the dots lead to."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _words(value: object) -> set[str]:
    if isinstance(value, str):
        return set(value.split())
    return {each for each in value if isinstance(each, str)} if isinstance(value, list) else set()
