"""A cap on what replays may spend together. It holds: the most that a call can cost is set aside before the call leaves.

What is set aside for a request is the larger of what was planned for it and what its attempts set aside, so that requests begun
side by side cannot pass the cap together. A request goes by the number of the one that it repeats. Single-threaded: no call here waits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from headgate.core.errors import BudgetSpent, PriceUnknown
from headgate.core.money import usd
from headgate.exchange.attempt import Attempt
from headgate.exchange.exchange import Exchange
from headgate.exchange.purse import Purse

__all__ = ["BUDGET", "CappedPurse", "SpendCap", "Worst"]

BUDGET = "replay"
"""What refusals call the cap."""

Worst = Callable[[Exchange, Attempt], "int | None"]
"""The most nano-dollars that an attempt can cost; None: no price is known."""


class SpendCap:
    """So many nano-dollars, for all requests of one replay together."""

    def __init__(self, nanos: int) -> None:
        self.nanos = nanos
        self.spent = 0
        """By requests that are over."""
        self._planned: dict[int, int] = {}
        self._attempts: dict[int, dict[int, int]] = {}

    @property
    def held(self) -> int:
        """Set aside for those under way."""
        return sum(self._held(request) for request in self._planned)

    @property
    def left(self) -> int:
        return self.nanos - self.spent - self.held

    def begin(self, request: int, most: int) -> bool:
        """Set the most aside that a request is planned to cost. False: there is not so much left; nothing is set aside."""
        if most > self.left:
            return False
        self._planned[request], self._attempts[request] = most, {}
        return True

    def reserve(self, request: int, attempt: int, nanos: int) -> bool:
        """An attempt is about to leave. False: not for so much; nothing is set aside."""
        attempts = self._attempts.setdefault(request, {})
        self._planned.setdefault(request, 0)
        more = max(self._held(request), sum(attempts.values()) + nanos) - self._held(request)
        if more > self.left:
            return False
        attempts[attempt] = nanos
        return True

    def settle(self, request: int, attempt: int, nanos: int) -> None:
        """An attempt has cost so much."""
        attempts = self._attempts.get(request)
        if attempts is None:
            # Its request was over before: what an attempt costs afterwards is spent all the same.
            self.spent += nanos
        elif attempt in attempts:
            attempts[attempt] = nanos

    def end(self, request: int) -> None:
        """The request is over: what its attempts have cost is spent, the rest is free."""
        self._planned.pop(request, None)
        self.spent += sum(self._attempts.pop(request, {}).values())

    def _held(self, request: int) -> int:
        return max(self._planned[request], sum(self._attempts[request].values()))


class CappedPurse:
    """Fulfils `exchange.purse.Purse`: the cap pays, and whoever would have paid without it."""

    def __init__(self, cap: SpendCap, worst: Worst, inner: Purse | None) -> None:
        self._cap = cap
        self._worst = worst
        self._inner = inner
        self._request = 0

    def reserve(self, exchange: Exchange, attempt: Attempt) -> Awaitable[None] | None:
        """See `Purse`. Raises BudgetSpent, PriceUnknown and what budgets raise."""
        self._request = exchange.replay_of
        nanos = self._worst(exchange, attempt)
        endpoint = attempt.endpoint
        if nanos is None:
            raise PriceUnknown(
                f"no price is known of `{endpoint.provider}/{endpoint.model}`, so nobody can tell whether the cap on this replay "
                "holds; write one at its endpoint (`price = { input = …, output = … }`), or replay without a cap",
                budget=BUDGET,
            )
        if not self._cap.reserve(exchange.replay_of, attempt.id, nanos):
            raise BudgetSpent(
                f"the cap on this replay does not pay for another call: {usd(max(self._cap.left, 0)):f} USD are left, and it may "
                f"cost {usd(nanos):f} USD; allow more, or replay fewer",
                budget=BUDGET,
            )
        if self._inner is None:
            return None
        try:
            pending = self._inner.reserve(exchange, attempt)
        except BaseException:
            self._cap.settle(exchange.replay_of, attempt.id, 0)
            raise
        return None if pending is None else self._or_not(exchange, attempt, pending)

    async def _or_not(self, exchange: Exchange, attempt: Attempt, pending: Awaitable[None]) -> None:
        try:
            await pending
        except BaseException:
            self._cap.settle(exchange.replay_of, attempt.id, 0)
            raise

    def settle(self, attempt: Attempt, nanos: int) -> None:
        """See `Purse`."""
        self._cap.settle(self._request, attempt.id, nanos)
        if self._inner is not None:
            self._inner.settle(attempt, nanos)
