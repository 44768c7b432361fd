"""Alerts and receivers in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec.structs import replace

from headgate.stores.alerts import Alert, Claimed, Delivery, ReceiverRecord, Told
from headgate.stores.audit import AuditEntry
from headgate.stores.backends.memory import MemoryAudit
from headgate.stores.errors import ReceiverExists

__all__ = ["MemoryAlerts"]


class MemoryAlerts:
    """See `AlertStore` and `ReceiverStore`."""

    def __init__(self, audit: MemoryAudit | None = None) -> None:
        self._alerts: dict[str, Alert] = {}
        self._deliveries: dict[tuple[str, str], Delivery] = {}
        self._receivers: dict[str, ReceiverRecord] = {}
        self._audit = audit or MemoryAudit()

    async def add(self, alert: Alert, receivers: Collection[str], now_ns: int) -> bool:
        """See `AlertStore`."""
        if alert.event in self._alerts:
            return False
        self._alerts[alert.event] = alert
        for receiver in receivers:
            self._deliveries[alert.event, receiver] = Delivery(receiver=receiver, next_ns=now_ns)
        return True

    async def latest(self, kind: str) -> Mapping[str, Alert]:
        """See `AlertStore`."""
        return {each.subject: each for each in self._alerts.values() if each.kind == kind}

    async def since(self, at_ns: int, limit: int) -> Sequence[Told]:
        """See `AlertStore`."""
        found = [each for each in self._alerts.values() if each.at_ns >= at_ns]
        return [Told(each, self._of(each.event)) for each in found[max(len(found) - limit, 0) :]]

    async def claim(
        self, receivers: Collection[str], *, now_ns: int, until_ns: int, limit: int
    ) -> Sequence[Claimed]:
        """See `AlertStore`."""
        numbers = {event: number for number, event in enumerate(self._alerts, 1)}
        due = [key for key in self._waiting(now_ns) if key[1] in receivers]
        due.sort(key=lambda key: (self._deliveries[key].next_ns, numbers[key[0]], key[1]))
        found = []
        for key in due[:limit]:
            known = self._deliveries[key]
            self._deliveries[key] = held = replace(known, next_ns=until_ns, tries=known.tries + 1)
            found.append(Claimed(numbers[key[0]], self._alerts[key[0]], held))
        return found

    async def settle(self, tried: Claimed, outcome: Delivery) -> bool:
        """See `AlertStore`."""
        key = (tried.alert.event, tried.delivery.receiver)
        known = self._deliveries[key]
        if known.done_ns is not None or known.tries != tried.delivery.tries:
            return False
        self._deliveries[key] = replace(outcome, tries=known.tries)
        return True

    async def give_up(self, before_ns: int, now_ns: int) -> int:
        """See `AlertStore`."""
        old = [key for key in self._waiting(now_ns) if self._alerts[key[0]].at_ns < before_ns]
        self._end(old, now_ns)
        return len(old)

    async def receivers(self) -> Sequence[ReceiverRecord]:
        """See `ReceiverStore`."""
        return sorted(self._receivers.values(), key=lambda each: (each.created_ns, each.name))

    async def add_receiver(self, record: ReceiverRecord, audit: AuditEntry | None = None) -> None:
        """See `ReceiverStore`."""
        if record.name in self._receivers:
            raise ReceiverExists(f"there is a receiver `{record.name}` already: choose another name")
        self._receivers[record.name] = record
        self._audit.note(audit)

    async def remove_receiver(self, name: str, now_ns: int, audit: AuditEntry | None = None) -> bool:
        """See `ReceiverStore`."""
        if self._receivers.pop(name, None) is None:
            return False
        waiting = [key for key, each in self._deliveries.items() if each.done_ns is None]
        self._end([key for key in waiting if key[1] == f"added:{name}"], now_ns)
        self._audit.note(audit)
        return True

    def _of(self, event: str) -> tuple[Delivery, ...]:
        return tuple(self._deliveries[key] for key in sorted(self._deliveries) if key[0] == event)

    def _waiting(self, now_ns: int) -> list[tuple[str, str]]:
        return [
            key for key, each in self._deliveries.items() if each.done_ns is None and each.next_ns <= now_ns
        ]

    def _end(self, keys: Iterable[tuple[str, str]], now_ns: int) -> None:
        for key in keys:
            self._deliveries[key] = replace(self._deliveries[key], done_ns=now_ns, failed=True)
