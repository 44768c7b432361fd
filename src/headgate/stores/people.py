"""People who sign in to the dashboard, and their browsers that are signed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from headgate.stores.audit import AuditEntry

__all__ = ["Login", "PeopleStore", "Person"]


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody. Moments are wall clock, nanoseconds since 1970-01-01 UTC."""

    id: str
    """Public, such as `person_0akr…`; stands in the audit log."""
    email: str
    """In small letters; unique. What they sign in with."""
    name: str = ""
    password: str = ""
    """As argon2 writes it down; "": none, they sign in elsewhere or not yet."""
    roles: tuple[str, ...] = ()
    team: str = ""
    issuer: str = ""
    """Who signs them in, if somebody else does (OpenID Connect)."""
    identity: str = ""
    """Who they are there (`sub`)."""
    created_ns: int
    disabled_ns: int | None = None
    seen_ns: int | None = None
    """When they signed in last."""


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A browser that is signed in."""

    hash: str
    """Hex, of what the browser's cookie says; the cookie itself is kept nowhere."""
    person: str
    """Whose: the id of a person, or of a key and a part of its hash."""
    created_ns: int
    expires_ns: int
    """Not valid from then on, whatever happens."""
    seen_ns: int
    """To within a minute."""
    agent: str = ""
    """What the browser says it is."""


class PeopleStore(Protocol):
    """All raise StoreUnavailable. Where an `audit` entry is given it is kept together with the change, or neither is."""

    async def all(self) -> Sequence[Person]:
        """Everybody, disabled ones too, by e-mail."""
        ...

    async def find(self, who: str) -> Person | None:
        """By id or by e-mail, in small letters."""
        ...

    async def identified(self, issuer: str, identity: str) -> Person | None:
        """By who they are elsewhere."""
        ...

    async def add(self, person: Person, audit: AuditEntry | None = None) -> None:
        """Raises PersonExists if id or e-mail is taken."""
        ...

    async def change(
        self, person: Person, audit: AuditEntry | None = None, *, sign_out: bool = False
    ) -> bool:
        """They are as given from now on, but for `created_ns` and `seen_ns`. sign_out: on all browsers. False: nobody has this id.
        Raises PersonExists if the e-mail is somebody else's."""
        ...

    async def open(self, login: Login) -> None:
        """Signed in; `seen_ns` of the person is set."""
        ...

    async def login(self, hashed: str) -> Login | None:
        """As it is kept, valid or not."""
        ...

    async def touch(self, hashed: str, at_ns: int) -> None:
        """It was used."""
        ...

    async def close(self, hashed: str) -> None:
        """Signed out; nothing happens if it is not there."""
        ...

    async def close_all(self, person: str) -> int:
        """Signed out on all browsers; how many there were."""
        ...

    async def sweep(self, expired_ns: int, idle_ns: int) -> int:
        """Forget logins that expire before the one moment, or were last seen before the other; how many there were."""
        ...
