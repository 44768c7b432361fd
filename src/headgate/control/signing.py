"""Signing in to the dashboard: whose cookie, whose password, whose key; and out again."""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections.abc import Callable
from typing import Protocol

import msgspec
from msgspec.structs import replace

from headgate.admission.rights import DASHBOARD, routes_of
from headgate.control.passwords import BadPassword, Passwords
from headgate.control.people import add_person, person_facts, set_password
from headgate.control.tries import Tries
from headgate.core.clock import Clock
from headgate.exchange.caller import Caller
from headgate.stores.audit import AuditEntry, AuditLog
from headgate.stores.people import Login, PeopleStore, Person

__all__ = ["KeyHolders", "NotSignedIn", "SignIn"]

log = logging.getLogger("headgate.people")

_NS = 1_000_000_000
_TOUCH_NS = 60 * _NS
_SWEEP_SECONDS = 600.0
_AGENT = 200
_PAGE = 500
_LAST_ID = (1 << 63) - 1


class NotSignedIn(Exception):
    """Says why not, and what to do. wait: seconds until the next try."""

    def __init__(self, words: str, *, wait: float = 0.0) -> None:
        super().__init__(words)
        self.wait = wait


class KeyHolders(Protocol):
    """Who has a key; as `KeyRing`."""

    def caller(self, key: bytes) -> Caller | None: ...

    def holder(self, key_id: str, mark: str) -> Caller | None: ...

    def mark(self, key: bytes) -> str: ...


