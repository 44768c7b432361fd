"""`/api/keys`: made, listed, rotated, revoked. Nobody hands out more than they have."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from headgate.admission.rights import ROLES, routes_of
from headgate.control.http.fields import Cursor, Limit, Name, Role, Text
from headgate.control.http.moments import ahead_ns, moment, seconds_of
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route
from headgate.control.keys import NoSuchKey, create_key, revoke_key, rotate_key
from headgate.exchange.caller import Caller
from headgate.stores.errors import KeyExists
from headgate.stores.keys import KeyRecord

__all__ = ["ROUTES", "KeyMade", "KeyPage", "KeyShown", "NewKey", "Rotation"]

_LONGEST_OVERLAP = 366 * 86_400.0

State = Literal["valid", "expired", "revoked"]


class KeysQuery(msgspec.Struct, kw_only=True):
    """Which keys."""

    state: Literal["valid", "expired", "revoked", "all"] = "valid"
    """Only those in this state."""
    limit: Limit = 100
    """How many at most."""
    cursor: Cursor = ""
    """`next` of the page before."""


class KeyShown(msgspec.Struct, kw_only=True):
    """A key; the key itself is shown once, when it is made."""

    id: str
    """Stays the same when the key is rotated."""
    name: str
    state: State
    roles: list[str]
    features: list[str]
    """Features it may ask for and be counted for."""
    models: list[str]
    """Features and models it may ask for; with `features` empty too: all."""
    team: str
    tenant: str
    user: str
    note: str
    created: datetime
    expires: datetime | None
    """null: never."""
    revoked: datetime | None
    last_used: datetime | None
    """To within a minute; null: not yet."""
    old_keys_until: list[datetime]
    """Until when those are valid that this one was before it was rotated."""


class KeyPage(msgspec.Struct, kw_only=True):
    """Keys, oldest first."""

    items: list[KeyShown]
    next: str | None
    """Where the next page begins; null: this is the last."""


class KeyMade(KeyShown, kw_only=True):
    """A key that was just made or rotated, and the key itself."""

    key: str
    """Shown this once and kept nowhere."""


class NewKey(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The key that is wanted."""

    name: Name
    """Your word for it, such as the application that will use it; unique for ever."""
    roles: tuple[Role, ...] = ("service",)
    """What it may: no more than the key you ask with."""
    features: tuple[Name, ...] = ()
    """Features it may ask for and be counted for; with `models` empty too: all."""
    models: tuple[Name, ...] = ()
    """Features and models it may ask for."""
    team: Text = ""
    """Whom its costs belong to."""
    tenant: Text = ""
    """The organisation the team belongs to."""
    user: Text = ""
    """Whose key it is, if it is a person's."""
    note: Text = ""
    """Your words on it."""
    expires: Annotated[str, msgspec.Meta(max_length=100, examples=["90d", "2099-01-31"])] = ""
    """`90d`, or a date such as `2027-01-31`; empty: never."""


