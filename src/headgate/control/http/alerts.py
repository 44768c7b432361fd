"""`/api/alerts` and `/api/receivers`: what was told, and who is told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from headgate.alerts.receivers import configured, signing_secret
from headgate.control.alerts import (
    NoSuchReceiver,
    WrongReceiver,
    add_receiver,
    receiver_facts,
    remove_receiver,
)
from headgate.control.http.fields import Ago, Limit, Name, Text
from headgate.control.http.moments import ago_ns, moment
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route
from headgate.core.near import did_you_mean
from headgate.providers.transport.reach import Reach
from headgate.stores.alerts import Delivery, ReceiverRecord, Severity, Told
from headgate.stores.errors import ReceiverExists

__all__ = ["ROUTES", "AlertTold", "Alerts", "NewReceiver", "ReceiverAdded", "ReceiverShown", "Receivers"]


class AlertsQuery(msgspec.Struct, kw_only=True):
    """Which alerts."""

    since: Ago = "30d"
    """Those from then on: `24h`, `7d` or a date."""
    limit: Limit = 100
    """How many at most, the newest."""


class DeliveryTold(msgspec.Struct, kw_only=True):
    """An alert's way to one receiver."""

    receiver: str
    state: Literal["waiting", "delivered", "given up"]
    tries: int
    next: datetime | None
    """When it is tried again; null: it is not."""
    done: datetime | None
    error: str
    """Why the last try did not succeed."""


class AlertTold(msgspec.Struct, kw_only=True):
    """An alert, and what became of it."""

    at: datetime
    event: str
    """What happened, as a name that comes once."""
    kind: str
    subject: str
    severity: Severity
    text: str
    facts: dict[str, str | int | float]
    deliveries: list[DeliveryTold]


class Alerts(msgspec.Struct, kw_only=True):
    """Alerts, the latest first."""

    items: list[AlertTold]


class ReceiverShown(msgspec.Struct, kw_only=True):
    """Somebody who is told."""

    name: str
    kind: str
    """webhook, slack or email."""
    address: str
    """Of a URL only where it leads: who knows the whole may be able to write there."""
    of: str
    """Of whom it hears; `all`: of everybody."""
    about: list[str]
    """Kinds of alert."""
    least: str
    """The least severity that it hears of."""
    note: str
    created: datetime


class Receivers(msgspec.Struct, kw_only=True):
    """Receivers that were added while Headgate runs, oldest first; those of the configuration stand there."""

    items: list[ReceiverShown]


class NewReceiver(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Somebody who is to be told."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")]
    """Your word for it."""
    kind: Literal["webhook", "slack", "email"]
    """webhook: signed JSON. slack: a message in the form of Slack's incoming webhooks."""
    address: Annotated[str, msgspec.Meta(max_length=2000, examples=["https://shop.example.com/hooks"])]
    """A URL of the public internet, or what `server.reach` allows; for email an address."""
    of: Text = ""
    """Of whom: `feature:NAME`, `team:NAME`, `user:NAME` or `key:ID`; empty: of all."""
    about: tuple[Name, ...] = ()
    """`budget`, `spend_rate`, `rule`, `contract`; empty: all."""
    least: Severity = "info"
    """Nothing less severe."""
    via: Text = ""
    """email: the receiver of the configuration whose mail server is used; empty: the first."""
    note: Text = ""
    """Your words on it."""


class ReceiverAdded(ReceiverShown, kw_only=True):
    """A receiver that was just added."""

    secret: str
    """What a webhook's messages are signed with, told this once; empty for other kinds."""


async def list_alerts(asked: Asked[AlertsQuery, None]) -> Alerts:
    """List what was told, the latest first, and whether it arrived."""
    query = asked.query
    found = await asked.desk.alerts.since(ago_ns(query.since, "since") if query.since else 0, query.limit)
    return Alerts(items=[_told(each) for each in reversed(found)])


async def list_receivers(asked: Asked[None, None]) -> Receivers:
    """List who was added to be told; those of the configuration stand there."""
    return Receivers(items=[_shown(record) for record in await asked.desk.alerts.receivers()])


async def add(asked: Asked[None, NewReceiver]) -> ReceiverAdded:
    """Tell somebody from now on. The answer holds the secret that a webhook's messages are signed with, this once."""
    wanted, settings = asked.body, asked.desk.configuration().settings
    draft = ReceiverRecord(
        name=wanted.name,
        created_ns=0,
        kind=wanted.kind,
        address=wanted.address,
        subject=wanted.of,
        about=tuple(dict.fromkeys(wanted.about)),
        least=wanted.least,
        via=wanted.via,
        note=wanted.note,
    )
    try:
        record = await add_receiver(
            asked.desk.alerts,
            draft,
            configured(settings.alerts),
            Reach(settings.server.reach),
            actor=asked.actor,
        )
    except WrongReceiver as wrong:
        raise Problem("invalid_request", str(wrong)) from None
    except ReceiverExists as exists:
        raise Problem("conflict", str(exists), param="name") from None
    secret = signing_secret(record, await asked.desk.keys.secret()) if record.kind == "webhook" else ""
    return ReceiverAdded(**msgspec.structs.asdict(_shown(record)), secret=secret)


async def remove(asked: Asked[None, None]) -> ReceiverShown:
    """Tell it nothing any more, also not what waits for it."""
    try:
        record = await remove_receiver(asked.desk.alerts, asked.path["name"], actor=asked.actor)
    except NoSuchReceiver as missing:
        near = did_you_mean(missing.name[:100], missing.names)
        raise Problem("not_found", f"no such receiver was added{near}", param="name") from None
    return _shown(record)


def _shown(record: ReceiverRecord) -> ReceiverShown:
    facts = receiver_facts(record)
    del facts["created"], facts["via"]
    return msgspec.convert({**facts, "created": moment(record.created_ns)}, ReceiverShown)


def _told(told: Told) -> AlertTold:
    alert = told.alert
    return AlertTold(
        at=moment(alert.at_ns),
        event=alert.event,
        kind=alert.kind,
        subject=alert.subject,
        severity=alert.severity,
        text=alert.text,
        facts=dict(alert.facts),
        deliveries=[_delivery(each) for each in told.deliveries],
    )


def _delivery(one: Delivery) -> DeliveryTold:
    return DeliveryTold(
        receiver=one.receiver.partition(":")[2],
        state=one.state,
        tries=one.tries,
        next=moment(one.next_ns) if one.done_ns is None else None,
        done=None if one.done_ns is None else moment(one.done_ns),
        error=one.error,
    )


ROUTES = (
    route("GET", "/api/alerts", "api.alerts.list", list_alerts),
    route("GET", "/api/receivers", "api.receivers.list", list_receivers),
    route("POST", "/api/receivers", "api.receivers.add", add, status=201, problems=("conflict",)),
    route("DELETE", "/api/receivers/{name}", "api.receivers.remove", remove, problems=("not_found",)),
)
