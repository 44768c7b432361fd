"""OpenAI, and every server that speaks its format: vLLM, llama.cpp, Ollama, Groq, Mistral, OpenRouter …"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from headgate.core.errors import ProviderAuthFailed, UnsupportedRequest
from headgate.core.messages import Operation
from headgate.providers.adapters.openai.settings import OpenAISettings
from headgate.providers.port import Call, UpstreamRequest, Url, Wire
from headgate.providers.wires.openai_chat import OpenAIChat
from headgate.providers.wires.openai_embeddings import OpenAIEmbeddings
from headgate.providers.wires.openai_responses import OpenAIResponses

__all__ = ["OpenAIAdapter", "OpenAISettings"]

_PATHS: Final = {
    "openai.chat": "/chat/completions",
    "openai.responses": "/responses",
    "openai.embeddings": "/embeddings",
}
_PASSED_ON: Final = b"openai-beta"
"""The header of the caller that reaches the provider. A caller's organization, project or key never does: ours pay."""


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
        headers: Sequence[tuple[bytes, bytes]] = self._authorized()
        for pair in call.headers:
            if pair[0] == _PASSED_ON:
                headers = [*headers, pair]
        return UpstreamRequest("POST", url, headers, call.body)

    def probe(self) -> UpstreamRequest:
        """Lists the models."""
        return UpstreamRequest("GET", self._models, self._authorized())

    def _authorized(self) -> tuple[tuple[bytes, bytes], ...]:
        if not self._may_call:
            raise ProviderAuthFailed("No OpenAI key; set `api_key` of the provider")
        return self._headers


def _constant_headers(settings: OpenAISettings) -> tuple[tuple[bytes, bytes], ...]:
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
    return tuple((name.encode("ascii"), value.encode("ascii")) for name, value in said.items() if value)
