"""`/api/secrets`: names and hosts, never values. A value goes in and does not come out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from headgate.control.http.fields import Name
from headgate.control.http.moments import moment
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route
from headgate.control.secrets import NoSuchSecret, give_secret, remove_secret
from headgate.core.near import did_you_mean
from headgate.stores.sealing import NoMasterKey
from headgate.stores.secrets import SecretRecord

__all__ = ["ROUTES", "SecretGiven", "SecretShown", "Secrets"]


class SecretShown(msgspec.Struct, kw_only=True):
    """A secret, but for its value."""

    name: str
    """As in `api_key = "secret:NAME"`."""
    hosts: list[str]
    """Where it may be sent to."""
    master: str
    """Which master key it is sealed under."""
    created: datetime
    changed: datetime
    """When value or hosts were last given."""


class Secrets(msgspec.Struct, kw_only=True):
    """All secrets, in the order of their names."""

    items: list[SecretShown]


class SecretGiven(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A secret that is to be kept."""

    value: Annotated[str, msgspec.Meta(min_length=1, max_length=20_000)]
    """The secret itself. It is sealed before it is kept, and never told."""
    hosts: Annotated[
        tuple[Name, ...], msgspec.Meta(min_length=1, max_length=50, examples=[["api.openai.com"]])
    ]
    """The only hosts it is sent to: `api.openai.com`, `10.0.0.5:8000`."""


class RemovalQuery(msgspec.Struct, kw_only=True):
    """How to remove."""

    force: bool = False
    """Also while a provider names it."""


async def list_secrets(asked: Asked[None, None]) -> Secrets:
    """List secrets: names and hosts, never values."""
    return Secrets(items=[_shown(record) for record in await asked.desk.secrets.all()])


async def give(asked: Asked[None, SecretGiven]) -> SecretShown:
    """Keep a secret, in place of one of the same name. Every gateway uses it within a second or so.

    Needs `HEADGATE_SECRET_KEY` where the gateway runs (409 without it)."""
    wanted = asked.body
    try:
        record, _ = await give_secret(
            asked.desk.secrets,
            asked.desk.sealer(),
            asked.path["name"],
            wanted.value,
            wanted.hosts,
            actor=asked.actor,
        )
    except NoMasterKey as missing:
        raise Problem("conflict", str(missing)) from None
    except ValueError as wrong:
        raise Problem("invalid_request", str(wrong)) from None
    return _shown(record)


async def remove(asked: Asked[RemovalQuery, None]) -> SecretShown:
    """Delete a secret for good. Every gateway stops using it within a second or so.

    Refused while a provider names it, which would call nobody any more, unless you insist."""
    name = asked.path["name"]
    if not asked.query.force and (users := asked.desk.secret_users(name)):
        raise Problem(
            "conflict",
            f"it is used by {', '.join(users)}, which would call nobody any more; take it out there first, give it another "
            "value, or insist with `?force=true`",
            param="force",
        )
    try:
        return _shown(await remove_secret(asked.desk.secrets, name, actor=asked.actor))
    except NoSuchSecret as missing:
        near = did_you_mean(missing.name[:100], missing.names)
        raise Problem("not_found", f"no such secret{near}", param="name") from None


def _shown(record: SecretRecord) -> SecretShown:
    return SecretShown(
        name=record.name,
        hosts=list(record.hosts),
        master=record.master,
        created=moment(record.created_ns),
        changed=moment(record.changed_ns),
    )


ROUTES = (
    route("GET", "/api/secrets", "api.secrets.list", list_secrets),
    route("PUT", "/api/secrets/{name}", "api.secrets.give", give, problems=("conflict",)),
    route("DELETE", "/api/secrets/{name}", "api.secrets.remove", remove, problems=("not_found", "conflict")),
)
