"""Route: what was asked for -> candidates, best first."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from headgate.core.messages import ModelList
from headgate.exchange.exchange import Exchange
from headgate.exchange.prefix import prefix_of
from headgate.exchange.reply import Reply, whole
from headgate.exchange.stage import Proceed
from headgate.providers.port import Endpoint
from headgate.providers.prefixes import Prefixes
from headgate.routing.deciding import decide, in_order
from headgate.routing.decision import Decision
from headgate.routing.directory import Directory
from headgate.routing.route import Route
from headgate.routing.volume import DayVolume

__all__ = ["Router"]


class Router:
    """Sets `exchange.candidates` and `reserves`. Also answers which names there are, for it alone knows them."""

    def __init__(
        self, directory: Directory, *, volume: DayVolume | None = None, prefixes: Prefixes | None = None
    ) -> None:
        """volume: where calls are counted for rules that ask; the one that the directory's policies look at. prefixes: who knows which
        endpoint has read the beginning of a prompt lately."""
        self.directory = directory
        """Swapped whole when the configuration changes."""
        self._volume = volume or DayVolume()
        self._prefixes = prefixes

    def __call__(self, exchange: Exchange, proceed: Proceed, /) -> Awaitable[Reply]:
        """See `Stage`. Where nothing has to be decided, nothing is waited for."""
        operation = exchange.dialect.operation
        directory = self.directory
        if operation == "models":
            return self._names(exchange)
        route = directory.resolve(exchange.peek.model)
        if exchange.route_as:
            # In front of its feature's route, so that the feature's rules go on holding.
            route = directory.using(exchange.route_as, route)
        unruled = not directory.judges and operation != "embeddings"
        label = exchange.feature
        if route.free and unruled and (route.feature or not label or directory.feature(label) is None):
            exchange.feature = route.feature or label
            exchange.routed_model = route.model
            exchange.reserves = route.reserves
            exchange.preferred = route.pools[0].endpoints
            exchange.confined = route.confined
            if route.note:
                exchange.notes["route"] = route.note
            if route.plain and _well(route.candidates, exchange.received_at):
                exchange.candidates = route.candidates
            else:
                self._look_for_hold(exchange)
                exchange.candidates = in_order(exchange, route.pools)[0]
            return proceed(exchange)
        return self._decided(exchange, proceed, route)

    async def _decided(self, exchange: Exchange, proceed: Proceed, route: Route) -> Reply:
        decision = await self.decide(exchange, route)
        if route.learner is None:
            return await proceed(exchange)
        route.learner.asked(exchange, decision)
        return route.learner.answered(exchange, await proceed(exchange), decision)

    async def decide(self, exchange: Exchange, route: Route) -> Decision:
        """Decide, count the call, and write the decision on the exchange. Raises as `deciding.decide` does."""
        directory = self.directory
        exchange.feature = route.feature or exchange.feature
        exchange.routed_model = route.model
        self._look_for_hold(exchange)
        decision = await decide(exchange, route, directory)
        exchange.confined = any(rule.confines for rule in decision.rules)
        exchange.routed_model = decision.model
        exchange.candidates = decision.candidates
        exchange.preferred = decision.pools[0].endpoints if decision.pools else ()
        exchange.reserves = decision.reserves
        if decision.tier is not None:
            exchange.tier = decision.tier
        if note := decision.note():
            exchange.notes["route"] = note
        if directory.zones and not exchange.purpose:
            # A label that is no feature's name would count calls where no rule looks.
            name = decision.feature or exchange.peek.model
            for zone in directory.zones:
                day = datetime.fromtimestamp(exchange.started_ns / 1e9, ZoneInfo(zone)).toordinal()
                self._volume.count(name, zone, day)
        return decision

    def _look_for_hold(self, exchange: Exchange) -> None:
        """Who has read the beginning of this prompt lately goes on with it, where the strategy leaves a choice."""
        prefixes = self._prefixes
        if prefixes is None or prefixes.keep_of(exchange.feature) == "off":
            return
        prefix = prefix_of(exchange)
        if prefix is not None:
            prefixes.hold(prefix, exchange.feature, exchange.received_at)

    async def _names(self, exchange: Exchange) -> Reply:
        if exchange.peek.model:
            return whole(ModelList(models=[self.directory.card(exchange.peek.model)]))
        allowed = exchange.caller.models if exchange.caller else ()
        return whole(
            ModelList(models=[card for card in self.directory.cards() if not allowed or card.id in allowed])
        )


def _well(endpoints: Sequence[Endpoint], now: float) -> bool:
    """Can all of them be asked?"""
    for each in endpoints:
        health = each.health
        if (not health.calm and health.blocked(now)) or health.ejected_until > now:
            return False
    return True
