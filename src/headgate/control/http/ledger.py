"""`/api/ledger`: every movement of money, oldest first. Whether they add up is told by `headgate ledger check`, which reads all."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from headgate.control.http.costs import meant
from headgate.control.http.fields import Ago, Limit, Maybe
from headgate.control.http.moments import moment
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route
from headgate.core.ids import request_id_text
from headgate.core.money import usd
from headgate.stores.ledger import Movement

__all__ = ["ROUTES", "LedgerPage", "MovementTold"]

_SECONDS = 60.0
_LAST_NS = 2**63 - 1


class LedgerQuery(msgspec.Struct, kw_only=True):
    """Which movements."""

    since: Ago = ""
    """Those from then on: `24h`, `7d` or a date; empty: all."""
    until: Ago = ""
    """Those before then."""
    kind: Literal["call", "orphan", "void", "deposit", "reconcile"] | msgspec.UnsetType = msgspec.UNSET
    """Only these."""
    feature: Maybe = msgspec.UNSET
    """Only this feature's; empty: those of none."""
    user: Maybe = msgspec.UNSET
    """Only this user's."""
    team: Maybe = msgspec.UNSET
    """Only this team's."""
    key: Maybe = msgspec.UNSET
    """Only those of the key with this id."""
    limit: Limit = 100
    """How many at most."""
    cursor: Annotated[str, msgspec.Meta(max_length=300, pattern=r"^([0-9]{1,19}:[^\x00-\x1f\x7f]+)?$")] = ""
    """`next` of the page before."""


class MovementTold(msgspec.Struct, kw_only=True):
    """A line of the ledger."""

    at: datetime
    event: str
    """What happened, as a name that comes once."""
    kind: str
    """call: its own record settles it. orphan: set aside by a gateway that died, counted as spent. void: its record has turned
    up after all. deposit: put into a prepaid budget. reconcile: the difference to a provider's bill."""
    usd: str | None
    """A decimal number; negative: money came back, or was put in; null: the price is not known."""
    label: str
    """exact, estimated or reconciled."""
    reserved_usd: str
    """What had been set aside for it; the rest was given back."""
    request: str
    """The id of the request; empty if it is about none."""
    provider: str
    model: str
    feature: str
    key: str
    user: str
    team: str
    tenant: str
    budget: str
    """Of a deposit, as `subject`: whose it is."""
    subject: str
    note: str


class LedgerPage(msgspec.Struct, kw_only=True):
    """Movements, oldest first."""

    items: list[MovementTold]
    next: str | None
    """Where the next page begins; null: this is the last."""


async def list_movements(asked: Asked[LedgerQuery, None]) -> LedgerPage:
    """List movements of money, oldest first. Nothing in it is ever changed or deleted."""
    query = asked.query
    only = {"feature": query.feature, "user": query.user, "team": query.team, "key_id": query.key}
    at, _, event = query.cursor.partition(":")
    if int(at or 0) > _LAST_NS:
        raise Problem("invalid_request", "`cursor` is none that a page has told", param="cursor")
    found = await asked.desk.ledger.movements(
        meant(query.since, query.until, only),
        kinds=() if query.kind is msgspec.UNSET else (query.kind,),
        after=(int(at or 0), event),
        limit=query.limit,
    )
    last = found[-1] if len(found) == query.limit else None
    return LedgerPage(
        items=[_told(each) for each in found], next=f"{last.at_ns}:{last.event}" if last is not None else None
    )


def _told(one: Movement) -> MovementTold:
    return MovementTold(
        at=moment(one.at_ns),
        event=one.event,
        kind=one.kind,
        usd=None if one.nanos is None else f"{usd(one.nanos):f}",
        label=one.label,
        reserved_usd=f"{usd(one.reserved_nanos):f}",
        request=request_id_text(one.request_id) if one.request_id else "",
        provider=one.provider,
        model=one.model,
        feature=one.feature,
        key=one.key_id,
        user=one.user,
        team=one.team,
        tenant=one.tenant,
        budget=one.budget,
        subject=one.subject,
        note=one.note,
    )


ROUTES = (route("GET", "/api/ledger", "api.ledger.list", list_movements, seconds=_SECONDS),)
