"""Which feature's cache a request is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from headgate.cache.policy import CachePolicy
from headgate.exchange.exchange import Exchange
from headgate.routing.stage import Router

__all__ = ["Policies"]

_MOST: Final = 1000
_OPERATIONS: Final = frozenset({"chat", "embeddings", "count_tokens"})


class Policies:
    """What is configured of features that have a cache, found for each request."""

    def __init__(self, router: Router, narrowed: Callable[[CachePolicy, str], CachePolicy]) -> None:
        """narrowed: makes of a feature's policy that for a model which was named beside it."""
        self._router = router
        self._narrowed = narrowed
        self.of_feature: Mapping[str, CachePolicy] = {}
        self._by_model: dict[tuple[str, str], CachePolicy] = {}

    def use(self, of_feature: Mapping[str, CachePolicy]) -> None:
        """From the next request on."""
        self.of_feature = of_feature
        self._by_model.clear()

    def of(self, exchange: Exchange) -> CachePolicy | None:
        """What is configured of the feature that this request counts for; None: it has no cache. Raises GatewayError where nobody knows
        what is asked for."""
        if exchange.dialect.operation not in _OPERATIONS:
            return None
        directory = self._router.directory
        route = directory.resolve(exchange.peek.model)
        feature: str = route.feature
        if feature:
            return self.of_feature.get(feature)
        feature = exchange.feature
        policy = self.of_feature.get(feature) if feature else None
        if policy is None or directory.feature(feature) is None:
            return None
        # The feature is named beside a model: another model, other answers.
        about = (feature, route.model)
        found = self._by_model.get(about)
        if found is None:
            if len(self._by_model) >= _MOST:
                self._by_model.clear()
            found = self._by_model[about] = self._narrowed(policy, route.model)
        return found
