"""A token -> a caller: signature, issuer, audience and time are checked once, then it is known until it ends."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from headgate.admission.rights import ROLES, routes_of
from headgate.admission.tokens.settings import TokenSettings
from headgate.exchange.caller import Caller

__all__ = ["Issuer", "load_keys", "looks_like_a_token"]

log = logging.getLogger("headgate.admission")

_LONGEST = 8_192
_MOST_KNOWN = 10_000
_LEEWAY_SECONDS = 30
"""Clocks of two machines are never quite equal."""
_LONGEST_WORD = 200
_KINDS = frozenset({"RSA", "EC", "OKP"})


def looks_like_a_token(key: bytes) -> bool:
    """Three parts with dots between. A key of ours has none."""
    return key.count(b".") == 2


def load_keys(data: bytes) -> dict[str, Any]:
    """The public keys of a JWKS document, by `kid`. Keys for encryption, secrets and unknown kinds are left out.

    Raises ValueError if none is left."""
    import jwt  # noqa: PLC0415 - an extra

    try:
        document = msgspec.json.decode(data)
        listed = document["keys"]
        usable = [one for one in listed if one.get("kty") in _KINDS and one.get("use", "sig") == "sig"]
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise ValueError("this is no JWKS document") from wrong
    keys = {}
    for one in usable:
        try:
            keys[str(one.get("kid", ""))] = jwt.PyJWK.from_dict(one)
        except (jwt.PyJWTError, NotImplementedError, ValueError, TypeError):
            log.warning("a public key of kind %.20s is not understood and left out", one.get("kty"))
    if not keys:
        raise ValueError("no public key for signatures is in it")
    return keys


class Issuer:
    """One issuer's tokens."""

    def __init__(self, name: str, settings: TokenSettings) -> None:
        self.name = name
        self.settings = settings
        self.wants_keys = False
        """A token came that was signed with a key we do not know."""
        self._keys: Mapping[str, Any] = {}
        self._known: dict[bytes, tuple[Caller, float]] = {}

    @property
    def keys(self) -> Mapping[str, Any]:
        """The public keys that are believed, by `kid`."""
        return self._keys

    def take_keys(self, keys: Mapping[str, Any]) -> None:
        """Believe these from now on, and no others: what was believed because of one that is gone is forgotten."""
        self._keys, self._known, self.wants_keys = keys, {}, False

    def caller(self, token: bytes) -> Caller | None:
        """Whose token it is; None if it is not this issuer's, not valid, or not any more."""
        if len(token) > _LONGEST:
            return None
        # The whole token, signature included: two that differ in one bit are two tokens.
        digest = hashlib.blake2b(token, digest_size=32).digest()
        found = self._known.get(digest)
        if found is not None:
            caller, until = found
            return caller if time.time() < until else None
        claims = self._checked(token)
        if claims is None:
            return None
        caller = _caller(self.name, self.settings, claims)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[digest] = (caller, float(claims["exp"]) + _LEEWAY_SECONDS)
        return caller

    def _checked(self, token: bytes) -> dict[str, Any] | None:
        import jwt  # noqa: PLC0415 - an extra

        try:
            key = self._key(jwt.get_unverified_header(token).get("kid"))
            if key is None:
                return None
            claims: dict[str, Any] = jwt.decode(
                token,
                key=key,
                algorithms=list(self.settings.algorithms),
                audience=self.settings.audience,
                issuer=self.settings.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as wrong:
            log.debug("a token was refused by issuer %s: %s", self.name, type(wrong).__name__)
            return None
        return claims

    def _key(self, kid: object) -> Any:
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        found = self._keys.get(kid) if isinstance(kid, str) else None
        if found is None:
            self.wants_keys = True
        return found


def _caller(name: str, settings: TokenSettings, claims: Mapping[str, Any]) -> Caller:
    words = set(_words(_claim(claims, settings.roles_claim)))
    wanted = {*settings.everybody, *(role for word, role in settings.roles.items() if word in words)}
    roles = tuple(role for role in ROLES if role in wanted)
    user = _word(_claim(claims, settings.user_claim))
    return Caller(
        key_id=f"{name}:{_word(claims['sub'])}",
        key_name=f"{name}:{user}",
        team=_word(_claim(claims, settings.team_claim)),
        tenant=_word(_claim(claims, settings.tenant_claim)),
        models=tuple(dict.fromkeys((*settings.models, *settings.features))),
        user=user,
        roles=roles,
        features=tuple(settings.features),
        routes=routes_of(roles),
    )


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of that name, else what the dots lead to: names of claims may be addresses and hold dots themselves."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _word(value: object) -> str:
    text = str(value) if isinstance(value, str | int) else ""
    return "".join(each for each in text[:_LONGEST_WORD] if each.isprintable())


def _words(value: object) -> Iterator[str]:
    """Of a list, or of a text with spaces, as `scope` is."""
    if isinstance(value, str):
        yield from value.split()
    elif isinstance(value, list):
        yield from (each for each in value if isinstance(each, str))