class Rotation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How to rotate."""

    overlap: Annotated[str, msgspec.Meta(max_length=100, examples=["24h", "0s"])] = "24h"
    """How long the old key stays valid beside the new one; `0s`: it stops at once."""


async def list_keys(asked: Asked[KeysQuery, None]) -> KeyPage:
    """List keys, oldest first: who, since when, until when, for what, last used."""
    query, now = asked.query, time.time_ns()
    # Keys are never deleted and come oldest first: a place in the list of all of them stays what it is.
    begin = int(query.cursor or 0)
    items: list[KeyShown] = []
    for place, record in enumerate(await asked.desk.keys.all()):
        if place < begin or query.state not in ("all", _state(record, now)):
            continue
        if len(items) == query.limit:
            return KeyPage(items=items, next=str(place))
        items.append(_shown(record, now))
    return KeyPage(items=items, next=None)


async def show_key(asked: Asked[None, None]) -> KeyShown:
    """Show one key, revoked and expired ones too."""
    return _shown(await _found(asked), time.time_ns())


async def make_key(asked: Asked[None, NewKey]) -> KeyMade:
    """Make a key. The answer holds it, this once.

    It may no more than the key that asks: its roles reach nothing that yours do not, and if yours is for certain
    features or models, so is it, for some of them."""
    wanted = asked.body
    _check_texts(wanted)
    draft = KeyRecord(
        id="",
        name=wanted.name,
        hash="",
        created_ns=0,
        expires_ns=ahead_ns(wanted.expires, "expires") if wanted.expires else None,
        team=wanted.team,
        tenant=wanted.tenant,
        models=tuple(dict.fromkeys(wanted.models)),
        features=tuple(dict.fromkeys(wanted.features)),
        roles=tuple(dict.fromkeys(wanted.roles)) or ("service",),
        user=wanted.user,
        note=wanted.note,
    )
    _check_rights(asked.caller, draft, "make")
    try:
        record, key = await create_key(asked.desk.keys, draft, actor=asked.actor)
    except KeyExists as exists:
        raise Problem("conflict", str(exists), param="name") from None
    await asked.desk.changed()
    return _made(record, key)


async def rotate(asked: Asked[None, Rotation]) -> KeyMade:
    """Make another key in place of an old one, for the same caller. The answer holds it, this once.

    Id, name, rights and records stay. The old key, and any that is left from a rotation before, stops being valid when
    the overlap is over. Only for keys that may no more than yours."""
    record = await _found(asked)
    _check_rights(asked.caller, record, "rotate")
    seconds = seconds_of(asked.body.overlap, "overlap", most=_LONGEST_OVERLAP)
    try:
        after, key = await rotate_key(asked.desk.keys, record.id, overlap_seconds=seconds, actor=asked.actor)
    except NoSuchKey:
        raise _revoked_already(record) from None
    await asked.desk.changed()
    return _made(after, key)


async def revoke(asked: Asked[None, None]) -> KeyShown:
    """Make a key invalid, now and for good, and its old ones too.

    Every gateway refuses it within a second or so. Only for keys that may no more than yours."""
    record = await _found(asked)
    _check_rights(asked.caller, record, "revoke")
    try:
        await revoke_key(asked.desk.keys, record.id, actor=asked.actor)
    except NoSuchKey:
        raise _revoked_already(record) from None
    await asked.desk.changed()
    return _shown(await _found(asked), time.time_ns())


async def _found(asked: Asked[None, None] | Asked[None, Rotation]) -> KeyRecord:
    key_id = asked.path["id"]
    for record in await asked.desk.keys.all():
        if record.id == key_id:
            return record
    raise Problem("not_found", "no key has this id; `GET /api/keys?state=all` lists them", param="id")


def _revoked_already(record: KeyRecord) -> Problem:
    return Problem("conflict", f"key `{record.name}` is revoked already; make a new one", param="id")


def _check_rights(caller: Caller, record: KeyRecord, what: str) -> None:
    """Raises Problem if the key may something that the caller may not: whoever has it would have both."""
    beyond = routes_of(record.roles) - caller.routes
    if beyond:
        roles = ", ".join(role for role in ROLES if routes_of([role]) <= caller.routes) or "none"
        raise Problem(
            "not_allowed",
            f"you may not {what} a key with more rights than your own ({', '.join(sorted(beyond))}); "
            f"yours reaches as far as the roles {roles}",
            param="roles",
        )
    for name, mine, its in (
        ("models", caller.models, (*record.models, *record.features)),
        ("features", caller.features, record.features),
    ):
        if mine and not (its and set(its) <= set(mine)):
            raise Problem(
                "not_allowed",
                f"you may not {what} a key for more {name} than your own: {', '.join(mine)}",
                param=name,
            )


def _check_texts(wanted: NewKey) -> None:
    texts: Sequence[tuple[str, str]] = (
        ("name", wanted.name),
        ("team", wanted.team),
        ("tenant", wanted.tenant),
        ("user", wanted.user),
        ("note", wanted.note),
        *(("features", each) for each in wanted.features),
        *(("models", each) for each in wanted.models),
    )
    for param, text in texts:
        if not text.isprintable():
            raise Problem(
                "invalid_request", f"`{param}` holds characters that cannot be printed", param=param
            )
    if not wanted.name.strip() or wanted.name.startswith("key_"):
        raise Problem(
            "invalid_request",
            "`name` is a word of yours: not blank, and not like an id (`key_...`)",
            param="name",
        )


def _state(record: KeyRecord, now_ns: int) -> State:
    if record.revoked_ns is not None:
        return "revoked"
    return "expired" if record.expires_ns is not None and record.expires_ns <= now_ns else "valid"


def _shown(record: KeyRecord, now_ns: int) -> KeyShown:
    return KeyShown(
        id=record.id,
        name=record.name,
        state=_state(record, now_ns),
        roles=list(record.roles),
        features=list(record.features),
        models=list(record.models),
        team=record.team,
        tenant=record.tenant,
        user=record.user,
        note=record.note,
        created=moment(record.created_ns),
        expires=_perhaps(record.expires_ns),
        revoked=_perhaps(record.revoked_ns),
        last_used=_perhaps(record.last_used_ns),
        old_keys_until=[moment(old.until_ns) for old in record.old_hashes if old.until_ns > now_ns],
    )


def _made(record: KeyRecord, key: str) -> KeyMade:
    shown = _shown(record, time.time_ns())
    return KeyMade(**msgspec.structs.asdict(shown), key=key)


def _perhaps(ns: int | None) -> datetime | None:
    return None if ns is None else moment(ns)


_ONE = ("not_found",)
ROUTES = (
    route("GET", "/api/keys", "api.keys.list", list_keys),
    route("POST", "/api/keys", "api.keys.create", make_key, status=201, problems=("conflict",)),
    route("GET", "/api/keys/{id}", "api.keys.show", show_key, problems=_ONE),
    route("DELETE", "/api/keys/{id}", "api.keys.revoke", revoke, problems=("not_found", "conflict")),
    route("POST", "/api/keys/{id}/rotate", "api.keys.rotate", rotate, problems=("not_found", "conflict")),
)
