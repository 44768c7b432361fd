"""Settings in, a running gateway out: the one place that knows every concrete class."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from pathlib import Path

from headgate.admission.keys import hash_key, new_key
from headgate.admission.ring import KeyRing
from headgate.admission.stage import Identify
from headgate.config.model import Configuration, Settings
from headgate.control.overview import Overviews
from headgate.core.clock import SystemClock
from headgate.core.errors import GatewayError
from headgate.core.ids import IdSource, request_id_text
from headgate.dashboard.page import Page
from headgate.dispatch.settings import TimeoutSettings
from headgate.dispatch.stage import Dispatch
from headgate.edge.accept import accept
from headgate.edge.front import Front
from headgate.edge.gate import Gate
from headgate.edge.paths import Paths
from headgate.exchange.stage import Stage
from headgate.journey import journey
from headgate.providers.adapters.anthropic import AnthropicAdapter, AnthropicSettings
from headgate.providers.adapters.azure_openai import AzureOpenAIAdapter, AzureOpenAISettings
from headgate.providers.adapters.bedrock import BedrockAdapter, BedrockSettings
from headgate.providers.adapters.gemini import GeminiAdapter, GeminiSettings
from headgate.providers.adapters.openai import OpenAIAdapter, OpenAISettings
from headgate.providers.catalog.book import PriceBook
from headgate.providers.catalog.rates import Rates
from headgate.providers.catalog.settings import PriceSettings, own_rates
from headgate.providers.port import Adapter, Endpoint, Timeouts, Upstream
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
from headgate.routing.directory import Directory
from headgate.routing.stage import Router
from headgate.stores.backends.sqlite import Database, SqliteKeys, SqliteSink, SqliteSpans
from headgate.stores.keys import KeyRecord

__all__ = [
    "Gateway",
    "ProbeResult",
    "Stores",
    "build_provider",
    "database_path",
    "open_stores",
    "own_rates_of",
    "probe",
    "simulated_server",
]

log = logging.getLogger("headgate")

KEY_REFRESH_SECONDS = 1.0
"""How soon a key made or revoked by the command line, or by another process, counts here."""


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


def build_provider(settings: ProviderSettings) -> Provider:
    """The adapter and the upstream for a provider's settings. Raises ValueError for settings that cannot work."""
    if isinstance(settings, SimulatedSettings):
        return Provider(settings, SimulatedAdapter(settings), SimulatedUpstream(settings))
    adapter: Adapter
    if isinstance(settings, OpenAISettings):
        adapter = OpenAIAdapter(settings)
    elif isinstance(settings, AnthropicSettings):
        adapter = AnthropicAdapter(settings)
    elif isinstance(settings, GeminiSettings):
        adapter = GeminiAdapter(settings)
    elif isinstance(settings, AzureOpenAISettings):
        adapter = AzureOpenAIAdapter(settings)
    elif isinstance(settings, BedrockSettings):
        adapter = BedrockAdapter(settings)
    else:
        raise TypeError(f"no adapter for {type(settings).__name__}")
    return Provider(settings, adapter, Transport(settings.transport))


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
        self._providers: dict[str, Provider] = {}
        self._retired: set[asyncio.Task[None]] = set()
        path = database_path(settings)
        self.database = Database(path)
        self.spans = SqliteSpans(self.database)
        self.keys = SqliteKeys(self.database)
        self._book = PriceBook()
        self._pricer = Pricer(self._book)
        self.journal = Journal(
            path.with_suffix(".journal"),
            self._clock,
            fsync=settings.records.fsync,
            segment_bytes=settings.records.segment,
        )
        self.writer = Writer(self.journal, SqliteSink(self.database), self._pricer, self._clock)
        self._ids = IdSource(self._clock)
        self._router = Router(self._directory(settings))
        self._ring = KeyRing((), b"")
        self._overviews = Overviews(self)
        self._key_refresh: asyncio.Task[None] | None = None
        record = Record(
            self.journal, self._pricer, settings.records, lambda: self.configuration.hash, self._clock
        )
        stages: dict[str, Stage] = {
            "record": record,
            "identify": Identify(self._ring, keys_required=settings.server.auth == "keys"),
            "accept": accept,
            "route": self._router,
            "dispatch": Dispatch(ids=self._ids, timeouts=self._timeouts),
        }
        self.gate = Gate(proceed=journey(stages), paths=Paths(), settings=settings.server, ids=self._ids)
        self.app = Front(
            self.gate, ready=self._not_ready, pages=Page(self._overviews.now, may_see=self._may_see)
        )

    async def start(self) -> None:
        """Open the database, know the keys, start the writer. Raises StoreUnavailable, StoreTooNew."""
        self._pepper = await self.keys.secret()
        await self._first_keys()
        await self._refresh_keys()
        self.writer.start()
        self._key_refresh = asyncio.create_task(self._keep_keys_fresh(), name="keys")

    async def apply(self, configuration: Configuration) -> None:
        """Serve the next request by this configuration; requests under way keep the one they began with."""
        directory = self._directory(configuration.settings)
        self._router.directory = directory
        self.configuration = configuration

    async def stop(self) -> None:
        """Store what is recorded, close what is open. Call it when no request is under way any more."""
        if self._key_refresh is not None:
            self._key_refresh.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._key_refresh
        for retired in self._retired:
            retired.cancel()
        for provider in self._providers.values():
            await provider.upstream.aclose()
        if not await self.writer.aclose(float(self.configuration.settings.records.drain)):
            log.warning("some records are still in the journal; they are stored at the next start")
        await self.database.close()

    async def probe(self, name: str) -> ProbeResult:
        """Try a provider: is it there, does it take our credentials?"""
        return await probe(name, self._providers[name])

    # How the parts are made

    def _directory(self, settings: Settings) -> Directory:
        self._build_providers(settings)
        models = {
            name: [
                self._endpoint(each.provider, each.model, region=each.region, price=each.price or model.price)
                for each in model.endpoints
            ]
            for name, model in settings.models.items()
        }
        kinds = {name: provider.adapter.kind for name, provider in self._providers.items()}
        directory = Directory(
            features={
                name: [feature.route, *feature.fallback] for name, feature in settings.features.items()
            },
            models=models,
            providers=kinds,
            make=self._endpoint,
            catch_all=next(iter(kinds)) if set(kinds.values()) == {"simulated"} else "",
        )
        self._book.prefetch(
            (endpoint.price_key, endpoint.model)
            for endpoint in directory.endpoints()
            if endpoint.price_key and endpoint.own_price is None
        )
        return directory

    def _build_providers(self, settings: Settings) -> None:
        """Build what is new or changed, keep what is the same (with its open connections), retire the rest."""
        before, after = self._providers, dict[str, Provider]()
        for name, wanted in settings.providers.items():
            old = before.get(name)
            after[name] = old if old is not None and old.settings == wanted else build_provider(wanted)
        # Only now: if one could not be built, those that serve go on serving.
        self._providers = after
        kept = {id(provider) for provider in after.values()}
        for provider in before.values():
            if id(provider) not in kept:
                task = asyncio.create_task(self._retire(provider), name="retire")
                self._retired.add(task)
                task.add_done_callback(self._retired.discard)

    async def _retire(self, provider: Provider) -> None:
        # Requests that began with it may still be using it: closing a client in use broke a peer's production once.
        if isinstance(provider.upstream, Transport):
            provider.upstream.retire()
        await asyncio.sleep(max(TimeoutSettings().total, *self._totals()))
        await provider.upstream.aclose()

    def _totals(self) -> list[float]:
        return [
            0.0,
            *(float(feature.timeouts.total) for feature in self.configuration.settings.features.values()),
        ]

    def _endpoint(
        self, provider: str, model: str, *, region: str = "", price: PriceSettings | None = None
    ) -> Endpoint:
        built = self._providers[provider]
        settings = built.settings
        return Endpoint(
            provider=provider,
            model=model,
            adapter=built.adapter,
            upstream=built.upstream,
            region=region or settings.region,
            self_hosted=settings.self_hosted,
            price_key=settings.priced_as or ("" if settings.self_hosted else built.adapter.kind),
            own_price=own_rates_of(built, model, price),
        )

    def _timeouts(self, feature: str) -> TimeoutSettings:
        found = self.configuration.settings.features.get(feature)
        return found.timeouts if found is not None else _DEFAULT_TIMEOUTS

    # Keys

    async def _first_keys(self) -> None:
        known = {record.hash for record in await self.keys.all()}
        key = self._bootstrap_key
        if key is None:
            if known or self.configuration.settings.server.auth == "none":
                return
            key = self.first_key = new_key()
        hashed = hash_key(key, self._pepper).hex()
        if hashed not in known:
            name = "first" if self.first_key else "bootstrap"
            key_id = request_id_text(self._ids.next()).replace("req_", "key_")
            await self.keys.add(KeyRecord(id=key_id, name=name, hash=hashed, created_ns=time.time_ns()))

    async def _refresh_keys(self) -> None:
        self._ring.know(await self.keys.all(), self._pepper)

    async def _keep_keys_fresh(self) -> None:
        while True:
            await asyncio.sleep(KEY_REFRESH_SECONDS)
            try:
                await self._refresh_keys()
            except Exception:
                # Known keys go on working while the database does not; the next round tries again.
                log.exception("cannot read the keys from the database")

    def _may_see(self, key: bytes) -> bool:
        return self._ring.caller(key) is not None

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


_DEFAULT_TIMEOUTS = TimeoutSettings()


@dataclass(frozen=True, slots=True)
class Stores:
    """What the command line reads and writes beside a running gateway, or without one."""

    spans: SqliteSpans
    keys: SqliteKeys
    database: Database

    async def aclose(self) -> None:
        await self.database.close()


def open_stores(settings: Settings) -> Stores:
    """The stores of an installation. Opened at first use, which raises StoreUnavailable, StoreTooNew."""
    database = Database(database_path(settings))
    return Stores(SqliteSpans(database), SqliteKeys(database), database)


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
