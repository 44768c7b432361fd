"""What pays for the attempts of one request: the most that each can cost is set aside in all its budgets at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Sequence
from math import inf
from operator import attrgetter
from time import monotonic
from typing import NoReturn, Protocol

from headgate.budgets.line import Line, short_of
from headgate.budgets.plan import Rule, Share, Terms
from headgate.budgets.saying import price_unknown, set_aside, spent, too_dear
from headgate.budgets.uses import Uses
from headgate.budgets.worst import Size, size_of, thinking_room, worst_nanos
from headgate.core.clock import Clock
from headgate.core.errors import BudgetSpent, BudgetsUnavailable
from headgate.core.messages import ChatRequest, EmbeddingsRequest
from headgate.exchange.attempt import Attempt
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange
from headgate.exchange.subjects import NOBODY
from headgate.providers.catalog.rates import Rates
from headgate.providers.port import Endpoint
from headgate.stores.errors import StoreUnavailable
from headgate.stores.purses import Hold, Holder, ImmediatePurses, PotKey, Purses, Standing

__all__ = ["Prices", "RequestPurse", "Till"]

RETRY_SECONDS = 1.0
_NS = 1_000_000_000
_KEY = attrgetter("key")


class Prices(Protocol):
    """What endpoints charge, as far as that is known beforehand."""

    def rates(self, endpoint: Endpoint) -> Rates | None:
        """The prices of now; where they depend on the hour the highest. None: not known (yet)."""
        ...

    async def looked_up(self, endpoint: Endpoint) -> Rates | None:
        """The same, when the price list has been asked, if that is to be waited for: within a second or two."""
        ...


class Till:
    """What all purses of a gateway share, and what they count."""

    def __init__(
        self,
        purses: Purses,
        prices: Prices,
        clock: Clock,
        uses: Uses,
        *,
        look_every: float = inf,
    ) -> None:
        """look_every: see `Line`."""
        self.purses = purses
        self.prices = prices
        self.clock = clock
        self.uses = uses
        self.line = Line(purses, look_every=look_every)
        self.refused: Counter[str] = Counter()
        """By budget: calls that it did not pay for."""
        self.settled_nanos: Counter[str] = Counter()
        """By budget: nano-dollars that calls of this gateway have cost it."""
        self.downgraded: Counter[str] = Counter()
        """By budget: requests that went to its cheaper model."""
        self.immediate = purses if isinstance(purses, ImmediatePurses) else None
        purses.heard = uses.heard


class RequestPurse:
    """Fulfils `exchange.purse.Purse` for one request."""

    __slots__ = (
        "_clamped",
        "_holds",
        "_reserved",
        "_shares",
        "_size",
        "_terms",
        "_till",
    )

    def __init__(
        self,
        till: Till,
        shares: Sequence[Share],
        terms: Terms,
        clamped: ChatRequest | EmbeddingsRequest | None = None,
    ) -> None:
        """clamped: the request as the budgets have edited it: but for its limit it is what the caller's bytes say."""
        self._till = till
        self._shares = shares
        self._terms = terms
        self._clamped = clamped
        self._size: Size | None = None
        self._holds: dict[int, Hold] = {}
        self._reserved: dict[int, int] = {}
        """What attempts have set aside, or cost, for budgets of a request."""

    # exchange.purse.Purse

    def reserve(self, exchange: Exchange, attempt: Attempt) -> Awaitable[None] | None:
        """See `Purse`."""
        rates = self._till.prices.rates(attempt.endpoint)
        if rates is None:
            return self._priced_later(exchange, attempt)
        return self._pay(exchange, attempt, self._worst(exchange, attempt, rates))

    def settle(self, attempt: Attempt, nanos: int) -> None:
        """See `Purse`."""
        if self._terms.alone:
            self._reserved[attempt.id] = nanos
        hold = self._holds.pop(attempt.id, None)
        if hold is None:
            return
        till = self._till
        if nanos:
            counted = till.settled_nanos
            for pot in hold.pots:
                counted[pot.budget] += nanos
        till.purses.settle(hold, nanos)
        if till.line.waiting:
            till.line.freed()

    # How it is done

    async def _priced_later(self, exchange: Exchange, attempt: Attempt) -> None:
        """The list may be being read just now, or nobody has asked for this model before. Raises as `reserve`."""
        endpoint = attempt.endpoint
        rates = await self._till.prices.looked_up(endpoint)
        if rates is None:
            for rule in (*self._terms.alone, *(rule for rule, _ in self._shares)):
                if rule.refuses and rule.settings.unknown_price == "refuse":
                    self._till.refused[rule.name] += 1
                    raise price_unknown(rule, provider=endpoint.provider, model=endpoint.model)
        nanos = self._worst(exchange, attempt, rates) if rates is not None else 0
        pending = self._pay(exchange, attempt, nanos)
        if pending is not None:
            await pending

    def _worst(self, exchange: Exchange, attempt: Attempt, rates: Rates) -> int:
        size = self._size
        if size is None:
            edited = exchange.edited and exchange.request is not self._clamped
            size = self._size = size_of(exchange, edited)
        prefix = exchange.prefix
        if prefix is not None and prefix.marks is not None and prefix.marks.some and not size.caches:
            # We ask for it in the caller's place, and it costs the same.
            size = self._size = Size(size.prompt, size.choices, caches=True)
        if exchange.dialect.operation != "chat":
            return worst_nanos(rates, size, 0, self._terms.margin)
        said = exchange.peek.max_tokens
        answer = self._terms.answer if said is None else said
        if attempt.wire != exchange.dialect.name:
            request = exchange.request
            if isinstance(request, ChatRequest):
                answer += thinking_room(request)
        if attempt.kind == "resume":
            # What was said so far is sent with it.
            size = Size(size.prompt + answer, size.choices, size.caches)
        return worst_nanos(rates, size, answer, self._terms.margin)

    def _pay(self, exchange: Exchange, attempt: Attempt, nanos: int) -> Awaitable[None] | None:
        """Raises TooDearForBudget if all attempts together may cost more than one request may; else as `reserve`."""
        if not self._terms.alone:
            return self._set_aside(exchange, attempt, nanos)
        wanted = nanos + sum(self._reserved.values()) if self._reserved else nanos
        for rule in self._terms.alone:
            if rule.refuses and wanted > rule.amount:
                self._till.refused[rule.name] += 1
                raise too_dear(rule, most=rule.amount, wanted=wanted)
        # From now on, not from when it is there: a hedge may ask while its first call still waits.
        self._reserved[attempt.id] = nanos
        try:
            pending = self._set_aside(exchange, attempt, nanos)
        except BaseException:
            del self._reserved[attempt.id]
            raise
        return None if pending is None else self._or_not(attempt, pending)

    async def _or_not(self, attempt: Attempt, pending: Awaitable[None]) -> None:
        try:
            await pending
        except BaseException:
            del self._reserved[attempt.id]
            raise

    def _set_aside(self, exchange: Exchange, attempt: Attempt, nanos: int) -> Awaitable[None] | None:
        if not self._shares:
            attempt.reserved_nanos = nanos
            return None
        till = self._till
        at_ns = till.clock.wall_ns()
        second, deposits = at_ns // _NS, till.uses.deposits
        pots = [rule.pot(subject, second, deposits) for rule, subject in self._shares]
        # Purses of this process need not know for whom it is: they go when we go.
        holder = (
            _holder(exchange, attempt, at_ns)
            if till.immediate is None
            else Holder(attempt.id, exchange.id, at_ns)
        )
        hold = Hold(holder, nanos, pots)
        if till.line.waiting and (ahead := till.line.ahead(hold)):
            return self._wait(exchange, attempt, hold, None, ahead)
        immediate = till.immediate
        if immediate is not None:
            if immediate.take_now(hold):
                self._taken(attempt, hold)
                return None
            try:
                standing = immediate.reserve_now(hold)
            except StoreUnavailable:
                pass  # it is waited for below, or what is wrong is told there
            else:
                if standing.ok:
                    self._taken(attempt, hold)
                    return None
                return self._short(exchange, attempt, hold, standing)
        return self._ask(exchange, attempt, hold)

    async def _ask(self, exchange: Exchange, attempt: Attempt, hold: Hold) -> None:
        try:
            standing = await self._till.purses.reserve(hold)
        except StoreUnavailable as error:
            raise _unavailable(error) from error
        if standing.ok:
            self._taken(attempt, hold)
            return
        pending = self._short(exchange, attempt, hold, standing)
        if pending is not None:
            await pending

    def _short(
        self, exchange: Exchange, attempt: Attempt, hold: Hold, standing: Standing
    ) -> Awaitable[None] | None:
        """It was not set aside. Raises BudgetSpent, or waits for what is set aside for others."""
        own = self._own()
        short = short_of(hold, standing)
        for at in short:
            pot = hold.pots[at]
            if standing.spent[at] + hold.nanos + own[pot.key] > pot.most:
                self._refuse(hold, standing, own, waited=0.0)
        return self._wait(exchange, attempt, hold, standing, [hold.pots[at].key for at in short])

    async def _wait(
        self,
        exchange: Exchange,
        attempt: Attempt,
        hold: Hold,
        standing: Standing | None,
        short: Sequence[PotKey] | frozenset[PotKey],
    ) -> None:
        till, own = self._till, self._own()
        if standing is None:
            known = [till.uses.of(pot) for pot in hold.pots]
            standing = Standing(
                ok=False,
                spent=[each.spent if each is not None else 0 for each in known],
                reserved=[each.reserved if each is not None else 0 for each in known],
            )
        seconds = min(
            (rule.wait for (rule, _), pot in zip(self._shares, hold.pots, strict=True) if pot.key in short),
            default=0.0,
        )
        began = monotonic()
        if exchange.deadline:
            seconds = min(seconds, exchange.deadline - began)
        if seconds > 0:
            try:
                standing = await till.line.wait(
                    hold, own=own, standing=standing, short=short, seconds=seconds
                )
            except StoreUnavailable as error:
                raise _unavailable(error) from error
            finally:
                exchange.queued_seconds += monotonic() - began
        if not standing.ok:
            self._refuse(hold, standing, own, waited=max(seconds, 0.0))
        self._taken(attempt, hold)

    def _taken(self, attempt: Attempt, hold: Hold) -> None:
        attempt.reserved_nanos = hold.nanos
        attempt.pots = tuple(map(_KEY, hold.pots))
        self._holds[attempt.id] = hold

    def _own(self) -> Counter[PotKey]:
        found: Counter[PotKey] = Counter()
        for hold in self._holds.values():
            for pot in hold.pots:
                found[pot.key] += hold.nanos
        return found

    def _refuse(self, hold: Hold, standing: Standing, own: Counter[PotKey], *, waited: float) -> NoReturn:
        till, wanted = self._till, hold.nanos
        worst: tuple[float, int] | None = None
        for at, pot in enumerate(hold.pots):
            if pot.most >= 0:
                # The one that stays short longest is told: it will be the last to have money again.
                lacks = standing.spent[at] + own[pot.key] + wanted > pot.most
                rank = (pot.ends or inf) if lacks else standing.reserved[at] / max(pot.most, 1) / 1e18
                if worst is None or rank > worst[0]:
                    worst = rank, at
        assert worst is not None
        at = worst[1]
        rule, pot = self._shares[at][0], hold.pots[at]
        till.refused[rule.name] += 1
        raise self._refusal(rule, hold, at, standing, own[pot.key], waited)

    def _refusal(
        self, rule: Rule, hold: Hold, at: int, standing: Standing, own: int, waited: float
    ) -> BudgetSpent:
        pot, wanted = hold.pots[at], hold.nanos
        if wanted > pot.most and not rule.prepaid:
            return too_dear(rule, most=pot.most, wanted=wanted)
        if standing.spent[at] + own + wanted <= pot.most:
            return set_aside(rule, reserved=standing.reserved[at], wanted=wanted, waited=waited)
        self._till.uses.refused(pot)
        left = pot.most - standing.spent[at] - own
        second = self._till.clock.wall_ns() // _NS
        return spent(rule, left=left, wanted=wanted, ends=pot.ends, second=second)


def _holder(exchange: Exchange, attempt: Attempt, at_ns: int) -> Holder:
    caller: Caller = exchange.caller or NOBODY
    endpoint = attempt.endpoint
    return Holder(
        attempt.id,
        exchange.id,
        at_ns,
        endpoint.provider,
        endpoint.model,
        exchange.feature,
        caller.key_id,
        exchange.user,
        caller.team,
        caller.tenant,
    )


def _unavailable(error: StoreUnavailable) -> BudgetsUnavailable:
    return BudgetsUnavailable(
        "what is left of the budgets of this request cannot be looked up now; try again in a moment",
        detail=str(error),
        retry_after=RETRY_SECONDS,
    )
