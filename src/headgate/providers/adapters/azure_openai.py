"""Azure OpenAI: OpenAI's wires at a resource of one's own, with Azure's key or an Entra token.

Two ways to address a deployment, as Azure's reference has them: the `v1` path, where the body's `model` names the
deployment and no version is needed, and the classic path, which holds the deployment and wants `api-version`.
"""

from __future__ import annotations

from typing import ClassVar, Literal
from urllib.parse import quote, urlsplit

import msgspec

from headgate.core.errors import ProviderAuthFailed, UnsupportedRequest
from headgate.core.messages import Operation
from headgate.providers.port import Call, UpstreamRequest, Url, Wire
from headgate.providers.settings import ProviderSettings
from headgate.providers.wires.openai_chat import OpenAIChat
from headgate.providers.wires.openai_embeddings import OpenAIEmbeddings
from headgate.providers.wires.openai_responses import OpenAIResponses

__all__ = ["AzureOpenAIAdapter", "AzureOpenAISettings"]

_PATHS = {
    "openai.chat": "chat/completions",
    "openai.responses": "responses",
    "openai.embeddings": "embeddings",
}
_WITHOUT_DEPLOYMENT = frozenset({"openai.responses"})
"""On the classic path these are addressed by the body's `model` alone."""


class AzureOpenAISettings(ProviderSettings, frozen=True):
    """OpenAI's models at Azure. A model's name is the name of its deployment."""

    endpoint: str = ""
    """Address of the resource, such as `https://my-resource.openai.azure.com`."""
    api_key: str = ""
    """One of the resource's keys; sent as `api-key`."""
    api_keys: list[str] = msgspec.field(default_factory=list)
    """More keys. Each is an endpoint of its own, with its own health: requests go round, a key at its limit rests until
    there is room again, and one that is refused comes after the others for a minute."""
    token: str = ""
    """An Entra token, sent as `Authorization: Bearer` instead of the key. It is not refreshed."""
    api_version: str = ""
    """Such as `2024-10-21`: use the classic path of this version. Empty: use the `v1` path, which has none."""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    """Sent with every request."""
    responses: bool = True
    """Speak the responses API to callers who do. If not, responses become chats."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_completion_tokens"
    """How a limit on the answer is said; deployments of before `2024-09` know only the first."""
    stream_usage: bool = True
    """Ask for usage at the end of streams; API versions before `2024-09-01-preview` refuse it."""

    def __repr__(self) -> str:
        """Without key, token and headers."""
        return f"<AzureOpenAISettings {self.endpoint}>"


class AzureOpenAIAdapter:
    """Addresses calls to one Azure OpenAI resource. No header of the caller is passed on."""

    kind: ClassVar[str] = "azure-openai"

    def __init__(self, settings: AzureOpenAISettings) -> None:
        """Raises ValueError for an endpoint or a header that cannot be sent."""
        if not settings.endpoint:
            raise ValueError("`endpoint` is missing, such as https://my-resource.openai.azure.com")
        base = settings.endpoint.rstrip("/").removesuffix("/v1").removesuffix("/openai") + "/openai"
        version = quote(settings.api_version, safe="")
        self._classic = bool(version)
        tail = f"?api-version={version}" if version else ""
        root = base if version else f"{base}/v1"
        self._urls = {wire: Url.parse(f"{root}/{path}{tail}") for wire, path in _PATHS.items()}
        self._models = Url.parse(f"{root}/models{tail}")
        self._deployments = urlsplit(root).path + "/deployments/"
        self._tail = tail
        # Versions of the classic path that are older than the field refuse it.
        keyed = not self._classic
        self._chat = OpenAIChat(
            max_tokens_field=settings.max_tokens_field, ask_usage=settings.stream_usage, cache_key=keyed
        )
        self._responses = OpenAIResponses(cache_key=keyed) if settings.responses else None
        self._embeddings = OpenAIEmbeddings()
        self._may_call = bool(settings.api_key or settings.token)
        self._headers = _constant_headers(settings)

    def __repr__(self) -> str:
        return f"<AzureOpenAIAdapter {self._models.scheme}://{self._models.host}>"

    def wire_for(self, operation: Operation, caller_wire: str) -> Wire | None:
        """As OpenAI's: responses as they came, else chats; tokens are counted nowhere."""
        if operation == "chat":
            if caller_wire == "openai.responses" and self._responses is not None:
                return self._responses
            return self._chat
        return self._embeddings if operation == "embeddings" else None

    def request(self, call: Call) -> UpstreamRequest:
        """Raises ProviderAuthFailed if there is neither key nor token."""
        url = self._urls.get(call.wire)
        if url is None:
            raise UnsupportedRequest(f"An `azure-openai` provider does not speak `{call.wire}`")
        if self._classic and call.wire not in _WITHOUT_DEPLOYMENT:
            target = f"{self._deployments}{quote(call.model, safe='')}/{_PATHS[call.wire]}{self._tail}"
            url = Url(url.scheme, url.host, url.port, target.encode("ascii"))
        return UpstreamRequest("POST", url, self._authorized(), call.body)

    def probe(self) -> UpstreamRequest:
        """Lists the models the resource may deploy."""
        return UpstreamRequest("GET", self._models, self._authorized())

    def _authorized(self) -> tuple[tuple[bytes, bytes], ...]:
        if not self._may_call:
            raise ProviderAuthFailed("No Azure OpenAI credentials; set `api_key` or `token` of the provider")
        return self._headers


def _constant_headers(settings: AzureOpenAISettings) -> tuple[tuple[bytes, bytes], ...]:
    said = {
        "content-type": "application/json",
        "authorization": f"Bearer {settings.token}" if settings.token else "",
        "api-key": "" if settings.token else settings.api_key,
    }
    said.update((name.lower(), value) for name, value in settings.headers.items())
    for name, value in said.items():
        if not value.isascii() or not value.isprintable():
            raise ValueError(f"the header `{name}` of the provider holds characters that no header may")
    return tuple((name.encode("ascii"), value.encode("ascii")) for name, value in said.items() if value)
