"""Which calls meet which fault: the orders that are in force, and the dice."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from headgate.core.clock import Clock, SystemClock
from headgate.providers.port import Call
from headgate.providers.rehearsal.faults import Fault, parse_fault
from headgate.stores.rehearsals import RehearsalRecord

__all__ = ["Met", "Rehearsals"]

log = logging.getLogger("headgate.rehearsal")


@dataclass(frozen=True, slots=True)
class Met:
    """A fault that one call meets."""

    rehearsal: int
    fault: Fault

    @property
    def mark(self) -> str:
        """What every record of it begins with: `rehearsal 12: cut:5`."""
        return f"rehearsal {self.rehearsal}: {self.fault.text}"


class _Order:
    """One record, and how far its dice have rolled."""

    __slots__ = ("_calls", "_everything", "_fault", "_places", "_random", "record")

    def __init__(self, record: RehearsalRecord) -> None:
        """Raises ValueError for a fault this version does not know."""
        self.record = record
        self._fault = parse_fault(record.fault)
        self._everything = "*" in record.targets
        self._places = frozenset(record.targets)
        # The same order meets the same calls again, wherever it runs: a rehearsal can be repeated.
        self._random = Random(record.id)  # noqa: S311 - chance, no secret
        self._calls = 0

    def concerns(self, provider: str, call: Call | None) -> bool:
        """Is it for such calls? None: a probe, which has no model and no feature."""
        record = self.record
        if record.feature and (call is None or call.feature != record.feature):
            return False
        if self._everything or provider in self._places:
            return True
        return call is not None and f"{provider}/{call.model}" in self._places

    def draw(self) -> Met | None:
        """Does the next call meet it?"""
        record, fault = self.record, self._fault
        if record.share < 1 and self._random.random() >= record.share:
            return None
        if fault.name == "flapping":
            bad, good = fault.pair
            turn = self._calls % (bad + good)
            self._calls += 1
            return Met(record.id, Fault("error", "503")) if turn < bad else None
        return Met(record.id, fault)


class Rehearsals:
    """The orders in force. Costs a call one look at `ordered` while there are none."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._wall_ns = (clock or SystemClock()).wall_ns
        self.ordered: tuple[_Order, ...] = ()
        """Empty: every call goes its way."""

    def know(self, records: Sequence[RehearsalRecord]) -> None:
        """From now on these are the orders; those known before go on where they are."""
        if not records and not self.ordered:
            return
        before = {order.record: order for order in self.ordered}
        now = self._wall_ns()
        after: list[_Order] = []
        for record in records:
            if record.stopped_ns is None and record.until_ns > now:
                order = before.pop(record, None) or _begun(record)
                if order is not None:
                    after.append(order)
        self.ordered = tuple(after)
        for record in before:
            log.warning("rehearsal %d is over: %s on %s", record.id, record.fault, record.endpoint)

    def draw(self, provider: str, call: Call | None) -> Met | None:
        """The fault that this call meets, or None. The first order that speaks decides. call: None for a probe."""
        now = self._wall_ns()
        for order in self.ordered:
            # By its own time, and not only by the store's word: the database may be away when it ends.
            if order.record.until_ns > now and order.concerns(provider, call) and (met := order.draw()):
                return met
        return None


def _begun(record: RehearsalRecord) -> _Order | None:
    try:
        order = _Order(record)
    except ValueError as wrong:
        log.error("rehearsal %d is left out: %s", record.id, wrong)  # noqa: TRY400 - a newer version's order, no bug
        return None
    until = datetime.fromtimestamp(record.until_ns / 1e9, tz=UTC)
    log.warning(
        "rehearsal %d begins: %s on %s, %g %% of calls%s, until %s UTC",
        record.id,
        record.fault,
        record.endpoint,
        100 * record.share,
        f" of {record.feature}" if record.feature else "",
        f"{until:%Y-%m-%d %H:%M:%S}",
    )
    return order
