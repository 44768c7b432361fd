"""Money that is set aside and spent: how much of a budget is left now, whoever asks at the same time.

Amounts are whole nano-dollars. A pot is one sum: of one budget, for one subject, in one period.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import msgspec

__all__ = ["Hold", "Holder", "ImmediatePurses", "Orphan", "Pot", "PotKey", "Purses", "Standing", "UseStore"]

# Before anybody has seen the pot: still part of making it.
_set = msgspec.structs.force_setattr

PotKey = tuple[str, str, int]
"""Budget, subject, period: what a pot is known by."""


class Pot(msgspec.Struct, frozen=True, gc=False):
    """One sum of money. Two of a key are the same pot; what it may hold is as the configuration says now."""

    budget: str
    """The budget's name."""
    subject: str
    """Whom it is for; `*`: all together."""
    period: int
    """When its period began, seconds since 1970 UTC; 0: it has no end (prepaid)."""
    ends: int
    """When its period ends, seconds since 1970 UTC; 0: never."""
    most: int
    """Nano-dollars that may be spent. -1: any amount, it is only counted."""
    key: PotKey = ("", "", 0)
    """What it is known by. Made of the others, once: it is asked for several times in every call."""

    def __post_init__(self) -> None:
        _set(self, "key", (self.budget, self.subject, self.period))


class Holder(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """For whom money is set aside: enough to write a line of the ledger if nobody else is left to do so."""

    attempt_id: int
    request_id: int
    at_ns: int
    """Wall clock when it was set aside."""
    provider: str = ""
    model: str = ""
    feature: str = ""
    key_id: str = ""
    user: str = ""
    team: str = ""
    tenant: str = ""


class Hold(msgspec.Struct, frozen=True, gc=False):
    """Money set aside for one attempt, in all its pots at once."""

    holder: Holder
    nanos: int
    pots: Sequence[Pot]


class Standing(msgspec.Struct, frozen=True, gc=False):
    """How pots stand; each list has one entry for each pot, in order."""

    ok: bool
    """It was set aside in all of them. False: in none."""
    spent: list[int]
    """Nano-dollars that are gone."""
    reserved: list[int]
    """Nano-dollars that are set aside, this hold's included if it is `ok`."""


class Orphan(msgspec.Struct, frozen=True, gc=False):
    """A hold whose node was not heard of any more. It counts as spent, whole."""

    holder: Holder
    nanos: int
    pots: tuple[PotKey, ...]


class Purses(Protocol):
    """Pots that many requests, and with a shared store many nodes, pay from at the same time.

    In each pot, at each moment: spent + reserved <= most, unless more was used than had been set aside."""

    heard: Callable[[Pot, int, int], None] | None
    """Called with (pot, spent, reserved) when it has become known what is spent of a pot: the first time, after each settlement, and
    whenever it may be another than was told last; from the event loop. None: nobody listens."""

    async def reserve(self, hold: Hold) -> Standing:
        """Set the amount aside in all pots or in none, in one step.

        Raises StoreUnavailable: then nothing counts as set aside. May be cancelled; then nothing is either."""
        ...

    def settle(self, hold: Hold, nanos: int) -> None:
        """So much of the hold was spent, the rest is free again; more than was set aside is spent too. 0: nothing was.
        Never waits, never raises. A hold that is not known (any more) counts its spending all the same, once."""
        ...

    async def standing(self, pots: Sequence[Pot]) -> Standing:
        """How these stand now; `ok` is True. Raises StoreUnavailable."""
        ...

    async def add(self, pot: Pot, nanos: int) -> None:
        """Correct what is spent of a pot by so much, negative for less. Raises StoreUnavailable."""
        ...

    async def orphans(self) -> Sequence[Orphan]:
        """Holds of nodes that are not heard of any more: from now on they are spent, and each is returned to one caller only.
        Always empty where no other node can be. Raises StoreUnavailable."""
        ...

    async def aclose(self) -> None:
        """Let go of connections; what waits to be told is told first, if it can be. Idempotent."""
        ...


@runtime_checkable
class ImmediatePurses(Protocol):
    """Purses that need not be waited for."""

    def take_now(self, hold: Hold) -> bool:
        """As `Purses.reserve`, quickly. False: ask `reserve_now`, which says why not."""
        ...

    def reserve_now(self, hold: Hold) -> Standing:
        """As `Purses.reserve`. Raises StoreUnavailable where that would wait."""
        ...


class UseStore(Protocol):
    """What pots have spent, as the database has it: what purses begin with. Written with the records, in their batches."""

    async def uses(self, *, since: int, budget: str = "") -> Mapping[PotKey, int]:
        """Pot -> nano-dollars spent, of periods that began at `since` (seconds) or later, and of those without an end (period
        0). budget: of this one only. Raises StoreUnavailable."""
        ...
