"""Which endpoint's health is whose: kept while configurations come and go, and told to other nodes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from headgate.core.clock import Clock
from headgate.providers.health.health import Health
from headgate.providers.health.rates import NO_LIMITS, Limits
from headgate.providers.health.settings import HealthSettings
from headgate.stores.health import HealthNews

__all__ = ["HealthBook"]

log = logging.getLogger("headgate.health")

MOST = 10_000
"""Endpoints known at a time. Callers may name a provider's models themselves, so there is no natural bound."""
MOST_UNCLAIMED = 1000

Publish = Callable[[HealthNews], None]


class HealthBook:
    """One `Health` per endpoint. All calls from the event loop."""

    def __init__(self, clock: Clock, *, publish: Publish | None = None, most: int = MOST) -> None:
        """publish: told what changed here; never waits."""
        self.settings = HealthSettings()
        """For endpoints of which nothing else is said."""
        self._clock = clock
        self._publish = publish
        self._most = most
        self._known: dict[str, Health] = {}
        self._claimed: frozenset[str] = frozenset()
        self._unclaimed: dict[str, tuple[float, str]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def of(self, key: str, settings: HealthSettings | None = None, limits: Limits | None = None) -> Health:
        """The health of the endpoint of that key, the same object every time, now going by these settings and limits.

        None: what was said last stays. A caller who asks for a provider's model by its own name says nothing of it.
        key: the same on every node for the same endpoint, such as `openai/gpt-4o eu key 2`."""
        health = self._known.pop(key, None)
        if health is None:
            if len(self._known) >= self._most:
                self._forget_one()
            health = Health(key, settings or self.settings, limits or NO_LIMITS, on_change=self._changed)
            told = self._unclaimed.pop(key, None)
            if told is not None:
                health.told(self._clock.monotonic(), *told)
        else:
            health.configure(settings, limits)
        self._known[key] = health  # the end of the row is what was asked for last
        return health

    def claim(self, wanted: Mapping[str, tuple[HealthSettings, Limits]]) -> None:
        """The configuration names these endpoints: they go by what it says of them, and are never forgotten. Those that only
        the one before it named go by what holds for all."""
        for key in self._claimed:
            if key not in wanted and key in self._known:
                self._known[key].configure(self.settings, NO_LIMITS)
        self._claimed = frozenset(wanted)
        for key, (settings, limits) in wanted.items():
            self.of(key, settings, limits)

    def renew(self, provider: str) -> None:
        """This provider has been replaced by one with other settings: see `Health.renewed`."""
        for key, health in self._known.items():
            if key.startswith(f"{provider}/"):
                health.renewed()

    def apply(self, news: HealthNews) -> None:
        """Another node told of a change: what is open longer stays open longer. Never told on."""
        now = self._clock.monotonic()
        health = self._known.get(news.endpoint)
        if health is None:
            self._remember(news, now)
        elif news.open_seconds > 0:
            before = health.breaker.open_until
            health.told(now, now + news.open_seconds, news.why)
            if not before and health.breaker.open_until:
                log.warning(
                    "%s is left alone for %.1f s, as another node found: %s",
                    news.endpoint,
                    news.open_seconds,
                    news.why,
                )
        elif health.told_closed(now):
            log.info("%s answers again, as another node found", news.endpoint)

    def _remember(self, news: HealthNews, now: float) -> None:
        self._unclaimed.pop(news.endpoint, None)
        if news.open_seconds > 0 and len(self._unclaimed) < MOST_UNCLAIMED:
            self._unclaimed[news.endpoint] = (now + news.open_seconds, news.why)
        elif len(self._unclaimed) >= MOST_UNCLAIMED:
            self._unclaimed = {key: told for key, told in self._unclaimed.items() if told[0] > now}

    def _changed(self, health: Health) -> None:
        breaker = health.breaker
        seconds = max(breaker.open_until - self._clock.monotonic(), 0.0) if breaker.open_until else 0.0
        if breaker.open_until:
            log.warning("%s is left alone for %.1f s: %s", health.name, seconds, breaker.why)
        else:
            log.info("%s answers again", health.name)
        if self._publish is not None:
            self._publish(HealthNews(health.name, seconds, breaker.why))

    def _forget_one(self) -> None:
        """The one that was asked for longest ago, is none of the configuration's, and has no call under way."""
        busy = ""
        for key, health in self._known.items():
            if key in self._claimed:
                continue
            if not health.in_flight:
                del self._known[key]
                return
            busy = busy or key
        if busy:
            del self._known[busy]
