"""A gateway, put together from its configuration; started, given another configuration, stopped."""

from __future__ import annotations

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
from headgate.compose.dispatching import Dispatching
from headgate.compose.keys import KnownKeys
from headgate.compose.metering import Metering
from headgate.compose.noting import note_configuration, note_start
from headgate.compose.providers import ProbeResult
from headgate.compose.reaching import Reaching
from headgate.compose.recording import Recording
from headgate.compose.replaying import Replaying
from headgate.compose.seeing import Seeing
from headgate.compose.stores import Stores, answers_of, open_stores, why_not_ready
from headgate.config.model import Configuration, Settings
from headgate.control.metrics import gauges_of, learn_names, watch
from headgate.control.overview import Overviews
from headgate.core.clock import SystemClock
from headgate.core.ids import IdSource
from headgate.dispatch.ladder.stale import MemoryStale
from headgate.edge.accept import accept
from headgate.edge.front import Front
from headgate.edge.gate import Gate
from headgate.edge.paths import Paths
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed, Stage
from headgate.journey import journey
from headgate.providers.port import Endpoint
from headgate.providers.transport.client import Transport
from headgate.stores.errors import StoreUnavailable
from headgate.telemetry.metrics import Metrics

__all__ = ["Gateway"]

log = logging.getLogger("headgate")

_FOR_COPIES = ("record", "budget", "recall", "route", "dispatch")


