"""Who pays for a request: asked before an attempt leaves, told what it cost when all is over."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from headgate.exchange.attempt import Attempt
    from headgate.exchange.exchange import Exchange

__all__ = ["Purse"]


class Purse(Protocol):
    """Pays for the attempts of one request. On the exchange where a budget is about it; absent where none is."""

    def reserve(self, exchange: Exchange, attempt: Attempt) -> Awaitable[None] | None:
        """Set the most aside that the attempt can cost, before it leaves; fills in `attempt.reserved_nanos` and `attempt.pots`.

        None: done at once. Raises BudgetSpent, BudgetsUnavailable, or the awaitable does; then nothing is set aside, and
        nothing is either when it is cancelled."""
        ...

    def settle(self, attempt: Attempt, nanos: int) -> None:
        """The attempt is over and has cost so much; what was set aside beyond that is free again. 0: it never left.

        Never waits, never raises. Once for each attempt that was paid for."""
        ...
