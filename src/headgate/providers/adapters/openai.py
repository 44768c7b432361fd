"""OpenAI, and every server that speaks its format: vLLM, llama.cpp, Ollama, Groq, Mistral, OpenRouter …"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from headgate.core.errors import ProviderAuthFailed, UnsupportedRequest
from headgate.core.messages import Operation
from headgate.providers.port import Call, UpstreamRequest, Url, Wire
from headgate.providers.settings import ProviderSettings
from headgate.providers.wires.openai_chat import OpenAIChat
from headgate.providers.wires.openai_embeddings import OpenAIEmbeddings
from headgate.providers.wires.openai_responses import OpenAIResponses

__all__ = ["OpenAIAdapter", "OpenAISettings"]

_PATHS = {
    "openai.chat": "/chat/completions",
    "openai.responses": "/responses",
    "openai.embeddings": "/embeddings",
}
_PASSED_ON = frozenset({b"openai-beta"})
"""Headers of the caller that reach the provider. A caller's organization, project or key never does: ours pay."""


class OpenAISettings(ProviderSettings, frozen=True):
    """OpenAI's API, or any server that speaks it."""

    api_key: str = ""
    """Sent as `Authorization: Bearer`. May stay empty for a server that asks for none."""
    api_keys: list[str] = msgspec.field(default_factory=list)
    """More keys. Each is an endpoint of its own, with its own health: requests go round, a key at its limit rests until
    there is room again, and one that is refused comes after the others for a minute."""
    base_url: str = "https://api.openai.com/v1"
    """Address up to and with `/v1`."""
    organization: str = ""
    """Sent as `OpenAI-Organization`."""
    project: str = ""
    """Sent as `OpenAI-Project`."""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    """Sent with every request."""
    responses: bool | None = None
    """Does the server speak the responses API? Not said: only api.openai.com does. If not, responses become chats."""
    max_tokens_field: Literal["auto", "max_tokens", "max_completion_tokens"] = "auto"
    """How a limit on the answer is said. auto: `max_completion_tokens` to api.openai.com, `max_tokens` elsewhere."""
    stream_usage: bool = True
    """Ask for usage at the end of streams. Off for servers that refuse `stream_options`; usage is then estimated."""
    prompt_cache_key: bool | None = None
    """Does the server take `prompt_cache_key`, which a feature's `prompt_caching` has sent? Not said: only api.openai.com does."""
    send_reasoning: bool = False
    """Send the model's earlier reasoning back as `reasoning_content`, where the server reads it."""
    send_top_k: bool = False
    """Send `top_k` of callers of other dialects, where the server takes it (vLLM, llama.cpp; not OpenAI)."""

    def __repr__(self) -> str:
        """Without the key and the headers, which may hold one."""
        return f"<OpenAISettings {self.base_url}>"


class OpenAIAdapter:
    """Addresses calls to OpenAI or a server like it. Of the caller's headers only `openai-beta` is passed on."""

    kind: ClassVar[str] = "openai"

    def __init__(self, settings: OpenAISettings) -> None:
        """Raises ValueError for an address or a header that cannot be sent."""
        base = settings.base_url.rstrip("/")
        self._urls = {wire: Url.parse(base + path) for wire, path in _PATHS.items()}
        self._models = Url.parse(f"{base}/models")
        self._is_openai = self._models.host == "api.openai.com" or self._models.host.endswith(
            ".api.openai.com"
        )
        field = settings.max_tokens_field
        if field == "auto":
            field = "max_completion_tokens" if self._is_openai else "max_tokens"
        keyed = self._is_openai if settings.prompt_cache_key is None else settings.prompt_cache_key
        self._chat = OpenAIChat(
            max_tokens_field=field,
            ask_usage=settings.stream_usage,
            send_reasoning=settings.send_reasoning,
            send_top_k=settings.send_top_k,
            cache_key=keyed,
        )
        native = self._is_openai if settings.responses is None else settings.responses
        self._responses = OpenAIResponses(cache_key=keyed) if native else None
        self._embeddings = OpenAIEmbeddings()
        self._may_call = bool(settings.api_key) or not self._is_openai
        self._headers = _constant_headers(settings)

    def __repr__(self) -> str:
        url = self._models
        return f"<OpenAIAdapter {url.scheme}://{url.host}:{url.port}>"

    def wire_for(self, operation: Operation, caller_wire: str) -> Wire | None:
        """Responses go out as they came where the server speaks them, else as a chat. Tokens are counted nowhere."""
        if operation == "chat":
            if caller_wire == "openai.responses" and self._responses is not None:
                return self._responses
            return self._chat
        return self._embeddings if operation == "embeddings" else None

    def request(self, call: Call) -> UpstreamRequest:
        """Raises ProviderAuthFailed if OpenAI is to be called without a key."""
        url = self._urls.get(call.wire)
        if url is None:
            raise UnsupportedRequest(f"An `openai` provider does not speak `{call.wire}`")
        headers = self._authorized()
        for name, value in call.headers:
            if name in _PASSED_ON:
                headers.append((name, value))
        return UpstreamRequest("POST", url, headers, call.body)

    def probe(self) -> UpstreamRequest:
        """Lists the models."""
        return UpstreamRequest("GET", self._models, self._authorized())

    def _authorized(self) -> list[tuple[bytes, bytes]]:
        if not self._may_call:
            raise ProviderAuthFailed("No OpenAI key; set `api_key` of the provider")
        return self._headers.copy()


def _constant_headers(settings: OpenAISettings) -> list[tuple[bytes, bytes]]:
    said = {
        "content-type": "application/json",
        "authorization": f"Bearer {settings.api_key}" if settings.api_key else "",
        "openai-organization": settings.organization,
        "openai-project": settings.project,
    }
    said.update((name.lower(), value) for name, value in settings.headers.items())
    for name, value in said.items():
        if not value.isascii() or not value.isprintable():
            raise ValueError(f"the header `{name}` of the provider holds characters that no header may")
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in said.items() if value]
