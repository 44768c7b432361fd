"""People: added, changed, disabled; each change noted in the audit log in the same transaction."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from headgate.admission.rights import ROLES
from headgate.control.passwords import Passwords
from headgate.core.ids import IdSource, request_id_text
from headgate.stores.audit import AuditEntry
from headgate.stores.people import PeopleStore, Person

__all__ = [
    "NoSuchPerson",
    "add_person",
    "change_person",
    "email_of",
    "found",
    "ordered_roles",
    "person_facts",
    "set_password",
]

_EMAIL = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[^\s@\x00-\x1f\x7f]{1,190}")


class NoSuchPerson(LookupError):
    """Nobody has that address or id. `names` are the addresses that are there."""

    def __init__(self, name: str, names: Iterable[str]) -> None:
        super().__init__(f"nobody has the address `{name}`")
        self.name = name
        self.names = list(names)


def email_of(text: str) -> str:
    """An address as it is kept: in small letters. Raises ValueError for what is none."""
    email = text.strip().lower()
    if not _EMAIL.fullmatch(email) or not email.isprintable():
        raise ValueError("this is no e-mail address")
    return email


def ordered_roles(roles: Iterable[str]) -> tuple[str, ...]:
    """Each once, in the order of ROLES. Raises ValueError for an unknown one."""
    wanted = set(roles)
    if unknown := wanted - set(ROLES):
        raise ValueError(f"there is no role `{min(unknown)}`; there are {', '.join(ROLES)}")
    return tuple(role for role in ROLES if role in wanted)


async def add_person(
    people: PeopleStore, draft: Person, *, password: str, passwords: Passwords, actor: str
) -> Person:
    """Keep somebody new. draft: who; id, creation and password are filled in here. password: "": they sign in elsewhere.

    Raises PersonExists, BadPassword, ValueError, StoreUnavailable."""
    person = replace(
        draft,
        id=request_id_text(IdSource().next()).replace("req_", "person_"),
        email=email_of(draft.email),
        roles=ordered_roles(draft.roles),
        password=await passwords.hashed(password) if password else "",
        created_ns=time.time_ns(),
    )
    await people.add(person, _entry(actor, "person.create", None, person))
    return person


async def change_person(
    people: PeopleStore,
    who: str,
    *,
    actor: str,
    disabled: bool | None = None,
    roles: Sequence[str] | None = None,
) -> Person:
    """Other roles, or disabled (and signed out everywhere), or enabled again. None: stays as it is.

    who: address or id. Returns them as they are then. Raises NoSuchPerson, ValueError, StoreUnavailable."""
    before = await found(people, who)
    after = before
    if roles is not None:
        after = replace(after, roles=ordered_roles(roles))
    if disabled is not None:
        after = replace(after, disabled_ns=(before.disabled_ns or time.time_ns()) if disabled else None)
    action = {None: "person.roles", True: "person.disable", False: "person.enable"}[disabled]
    entry = _entry(actor, action, before, after)
    if after != before and not await people.change(after, entry, sign_out=bool(disabled)):
        raise NoSuchPerson(who, [])
    return after


async def set_password(
    people: PeopleStore, who: str, password: str, *, passwords: Passwords, actor: str
) -> Person:
    """Another password; they are signed out everywhere. Raises NoSuchPerson, BadPassword, StoreUnavailable."""
    before = await found(people, who)
    after = replace(before, password=await passwords.hashed(password))
    if not await people.change(after, _entry(actor, "person.password", before, after), sign_out=True):
        raise NoSuchPerson(who, [])
    return after


async def found(people: PeopleStore, who: str) -> Person:
    """By address or id. Raises NoSuchPerson."""
    person = await people.find(who.strip().lower())
    if person is None:
        raise NoSuchPerson(who, [one.email for one in await people.all()])
    return person


def person_facts(person: Person) -> dict[str, object]:
    """What may be told of somebody: all but the password."""
    return {
        "id": person.id,
        "email": person.email,
        "name": person.name,
        "roles": list(person.roles),
        "team": person.team,
        "disabled": person.disabled_ns is not None,
        "password": bool(person.password),
        "issuer": person.issuer,
    }


def _entry(actor: str, action: str, before: Person | None, after: Person) -> AuditEntry:
    return AuditEntry(
        at_ns=time.time_ns(),
        actor=actor,
        action=action,
        subject=after.id,
        before=_json(before),
        after=_json(after),
    )


def _json(person: Person | None) -> str:
    return msgspec.json.encode(person_facts(person)).decode() if person is not None else ""
