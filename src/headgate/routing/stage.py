"""Route: what was asked for -> candidates, best first."""

from __future__ import annotations

from headgate.core.messages import ModelList
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply, whole
from headgate.exchange.stage import Proceed
from headgate.routing.directory import Directory

__all__ = ["Router"]


class Router:
    """Sets `exchange.candidates`. Also answers the question which names there are, for it alone knows them."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        """Swapped whole when the configuration changes."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        if exchange.dialect.operation == "models":
            if exchange.peek.model:
                return whole(ModelList(models=[self.directory.card(exchange.peek.model)]))
            allowed = exchange.caller.models if exchange.caller else ()
            return whole(
                ModelList(models=[c for c in self.directory.cards() if not allowed or c.id in allowed])
            )
        route = self.directory.resolve(exchange.peek.model)
        exchange.feature = route.feature or exchange.feature
        exchange.routed_model = route.model
        exchange.candidates = route.candidates
        return await proceed(exchange)
