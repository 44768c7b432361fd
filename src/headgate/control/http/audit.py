"""`/api/audit`: who changed what, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from headgate.control.http.fields import Ago, Cursor, Limit
from headgate.control.http.moments import ago_ns, moment
from headgate.control.http.route import Asked, route
from headgate.stores.audit import AuditEntry

__all__ = ["ROUTES", "AuditPage", "Change"]

_LAST_ID = 2**63 - 1


class AuditQuery(msgspec.Struct, kw_only=True):
    """Which changes."""

    since: Ago = ""
    """Those from then on: `24h`, `7d` or a date; empty: all."""
    limit: Limit = 100
    """How many at most."""
    cursor: Cursor = ""
    """`next` of the page before."""


class Change(msgspec.Struct, kw_only=True):
    """One change."""

    id: int
    at: datetime
    actor: str
    """Who made it: `api:` and the id of a key, `cli:` and a user of the machine, or `gateway`."""
    action: str
    """Such as `key.create`, `key.rotate`, `key.revoke`, `rehearsal.start`, `rehearsal.stop`."""
    subject: str
    """To what: an id."""
    before: dict[str, Any] | None
    """How it was; null if it was not there."""
    after: dict[str, Any] | None
    """How it was then; null if it was not there any more."""


class AuditPage(msgspec.Struct, kw_only=True):
    """Changes, the latest first."""

    items: list[Change]
    next: str | None
    """Where the next page begins; null: this is the last."""


async def list_changes(asked: Asked[AuditQuery, None]) -> AuditPage:
    """List changes, the latest first: who, when, what, how it was before and after.

    Each stands in the log with the change itself, or neither does. No key and no hash is in it."""
    query = asked.query
    since = ago_ns(query.since, "since") if query.since else 0
    found = await asked.desk.audit.before(int(query.cursor or _LAST_ID), since, query.limit)
    more = len(found) == query.limit and found[-1].id > 1
    return AuditPage(items=[_change(entry) for entry in found], next=str(found[-1].id) if more else None)


def _change(entry: AuditEntry) -> Change:
    return Change(
        id=entry.id,
        at=moment(entry.at_ns),
        actor=entry.actor,
        action=entry.action,
        subject=entry.subject,
        before=_object(entry.before),
        after=_object(entry.after),
    )


def _object(text: str) -> dict[str, Any] | None:
    return msgspec.json.decode(text, type=dict[str, Any]) if text else None


ROUTES = (route("GET", "/api/audit", "api.audit.list", list_changes),)
