"""Budgets with requests that are paid from them, on a clock that stands still, and without a network."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from headgate.budgets.plan import Plan, plan_of
from headgate.budgets.purse import Till
from headgate.budgets.settings import BudgetSettings
from headgate.budgets.stage import Budget
from headgate.budgets.uses import Uses
from headgate.core.section import decode_value
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.exchange.attempt import Attempt, AttemptKind
from headgate.exchange.caller import Caller
from headgate.exchange.dialect import Dialect
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.providers.catalog.rates import Rates
from headgate.providers.catalog.settings import PriceSettings, own_rates
from headgate.providers.port import Endpoint
from headgate.stores.alerts import Alert
from headgate.stores.backends.memory.purses import MemoryPurses
from headgate.stores.purses import Pot, PotKey, Purses
from tests.support.exchanges import Desk

__all__ = ["REPLY", "Alerts", "Budgeting", "budgets", "headers", "money"]

REPLY = Reply()
BODY = {"model": "support-chat", "messages": [{"role": "user", "content": "How high is the water?"}]}


def money(usd: str | float) -> int:
    """USD as nano-dollars."""
    return int(Decimal(str(usd)) * 10**9)


def budgets(*written: dict[str, Any]) -> list[BudgetSettings]:
    """As a configuration file has them."""
    return msgspec.convert(list(written), list[BudgetSettings], dec_hook=decode_value)


class Alerts:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Alert] = []

    def tell(self, alert: Alert) -> None:
        """See `AlertSink`."""
        self.told.append(alert)


class OwnPrices:
    """The endpoints' own prices, and no others."""

    def __init__(self) -> None:
        self.later: Rates | None = None
        """What the list says when it has been read."""

    def rates(self, endpoint: Endpoint) -> Rates | None:
        """See `Prices`."""
        own = endpoint.own_price
        return own if isinstance(own, Rates) else None

    async def looked_up(self, endpoint: Endpoint) -> Rates | None:
        """See `Prices`."""
        return self.later


class Budgeting:
    """A stage with its till. Each call costs what `usd` says, to the nano-dollar: prices are per request alone."""

    def __init__(
        self, *written: dict[str, Any], plan: Plan | None = None, purses: Purses | None = None
    ) -> None:
        self.desk = Desk()
        self.alerts = Alerts()
        self.uses = Uses(self.desk.clock, self.alerts)
        self.purses: Any = purses or MemoryPurses(loaded=True)
        self.prices = OwnPrices()
        self.till = Till(self.purses, self.prices, self.desk.clock, self.uses)
        self.stage = Budget(
            self.till, plan or plan_of(budgets(*written)), lambda _: ("support-chat", "small")
        )
        self.caller = Caller("key_1", "app", team="canal", tenant="acme")

    def endpoint(self, usd: str | float = 1, **price: str | float) -> Endpoint:
        """One at which a call costs so much. price: by the million tokens, on top."""
        said = {"input": Decimal(0)} | {name: Decimal(str(each)) for name, each in price.items()}
        rates = own_rates(PriceSettings(request=Decimal(str(usd)), **said))
        return self.desk.endpoint(own_price=rates)

    def exchange(self, *, user: str = "ada", dialect: Dialect | None = None, **fields: Any) -> Exchange:
        """A request that has come as far as this stage. fields: of its body."""
        body = msgspec.json.encode(BODY | fields)
        spoken = dialect or OpenAIChat()
        exchange = Exchange(
            id=self.desk.ids.next(),
            dialect=spoken,
            body=body,
            headers=[],
            received_at=self.desk.clock.monotonic(),
            started_ns=self.desk.clock.wall_ns(),
        )
        exchange.peek = spoken.peek(body)
        exchange.caller, exchange.user = self.caller, user
        return exchange

    async def asked(self, **settings: Any) -> Exchange:
        """One that has passed the stage."""
        exchange = self.exchange(**settings)
        assert await self.stage(exchange, _proceed) is REPLY
        return exchange

    def attempt(self, exchange: Exchange, endpoint: Endpoint, *, kind: AttemptKind = "") -> Attempt:
        """The next attempt, not paid for yet."""
        return Attempt(
            id=self.desk.ids.next(),
            number=len(exchange.attempts) + 1,
            endpoint=endpoint,
            wire="openai.chat",
            started_at=0.0,
            kind=kind,
        )

    async def pay(self, exchange: Exchange, usd: str | float = 1, *, kind: AttemptKind = "") -> Attempt:
        """Another attempt of it, with the money for it set aside. Raises what dispatch would see."""
        attempt = self.attempt(exchange, self.endpoint(usd), kind=kind)
        assert exchange.purse is not None
        pending = exchange.purse.reserve(exchange, attempt)
        if pending is not None:
            await pending
        exchange.attempts.append(attempt)
        return attempt

    async def spend(self, usd: str | float = 1, **settings: Any) -> Exchange:
        """A whole request that costs as much as was set aside for it."""
        exchange = await self.asked(**settings)
        attempt = await self.pay(exchange, usd)
        assert exchange.purse is not None
        exchange.purse.settle(attempt, attempt.reserved_nanos)
        return exchange

    async def standing(self, key: PotKey) -> tuple[int, int]:
        """(spent, reserved) of a pot."""
        found = await self.purses.standing([Pot(*key, 0, -1)])
        return found.spent[0], found.reserved[0]


def headers(exchange: Exchange) -> dict[str, str]:
    """Those that were added to the reply."""
    return {name.decode(): value.decode() for name, value in exchange.reply_headers}


async def _proceed(exchange: Exchange) -> Reply:
    return REPLY