class Gateway:
    """A gateway, from its configuration. `app` is served by whoever listens."""

    def __init__(
        self, configuration: Configuration, *, bootstrap_key: str | None = None, writer_apart: bool = False
    ) -> None:
        """bootstrap_key: a key that shall be valid, instead of one generated at the first start. writer_apart: records are stored
        by a process of its own."""
        self.configuration = configuration
        self.first_key: str | None = None
        """The key generated at the first start, to be shown once; None ever after."""
        self._bootstrap_key = bootstrap_key
        settings = configuration.settings
        stores = open_stores(settings)
        self.database, self.spans, self.keys = stores.database, stores.spans, stores.keys
        self._audit = stores.audit
        self._clock = SystemClock()
        self._ids = IdSource(self._clock)
        self.metrics = Metrics()
        self._recording = Recording(
            settings, stores, self._clock, configuration.hash, self.metrics, apart=writer_apart
        )
        self.journal, self.writer = self._recording.journal, self._recording.writer
        self.reaching = Reaching(
            settings,
            stores,
            self._recording.book,
            self._clock,
            longest_use=self._longest_use,
            changed=self._name_metrics,
        )
        self._callbacks = Transport()
        self._make_callers(settings, stores)
        self._make_metering(settings, stores)
        self._make_answering(settings, stores)
        self._make_stages(settings)
        self._make_seeing(settings, stores)
        self.app = self._faces(stores)

    # How the parts are made, in this order

    def _make_callers(self, settings: Settings, stores: Stores) -> None:
        """Who is asking, and may they."""
        self._ring, self._issuers = KeyRing((), b""), Issuers(settings.tokens, self._callbacks)
        self._known = KnownKeys(
            self.keys, stores.rehearsals, self._ring, self.reaching.rehearsals, self._clock
        )

    def _make_metering(self, settings: Settings, stores: Stores) -> None:
        """What they may take."""
        self._alerts = AlertService(settings, stores, self._clock)
        self.metering = Metering(
            settings,
            stores,
            self._recording.book,
            self._clock,
            self.reaching.what_is_asked,
            self._alerts,
            lambda: self.writer.ready,
        )

    def _make_answering(self, settings: Settings, stores: Stores) -> None:
        """What answers: memory, a model, or what there is when no model does."""
        self._stale = MemoryStale(self._clock)
        self.caching = Caching(
            settings,
            answers_of(settings, stores),
            router=self.reaching.router,
            pricer=self._recording.stage.pricer,
            send=self._send_copy,
            ids=self._ids,
            clock=self._clock,
            metrics=self.metrics,
            environ=os.environ,
            total_of=lambda feature: self.dispatching.manner(feature).total,
            removed=self._stale.clear,
        )
        self.dispatching = Dispatching(
            settings,
            send_copy=self._send_copy,
            prefixes=self.reaching.prefixes,
            stale=self._stale,
            older=self.caching.older,
            callbacks=self._callbacks,
            ids=self._ids,
            clock=self._clock,
        )
        self.shadows = self.dispatching.shadows

    def _make_stages(self, settings: Settings) -> None:
        """The stages, and who sends requests down them."""
        self._stages: dict[str, Stage] = {
            "record": self._recording.stage,
            "identify": Identify(
                self._ring, keys_required=settings.server.auth == "keys", token_caller=self._issuers.caller
            ),
            "accept": accept,
            "route": self.reaching.router,
            "dispatch": self.dispatching.stage,
        }
        self.replaying = Replaying(
            self._stages_now,
            self.reaching.router,
            BookPrices(self._recording.book, self._clock),
            self._ids,
            self._clock,
        )
        self.gate = Gate(proceed=self._journey(), paths=Paths(), settings=settings.server, ids=self._ids)
        self._copies = self._journey_of_copies()

    def _make_seeing(self, settings: Settings, stores: Stores) -> None:
        """What is counted, told and judged beside all that."""
        watch(self.metrics, self, lambda: self.reaching.directory)
        self.metering.report(self.metrics)
        self._name_metrics()
        self.seeing = Seeing(
            settings,
            stores,
            self._alerts,
            self._recording,
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
        await self.reaching.learn()
        self.first_key = await self._known.read(
            bootstrap=self._bootstrap_key, required=self.configuration.settings.server.auth != "none"
        )
        # Two nodes of one number would give two requests the same id, and one of them would not be stored.
        self._ids.be(await self.keys.next_node())
        self._recording.start()
        await note_start(self._audit, self.configuration, self._clock)
        await self.metering.start()
        await self.caching.start()
        self._taught.start()
        await self.seeing.start()
        await self._issuers.start()
        self.reaching.start()
        self._known.start()

    async def apply(self, configuration: Configuration) -> None:
        """Serve the next request by this configuration; requests under way keep the one they began with.

        All or nothing: whatever this raises, what served before goes on serving."""
        settings = configuration.settings
        dispatched, metered = self.dispatching.prepared(settings), self.metering.prepared(settings)
        signing_in = self._dashboard.prepared(settings)
        reached = await self.reaching.prepared(settings)
        # Only now is anything changed that serves.
        self._issuers.use(settings.tokens)
        # What is replaced stays open as long as the manners before promised.
        reached()
        dispatched()
        self._recording.use(settings, configuration.hash)
        self.caching.use(settings)
        metered()
        signing_in()
        self.seeing.use(settings)
        self.gate.proceed = self._journey()
        self._copies = self._journey_of_copies()
        before, self.configuration = self.configuration, configuration
        self._name_metrics()
        await note_configuration(self._audit, before, configuration, self._clock)

    async def stop(self) -> None:
        """Store what is recorded, close what is open. Call it when no request is under way any more."""
        await self._issuers.aclose()
        await self.dispatching.aclose()
        await self._taught.aclose()
        await self.caching.aclose()
        await self._known.stop()
        await self.reaching.aclose()
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
        return await self.reaching.probe(name)

    def _journey(self) -> Proceed:
        return journey(self._stages_now())

    def _stages_now(self) -> dict[str, Stage]:
        return {**self._stages, **self.metering.stages(), **self.caching.stages()}

    def _journey_of_copies(self) -> Proceed:
        """A copy has been let in already, with the request it is a copy of; but it costs money of its own."""
        stages = self._stages_now()
        return journey({name: stages[name] for name in _FOR_COPIES if name in stages})

    def _name_metrics(self) -> None:
        settings = self.configuration.settings
        learn_names(
            self.metrics,
            settings.features,
            self.reaching.directory.endpoints(),
            self.dispatching.rungs(),
            settings.models,
        )

    def _let_go(self) -> None:
        """Contents were deleted: nothing of them stays in memory."""
        self._stale.clear()
        self._recording.stage.repeats.clear()
        self.caching.let_go()

    def endpoints(self) -> Mapping[str, Sequence[Endpoint]]:
        """Model -> where it is reached, each place with its health."""
        return self.reaching.endpoints()

    def _longest_use(self) -> float:
        return self.dispatching.longest_use()

    def _send_copy(self, copy: Exchange) -> Awaitable[Reply]:
        return self._copies(copy)

    def _caller_of(self, key: bytes) -> Caller | None:
        return self._ring.caller(key) or self._issuers.caller(key)
