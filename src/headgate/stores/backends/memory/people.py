"""People in memory."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.memory import MemoryAudit
from headgate.stores.errors import PersonExists
from headgate.stores.people import Login, Person

__all__ = ["MemoryPeople"]


class MemoryPeople:
    """See `PeopleStore`."""

    def __init__(self, audit: MemoryAudit) -> None:
        self._audit = audit
        self._people: dict[str, Person] = {}
        self._logins: dict[str, Login] = {}

    async def all(self) -> Sequence[Person]:
        """See `PeopleStore`."""
        return sorted(self._people.values(), key=lambda person: person.email)

    async def find(self, who: str) -> Person | None:
        """See `PeopleStore`."""
        return next((one for one in self._people.values() if who in (one.id, one.email)), None)

    async def identified(self, issuer: str, identity: str) -> Person | None:
        """See `PeopleStore`."""
        wanted = (issuer, identity)
        found = (one for one in self._people.values() if identity and (one.issuer, one.identity) == wanted)
        return next(found, None)

    async def add(self, person: Person, audit: AuditEntry | None = None) -> None:
        """See `PeopleStore`."""
        self._check(person)
        if person.id in self._people:
            raise PersonExists(f"somebody with the id {person.id} is there already")
        self._people[person.id] = person
        self._audit.note(audit)

    async def change(
        self, person: Person, audit: AuditEntry | None = None, *, sign_out: bool = False
    ) -> bool:
        """See `PeopleStore`."""
        before = self._people.get(person.id)
        if before is not None:
            self._check(person)
            self._people[person.id] = replace(person, created_ns=before.created_ns, seen_ns=before.seen_ns)
            self._audit.note(audit)
        if sign_out:
            await self.close_all(person.id)
        return before is not None

    async def open(self, login: Login) -> None:
        """See `PeopleStore`."""
        self._logins[login.hash] = login
        if login.person in self._people:
            self._people[login.person] = replace(self._people[login.person], seen_ns=login.created_ns)

    async def login(self, hashed: str) -> Login | None:
        """See `PeopleStore`."""
        return self._logins.get(hashed)

    async def touch(self, hashed: str, at_ns: int) -> None:
        """See `PeopleStore`."""
        found = self._logins.get(hashed)
        if found is not None and found.seen_ns < at_ns:
            self._logins[hashed] = replace(found, seen_ns=at_ns)

    async def close(self, hashed: str) -> None:
        """See `PeopleStore`."""
        self._logins.pop(hashed, None)

    async def close_all(self, person: str) -> int:
        """See `PeopleStore`."""
        return self._keep({key: one for key, one in self._logins.items() if one.person != person})

    async def sweep(self, expired_ns: int, idle_ns: int) -> int:
        """See `PeopleStore`."""
        valid = {
            key: one
            for key, one in self._logins.items()
            if one.expires_ns >= expired_ns and one.seen_ns >= idle_ns
        }
        return self._keep(valid)

    def _keep(self, logins: dict[str, Login]) -> int:
        gone = len(self._logins) - len(logins)
        self._logins = logins
        return gone

    def _check(self, person: Person) -> None:
        if any(one.email == person.email and one.id != person.id for one in self._people.values()):
            raise PersonExists(f"somebody with the address {person.email} is there already")
