"""Budget: whose money is it, how long may the answer be, and is it time for a cheaper model? Paying itself is done by the purse
that the exchange gets, when dispatch makes its attempts."""

from __future__ import annotations

from collections.abc import Callable

from headgate.budgets.answers import bound_answer
from headgate.budgets.plan import Plan, Rule, Share
from headgate.budgets.purse import RequestPurse, Till
from headgate.budgets.saying import standing_text
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed

__all__ = ["Budget", "WhatIsAsked"]

WhatIsAsked = Callable[[Exchange], tuple[str, str]]
"""(feature, model) of a request: "" for none, and the model it will probably go to. Raises UnknownModel."""

_KINDS = frozenset({"chat", "embeddings"})
"""Operations that cost money."""
_NS = 1_000_000_000


class Budget:
    """See `Stage`."""

    def __init__(self, till: Till, plan: Plan, asked: WhatIsAsked) -> None:
        self.till = till
        self._asked = asked
        self._plan = plan
        self.use(plan)

    def use(self, plan: Plan) -> None:
        """From the next request on, by these budgets."""
        self._plan = self.till.uses.plan = plan

    async def __call__(self, exchange: Exchange, proceed: Proceed, /) -> Reply:
        """See `Stage`. Raises UnknownModel, and what reading the request raises."""
        operation = exchange.dialect.operation
        if operation not in _KINDS:
            return await proceed(exchange)
        feature, model = self._asked(exchange)
        plan = self._plan
        shares, terms = plan.shares(exchange, feature, model)
        clamped = False
        if operation == "chat":
            bounds = (plan.answers.get(feature) or plan.answers.get("")) if plan.answers else None
            if bounds is not None or (terms is not None and terms.hard and exchange.peek.max_tokens is None):
                clamped = bound_answer(
                    exchange, bounds, terms.answer if terms is not None and terms.hard else None
                )
        if terms is not None:
            exchange.purse = RequestPurse(self.till, shares, terms, exchange.request if clamped else None)
            if terms.watched:
                self._look_at(exchange, shares, feature)
        return await proceed(exchange)

    def _look_at(self, exchange: Exchange, shares: list[Share], feature: str) -> None:
        """Tell the caller how far budgets are spent, and take the cheaper model of one that is spent far enough."""
        uses = self.till.uses
        second = self.till.clock.wall_ns() // _NS
        fullest, header = -1.0, b""
        for rule, subject in shares:
            warn_at = rule.settings.warn_at
            if warn_at is None and not rule.downgrades:
                continue
            known = uses.of(rule.pot(subject, second, uses.deposits))
            if known is None:
                continue
            fraction = known.fraction
            if warn_at is not None and fraction >= warn_at and fraction > fullest:
                fullest, header = fraction, standing_text(rule, fraction, known.pot.ends)
            if rule.downgrades and fraction >= rule.settings.downgrade_at:
                self._downgrade(exchange, rule, fraction, feature)
        if header:
            exchange.reply_headers.append((b"x-headgate-budget", header))

    def _downgrade(self, exchange: Exchange, rule: Rule, fraction: float, feature: str) -> None:
        # A copy has a model of its own, to compare. Of two such budgets the first is followed.
        if exchange.purpose or exchange.route_as:
            return
        to = rule.settings.downgrade_to
        exchange.route_as = to
        exchange.feature = exchange.feature or feature
        exchange.notes["downgraded"] = f"to {to}: budget {rule.name} is spent to {fraction * 100:.0f} %"
        exchange.reply_headers.append((b"x-headgate-downgraded", rule.name_text))
        self.till.downgraded[rule.name] += 1
