"""Anthropic: the Messages API at api.anthropic.com or at whatever speaks it."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from headgate.core.errors import ProviderAuthFailed, UnsupportedRequest
from headgate.core.messages import Operation
from headgate.providers.port import Call, UpstreamRequest, Url, Wire
from headgate.providers.settings import ProviderSettings
from headgate.providers.wires.anthropic_messages import AnthropicCountTokens, AnthropicMessages

__all__ = ["API_VERSION", "AnthropicAdapter", "AnthropicSettings"]

API_VERSION = "2026-10-21"
"""What Anthropic's SDK 2.12 sends as `anthropic-version`."""

_WITHOUT_SAMPLING = "2026-10-21"
"""Since this version temperature, top_p and top_k are answered with 400."""


class AnthropicSettings(ProviderSettings, frozen=True):
    """Anthropic's API, and servers that speak its Messages API."""

    api_key: str = ""
    """Sent as `x-api-key`."""
    api_keys: list[str] = msgspec.field(default_factory=list)
    """More keys. Each is an endpoint of its own, with its own health: requests go round, a key at its limit rests until
    there is room again, and one that is refused comes after the others for a minute."""
    auth_token: str = ""
    """Sent as `Authorization: Bearer` instead of the key: OAuth tokens, and servers that want a Bearer token."""
    base_url: str = "https://api.anthropic.com"
    """Address without `/v1`."""
    version: str = API_VERSION
    """`anthropic-version` of requests whose caller named none. Before 2026-10-21 (`2023-06-01`), temperature, top_p and
    top_k of callers of other dialects are sent to the models that take them; since then they are left out."""
    default_max_tokens: int = 4096
    """Sent as `max_tokens`, which the API demands, when the caller set no bound."""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    """Sent with every request."""


class AnthropicAdapter:
    """Addresses calls to Anthropic. The caller's `anthropic-beta` and `anthropic-version` are passed on."""

    kind: ClassVar[str] = "anthropic"

    def __init__(self, settings: AnthropicSettings) -> None:
        base = settings.base_url.rstrip("/").removesuffix("/v1")
        self._chat = AnthropicMessages(
            default_max_tokens=settings.default_max_tokens, sampling=settings.version < _WITHOUT_SAMPLING
        )
        self._count = AnthropicCountTokens()
        self._urls = {
            self._chat.name: Url.parse(f"{base}/v1/messages"),
            self._count.name: Url.parse(f"{base}/v1/messages/count_tokens"),
        }
        self._models = Url.parse(f"{base}/v1/models?limit=1")
        self._may_call = bool(settings.api_key or settings.auth_token or settings.self_hosted)
        self._headers = _constant_headers(settings)
        self._version = (b"anthropic-version", settings.version.encode())

    def __repr__(self) -> str:
        url = self._models
        return f"<AnthropicAdapter {url.scheme}://{url.host}:{url.port}>"

    def wire_for(self, operation: Operation, caller_wire: str) -> Wire | None:  # noqa: ARG002, one wire per operation
        if operation == "chat":
            return self._chat
        return self._count if operation == "count_tokens" else None

    def request(self, call: Call) -> UpstreamRequest:
        """Raises ProviderAuthFailed if there are no credentials."""
        url = self._urls.get(call.wire)
        if url is None:
            raise UnsupportedRequest(f"Anthropic does not speak `{call.wire}`")
        headers = self._authorized()
        version = self._version
        for name, value in call.headers:
            lower = name.lower()
            if lower == b"anthropic-beta":
                headers.append((b"anthropic-beta", value))
            elif lower == b"anthropic-version":
                version = (b"anthropic-version", value)
        headers.append(version)
        return UpstreamRequest("POST", url, headers, call.body)

    def probe(self) -> UpstreamRequest:
        """Lists one model."""
        return UpstreamRequest("GET", self._models, [*self._authorized(), self._version])

    def _authorized(self) -> list[tuple[bytes, bytes]]:
        if not self._may_call:
            raise ProviderAuthFailed(
                "No Anthropic credentials; set `api_key` or `auth_token` of the provider"
            )
        return self._headers.copy()


def _constant_headers(settings: AnthropicSettings) -> list[tuple[bytes, bytes]]:
    headers = [(b"content-type", b"application/json")]
    if settings.auth_token:
        headers.append((b"authorization", f"Bearer {settings.auth_token}".encode()))
    elif settings.api_key:
        headers.append((b"x-api-key", settings.api_key.encode()))
    headers += [(name.lower().encode(), value.encode()) for name, value in settings.headers.items()]
    return headers
