"""`/api/people`: who signs in to the dashboard. Nobody hands out more than they have."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from headgate.admission.rights import ROLES, routes_of
from headgate.control.http.fields import Role, Text
from headgate.control.http.moments import moment
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route
from headgate.control.passwords import LEAST, BadPassword, Passwords
from headgate.control.people import NoSuchPerson, add_person, change_person, set_password
from headgate.exchange.caller import Caller
from headgate.stores.errors import PersonExists
from headgate.stores.people import Person

__all__ = ["ROUTES", "NewPerson", "People", "PersonChange", "PersonMade", "PersonShown"]

_PASSWORDS_SECONDS = 30.0

Email = Annotated[
    str,
    msgspec.Meta(
        min_length=3,
        max_length=255,
        pattern=r"^[^\s@\x00-\x1f\x7f]+@[^\s@\x00-\x1f\x7f]+$",
        examples=["ann@example.com"],
    ),
]
Password = Annotated[str, msgspec.Meta(max_length=200)]


class PersonShown(msgspec.Struct, kw_only=True):
    """Somebody who may sign in."""

    id: str
    email: str
    name: str
    roles: list[str]
    team: str
    issuer: str
    """Who signs them in, if somebody else does; empty: they have a password here."""
    password: bool
    """Have they a password here?"""
    disabled: bool
    created: datetime
    last_signed_in: datetime | None
    """null: not yet."""


class People(msgspec.Struct, kw_only=True):
    """Everybody, by address."""

    items: list[PersonShown]


class NewPerson(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Who is wanted."""

    email: Email
    """What they sign in with."""
    roles: tuple[Role, ...] = ("viewer",)
    """What they may: no more than you."""
    name: Text = ""
    team: Text = ""
    password: Password = ""
    """At least 12 characters; empty: one is made up, and told in the answer."""


class PersonMade(PersonShown, kw_only=True):
    """Somebody who was just added, or given another password."""

    new_password: str
    """Told this once and kept nowhere; empty if you said it yourself."""


class PersonChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is to be different; what is left out stays."""

    roles: tuple[Role, ...] | msgspec.UnsetType = msgspec.UNSET
    disabled: bool | msgspec.UnsetType = msgspec.UNSET
    """Disabled people are signed out everywhere at once."""


class NewPassword(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Another password."""

    password: Password = ""
    """At least 12 characters; empty: one is made up, and told in the answer."""


async def list_people(asked: Asked[None, None]) -> People:
    """List everybody who may sign in to the dashboard, disabled ones too."""
    return People(items=[_shown(person) for person in await asked.desk.people.all()])


async def add(asked: Asked[None, NewPerson]) -> PersonMade:
    """Add somebody who may sign in to the dashboard. Their roles reach nothing that yours do not."""
    wanted = asked.body
    _check_rights(asked.caller, wanted.roles)
    made_up = "" if wanted.password else _made_up()
    draft = Person(
        id="", email=wanted.email, name=wanted.name, roles=wanted.roles, team=wanted.team, created_ns=0
    )
    try:
        person = await add_person(
            asked.desk.people,
            draft,
            password=wanted.password or made_up,
            passwords=Passwords(),
            actor=asked.actor,
        )
    except PersonExists as exists:
        raise Problem("conflict", str(exists), param="email") from None
    except BadPassword as bad:
        raise Problem("invalid_request", str(bad), param="password") from None
    except ValueError as wrong:
        raise Problem("invalid_request", str(wrong), param="email") from None
    return _made(person, made_up)


async def change(asked: Asked[None, PersonChange]) -> PersonShown:
    """Give somebody other roles, disable or enable them. Only people who may no more than you."""
    wanted = asked.body
    before = await _found(asked)
    _check_rights(asked.caller, before.roles)
    if wanted.roles is not msgspec.UNSET:
        _check_rights(asked.caller, wanted.roles)
    if before.id == asked.caller.key_id:
        raise Problem(
            "conflict", "you cannot change your own roles, or disable yourself; somebody else has to"
        )
    try:
        after = before
        if wanted.roles is not msgspec.UNSET:
            after = await change_person(asked.desk.people, before.id, roles=wanted.roles, actor=asked.actor)
        if wanted.disabled is not msgspec.UNSET:
            after = await change_person(
                asked.desk.people, before.id, disabled=wanted.disabled, actor=asked.actor
            )
    except NoSuchPerson:
        raise _nobody() from None
    return _shown(after)


async def password(asked: Asked[None, NewPassword]) -> PersonMade:
    """Give somebody another password, and sign them out everywhere. Only people who may no more than you."""
    before = await _found(asked)
    _check_rights(asked.caller, before.roles)
    made_up = "" if asked.body.password else _made_up()
    try:
        after = await set_password(
            asked.desk.people,
            before.id,
            asked.body.password or made_up,
            passwords=Passwords(),
            actor=asked.actor,
        )
    except NoSuchPerson:
        raise _nobody() from None
    except BadPassword as bad:
        raise Problem("invalid_request", str(bad), param="password") from None
    return _made(after, made_up)


async def _found(asked: Asked[None, PersonChange] | Asked[None, NewPassword]) -> Person:
    person = await asked.desk.people.find(asked.path["id"])
    if person is None:
        raise _nobody()
    return person


def _nobody() -> Problem:
    return Problem("not_found", "nobody has this id; `GET /api/people` lists everybody", param="id")


def _check_rights(caller: Caller, roles: Sequence[str]) -> None:
    beyond = routes_of(roles) - caller.routes
    if beyond:
        mine = ", ".join(role for role in ROLES if routes_of([role]) <= caller.routes) or "none"
        raise Problem(
            "not_allowed",
            f"this is about somebody with more rights than your own; yours reach as far as the roles {mine}",
            param="roles",
        )


def _made_up() -> str:
    assert LEAST < 20
    return secrets.token_urlsafe(15)


def _shown(person: Person) -> PersonShown:
    return PersonShown(
        id=person.id,
        email=person.email,
        name=person.name,
        roles=list(person.roles),
        team=person.team,
        issuer=person.issuer,
        password=bool(person.password),
        disabled=person.disabled_ns is not None,
        created=moment(person.created_ns),
        last_signed_in=None if person.seen_ns is None else moment(person.seen_ns),
    )


def _made(person: Person, made_up: str) -> PersonMade:
    return PersonMade(**msgspec.structs.asdict(_shown(person)), new_password=made_up)


ROUTES = (
    route("GET", "/api/people", "api.people.list", list_people),
    route(
        "POST",
        "/api/people",
        "api.people.add",
        add,
        status=201,
        problems=("conflict",),
        seconds=_PASSWORDS_SECONDS,
    ),
    route("POST", "/api/people/{id}", "api.people.change", change, problems=("not_found", "conflict")),
    route(
        "POST",
        "/api/people/{id}/password",
        "api.people.password",
        password,
        problems=("not_found",),
        seconds=_PASSWORDS_SECONDS,
    ),
)
