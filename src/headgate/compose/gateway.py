"""A gateway, put together from its configuration; started, given another configuration, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Mapping, Sequence

from headgate.admission.ring import KeyRing
from headgate.admission.stage import Identify
from headgate.admission.tokens.issuers import Issuers
from headgate.compose.about import Abouts
from headgate.compose.alerts import AlertService
from headgate.compose.api import api_of, desk_of
from headgate.compose.budgets import BookPrices
from headgate.compose.cache_feedback import CacheFeedback
from headgate.compose.caching import Caching
from headgate.compose.dashboard import Dashboard
from headgate.compose.keys import KnownKeys
from headgate.compose.manners import kept_prefixes, ladders, longest_use, manners_of, shadow_settings_of
from headgate.compose.metering import Metering
from headgate.compose.noting import note_configuration, note_start
from headgate.compose.places import Places, asked_for, directory_of
from headgate.compose.prices import blended_prices, expected_usd
from headgate.compose.providers import ProbeResult, Provider, close_later, probe
from headgate.compose.recording import Recording
from headgate.compose.replaying import Replaying
from headgate.compose.secrets import KnownSecrets, wanted_secrets
from headgate.compose.seeing import Seeing
from headgate.compose.stores import Stores, answers_of, open_stores, why_not_ready
from headgate.config.model import Configuration, Settings
from headgate.control.metrics import gauges_of, learn_names, watch
from headgate.control.overview import Overviews
from headgate.core.clock import SystemClock
from headgate.core.ids import IdSource
from headgate.dispatch.ladder.callback import Callbacks
from headgate.dispatch.ladder.climb import Ask, Ladder
from headgate.dispatch.ladder.entry_point import Functions
from headgate.dispatch.ladder.plan import NO_LADDER
from headgate.dispatch.ladder.stale import MemoryStale
from headgate.dispatch.manner import Manner
from headgate.dispatch.shadow import Shadows, ShadowSettings
from headgate.dispatch.stage import Dispatch
from headgate.edge.accept import accept
from headgate.edge.front import Front
from headgate.edge.gate import Gate
from headgate.edge.paths import Paths
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed, Stage
from headgate.journey import journey
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
from headgate.stores.errors import StoreUnavailable
from headgate.telemetry.metrics import Metrics

__all__ = ["Gateway"]

log = logging.getLogger("headgate")

_FOR_COPIES = ("record", "budget", "recall", "route", "dispatch")


class Gateway:
    """A gateway, from its configuration. `app` is served by whoever listens."""

    def __init__(  # noqa: PLR0915 - a line per part
        self, configuration: Configuration, *, bootstrap_key: str | None = None, writer_apart: bool = False
    ) -> None:
        """bootstrap_key: a key that shall be valid, instead of one generated at the first start. writer_apart: records are stored
        by a process of its own."""
        self.configuration = configuration
        self.first_key: str | None = None
        """The key generated at the first start, to be shown once; None ever after."""
        settings = configuration.settings
        self._bootstrap_key = bootstrap_key
        self._clock = SystemClock()
        self._retired: set[asyncio.Task[None]] = set()
        self._promised_until = 0.0
        """The moment (monotonic) when requests that began under configurations before this one are over."""
        stores = open_stores(settings)
        self.database = stores.database
        self.spans = stores.spans
        self.keys = stores.keys
        self._secrets = KnownSecrets(stores.secrets, os.environ)
        self._providers = self._secrets.providers(settings)
        self._rehearsals = Rehearsals(self._clock)
        self._share = RedisHealthShare(settings.server.redis) if settings.server.redis else None
        self._healths = HealthBook(
            self._clock, publish=self._share.publish if self._share is not None else None
        )
        self._prober = Prober(self.endpoints, self._clock)
        self.metrics = Metrics()
        self._recording = recording = Recording(
            settings, stores, self._clock, self._hash, self.metrics, apart=writer_apart
        )
        self._book, self.journal, self.writer = recording.book, recording.journal, recording.writer
        self._ids = IdSource(self._clock)
        self._volume = DayVolume()
        self._prices = blended_prices(self._book)
        self._learning = Learning(settings.routing.learned, os.environ, usd_of=self._usd_of)
        places = Places(settings, self._providers, self._healths, self._rehearsals)
        self._shadow_settings, self._prefixes = (
            shadow_settings_of(settings),
            Prefixes(kept_prefixes(settings)),
        )
        self._router = Router(
            self._directory(settings, places, self._prices), volume=self._volume, prefixes=self._prefixes
        )
        places.claim()
        self.shadows = Shadows(self._send_copy, self._ids, self._clock, self._shadow)
        self._ladders = ladders(settings)
        self._stale = MemoryStale(self._clock)
        self._manners = manners_of(settings, self._ladders)
        self._callbacks = Transport()
        self._ring, self._issuers = KeyRing((), b""), Issuers(settings.tokens, self._callbacks)
        self._known = KnownKeys(self.keys, stores.rehearsals, self._ring, self._rehearsals, self._clock)
        self._audit = stores.audit
        self._alerts = AlertService(settings, stores, self._clock)
        self.metering = Metering(
            settings,
            stores,
            self._book,
            self._clock,
            self._what_is_asked,
            self._alerts,
            lambda: self.writer.ready,
        )
        self.caching = Caching(
            settings,
            answers_of(settings, stores),
            directory=lambda: self._router.directory,
            pricer=recording.stage.pricer,
            send=self._send_copy,
            ids=self._ids,
            clock=self._clock,
            metrics=self.metrics,
            environ=os.environ,
            total_of=lambda feature: self._manner(feature).total,
            removed=self._stale.clear,
        )
        self._stages: dict[str, Stage] = {
            "record": recording.stage,
            "identify": Identify(
                self._ring, keys_required=settings.server.auth == "keys", token_caller=self._issuers.caller
            ),
            "accept": accept,
            "route": self._router,
            "dispatch": Dispatch(
                ids=self._ids,
                manner=self._manner,
                ladder=self._ladder,
                shadows=self.shadows,
                prefixes=self._prefixes,
            ),
        }
        self.replaying = Replaying(
            self._stages_now, self._router, BookPrices(self._book, self._clock), self._ids, self._clock
        )
        self.gate = Gate(proceed=self._journey(), paths=Paths(), settings=settings.server, ids=self._ids)
        self._copies = self._journey_of_copies()
        watch(self.metrics, self, lambda: self._router.directory)
        self.metering.report(self.metrics)
        self._name_metrics(settings)
        self.seeing = Seeing(
            settings,
            stores,
            self._alerts,
            recording,
            self.metrics,
            self._clock,
            settings_now=lambda: self.configuration.settings,
            gauges=gauges_of(self),
            node=lambda: self._ids.node,
            clear=self._let_go,
            answers=self.caching.store,
            send_tokens=self.gate.send_tokens,
        )
        self._taught = CacheFeedback(stores.spans, self.caching.store, self._clock)
        self.seeing.quality.scores.heard = self._taught.hear
        self.app = self._faces(stores)

    def _faces(self, stores: Stores) -> Front:
        """What is served, under one address."""
        self.overviews = Overviews(self)
        self.abouts = Abouts(self, self.endpoints, self._clock, self._ids)
        desk = desk_of(self, stores, self._known)
        self._dashboard = Dashboard(
            self,
            desk,
            stores,
            self._ring,
            self._caller_of,
            ids=self._ids,
            clock=self._clock,
            upstream=self._callbacks,
            metrics=self.metrics.text,
        )
        return Front(
            self.gate,
            ready=lambda: why_not_ready(self.writer, self.database),
            pages=self._dashboard.site,
            api=api_of(self, desk, self._caller_of, self._ids),
            feedback=self.seeing.quality.open,
        )

    async def start(self) -> None:
        """Open the database, know the keys, start the writer. Raises StoreUnavailable, StoreTooNew, SecretsRefused."""
        # Before the first key is made: a start that is refused could not show it.
        await self._secrets.learn(self.configuration.settings)
        if wanted_secrets(self.configuration.settings):
            self._use_secrets(forgiving=False)
        self.first_key = await self._known.read(
            bootstrap=self._bootstrap_key, required=self.configuration.settings.server.auth != "none"
        )
        # Two nodes of one number would give two requests the same id, and one of them would not be stored.
        self._ids.be(await self.keys.next_node())
        self._secrets.start(lambda: self.configuration.settings, lambda: self._use_secrets(forgiving=True))
        self._recording.start()
        await note_start(self._audit, self.configuration, self._clock)
        if self._share is not None:
            self._share.start(self._healths.apply)
        await self.metering.start()
        await self.caching.start()
        self._taught.start()
        await self.seeing.start()
        await self._issuers.start()
        self._prober.start()
        self._learning.start()
        self._known.start()

    async def apply(self, configuration: Configuration) -> None:
        """Serve the next request by this configuration; requests under way keep the one they began with.

        All or nothing: whatever this raises, what served before goes on serving."""
        settings = configuration.settings
        planned, metered = ladders(settings), self.metering.prepared(settings)
        signing_in = self._dashboard.prepared(settings)
        manners = manners_of(settings, planned)
        await self._secrets.learn(settings)
        providers, prices = self._secrets.providers(settings, self._providers), blended_prices(self._book)
        places = Places(settings, providers, self._healths, self._rehearsals)
        directory = self._directory(settings, places, prices)
        # Only now is anything changed that serves.
        self._issuers.use(settings.tokens)
        self._replace_providers(providers)
        places.claim()
        self._router.directory = directory
        self._prices = prices
        self._learning.start()
        self._manners = manners
        self._prefixes.use(kept_prefixes(settings))
        self._recording.use(settings)
        self._shadow_settings = shadow_settings_of(settings)
        self._ladders = planned
        self.caching.use(settings)
        metered()
        signing_in()
        self.seeing.use(settings)
        self.gate.proceed = self._journey()
        self._copies = self._journey_of_copies()
        self._name_metrics(configuration.settings)
        before, self.configuration = self.configuration, configuration
        self._secrets.serves()
        await note_configuration(self._audit, before, configuration, self._clock)

    async def stop(self) -> None:
        """Store what is recorded, close what is open. Call it when no request is under way any more."""
        await self._issuers.aclose()
        await self._prober.aclose()
        if self._share is not None:
            await self._share.aclose()
        await self.shadows.aclose()
        await self._taught.aclose()
        await self.caching.aclose()
        await self._learning.stop()
        await self._known.stop()
        await self._secrets.stop()
        for retired in self._retired:
            retired.cancel()
        await asyncio.gather(*self._retired, return_exceptions=True)
        for provider in self._providers.values():
            await provider.upstream.aclose()
        await self._callbacks.aclose()
        await self.metering.aclose()
        await self.seeing.aclose()
        with contextlib.suppress(StoreUnavailable):
            await self._known.note_used()
        if not await self._recording.aclose(float(self.configuration.settings.records.drain)):
            log.warning("some records are still in the journal; they are stored at the next start")
        await self.seeing.export_the_rest()
        await self.database.close()

    async def probe(self, name: str) -> ProbeResult:
        """Try a provider: is it there, does it take our credentials?"""
        return await probe(name, self._providers[name])

    # How the parts are made

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

    def _use_secrets(self, *, forgiving: bool) -> None:
        """Secrets of the database are known, or others than before: from the next request on they are used."""
        settings = self.configuration.settings
        providers = self._secrets.providers(settings, self._providers, forgiving=forgiving)
        places = Places(settings, providers, self._healths, self._rehearsals)
        directory = self._directory(settings, places, self._prices)
        self._replace_providers(providers)
        places.claim()
        self._router.directory = directory
        self._name_metrics(settings)
        self._secrets.serves()

    def _usd_of(self, model: str, tokens: int) -> float:
        return expected_usd(self._router.directory, self._prices, model, tokens)

    def _replace_providers(self, after: dict[str, Provider]) -> None:
        """Those that are no more, or that another one has taken the name of, are closed when nobody can be using them."""
        before, self._providers = self._providers, after
        now = self._clock.monotonic()
        self._promised_until = max(self._promised_until, now + longest_use(self._manners.values()))
        seconds = self._promised_until - now
        for name, provider in before.items():
            if after.get(name) is not provider:
                self._healths.renew(name)
                if isinstance(provider.upstream, Transport):
                    provider.upstream.retire()
                later = close_later(provider, seconds)
                task = asyncio.create_task(later, name="retire")
                self._retired.add(task)
                task.add_done_callback(self._retired.discard)

    def _journey(self) -> Proceed:
        return journey(self._stages_now())

    def _stages_now(self) -> dict[str, Stage]:
        return {**self._stages, **self.metering.stages(), **self.caching.stages()}

    def _journey_of_copies(self) -> Proceed:
        """A copy has been let in already, with the request it is a copy of; but it costs money of its own."""
        stages = self._stages_now()
        return journey({name: stages[name] for name in _FOR_COPIES if name in stages})

    def _what_is_asked(self, exchange: Exchange) -> tuple[str, str]:
        return asked_for(self._router.directory, exchange)

    def _name_metrics(self, settings: Settings) -> None:
        rungs = {name: [rung.mark for rung in plan.rungs] for name, plan in self._ladders.items()}
        learn_names(
            self.metrics, settings.features, self._router.directory.endpoints(), rungs, settings.models
        )

    def _let_go(self) -> None:
        """Contents were deleted: nothing of them stays in memory."""
        self._stale.clear()
        self._recording.stage.repeats.clear()
        self.caching.let_go()

    def _hash(self) -> str:
        return self.configuration.hash

    def endpoints(self) -> Mapping[str, Sequence[Endpoint]]:
        """Model -> where it is reached, each place with its health."""
        return self._router.directory.models()

    def _manner(self, feature: str) -> Manner:
        return self._manners.get(feature) or self._manners[""]

    def _shadow(self, feature: str) -> ShadowSettings | None:
        return self._shadow_settings.get(feature)

    def _send_copy(self, copy: Exchange) -> Awaitable[Reply]:
        return self._copies(copy)

    def _ladder(self, ask: Ask) -> Ladder:
        return Ladder(
            lambda feature: self._ladders.get(feature, NO_LADDER),
            ask,
            stale=self._stale,
            older=self.caching.older,
            callbacks=Callbacks(self._callbacks),
            functions=Functions(),
            clock=self._clock,
        )

    def _caller_of(self, key: bytes) -> Caller | None:
        return self._ring.caller(key) or self._issuers.caller(key)
