"""The export of spans and metrics put together: what a configuration says of it, and who can read which content."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec

from headgate import __version__
from headgate.compose.stores import Stores
from headgate.config.model import Settings, kind_of
from headgate.core.clock import Clock
from headgate.core.errors import GatewayError
from headgate.core.messages import Answer, ChatRequest
from headgate.edge.paths import Paths
from headgate.providers.settings import ProviderSettings
from headgate.providers.transport.client import Transport
from headgate.providers.wires.anthropic_messages import AnthropicMessages
from headgate.providers.wires.bedrock_converse import BedrockConverse
from headgate.providers.wires.gemini import GeminiGenerate
from headgate.providers.wires.openai_chat import OpenAIChat
from headgate.providers.wires.openai_responses import OpenAIResponses
from headgate.records.export.exporter import Exporter
from headgate.records.export.post import post_over
from headgate.records.export.relay import Plan
from headgate.records.export.spans import UNKNOWN_PLACE, Place
from headgate.stores.spans import Content
from headgate.telemetry.metrics import Metrics
from headgate.telemetry.otlp import names
from headgate.telemetry.otlp.protobuf import encode_resource
from headgate.telemetry.otlp.sending import Collector

__all__ = ["STOP_SECONDS", "OtlpService", "place_of"]

STOP_SECONDS = 3.0
"""How long stopping waits for the last batch; what is left is sent by another node, or after the next start."""
_ADDRESSES = ("base_url", "endpoint", "endpoint_url")
_CANONICAL = "canonical"


class OtlpService:
    """What a gateway has of it. Costs nothing while no collector is configured."""

    def __init__(self, settings: Settings, stores: Stores, metrics: Metrics, clock: Clock) -> None:
        self._node = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(3).hex()}"
        self._transport = Transport()
        self._prompts: Mapping[str, Callable[[bytes], object]] = {
            dialect.name: dialect.read for dialect in Paths().known.values() if dialect.operation == "chat"
        }
        wires = (OpenAIChat(), OpenAIResponses(), AnthropicMessages(), GeminiGenerate(), BedrockConverse())
        self._answers: Mapping[str, Callable[[bytes], object]] = {
            _CANONICAL: msgspec.json.Decoder(Answer).decode
        } | {wire.name: wire.decode for wire in wires}
        self._exporter = Exporter(stores.spans, stores.exports, metrics, clock, node=self._node)
        self._planned: Settings | None = None
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """The configuration from now on."""
        before, self._planned = self._planned, settings
        unchanged = before is not None and (before.telemetry, before.providers) == (
            settings.telemetry,
            settings.providers,
        )
        if not unchanged:
            self._exporter.use(self._plan(settings))

    def start(self) -> None:
        """Begin, if there is a collector."""
        self._exporter.start()

    async def aclose(self) -> None:
        """Send what is stored, for a few seconds."""
        await self._exporter.aclose(STOP_SECONDS)
        await self._transport.aclose()

    def _plan(self, settings: Settings) -> Plan | None:
        otlp = settings.telemetry.otlp
        if not otlp.endpoint:
            return None
        places = {name: place_of(name, each) for name, each in settings.providers.items()}
        resource = {
            names.SERVICE_NAME: names.SCOPE,
            names.SERVICE_VERSION: __version__,
            names.SERVICE_INSTANCE: self._node,
        } | otlp.resource
        return Plan(
            settings=otlp,
            collector=Collector(otlp.endpoint, otlp.headers, float(otlp.timeout), post_over(self._transport)),
            places=lambda name: places.get(name, UNKNOWN_PLACE),
            resource=encode_resource(list(resource.items())),
            version=__version__,
            read_prompt=self._read_prompt,
            read_answer=self._read_answer,
        )

    def _read_prompt(self, content: Content) -> ChatRequest | None:
        found = _read(self._prompts, content)
        return found if isinstance(found, ChatRequest) else None

    def _read_answer(self, content: Content) -> Answer | None:
        found = _read(self._answers, content)
        return found if isinstance(found, Answer) else None


def place_of(name: str, settings: ProviderSettings) -> Place:
    """What the conventions want to know of the provider that is configured under `name`."""
    address = next(
        (str(getattr(settings, field)) for field in _ADDRESSES if getattr(settings, field, "")), ""
    )
    parts = urlsplit(address)
    host = parts.hostname or ""
    port = (parts.port or (443 if parts.scheme == "https" else 80)) if host else 0
    known = names.FROM_KIND.get(kind_of(settings)) or names.FROM_HOST.get(host)
    return Place(known or name, host, port)


def _read(readers: Mapping[str, Callable[[bytes], object]], content: Content) -> object:
    """What a prompt or answer says; None for one that was cut off, and for what nobody here can read."""
    reader = readers.get(content.kind)
    if reader is None or content.truncated:
        return None
    try:
        return reader(content.data)
    except (GatewayError, msgspec.DecodeError):
        return None
