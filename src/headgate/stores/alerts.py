"""Alerts: what somebody should know of now, each told once; who is told; and what became of telling them.

Rooms that notice something speak to an `AlertSink`. Of all nodes that notice the same, the one whose row is kept makes the
deliveries, in the same transaction; from then on any node may carry them out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from headgate.stores.audit import AuditEntry

__all__ = [
    "SEVERITIES",
    "Alert",
    "AlertSink",
    "AlertStore",
    "Alerts",
    "Claimed",
    "Delivery",
    "Fact",
    "ReceiverKind",
    "ReceiverRecord",
    "ReceiverStore",
    "Severity",
    "Told",
]

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
"""From the least to the most."""
Fact = str | int | float
ReceiverKind = Literal["webhook", "slack", "email"]


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One transition: something began to be so, or ended. Never that it still is."""

    event: str
    """What happened, so that it is told once whoever notices it, such as `budget/monthly/feature:shop/1761955200/0.8`."""
    kind: str
    """`budget`, `spend_rate`, `rule`, `contract`."""
    subject: str
    """Whom it is about: `all`, or `feature:NAME`, `team:NAME`, `user:NAME`, `key:ID`."""
    severity: Severity
    at_ns: int
    """Wall clock, nanoseconds since 1970-01-01 UTC, as all moments here."""
    text: str
    """For people: one sentence or two."""
    facts: Mapping[str, Fact] = {}
    """For programs, amounts in USD. Those called `feature`, `team`, `user` and `key` also say whom it is about."""


class AlertSink(Protocol):
    """Where rooms say that something happened."""

    def tell(self, alert: Alert) -> None:
        """Never waits, never raises, from any thread. An event that was told before is not told again."""
        ...


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One alert for one receiver. It waits, until it is done; then it was delivered, or given up."""

    receiver: str
    """`file:NAME` of the configuration, `added:NAME` of the table."""
    tries: int = 0
    """How often it was begun to be delivered."""
    next_ns: int
    """Not before then is it tried. Whoever tries moves it on first, and so has it alone until then."""
    done_ns: int | None = None
    """When it was delivered or given up."""
    failed: bool = False
    """It was given up."""
    error: str = ""
    """Why the last try did not succeed, in words."""

    @property
    def state(self) -> Literal["waiting", "delivered", "given up"]:
        """What has become of it."""
        if self.done_ns is None:
            return "waiting"
        return "given up" if self.failed else "delivered"


class Claimed(msgspec.Struct, frozen=True):
    """A delivery that is ours for now."""

    id: int
    """Of the alert, in its store."""
    alert: Alert
    delivery: Delivery


class Told(msgspec.Struct, frozen=True):
    """An alert and what became of it."""

    alert: Alert
    deliveries: tuple[Delivery, ...]
    """By receiver, in the order of their names."""


class AlertStore(Protocol):
    """Alerts of this installation. Never on the request path. All raise StoreUnavailable."""

    async def add(self, alert: Alert, receivers: Collection[str], now_ns: int) -> bool:
        """Keep it, with a delivery to each receiver, due at `now_ns`. False, and nothing is kept, if the event is there
        already."""
        ...

    async def latest(self, kind: str) -> Mapping[str, Alert]:
        """Subject -> the newest alert of that kind."""
        ...

    async def since(self, at_ns: int, limit: int) -> Sequence[Told]:
        """The newest alerts from `at_ns` on, oldest of them first."""
        ...

    async def claim(
        self, receivers: Collection[str], *, now_ns: int, until_ns: int, limit: int
    ) -> Sequence[Claimed]:
        """Up to `limit` deliveries to these receivers that are due, the longest due first, each counted as one try more. Until
        `until_ns` nobody else is given them."""
        ...

    async def settle(self, tried: Claimed, outcome: Delivery) -> bool:
        """What came of a try: its `next_ns`, `done_ns`, `failed` and `error`. False, and nothing is changed, if it was not
        settled in time and somebody else has tried since, or it is done."""
        ...

    async def give_up(self, before_ns: int, now_ns: int) -> int:
        """Deliveries of alerts from before then that are due and not done are given up. How many."""
        ...


class ReceiverRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who asked to be told while Headgate runs; the others stand in the configuration."""

    name: str
    """The operator's word for it; unique among those that are there."""
    created_ns: int
    kind: ReceiverKind
    address: str
    """A URL, or for e-mail an address."""
    subject: str = ""
    """Of whom it wants to hear: `feature:NAME`, `team:NAME`, `user:NAME` or `key:ID`; "": of all."""
    about: tuple[str, ...] = ()
    """Kinds of alert; empty: all."""
    least: Severity = "info"
    via: str = ""
    """E-mail: the receiver of the configuration whose mail server is used; "": the first one."""
    note: str = ""
    """The operator's words on it."""


class ReceiverStore(Protocol):
    """Receivers that were added. Never on the request path. All raise StoreUnavailable.

    The `audit` entry is kept together with the change, or neither is."""

    async def receivers(self) -> Sequence[ReceiverRecord]:
        """All of them, oldest first."""
        ...

    async def add_receiver(self, record: ReceiverRecord, audit: AuditEntry | None = None) -> None:
        """Raises ReceiverExists if the name is taken."""
        ...

    async def remove_receiver(self, name: str, now_ns: int, audit: AuditEntry | None = None) -> bool:
        """It is told nothing any more: what waits for it is given up. False if there is none."""
        ...


class Alerts(AlertStore, ReceiverStore, Protocol):
    """Both, as each engine has them."""
