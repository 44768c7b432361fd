"""The section `[tokens.NAME]`: one issuer of tokens."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from headgate.admission.rights import ROLES
from headgate.core.section import Duration, Section

__all__ = ["ALGORITHMS", "TokenSettings", "is_address"]

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Those with a public key. With a shared secret whoever can check a token could make one."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class TokenSettings(Section, frozen=True):
    """One issuer whose tokens (JWT, as OpenID Connect gives them) are taken in place of a key."""

    issuer: str
    """As it stands in the token's `iss`, to the letter."""
    audience: str
    """What the token's `aud` must hold: the name Headgate has at the issuer."""
    jwks: str
    """Where the issuer's public keys are: a file, or an `https` address."""
    refresh: Duration = Duration(600)
    """How often the public keys are read again; a token of an unknown one makes it sooner."""
    algorithms: list[str] = msgspec.field(default_factory=lambda: ["RS256", "ES256", "EdDSA"])
    """How tokens may be signed."""
    user_claim: str = "sub"
    """The claim that names the person, such as `email`. A dot goes into an object: `profile.name`."""
    team_claim: str = ""
    """The claim that names the team; "" for none."""
    tenant_claim: str = ""
    """The claim that names the organisation; "" for none."""
    roles_claim: str = "roles"
    """The claim that lists what the person is, such as `groups` or `realm_access.roles`."""
    roles: dict[str, str] = msgspec.field(default_factory=dict)
    """The issuer's word -> the role here: `{ "ai-developers" = "developer" }`. Other words give no role."""
    everybody: list[str] = msgspec.field(default_factory=list)
    """Roles of everybody with a valid token. Without this and `roles` nobody may anything."""
    features: list[str] = msgspec.field(default_factory=list)
    """Features its bearers may ask for and be counted for; left out, with `models` too: all."""
    models: list[str] = msgspec.field(default_factory=list)
    """Features and models its bearers may ask for."""

    def __post_init__(self) -> None:
        for name in ("issuer", "audience", "jwks", "user_claim"):
            if not getattr(self, name):
                raise ValueError(f"`{name}` must not be empty")
        if is_address(self.jwks) and not _sound(self.jwks):
            raise ValueError(
                "`jwks` must be a file or an https address: whoever can change it lets anybody in"
            )
        if not self.refresh:
            raise ValueError("`refresh` must be more than 0")
        for algorithm in self.algorithms:
            if algorithm not in ALGORITHMS:
                raise ValueError(
                    f"`algorithms`: `{algorithm}` is none of those with a public key: {', '.join(ALGORITHMS)}"
                )
        for role in (*self.roles.values(), *self.everybody):
            if role not in ROLES:
                raise ValueError(f"no role `{role}`; there are {', '.join(ROLES)}")


def is_address(jwks: str) -> bool:
    """Is it an address, not a file?"""
    return "://" in jwks


def _sound(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )
