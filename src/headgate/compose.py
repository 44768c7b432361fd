"""Settings in, a running gateway out: the one place that knows every concrete class."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from msgspec.structs import replace

from headgate.admission.keys import hash_key, new_key
from headgate.admission.limits.away import SharedMeters
from headgate.admission.limits.rules import Plan, plan_of
from headgate.admission.limits.stage import Limit
from headgate.admission.rights import DASHBOARD
from headgate.admission.ring import KeyRing
from headgate.admission.stage import Identify
from headgate.admission.tokens.issuers import Issuers
from headgate.config.model import Configuration, Settings
from headgate.control.keys import create_key
from headgate.control.metrics import learn_names, watch
from headgate.control.overview import Overviews
from headgate.core.clock import SystemClock
from headgate.core.errors import GatewayError
from headgate.core.ids import IdSource
from headgate.dashboard.page import Page
from headgate.dispatch.ladder.callback import Callbacks
from headgate.dispatch.ladder.climb import Ask, Ladder
from headgate.dispatch.ladder.entry_point import Functions
from headgate.dispatch.ladder.plan import NO_LADDER, LadderPlan, ladders_of
from headgate.dispatch.ladder.settings import model_names
from headgate.dispatch.ladder.stale import MemoryStale
from headgate.dispatch.manner import Manner
from headgate.dispatch.settings import TimeoutSettings
from headgate.dispatch.shadow import Shadows, ShadowSettings
from headgate.dispatch.stage import Dispatch
from headgate.edge.accept import accept
from headgate.edge.front import Front
from headgate.edge.gate import Gate
from headgate.edge.paths import Paths
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed, Stage
from headgate.journey import journey
from headgate.providers.adapters.anthropic import AnthropicAdapter, AnthropicSettings
from headgate.providers.adapters.azure_openai import AzureOpenAIAdapter, AzureOpenAISettings
from headgate.providers.adapters.bedrock import BedrockAdapter, BedrockSettings
from headgate.providers.adapters.gemini import GeminiAdapter, GeminiSettings
from headgate.providers.adapters.openai import OpenAIAdapter, OpenAISettings
from headgate.providers.catalog.book import PriceBook
from headgate.providers.catalog.rates import Rates
from headgate.providers.catalog.settings import PriceSettings, own_rates
from headgate.providers.health.book import HealthBook
from headgate.providers.health.health import Health
from headgate.providers.health.rates import Limits
from headgate.providers.health.settings import HealthSettings
from headgate.providers.port import ABILITIES, Adapter, Endpoint, Timeouts, Upstream
from headgate.providers.probing import Prober
from headgate.providers.rehearsal.orders import Rehearsals
from headgate.providers.rehearsal.upstream import Rehearsing
from headgate.providers.settings import ProviderSettings
from headgate.providers.simulated.adapter import SimulatedAdapter
from headgate.providers.simulated.server import SimulatedServer
from headgate.providers.simulated.settings import SimulatedSettings
from headgate.providers.simulated.upstream import SimulatedUpstream
from headgate.providers.transport.client import Transport
from headgate.records.journal import Journal
from headgate.records.pricing import Pricer
from headgate.records.stage import Record
from headgate.records.writer import Writer
from headgate.routing.building import GraderOf, build_directory, no_learner, pool_of
from headgate.routing.directory import Directory
from headgate.routing.learning import Learning
from headgate.routing.settings import EndpointSettings, ModelSettings
from headgate.routing.stage import Router
from headgate.routing.strategies import PriceOf
from headgate.routing.volume import DayVolume
from headgate.stores.address import is_postgres
from headgate.stores.backends import postgres, sqlite
from headgate.stores.backends.memory.meters import MemoryMeters
from headgate.stores.backends.redis.health import RedisHealthShare
from headgate.stores.backends.redis.meters import RedisMeters
from headgate.stores.errors import KeyExists, StoreError, StoreUnavailable
from headgate.stores.keys import KeyRecord
from headgate.stores.meters import Meters
from headgate.stores.moving import Moved, Progress, move
from headgate.stores.sink import SpanSink
from headgate.telemetry.metrics import Metrics

__all__ = [
    "Gateway",
    "ProbeResult",
    "Stores",
    "blended_prices",
    "build_provider",
    "database_path",
    "directory_of",
    "endpoints_of",
    "expected_usd",
    "journal_directory",
    "move_installation",
    "open_stores",
    "own_rates_of",
    "probe",
    "simulated_server",
]

log = logging.getLogger("headgate")

_PRICE_SECONDS = 600.0
"""How long a price counts for the order of endpoints before the list is asked again."""
_MOST_PRICES = 10_000
_ANSWER_TOKENS = 300
"""What an answer is taken to have when its cost is guessed beforehand."""

KEY_REFRESH_SECONDS = 1.0
"""How soon a key made or revoked by the command line, or by another process, counts here."""
LIMIT_LOOK_SECONDS = 0.05
"""How often a waiting request looks for room that other nodes have given back."""
KEY_COMPLAINT_SECONDS = 60.0
"""How often it is said that keys cannot be read, while the database is away."""
KEY_USE_SECONDS = 60.0
"""How often it is written down which keys were used."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What came of trying one provider."""

    provider: str
    ok: bool
    milliseconds: float
    message: str


@dataclass(frozen=True, slots=True)
class Provider:
    """One configured provider, ready to be called."""

    settings: ProviderSettings
    adapter: Adapter
    upstream: Upstream
    more_keys: tuple[Adapter, ...] = ()
    """An adapter for each further key; all share the upstream."""

    @property
    def by_key(self) -> list[tuple[str, Adapter]]:
        """(name of the key, the adapter that sends it); the only key has no name."""
        if not self.more_keys:
            return [("", self.adapter)]
        return [(f"key {number}", each) for number, each in enumerate((self.adapter, *self.more_keys), 1)]


def build_provider(settings: ProviderSettings) -> Provider:
    """The adapter and the upstream for a provider's settings. Raises ValueError for settings that cannot work."""
    if isinstance(settings, SimulatedSettings):
        return Provider(settings, SimulatedAdapter(settings), SimulatedUpstream(settings))
    adapter, *more = [_adapter(each) for each in _for_each_key(settings)]
    return Provider(settings, adapter, Transport(settings.transport), tuple(more))


def _adapter(settings: ProviderSettings) -> Adapter:
    if isinstance(settings, OpenAISettings):
        return OpenAIAdapter(settings)
    if isinstance(settings, AnthropicSettings):
        return AnthropicAdapter(settings)
    if isinstance(settings, GeminiSettings):
        return GeminiAdapter(settings)
    if isinstance(settings, AzureOpenAISettings):
        return AzureOpenAIAdapter(settings)
    if isinstance(settings, BedrockSettings):
        return BedrockAdapter(settings)
    raise TypeError(f"no adapter for {type(settings).__name__}")


def _for_each_key(settings: ProviderSettings) -> list[ProviderSettings]:
    if not isinstance(settings, OpenAISettings | AnthropicSettings | GeminiSettings | AzureOpenAISettings):
        return [settings]
    keys = dict.fromkeys(key for key in (settings.api_key, *settings.api_keys) if key)
    if len(keys) < 2 and not settings.api_keys:
        return [settings]
    return [replace(settings, api_key=key, api_keys=[]) for key in keys] or [settings]


_GO_ON = frozenset({"anthropic", "bedrock", "simulated"})
"""Kinds that go on with an answer somebody else has begun. Others take it for an earlier turn and begin a new one, unless
the operator says that a server of theirs can."""


def _own_health(name: str, limits: Limits) -> Health:
    return Health(name, limits=limits)


def endpoints_of(
    name: str,
    provider: Provider,
    model: str,
    *,
    written: EndpointSettings | None = None,
    price: PriceSettings | None = None,
    upstream: Upstream | None = None,
    health_of: Callable[[str, Limits], Health] = _own_health,
) -> tuple[Endpoint, ...]:
    """A model at a provider, once for each key. written: what the configuration says of it; price: the model's own.
    upstream: in place of the provider's. health_of: the endpoint's health by a name that stays the same, and its limits."""
    settings = provider.settings
    said = written or EndpointSettings(provider=name, model=model)
    region = said.region or settings.region
    if said.abilities is not None:
        lacks = frozenset(ABILITIES) - frozenset(said.abilities)
    else:
        lacks = frozenset() if provider.adapter.kind in _GO_ON else frozenset({"prefill"})
    limits = Limits(said.concurrency, said.requests_per_minute, said.tokens_per_minute)
    return tuple(
        Endpoint(
            provider=name,
            model=model,
            adapter=adapter,
            upstream=upstream or provider.upstream,
            region=region,
            self_hosted=settings.self_hosted,
            price_key=settings.priced_as or ("" if settings.self_hosted else adapter.kind),
            own_price=own_rates_of(provider, model, said.price or price),
            credential=key,
            weight=said.weight / len(provider.by_key),
            priority=said.priority,
            context=said.context,
            lacks=lacks,
            health=health_of(" ".join(filter(None, (f"{name}/{model}", region, key))), limits),
        )
        for key, adapter in provider.by_key
    )


def directory_of(
    settings: Settings,
    providers: Mapping[str, Provider],
    *,
    place: Callable[[str, str, EndpointSettings | None, ModelSettings | None], tuple[Endpoint, ...]],
    price_of: PriceOf,
    volume: DayVolume,
    grader_of: GraderOf = no_learner,
) -> Directory:
    """Every name that may be asked for. place: (provider, model, as written, of which model) -> its endpoints."""
    kinds = {name: provider.adapter.kind for name, provider in providers.items()}
    pools = {
        name: pool_of(
            name,
            model,
            [one for each in model.endpoints for one in place(each.provider, each.model, each, model)],
            price_of,
        )
        for name, model in settings.models.items()
    }
    return build_directory(
        models=pools,
        features=settings.features,
        providers=kinds,
        make=lambda provider, model: place(provider, model, None, None),
        volume=volume.so_far,
        reserves={
            name: [model for _, model in model_names(feature.degrade)]
            for name, feature in settings.features.items()
        },
        policies=settings.policies,
        require=settings.require,
        catch_all=next(iter(kinds)) if set(kinds.values()) == {"simulated"} else "",
        grader_of=grader_of,
    )


def expected_usd(directory: Directory, price_of: PriceOf, model: str, tokens: int) -> float:
    """What a request of so many tokens to a model of the configuration will cost, about; 0.0 where no price is known."""
    found = directory.reached(model)
    price = price_of(found[0]) if found else None
    return (price or 0.0) * (tokens + _ANSWER_TOKENS) / 1e6


def blended_prices(book: PriceBook) -> PriceOf:
    """Three parts prompt to one part answer, as most traffic has it; own prices first, then the price list's of today."""
    known: dict[int, tuple[Endpoint, float, float]] = {}

    def usd(endpoint: Endpoint) -> float | None:
        now = time.monotonic()
        found = known.get(id(endpoint))
        if found is not None and now < found[2]:
            return found[1]
        own = endpoint.own_price
        rates = (
            own if isinstance(own, Rates) else book.peek(endpoint.price_key, endpoint.model, time.time_ns())
        )
        if rates is None:
            return None
        step = rates.steps[0]
        price = (3 * step.input + step.output) / 4 / 1e9
        if len(known) > _MOST_PRICES:
            known.clear()
        # The endpoint is kept with its price: as long as it is, nothing else can have its identity.
        known[id(endpoint)] = (endpoint, price, now + _PRICE_SECONDS)
        return price

    return usd


def own_rates_of(provider: Provider, model: str, price: PriceSettings | None = None) -> Rates | None:
    """What a model costs by the operator's word or, if it is simulated, pretends to cost; None: ask the price list."""
    if price is not None:
        return own_rates(price)
    return provider.upstream.own_price(model) if isinstance(provider.upstream, SimulatedUpstream) else None


def simulated_server(settings: SimulatedSettings) -> SimulatedServer:
    """The simulated provider, for `headgate simulate` to serve."""
    return SimulatedServer(settings)


def database_path(settings: Settings) -> Path:
    """Where the SQLite file of `server.database` lies."""
    return Path(settings.server.database.removeprefix("sqlite:///"))


def journal_directory(settings: Settings) -> Path:
    """Where this machine's gateways write what happened, until it is in the database."""
    if is_postgres(settings.server.database):
        return Path(settings.server.data) / "journal"
    return database_path(settings).with_suffix(".journal")


class Gateway:
    """A gateway, from its configuration. `app` is served by whoever listens."""

    def __init__(self, configuration: Configuration, *, bootstrap_key: str | None = None) -> None:
        """bootstrap_key: a key that shall be valid, instead of one generated at the first start."""
        self.configuration = configuration
        self.first_key: str | None = None
        """The key generated at the first start, to be shown once; None ever after."""
        settings = configuration.settings
        self._bootstrap_key = bootstrap_key
        self._pepper = b""
        self._clock = SystemClock()
        self._providers = _providers(settings)
        self._retired: set[asyncio.Task[None]] = set()
        self._promised_until = 0.0
        """The moment (monotonic) when requests that began under configurations before this one are over."""
        stores = open_stores(settings)
        self.database = stores.database
        self.spans = stores.spans
        self.keys = stores.keys
        self._orders = stores.rehearsals
        self._rehearsals = Rehearsals(self._clock)
        self._share = RedisHealthShare(settings.server.redis) if settings.server.redis else None
        self._healths = HealthBook(
            self._clock, publish=self._share.publish if self._share is not None else None
        )
        self._prober = Prober(self._models, self._clock)
        self._book = PriceBook()
        self._pricer = Pricer(self._book)
        self.journal = Journal(
            journal_directory(settings),
            self._clock,
            fsync=settings.records.fsync,
            segment_bytes=settings.records.segment,
        )
        self.writer = Writer(self.journal, stores.sink, self._pricer, self._clock)
        self._ids = IdSource(self._clock)
        self._volume = DayVolume()
        self._prices = blended_prices(self._book)
        self._learning = Learning(settings.routing.learned, os.environ, usd_of=self._usd_of)
        places = self._places(settings, self._providers)
        self._router = Router(self._directory(settings, places, self._prices), volume=self._volume)
        places.claim()
        self._shadow_settings = _shadow_settings(settings)
        self.shadows = Shadows(self._send_copy, self._ids, self._clock, self._shadow)
        self._ladders = ladders(settings)
        self._manners = _manners(settings, self._ladders)
        self._callbacks = Transport()
        self._ring, self._issuers = KeyRing((), b""), Issuers(settings.tokens, self._callbacks)
        self._overviews = Overviews(self)
        self._key_refresh: asyncio.Task[None] | None = None
        self.meters: Meters = _meters(settings)
        self.limit = Limit(
            self.meters,
            _limits(settings),
            self._what_is_asked,
            look_every=LIMIT_LOOK_SECONDS if settings.server.redis else math.inf,
        )
        self.metrics = Metrics()
        record = Record(
            self.journal,
            self._pricer,
            settings.records,
            lambda: self.configuration.hash,
            self._clock,
            self.metrics,
        )
        self._stages: dict[str, Stage] = {
            "record": record,
            "identify": Identify(
                self._ring,
                keys_required=settings.server.auth == "keys",
                token_caller=self._issuers.caller,
            ),
            "accept": accept,
            "route": self._router,
            "dispatch": Dispatch(
                ids=self._ids, manner=self._manner, ladder=self._ladder, shadows=self.shadows
            ),
        }
        # A copy has been let in already, with the request it is a copy of.
        self._copies: Proceed = journey(
            {name: self._stages[name] for name in ("record", "route", "dispatch")}
        )
        self.gate = Gate(
            proceed=self._journey(settings), paths=Paths(), settings=settings.server, ids=self._ids
        )
        watch(self.metrics, self, lambda: self._router.directory)
        self._name_metrics(settings)
        self.app = Front(
            self.gate,
            ready=self._not_ready,
            pages=Page(self._overviews.now, may_see=self._may_see, metrics=self.metrics.text),
        )

    async def start(self) -> None:
        """Open the database, know the keys, start the writer. Raises StoreUnavailable, StoreTooNew."""
        self._pepper = await self.keys.secret()
        await self._first_keys()
        await self._refresh_keys()
        self.writer.start()
        if self._share is not None:
            self._share.start(self._healths.apply)
        await self._issuers.start()
        self._prober.start()
        self._learning.start()
        self._key_refresh = asyncio.create_task(self._keep_keys_fresh(), name="keys")

    async def apply(self, configuration: Configuration) -> None:
        """Serve the next request by this configuration; requests under way keep the one they began with.

        All or nothing: whatever this raises, what served before goes on serving."""
        settings = configuration.settings
        planned, plan = ladders(settings), _limits(settings)
        manners = _manners(settings, planned)
        providers, prices = _providers(settings, self._providers), blended_prices(self._book)
        places = self._places(settings, providers)
        directory = self._directory(settings, places, prices)
        # Only now is anything changed that serves.
        self._issuers.use(settings.tokens)
        self._replace_providers(providers)
        places.claim()
        self._router.directory = directory
        self._prices = prices
        self._learning.start()
        self._manners = manners
        self._shadow_settings = _shadow_settings(settings)
        self._ladders = planned
        self.limit.plan = plan
        self.gate.proceed = self._journey(settings)
        self._name_metrics(configuration.settings)
        self.configuration = configuration

    async def stop(self) -> None:
        """Store what is recorded, close what is open. Call it when no request is under way any more."""
        await self._issuers.aclose()
        await self._prober.aclose()
        if self._share is not None:
            await self._share.aclose()
        await self.shadows.aclose()
        await self._learning.stop()
        if self._key_refresh is not None:
            self._key_refresh.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._key_refresh
        for retired in self._retired:
            retired.cancel()
        await asyncio.gather(*self._retired, return_exceptions=True)
        for provider in self._providers.values():
            await provider.upstream.aclose()
        await self._callbacks.aclose()
        await self.meters.aclose()
        with contextlib.suppress(StoreUnavailable):
            await self._note_used_keys()
        if not await self.writer.aclose(float(self.configuration.settings.records.drain)):
            log.warning("some records are still in the journal; they are stored at the next start")
        await self.database.close()

    async def probe(self, name: str) -> ProbeResult:
        """Try a provider: is it there, does it take our credentials?"""
        return await probe(name, self._providers[name])

    # How the parts are made

    def _places(self, settings: Settings, providers: Mapping[str, Provider]) -> _Places:
        return _Places(settings, providers, self._healths, self._rehearsals)

    def _directory(self, settings: Settings, places: _Places, prices: PriceOf) -> Directory:
        directory = directory_of(
            settings,
            places.providers,
            place=places,
            price_of=prices,
            volume=self._volume,
            grader_of=self._learning.grader_of,
        )
        for shadow in _shadow_settings(settings).values():
            # A copy's model is no part of a route: it is made here, so that its places are the configuration's.
            directory.resolve(shadow.model)
        self._book.prefetch(
            (endpoint.price_key, endpoint.model)
            for endpoint in directory.endpoints()
            if endpoint.price_key and endpoint.own_price is None
        )
        return directory

    def _usd_of(self, model: str, tokens: int) -> float:
        return expected_usd(self._router.directory, self._prices, model, tokens)

    def _replace_providers(self, after: dict[str, Provider]) -> None:
        """Those that are no more, or that another one has taken the name of, are closed when nobody can be using them."""
        before, self._providers = self._providers, after
        now = self._clock.monotonic()
        self._promised_until = max(self._promised_until, now + self._longest_use())
        seconds = self._promised_until - now
        for name, provider in before.items():
            if after.get(name) is not provider:
                self._healths.renew(name)
                if isinstance(provider.upstream, Transport):
                    provider.upstream.retire()
                task = asyncio.create_task(_close_later(provider, seconds), name="retire")
                self._retired.add(task)
                task.add_done_callback(self._retired.discard)

    def _longest_use(self) -> float:
        """Seconds that a request which begins now, and a copy made of it after its end, may go on."""
        return max(
            TimeoutSettings().total,
            *(
                manner.total + (manner.shadow.total if manner.shadow is not None else 0.0)
                for manner in self._manners.values()
            ),
        )

    def _journey(self, settings: Settings) -> Proceed:
        # Without limits the stage is not there, and costs nothing.
        return journey(self._stages | ({"limit": self.limit} if settings.limits else {}))

    def _what_is_asked(self, exchange: Exchange) -> tuple[str, str]:
        directory = self._router.directory
        route = directory.resolve(exchange.peek.model)
        feature = route.feature
        if not feature and exchange.feature and directory.feature(exchange.feature) is not None:
            feature = exchange.feature
        return feature, route.model

    def _name_metrics(self, settings: Settings) -> None:
        rungs = {name: [rung.mark for rung in plan.rungs] for name, plan in self._ladders.items()}
        learn_names(self.metrics, settings.features, self._router.directory.endpoints(), rungs)

    def _models(self) -> Mapping[str, Sequence[Endpoint]]:
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
            stale=MemoryStale(self._clock),
            callbacks=Callbacks(self._callbacks),
            functions=Functions(),
            clock=self._clock,
        )

    # Keys

    async def _first_keys(self) -> None:
        known = await self._known_hashes()
        key = self._bootstrap_key
        if key is None:
            if known or self.configuration.settings.server.auth == "none":
                return
            key = self.first_key = new_key()
        hashed = hash_key(key, self._pepper).hex()
        if hashed not in known:
            name = "first" if self.first_key else "bootstrap"
            draft = KeyRecord(id="", name=name, hash="", created_ns=0, roles=("owner",))
            try:
                await create_key(self.keys, draft, actor="gateway", key=key)
            except KeyExists:
                # Another node that started at the same moment was quicker, and shows the first key if there is one.
                if self.first_key is None and hashed not in await self._known_hashes():
                    raise
                self.first_key = None

    async def _known_hashes(self) -> set[str]:
        records = await self.keys.all()
        old = {one.hash for record in records for one in record.old_hashes}
        return old | {record.hash for record in records}

    async def _refresh_keys(self) -> None:
        self._ring.know(await self.keys.all(), self._pepper)
        self._rehearsals.know(await self._orders.active(self._clock.wall_ns()))

    async def _note_used_keys(self) -> None:
        used = self._ring.take_used()
        if used:
            await self.keys.used(used, self._clock.wall_ns())

    async def _keep_keys_fresh(self) -> None:
        noted = self._clock.monotonic()
        complained = -math.inf
        while True:
            await asyncio.sleep(KEY_REFRESH_SECONDS)
            try:
                await self._refresh_keys()
                if self._clock.monotonic() - noted >= KEY_USE_SECONDS:
                    noted = self._clock.monotonic()
                    await self._note_used_keys()
            except StoreUnavailable as failure:
                # Known keys go on working while the database does not; the next round tries again.
                if self._clock.monotonic() - complained >= KEY_COMPLAINT_SECONDS:
                    complained = self._clock.monotonic()
                    log.warning("keys and rehearsals stay as they are known: %s", failure)
            except Exception:
                log.exception("cannot read keys and rehearsals from the database")

    def _may_see(self, key: bytes) -> bool:
        caller = self._ring.caller(key) or self._issuers.caller(key)
        return caller is not None and DASHBOARD in caller.routes

    async def _not_ready(self) -> str:
        if self.writer.failed is not None:
            return f"the record writer has failed: {self.writer.failed}"
        if not self.writer.ready:
            return "starting: the record writer is opening the database and reading the price list"
        try:
            await self.database.probe()
        except Exception as failure:  # noqa: BLE001 - whatever is wrong with the database, it is not ready
            return f"the database does not answer: {failure}"
        return ""


class _Places:
    """Where the models of one configuration are reached: (provider, model, as written, of which model) -> endpoints.

    Making them changes nothing of what serves. What the configuration says of their health counts from `claim` on; so a
    configuration that turns out not to work leaves no trace."""

    def __init__(
        self,
        settings: Settings,
        providers: Mapping[str, Provider],
        healths: HealthBook,
        rehearsals: Rehearsals,
    ) -> None:
        self.providers = providers
        self._health = settings.health
        self._healths = healths
        self._rehearsals = rehearsals
        self._claims: dict[str, tuple[HealthSettings, Limits]] = {}
        self._claimed = False

    def __call__(
        self, provider: str, model: str, written: EndpointSettings | None, of: ModelSettings | None
    ) -> tuple[Endpoint, ...]:
        built = self.providers[provider]
        health = (of.health if of is not None else None) or self._health

        def health_of(name: str, limits: Limits) -> Health:
            # A caller's own `provider/model` says nothing of limits: those of the configuration hold for it too. Nor does
            # a feature's; but the place is one of the configuration's.
            if not self._claimed:
                if written is not None:
                    self._claims[name] = health, limits
                else:
                    self._claims.setdefault(name, (health, limits))
            return self._healths.of(name)

        return endpoints_of(
            provider,
            built,
            model,
            written=written,
            price=of.price if of is not None else None,
            health_of=health_of,
            upstream=Rehearsing(built.upstream, provider, self._rehearsals),
        )

    def claim(self) -> None:
        """This configuration serves now."""
        self._claimed = True
        self._healths.settings = self._health
        self._healths.claim(self._claims)


def _providers(
    settings: Settings, before: Mapping[str, Provider] = MappingProxyType({})
) -> dict[str, Provider]:
    """Built if new or changed; one that is the same is kept, with its open connections. Raises as `build_provider` does."""
    found = {}
    for name, wanted in settings.providers.items():
        old = before.get(name)
        found[name] = old if old is not None and old.settings == wanted else build_provider(wanted)
    return found


async def _close_later(provider: Provider, seconds: float) -> None:
    # Requests that began with it may still be using it: closing a client in use broke a peer's production once.
    try:
        await asyncio.sleep(seconds)
    finally:
        await provider.upstream.aclose()


def ladders(settings: Settings) -> dict[str, LadderPlan]:
    """Feature -> what answers when every model fails. Loads the operator's functions. Raises ValueError."""
    features = settings.features
    return ladders_of(
        {name: feature.degrade for name, feature in features.items()},
        settings.rules,
        settings.callbacks,
        # Whoever wants other models asked after a content filter's refusal wants no refusal after the last of them.
        filtered=frozenset(name for name, each in features.items() if each.on_content_filter == "failover"),
    )


def _meters(settings: Settings) -> Meters:
    """Where limits are counted."""
    local = MemoryMeters()
    server = settings.server
    if not server.redis:
        return local
    return SharedMeters(
        RedisMeters(server.redis), local, policy=server.limits_without_redis, nodes=server.nodes
    )


def _limits(settings: Settings) -> Plan:
    queues = {name: each.queue for name, each in settings.features.items() if each.queue is not None}
    return plan_of(settings.limits, queues)


def _shadow_settings(settings: Settings) -> dict[str, ShadowSettings]:
    """Of the features that have copies made."""
    return {name: each.shadow for name, each in settings.features.items() if each.shadow is not None}


def _manners(settings: Settings, planned: Mapping[str, LadderPlan]) -> dict[str, Manner]:
    """How each feature's requests are dispatched. planned: their ladders."""
    manners = {
        name: Manner(
            timeouts=feature.timeouts or settings.defaults.timeouts,
            retry=feature.retry or settings.defaults.retry,
            hedge=feature.hedge,
            resume=feature.resume,
            on_content_filter=feature.on_content_filter,
            ladder=planned.get(name, NO_LADDER),
            shadow=feature.shadow,
        )
        for name, feature in settings.features.items()
    }
    # Models that callers ask for directly.
    manners[""] = Manner(timeouts=settings.defaults.timeouts, retry=settings.defaults.retry)
    return manners


@dataclass(frozen=True, slots=True)
class Stores:
    """What the command line reads and writes beside a running gateway, or without one."""

    spans: sqlite.SqliteSpans | postgres.PostgresSpans
    keys: sqlite.SqliteKeys | postgres.PostgresKeys
    rehearsals: sqlite.SqliteRehearsals | postgres.PostgresRehearsals
    audit: sqlite.SqliteAudit | postgres.PostgresAudit
    sink: SpanSink
    """For one thread; nothing is connected before it is used."""
    database: sqlite.Database | postgres.Database

    async def aclose(self) -> None:
        await self.database.close()


