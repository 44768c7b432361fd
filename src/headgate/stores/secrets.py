"""Secrets that are sent to others, such as providers' keys: kept sealed, each for the hosts it may be sent to."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from headgate.stores.audit import AuditEntry

__all__ = ["Audited", "SecretRecord", "SecretStore", "context_of", "place_of", "read_place"]

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?")
_PLACE = re.compile(r"(?P<name>\[[^\]]*\]|[^:]+)(:(?P<port>[0-9]{1,5}))?")
_TLS_PORT = 443


class SecretRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One secret, sealed. Of the value itself nothing can be read without the master key."""

    name: str
    """The operator's word for it, as in `api_key = "secret:NAME"`; unique."""
    hosts: tuple[str, ...]
    """Where it may be sent to, as `place_of` writes places, in the order of their letters. Never empty."""
    sealed: bytes
    """As `headgate.stores.sealing` seals; opens only together with this name and these hosts."""
    master: str
    """Which master key it is sealed under."""
    created_ns: int
    """Wall clock, nanoseconds since 1970-01-01 UTC, as all moments here."""
    changed_ns: int
    """When value or hosts were last given; sealing anew changes neither."""

    @property
    def context(self) -> str:
        """What it is sealed together with."""
        return context_of(self.name, self.hosts)

    def __repr__(self) -> str:
        return f"<SecretRecord {self.name} for {', '.join(self.hosts)}>"


Audited = Callable[[Sequence[SecretRecord]], AuditEntry]
"""Makes the entry of a change from the records it was made to."""


class SecretStore(Protocol):
    """Sealed secrets of this installation. Never on the request path: they are read into memory. All raise StoreUnavailable.

    An audit entry is kept together with its change, or neither is."""

    async def all(self) -> Sequence[SecretRecord]:
        """Every secret, in the order of their names."""
        ...

    async def put(self, record: SecretRecord, audit: AuditEntry | None = None) -> None:
        """Keep it; one of the same name is replaced, but for the moment of its creation."""
        ...

    async def remove(self, name: str, audit: AuditEntry | None = None) -> bool:
        """Gone for good. False if there is none of that name."""
        ...

    async def reseal(
        self, again: Callable[[SecretRecord], SecretRecord], audit: Audited
    ) -> Sequence[SecretRecord]:
        """Replace every record by what `again` makes of it, in one transaction; if it raises CannotOpen, nothing has changed.

        Returns them as they are now. `again` is called where the database is talked to, and asks nobody."""
        ...


def context_of(name: str, hosts: tuple[str, ...]) -> str:
    """What a secret's value is sealed together with, so that in another row, or for another host, it does not open."""
    return msgspec.json.encode(["secret", name, hosts]).decode()


def place_of(scheme: str, host: str, port: int) -> str:
    """How a place that secrets are sent to is written: `api.example.com`, with TLS on its usual port; else with the port, as
    in `10.0.0.5:8000` or `[::1]:8000`. Without TLS the port always stands there, so that an address that loses its `s` is
    another place."""
    name = f"[{host}]" if ":" in host else host.lower().removesuffix(".")
    return name if (scheme, port) == ("https", _TLS_PORT) else f"{name}:{port}"


def read_place(text: str) -> str:
    """What an operator wrote, as `place_of` writes it. Raises ValueError with what would be right."""
    wrong = ValueError(
        f'"{text[:100]}" is not a host: write its name, such as `api.openai.com`, or `10.0.0.5:8000` with another port than '
        "443; no `https://` and no path"
    )
    found = _PLACE.fullmatch(text.strip().lower())
    if found is None:
        raise wrong
    name, port = found["name"], int(found["port"] or _TLS_PORT)
    bare = name.removeprefix("[").removesuffix("]")
    if not 0 < port < 65_536 or not (_is_ipv6(bare) if bare != name else _NAME.fullmatch(name)):
        raise wrong
    return place_of("https" if port == _TLS_PORT else "http", bare, port)


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False
