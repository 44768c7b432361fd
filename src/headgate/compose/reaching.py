"""Whom a gateway can ask: its providers with their secrets, how each place is, and which places every name stands for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence

from headgate.compose.manners import kept_prefixes, shadow_settings_of
from headgate.compose.places import Places, asked_for, directory_of
from headgate.compose.prices import blended_prices, expected_usd
from headgate.compose.providers import ProbeResult, Provider, close_later, probe
from headgate.compose.secrets import KnownSecrets, wanted_secrets
from headgate.compose.stores import Stores
from headgate.config.model import Settings
from headgate.core.clock import Clock
from headgate.exchange.exchange import Exchange
from headgate.providers.catalog.book import PriceBook
from headgate.providers.health.book import HealthBook
from headgate.providers.port import Endpoint
from headgate.providers.prefixes import Prefixes
from headgate.providers.probing import Prober
from headgate.providers.rehearsal.orders import Rehearsals
from headgate.providers.transport.client import Transport
from headgate.routing.directory import Directory
from headgate.routing.learning import Learning
from headgate.routing.stage import Router
from headgate.routing.strategies import PriceOf
from headgate.routing.volume import DayVolume
from headgate.stores.backends.redis.health import RedisHealthShare

__all__ = ["Reaching"]


class Reaching:
    """The stage `route` of a gateway, with all it needs, and the providers behind it."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        book: PriceBook,
        clock: Clock,
        *,
        longest_use: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        """longest_use: seconds that a request which begins now may go on. changed: told when other secrets have made other providers."""
        self._settings = settings
        self._book = book
        self._clock = clock
        self._longest_use = longest_use
        self._changed = changed
        self._secrets = KnownSecrets(stores.secrets, os.environ)
        self.providers = self._secrets.providers(settings)
        self._retired: set[asyncio.Task[None]] = set()
        self._promised_until = 0.0
        """The moment (monotonic) when requests that began under configurations before this one are over."""
        self.rehearsals = Rehearsals(clock)
        self._share = RedisHealthShare(settings.server.redis) if settings.server.redis else None
        self.healths = HealthBook(clock, publish=self._share.publish if self._share is not None else None)
        self._prober = Prober(self.endpoints, clock)
        self._volume = DayVolume()
        self.prices = blended_prices(book)
        self._learning = Learning(settings.routing.learned, os.environ, usd_of=self._usd_of)
        self.prefixes = Prefixes(kept_prefixes(settings))
        places = self._places(settings, self.providers)
        directory = self._directory(settings, places, self.prices)
        self.router = Router(directory, volume=self._volume, prefixes=self.prefixes)
        places.claim()

    @property
    def directory(self) -> Directory:
        """Every name that may be asked for, as it is now."""
        return self.router.directory

    def endpoints(self) -> Mapping[str, Sequence[Endpoint]]:
        """Model -> where it is reached, each place with its health."""
        return self.directory.models()

    def what_is_asked(self, exchange: Exchange) -> tuple[str, str]:
        """(feature, model); "" for what it does not name."""
        return asked_for(self.router.directory, exchange)

    async def probe(self, name: str) -> ProbeResult:
        """Try a provider: is it there, does it take our credentials?"""
        return await probe(name, self.providers[name])

    async def learn(self) -> None:
        """Know the secrets that are named. Raises SecretsRefused, StoreUnavailable."""
        await self._secrets.learn(self._settings)
        if wanted_secrets(self._settings):
            self._use_secrets(forgiving=False)

    def start(self) -> None:
        """Hear from other nodes, try places that were given up, keep secrets fresh."""
        self._secrets.start(lambda: self._settings, lambda: self._use_secrets(forgiving=True))
        if self._share is not None:
            self._share.start(self.healths.apply)
        self._prober.start()
        self._learning.start()

    async def prepared(self, settings: Settings) -> Callable[[], None]:
        """What makes these settings count, ready to be done; nothing of it can fail. Raises whatever is wrong with them."""
        await self._secrets.learn(settings)
        providers, prices = self._secrets.providers(settings, self.providers), blended_prices(self._book)
        places = self._places(settings, providers)
        directory = self._directory(settings, places, prices)

        def use() -> None:
            self._settings = settings
            self._serve(providers, places, directory)
            self.prices = prices
            self._learning.start()
            self.prefixes.use(kept_prefixes(settings))
            self._secrets.serves()

        return use

    async def aclose(self) -> None:
        """Close all connections. Call it when nobody asks any more."""
        await self._prober.aclose()
        if self._share is not None:
            await self._share.aclose()
        await self._learning.stop()
        await self._secrets.stop()
        for retired in self._retired:
            retired.cancel()
        await asyncio.gather(*self._retired, return_exceptions=True)
        for provider in self.providers.values():
            await provider.upstream.aclose()

    def _use_secrets(self, *, forgiving: bool) -> None:
        """Secrets of the database are known, or others than before: from the next request on they are used."""
        settings = self._settings
        providers = self._secrets.providers(settings, self.providers, forgiving=forgiving)
        places = self._places(settings, providers)
        self._serve(providers, places, self._directory(settings, places, self.prices))
        self._changed()
        self._secrets.serves()

    def _serve(self, providers: dict[str, Provider], places: Places, directory: Directory) -> None:
        self._replace_providers(providers)
        places.claim()
        self.router.directory = directory

    def _places(self, settings: Settings, providers: Mapping[str, Provider]) -> Places:
        return Places(settings, providers, self.healths, self.rehearsals)

    def _directory(self, settings: Settings, places: Places, prices: PriceOf) -> Directory:
        directory = directory_of(
            settings,
            places.providers,
            place=places,
            price_of=prices,
            volume=self._volume,
            grader_of=self._learning.grader_of,
        )
        for shadow in shadow_settings_of(settings).values():
            # A copy's model is no part of a route: it is made here, so that its places are the configuration's.
            directory.resolve(shadow.model)
        self._book.prefetch(
            (endpoint.price_key, endpoint.model)
            for endpoint in directory.endpoints()
            if endpoint.price_key and endpoint.own_price is None
        )
        return directory

    def _usd_of(self, model: str, tokens: int) -> float:
        return expected_usd(self.directory, self.prices, model, tokens)

    def _replace_providers(self, after: dict[str, Provider]) -> None:
        """Those that are no more, or that another one has taken the name of, are closed when nobody can be using them."""
        before, self.providers = self.providers, after
        now = self._clock.monotonic()
        self._promised_until = max(self._promised_until, now + self._longest_use())
        seconds = self._promised_until - now
        for name, provider in before.items():
            if after.get(name) is not provider:
                self.healths.renew(name)
                if isinstance(provider.upstream, Transport):
                    provider.upstream.retire()
                later = close_later(provider, seconds)
                task = asyncio.create_task(later, name="retire")
                self._retired.add(task)
                task.add_done_callback(self._retired.discard)
