"""Google's Gemini API, in its own words."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from headgate.core.errors import ProviderAuthFailed, UnsupportedRequest
from headgate.core.messages import Operation
from headgate.providers.port import Call, UpstreamRequest, Url, Wire
from headgate.providers.settings import ProviderSettings
from headgate.providers.wires.gemini import GeminiCountTokens, GeminiEmbeddings, GeminiGenerate
from headgate.providers.wires.gemini.models import model_path

__all__ = ["GeminiAdapter", "GeminiSettings"]


class GeminiSettings(ProviderSettings, frozen=True):
    """Google's Gemini API."""

    api_key: str = ""
    """Sent as `x-goog-api-key`."""
    api_keys: list[str] = msgspec.field(default_factory=list)
    """More keys. Each is an endpoint of its own, with its own health: requests go round, a key at its limit rests until
    there is room again, and one that is refused comes after the others for a minute."""
    auth_token: str = ""
    """Sent as `Authorization: Bearer` instead of the key."""
    base_url: str = "https://generativelanguage.googleapis.com/v1beta"
    """Address up to the version, before `/models`."""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    """Sent with every request."""


_ACTIONS = {
    ("gemini.generate", False): "generateContent",
    ("gemini.generate", True): "streamGenerateContent?alt=sse",
    ("gemini.embeddings", False): "batchEmbedContents",
    ("gemini.count_tokens", False): "countTokens",
}

_REMEMBERED = 1024


class GeminiAdapter:
    """Addresses calls to Gemini: the model and the action stand in the path."""

    kind: ClassVar[str] = "gemini"

    def __init__(self, settings: GeminiSettings) -> None:
        self._base = Url.parse(settings.base_url.rstrip("/"))
        self._wires: dict[Operation, Wire] = {
            "chat": GeminiGenerate(),
            "embeddings": GeminiEmbeddings(),
            "count_tokens": GeminiCountTokens(),
        }
        self._urls: dict[tuple[str, str], Url] = {}
        self._may_call = bool(settings.api_key or settings.auth_token or settings.self_hosted)
        self._headers = [(b"content-type", b"application/json")]
        if settings.auth_token:
            self._headers.append((b"authorization", f"Bearer {settings.auth_token}".encode()))
        elif settings.api_key:
            self._headers.append((b"x-goog-api-key", settings.api_key.encode()))
        self._headers += [(name.lower().encode(), value.encode()) for name, value in settings.headers.items()]

    def __repr__(self) -> str:
        return f"<GeminiAdapter {self._base.scheme}://{self._base.host}:{self._base.port}>"

    def wire_for(self, operation: Operation, caller_wire: str) -> Wire | None:  # noqa: ARG002, one wire per operation
        return self._wires.get(operation)

    def request(self, call: Call) -> UpstreamRequest:
        """Raises ProviderAuthFailed if there are no credentials."""
        action = _ACTIONS.get((call.wire, call.stream))
        if action is None:
            raise UnsupportedRequest(f"Gemini does not speak `{call.wire}`")
        return UpstreamRequest("POST", self._url(call.model, action), self._authorized(), call.body)

    def probe(self) -> UpstreamRequest:
        """Lists one model."""
        return UpstreamRequest("GET", self._at("/models?pageSize=1"), self._authorized())

    def _authorized(self) -> list[tuple[bytes, bytes]]:
        if not self._may_call:
            raise ProviderAuthFailed("No Gemini credentials; set `api_key` of the provider")
        return self._headers.copy()

    def _url(self, model: str, action: str) -> Url:
        url = self._urls.get((model, action))
        if url is None:
            if len(self._urls) >= _REMEMBERED:
                self._urls.clear()
            url = self._urls[model, action] = self._at(f"/{model_path(model)}:{action}")
        return url

    def _at(self, path: str) -> Url:
        base = self._base
        prefix = base.target.rstrip(b"/")
        return Url(base.scheme, base.host, base.port, prefix + path.encode())
