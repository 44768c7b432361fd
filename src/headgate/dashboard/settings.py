"""The section `[dashboard]`: who sees the pages, and how they sign in."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from headgate.admission.rights import ROLES
from headgate.core.section import Duration, Section

__all__ = ["DashboardSettings", "OidcSettings"]

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class OidcSettings(Section, frozen=True):
    """People sign in at an identity provider (OpenID Connect). Needs the extra `sso`."""

    issuer: str
    """The provider's address, as it stands in its tokens: `https://login.example.com/realms/staff`."""
    client_id: str
    """What Headgate is called there. The address people are sent back to is `/sign-in/oidc/callback`."""
    client_secret: str = ""
    """As the provider gave it; "" for a client without one."""
    name: str = "your organisation"
    """What the button says: "Sign in with ..."."""
    scopes: list[str] = msgspec.field(default_factory=lambda: ["openid", "email", "profile"])
    """What is asked of the provider."""
    roles_claim: str = "roles"
    """The claim of the ID token that lists what the person is, such as `groups` or `realm_access.roles`."""
    roles: dict[str, str] = msgspec.field(default_factory=dict)
    """The provider's word -> the role here: `{ "ai-team" = "developer" }`. Other words give no role."""
    everybody: list[str] = msgspec.field(default_factory=list)
    """Roles of everybody whom the provider lets in."""

    def __post_init__(self) -> None:
        if not self.client_id:
            raise ValueError("`client_id` must not be empty")
        parts = urlsplit(self.issuer)
        local = parts.scheme == "http" and parts.hostname in _LOOPBACK
        if not parts.hostname or not (parts.scheme == "https" or local):
            raise ValueError(
                "`issuer` must be an https address: whoever can change what it says lets anybody in"
            )
        if "openid" not in self.scopes:
            raise ValueError("`scopes` must hold `openid`")
        for role in (*self.roles.values(), *self.everybody):
            if role not in ROLES:
                raise ValueError(f"`{role}` is no role; there are {', '.join(ROLES)}")


class DashboardSettings(Section, frozen=True):
    """Who sees the pages at `/`, and how they sign in."""

    local: bool = True
    """This machine's own browser sees what a `viewer` sees, without signing in. Forwarded requests never do."""
    address: str = ""
    """Where people reach it, such as `https://gate.example.com`; "": as their browser says. Needed behind a proxy that changes the
    name."""
    idle: Duration = Duration(12 * 3600)
    """Whoever has not looked for so long has to sign in again."""
    longest: Duration = Duration(14 * 86_400)
    """And in any case after so long."""
    oidc: OidcSettings | None = None
    """People sign in at an identity provider. Left out: by password or key only."""

    def __post_init__(self) -> None:
        if not self.idle or not self.longest:
            raise ValueError("`idle` and `longest` must be more than 0")
        parts = urlsplit(self.address)
        if self.address and (
            parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/")
        ):
            raise ValueError("`address` is like https://gate.example.com, without a path")
