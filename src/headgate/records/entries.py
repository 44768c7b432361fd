"""What stands in the journal: an `Opened` when a call is about to leave, a `Closed` when the request is over.

A journal may be read by a newer Headgate after an update: new fields go to the end and have a default.
"""

from __future__ import annotations

from typing import Final

import msgspec

from headgate.providers.catalog.rates import Rates
from headgate.stores.spans import AttemptRow, RequestRow

__all__ = [
    "CLOSED",
    "OPENED",
    "Bill",
    "Body",
    "Closed",
    "Entry",
    "Opened",
    "OpenedMark",
    "PassingEntry",
    "Plain",
]

OPENED: Final = 1
CLOSED: Final = 2

Plain = list[object]
"""The values of one of these, or of a row, in their order; an entry's begin with its tag. So they stand in the journal, and so they are
written down: making a Struct of them first would cost as much again. Last ones that are what the default says may be missing."""


class Body(msgspec.Struct, array_like=True, frozen=True):
    """A prompt or an answer on its way into the store."""

    kind: str
    data: bytes
    size: int
    """Bytes it had; more than `data` has if the end was cut off."""
    name: str = ""
    """Its hash, in place of `data`, where an entry a moment ago has brought it."""


class Bill(msgspec.Struct, array_like=True, frozen=True):
    """By which prices an attempt is billed: the operator's own, or those the list has under `price_key`."""

    price_key: str = ""
    own: Rates | None = None
    reserved: int = 0
    """Nano-dollars that were set aside for it."""
    pots: tuple[tuple[str, str, int], ...] = ()
    """Budget, subject and period of each sum it is paid from."""


class Opened(msgspec.Struct, array_like=True, tag=OPENED, frozen=True):
    """A call is about to leave. Written for each attempt; enough to settle the request if nothing follows."""

    request: RequestRow
    """As far as it is known."""
    attempt: AttemptRow
    bill: Bill
    body_size: int = 0
    """Bytes of the prompt, which the prompt's tokens are estimated from if it is not kept."""
    body: Body | None = None
    """The prompt; with the first attempt only."""
    earlier: tuple[AttemptRow, ...] = ()
    """The attempts before this one, which are over."""
    earlier_bills: tuple[Bill, ...] = ()


class _OnlyId(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A row of which only the key is read."""

    id: int


class OpenedMark(msgspec.Struct, array_like=True, tag=OPENED, frozen=True):
    """An `Opened` as it is read in passing: nearly always its `Closed` follows and the rest is of no use."""

    request: _OnlyId
    attempt: msgspec.Raw
    bill: msgspec.Raw
    body_size: int = 0
    body: Body | None = None


class Closed(msgspec.Struct, array_like=True, tag=CLOSED, frozen=True):
    """A request is over. Costs are still missing: `cost_label` says how the tokens were got, the writer prices them."""

    request: RequestRow
    attempts: tuple[AttemptRow, ...] = ()
    bills: tuple[Bill, ...] = ()
    """One for each attempt."""
    body: Body | None = None
    """The prompt, if no `Opened` has brought it."""
    reply: Body | None = None


Entry = Opened | Closed
PassingEntry = OpenedMark | Closed
