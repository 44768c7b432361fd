"""A provider's settings in, an adapter and an upstream out; tried, kept, and closed when nobody uses it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from msgspec.structs import replace

from headgate.config.model import Settings
from headgate.config.secrets import stored_names
from headgate.core.errors import GatewayError, ProviderAuthFailed
from headgate.providers.adapters.anthropic import AnthropicAdapter, AnthropicSettings
from headgate.providers.adapters.azure_openai import AzureOpenAIAdapter, AzureOpenAISettings
from headgate.providers.adapters.bedrock import BedrockAdapter, BedrockSettings
from headgate.providers.adapters.gemini import GeminiAdapter, GeminiSettings
from headgate.providers.adapters.openai import OpenAIAdapter, OpenAISettings
from headgate.providers.discretion import carries_credentials, without_credentials_of
from headgate.providers.port import Adapter, Timeouts, Upstream
from headgate.providers.settings import ProviderSettings
from headgate.providers.simulated.adapter import SimulatedAdapter
from headgate.providers.simulated.server import SimulatedServer
from headgate.providers.simulated.settings import SimulatedSettings
from headgate.providers.simulated.upstream import SimulatedUpstream
from headgate.providers.transport.client import Transport
from headgate.providers.transport.proxy import proxy_for
from headgate.providers.withheld import withheld

__all__ = [
    "ProbeResult",
    "Provider",
    "build_provider",
    "close_later",
    "probe",
    "providers_of",
    "simulated_server",
]


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
    if names := stored_names(settings):
        # Nobody has put the values in their places: a name must not leave as if it were a key.
        return Provider(settings, withheld(adapter, names), Transport(settings.transport))
    _refuse_to_tell_a_proxy(settings, adapter)
    return Provider(settings, adapter, Transport(settings.transport), tuple(more))


def _refuse_to_tell_a_proxy(settings: ProviderSettings, adapter: Adapter) -> None:
    """Raises ValueError where a proxy would read the provider's credentials. Through TLS it sees none."""
    try:
        call = adapter.probe()
    except ProviderAuthFailed:
        return
    url = call.url
    if url.scheme != "http" or not carries_credentials(call.headers):
        return
    proxy = proxy_for(url.scheme, url.host, url.port, settings.transport.proxy, os.environ)
    if proxy is not None:
        raise ValueError(
            f"the proxy {proxy.host}:{proxy.port} would read the key for {url.host}, because its address begins with http://: use "
            'https://, or `transport = { proxy = "none" }`, or name the host in NO_PROXY'
        )


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


def providers_of(
    settings: Settings, before: Mapping[str, Provider] = MappingProxyType({})
) -> dict[str, Provider]:
    """Built if new or changed; one that is the same is kept, with its open connections. Raises as `build_provider` does."""
    found = {}
    for name, wanted in settings.providers.items():
        old = before.get(name)
        found[name] = old if old is not None and old.settings == wanted else build_provider(wanted)
    return found


async def close_later(provider: Provider, seconds: float) -> None:
    # Requests that began with it may still be using it: closing a client in use broke a peer's production once.
    try:
        await asyncio.sleep(seconds)
    finally:
        await provider.upstream.aclose()


async def probe(name: str, provider: Provider, *, seconds: float = 10.0) -> ProbeResult:
    """Send the provider's cheapest request and say what came of it."""
    began = time.monotonic()
    ok, message = False, ""
    try:
        call = provider.adapter.probe()
        reply = await provider.upstream.send(
            call,
            Timeouts(connect=seconds, headers=seconds, between=seconds, total=seconds),
        )
        try:
            said = without_credentials_of(call.headers, await reply.read(4_000_000))
        finally:
            reply.close()
        ok = 200 <= reply.status < 300
        message = "answers" if ok else f"HTTP {reply.status}: {said[:200].decode('utf-8', 'replace')}"
    except GatewayError as error:
        message = error.message
    except ValueError as wrong:  # a key that no header can carry
        message = str(wrong)
    return ProbeResult(name, ok, 1000 * (time.monotonic() - began), message)


def simulated_server(settings: SimulatedSettings) -> SimulatedServer:
    """The simulated provider, for `headgate simulate` to serve."""
    return SimulatedServer(settings)