def open_stores(settings: Settings) -> Stores:
    """The stores of an installation. Opened at first use, which raises StoreUnavailable, StoreTooNew."""
    if is_postgres(settings.server.database):
        server = postgres.Database(settings.server.database)
        return Stores(
            postgres.PostgresSpans(server),
            postgres.PostgresKeys(server),
            postgres.PostgresRehearsals(server),
            postgres.PostgresAudit(server),
            postgres.PostgresSink(server),
            server,
        )
    file = sqlite.Database(database_path(settings))
    return Stores(
        sqlite.SqliteSpans(file),
        sqlite.SqliteKeys(file),
        sqlite.SqliteRehearsals(file),
        sqlite.SqliteAudit(file),
        sqlite.SqliteSink(file),
        file,
    )


async def move_installation(source: Path, target: str, progress: Progress) -> Sequence[Moved]:
    """Copy an installation from its SQLite file to a PostgreSQL URL; the file stays. Raises StoreError."""
    if waiting := sorted(source.with_suffix(".journal").glob("*.lock")):
        raise StoreError(
            f"a gateway uses {source}, or was killed and left records in {waiting[0].parent}: stop it; if it was killed, "
            "start it once more and stop it, so that it stores them. Nothing was moved"
        )
    server, outlet = postgres.Database(target), sqlite.SqliteOutlet(sqlite.Database(source))
    try:
        return await move(outlet, postgres.PostgresTarget(server), progress)
    finally:
        outlet.close()
        await server.close()


async def probe(name: str, provider: Provider, *, seconds: float = 10.0) -> ProbeResult:
    """Send the provider's cheapest request and say what came of it."""
    began = time.monotonic()
    ok, message = False, ""
    try:
        reply = await provider.upstream.send(
            provider.adapter.probe(),
            Timeouts(connect=seconds, headers=seconds, between=seconds, total=seconds),
        )
        try:
            body = await reply.read(4_000_000)
        finally:
            reply.close()
        ok = 200 <= reply.status < 300
        message = "answers" if ok else f"HTTP {reply.status}: {body[:200].decode('utf-8', 'replace')}"
    except GatewayError as error:
        message = error.message
    return ProbeResult(name, ok, 1000 * (time.monotonic() - began), message)
