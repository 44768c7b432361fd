"""Secrets of the database as this process knows them: kept up to date, and put in their places where providers are built."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from msgspec.structs import replace

from headgate.compose.providers import Provider, build_provider, providers_of
from headgate.config.model import Settings
from headgate.config.problems import did_you_mean
from headgate.config.secrets import fill_in, stored_names
from headgate.control.secrets import open_secret
from headgate.core.tasks import ended
from headgate.providers.port import Adapter, Call
from headgate.providers.settings import ProviderSettings
from headgate.stores.errors import StoreError, StoreUnavailable
from headgate.stores.sealing import CannotOpen, Sealer
from headgate.stores.secrets import SecretRecord, SecretStore, place_of

__all__ = [
    "SECRET_REFRESH_SECONDS",
    "KnownSecrets",
    "SecretsRefused",
    "goes_to",
    "wanted_secrets",
]

log = logging.getLogger("headgate")

SECRET_REFRESH_SECONDS = 1.0
"""How soon a secret that was given, changed or removed counts here."""
_COMPLAINT_SECONDS = 60.0


class SecretsRefused(ValueError):
    """What the configuration says of secrets of the database cannot be done; says what to do."""


@dataclass(frozen=True, slots=True)
class _Known:
    value: str = field(repr=False)
    hosts: tuple[str, ...]
    sealed: bytes = field(repr=False)


class KnownSecrets:
    """The values of the secrets that the configuration names. Where it names none, nothing is read and nothing is kept."""

    def __init__(self, store: SecretStore, environ: Mapping[str, str]) -> None:
        """environ: where the master keys are."""
        self._store = store
        self._environ = environ
        self._sealer: Sealer | None = None
        self._known: Mapping[str, _Known] = {}
        self._served: Mapping[str, _Known] = {}
        self._task: asyncio.Task[None] | None = None
        self._complained = -math.inf

    async def learn(self, settings: Settings) -> None:
        """Read what these settings name. Raises SecretsRefused, with all that is wrong; StoreUnavailable."""
        wanted = wanted_secrets(settings)
        if not wanted:
            return
        try:
            records = {record.name: record for record in await self._store.all()}
        except StoreUnavailable:
            if wanted.keys() <= self._known.keys():
                return  # the database is away, and nothing new is asked for
            raise
        known, wrong = dict(self._known), []
        for name, provider in wanted.items():
            if name not in records:
                near = did_you_mean(name, records)
                wrong.append(
                    f"providers.{provider}: there is no secret `{name}` in the database{near}; "
                    f"`headgate secrets set {name} --host HOST` keeps one"
                )
                continue
            try:
                known[name] = self._opened(records[name])
            except StoreError as why:
                wrong.append(f"providers.{provider}: {why}")
        if wrong:
            raise SecretsRefused("\n  ".join(wrong))
        self._known = known

    def providers(
        self,
        settings: Settings,
        before: Mapping[str, Provider] = MappingProxyType({}),
        *,
        forgiving: bool = False,
    ) -> dict[str, Provider]:
        """As `providers_of`, with the values in their places. Raises as it does; SecretsRefused for a secret that is not for
        the host of its provider.

        forgiving: such a provider is built all the same and calls nobody, as one whose secret is not known (yet)."""
        stored = {name: names for name, each in settings.providers.items() if (names := stored_names(each))}
        if not stored:
            return providers_of(settings, before)
        filled = {name: self._filled(each) for name, each in settings.providers.items()}
        found = providers_of(replace(settings, providers=filled), before)
        for name, names in stored.items():
            # A name that is left in its place makes a provider that calls nobody.
            wrong = "" if stored_names(filled[name]) else self._not_for_it(name, found[name], names)
            if wrong and not forgiving:
                raise SecretsRefused(wrong)
            if wrong:
                log.error("%s", wrong)
                old, wanted = before.get(name), settings.providers[name]
                found[name] = old if old is not None and old.settings == wanted else build_provider(wanted)
        return found

    def serves(self) -> None:
        """The providers that were built last are in use."""
        self._served = self._known

    def start(self, settings: Callable[[], Settings], changed: Callable[[], None]) -> None:
        """Read again from time to time what these settings name, and tell of changes."""
        self._task = asyncio.create_task(self._keep_fresh(settings, changed), name="secrets")

    async def stop(self) -> None:
        """Read no more."""
        if self._task is not None:
            await ended(self._task)

    # Which value goes where

    def _filled(self, settings: ProviderSettings) -> ProviderSettings:
        """With all values in their places; as it is if one is not known that it cannot do without."""

        def value_of(name: str) -> str:
            return self._known[name].value if name in self._known else ""

        filled, missing = fill_in(settings, value_of), stored_names(settings) - self._known.keys()
        if not missing:
            return filled
        # Of several keys those that are there go on without the others.
        if not getattr(settings, "api_keys", None) or missing & stored_names(
            replace(settings, api_key="", api_keys=[])
        ):
            return settings
        return filled if getattr(filled, "api_key", "") or getattr(filled, "api_keys", None) else settings

    def _not_for_it(self, name: str, provider: Provider, names: Iterable[str]) -> str:
        """Which secret must not be sent to where the provider is, and what to do; "" if all may be."""
        places = {place for _, adapter in provider.by_key for place in goes_to(adapter)}
        for each in sorted(names):
            known = self._known.get(each)
            strangers = sorted(places - set(known.hosts)) if known is not None else []
            if strangers and known is not None:
                hosts = " ".join(f"--host {place}" for place in sorted(places))
                return (
                    f"providers.{name}: secret `{each}` may be sent to {' and '.join(known.hosts)} alone, and this provider is at "
                    f"{' and '.join(strangers)}; if that is right, give it again: `headgate secrets set {each} {hosts}`"
                )
        return ""

    def _opened(self, record: SecretRecord) -> _Known:
        known = self._known.get(record.name)
        if known is not None and known.sealed == record.sealed and known.hosts == record.hosts:
            return known
        if self._sealer is None:
            self._sealer = Sealer.from_environment(self._environ)
        return _Known(open_secret(self._sealer, record), record.hosts, record.sealed)

    # While the gateway runs

    async def _keep_fresh(self, settings: Callable[[], Settings], changed: Callable[[], None]) -> None:
        looked_at, names = None, dict[str, str]()
        while True:
            await asyncio.sleep(SECRET_REFRESH_SECONDS)
            try:
                now = settings()
                if now is not looked_at:
                    looked_at, names = now, wanted_secrets(now)
                if names:
                    self._take(await self._store.all(), names)
                    if self._known != self._served:
                        log.info("secrets of the database have changed, and count now")
                        try:
                            changed()
                        finally:
                            self.serves()  # what does not work now is not tried each second
            except StoreError as failure:
                self._complain("secrets stay as they are known: %s", failure)
            except Exception:
                log.exception("cannot put changed secrets to use")

    def _take(self, records: Sequence[SecretRecord], names: Iterable[str]) -> None:
        by_name, known = {record.name: record for record in records}, {}
        for name in names:
            record = by_name.get(name)
            if record is None:
                continue
            try:
                known[name] = self._opened(record)
            except CannotOpen as why:
                # Sealed anew, under a key that this node will be told of when it is started again.
                self._complain("what was known before goes on being used: %s", why)
                if name in self._known:
                    known[name] = self._known[name]
        self._known = known

    def _complain(self, text: str, why: Exception) -> None:
        now = time.monotonic()
        if now - self._complained >= _COMPLAINT_SECONDS:
            self._complained = now
            log.warning(text, why)


def wanted_secrets(settings: Settings) -> dict[str, str]:
    """Each secret of the database that is named -> the first provider that names it."""
    found: dict[str, str] = {}
    for provider, each in settings.providers.items():
        for name in sorted(stored_names(each)):
            found.setdefault(name, provider)
    return found


def goes_to(adapter: Adapter) -> set[str]:
    """The places an adapter's calls go to, as `place_of` writes them. Asked of itself: nothing else knows for sure."""
    urls = [adapter.probe().url]
    wire = adapter.wire_for("chat", "")
    if wire is not None:
        urls.append(adapter.request(Call("chat", wire.name, "model", b"{}", stream=False)).url)
    return {place_of(url.scheme, url.host, url.port) for url in urls}