class SignIn:
    """All ways in, and whoever is in."""

    def __init__(
        self,
        people: PeopleStore,
        audit: AuditLog,
        keys: Callable[[], KeyHolders],
        clock: Clock,
        *,
        limits: Callable[[], tuple[float, float]],
    ) -> None:
        """limits: after how many seconds without use, and after how many at all, somebody has to sign in again."""
        self._people = people
        self._audit = audit
        self._keys = keys
        self._clock = clock
        self._limits = limits
        self._tries = Tries(clock)
        self._swept = clock.monotonic()
        self.passwords = Passwords()

    async def by_password(
        self, email: str, password: str, *, source: str, agent: str = ""
    ) -> tuple[str, int]:
        """What the cookie says, and for how many seconds it is good. source: the address they come from.

        Raises NotSignedIn, StoreUnavailable."""
        account = email.strip().lower()[:300]
        names = (f"from:{source}", f"at:{account}")
        self._check_tries(*names)
        # Counted before it is known to be wrong: tries that overlap are tries.
        self._tries.failed(*names)
        person = await self._people.find(account) if "@" in account else None
        fits = await self.passwords.fits(person.password if person is not None else "", password)
        if person is None or not fits or person.disabled_ns is not None:
            log.info("a sign-in as %r from %s was refused", account, source)
            raise NotSignedIn("the address or the password is wrong, or the account is disabled")
        self._tries.worked(names[1])
        self._tries.took_back(names[0])
        return await self._open(person.id, person.roles, agent)

    async def change_password(
        self, person_id: str, password: str, wanted: str, *, source: str, agent: str = ""
    ) -> tuple[str, int]:
        """Somebody's own, `wanted` in place of `password`; all their browsers are signed out, and the one that asks anew in.

        Raises NotSignedIn (also if `wanted` is no good), StoreUnavailable."""
        person = await self._people.find(person_id)
        names = (f"from:{source}", f"at:{person.email if person is not None else ''}")
        self._check_tries(*names)
        self._tries.failed(*names)
        fits = await self.passwords.fits(person.password if person is not None else "", password)
        if person is None or not fits:
            raise NotSignedIn("The password of now is another one")
        self._tries.worked(names[1])
        self._tries.took_back(names[0])
        try:
            actor = f"dashboard:{person.id}"
            after = await set_password(self._people, person.id, wanted, passwords=self.passwords, actor=actor)
        except BadPassword as bad:
            raise NotSignedIn(str(bad)) from None
        return await self._open(after.id, after.roles, agent)

    async def by_key(self, key: bytes, *, source: str, agent: str = "") -> tuple[str, int]:
        """As `by_password`, with a Headgate key; ends when the key does."""
        name = f"from:{source}"
        self._check_tries(name)
        self._tries.failed(name)
        ring = self._keys()
        caller = ring.caller(key)
        if caller is None or DASHBOARD not in caller.routes:
            raise NotSignedIn(
                "this is no valid key whose role may see the dashboard (`headgate keys create NAME --role viewer` makes one)"
            )
        self._tries.took_back(name)
        return await self._open(f"{caller.key_id} {ring.mark(key)}", caller.roles, agent)

    async def by_identity(
        self,
        *,
        issuer: str,
        identity: str,
        email: str,
        name: str,
        roles: tuple[str, ...],
        proven: bool,
        agent: str = "",
    ) -> tuple[str, int]:
        """Somebody whom their identity provider has let in; kept here when they come for the first time.

        email: as it stands there. roles: what the provider's words mean here; () where they mean nothing: then those that
        were given here hold, but not those that words meant before. proven: does the provider vouch for the address? Else it
        opens no account that is here already. Raises NotSignedIn, StoreUnavailable."""
        person = await self._people.identified(issuer, identity)
        if person is None:
            person = await self._people.find(email)
            if person is not None and not proven:
                raise NotSignedIn(
                    f"the identity provider does not vouch for {email} (`email_verified`), and there is an account of that name"
                )
        if person is None:
            if not roles:
                raise NotSignedIn(f"{email} has no role here; ask whoever runs this gateway")
            draft = Person(
                id="", email=email, name=name, roles=roles, issuer=issuer, identity=identity, created_ns=0
            )
            person = await add_person(
                self._people, draft, password="", passwords=self.passwords, actor=f"oidc:{issuer}"
            )
        if person.disabled_ns is not None:
            raise NotSignedIn(f"the account {person.email} is disabled; ask whoever runs this gateway")
        if person.identity and (person.issuer, person.identity) != (issuer, identity):
            raise NotSignedIn(f"the address {person.email} belongs to somebody else here")
        if not roles and person.roles and not await self._given_roles(person):
            held: tuple[str, ...] = ()
        else:
            held = roles or person.roles
        wanted = replace(person, issuer=issuer, identity=identity, roles=held)
        if wanted != person:
            entry = AuditEntry(
                at_ns=time.time_ns(),
                actor=f"oidc:{issuer}",
                action="person.roles",
                subject=person.id,
                before=_facts(person),
                after=_facts(wanted),
            )
            await self._people.change(wanted, entry, sign_out=not held)
        if not held:
            raise NotSignedIn(f"{person.email} has no role here any more; ask whoever runs this gateway")
        return await self._open(person.id, wanted.roles, agent)

    async def _given_roles(self, person: Person) -> bool:
        """Has somebody here given them the roles they have, and not their identity provider? The audit log knows."""
        at = _LAST_ID
        while entries := await self._audit.before(at, person.created_ns, _PAGE):
            for entry in entries:
                if entry.subject == person.id and _roles(entry.before) != _roles(entry.after):
                    return not entry.actor.startswith("oidc:")
            at = entries[-1].id
        return True

    def key_caller(self, key: bytes) -> Caller | None:
        """Whose key it is."""
        return self._keys().caller(key)

    async def caller(self, cookie: bytes) -> Caller | None:
        """Whose cookie it is; None: nobody's, or not any more. Raises StoreUnavailable."""
        if not 20 <= len(cookie) <= 100:
            return None
        hashed = _hash(cookie)
        login = await self._people.login(hashed)
        now = self._clock.wall_ns()
        idle, _ = self._limits()
        if login is None or now >= login.expires_ns or now - login.seen_ns >= idle * _NS:
            return None
        caller = await self._whose(login.person)
        if caller is not None and now - login.seen_ns >= _TOUCH_NS:
            await self._people.touch(hashed, now)
        return caller

    async def sign_out(self, cookie: bytes) -> None:
        """On this browser. Raises StoreUnavailable."""
        await self._people.close(_hash(cookie))

    async def sign_out_everywhere(self, cookie: bytes) -> int:
        """On all browsers of whoever this is; how many there were. Raises StoreUnavailable."""
        login = await self._people.login(_hash(cookie))
        return await self._people.close_all(login.person) if login is not None else 0

    async def _whose(self, name: str) -> Caller | None:
        key_id, _, mark = name.partition(" ")
        if mark:
            return self._keys().holder(key_id, mark)
        person = await self._people.find(name)
        if person is None or person.disabled_ns is not None:
            return None
        return Caller(
            key_id=person.id,
            key_name=person.name or person.email,
            team=person.team,
            user=person.email,
            roles=person.roles,
            routes=routes_of(person.roles),
        )

    async def _open(self, name: str, roles: tuple[str, ...], agent: str) -> tuple[str, int]:
        if DASHBOARD not in routes_of(roles):
            raise NotSignedIn("none of your roles may see the dashboard; ask whoever runs this gateway")
        cookie, now = secrets.token_urlsafe(32), self._clock.wall_ns()
        idle, longest = self._limits()
        await self._people.open(
            Login(
                hash=_hash(cookie.encode()),
                person=name,
                created_ns=now,
                expires_ns=now + int(longest * _NS),
                seen_ns=now,
                agent=agent[:_AGENT],
            )
        )
        if self._clock.monotonic() - self._swept >= _SWEEP_SECONDS:
            self._swept = self._clock.monotonic()
            await self._people.sweep(now, now - int(idle * _NS))
        return cookie, int(longest)

    def _check_tries(self, *names: str) -> None:
        wait = self._tries.wait(*names)
        if wait > 0:
            raise NotSignedIn(f"too many wrong tries; the next one is possible in {wait:.0f} s", wait=wait)


def _hash(cookie: bytes) -> str:
    # 256 random bits need no salt and no slow hash.
    return hashlib.blake2b(cookie, digest_size=32).hexdigest()


def _roles(facts: str) -> object:
    return msgspec.json.decode(facts).get("roles") if facts else None


def _facts(person: Person) -> str:
    return msgspec.json.encode(person_facts(person)).decode()
