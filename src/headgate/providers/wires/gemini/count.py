"""The wire `gemini.count_tokens`."""

from __future__ import annotations

import msgspec

from headgate.core.errors import GatewayError, UnsupportedRequest, UpstreamMalformed
from headgate.core.messages import ChatRequest, EmbeddingsRequest, TokenCount
from headgate.providers.port import Headers, StreamDecoder
from headgate.providers.wires.gemini.errors import refusal_of
from headgate.providers.wires.gemini.models import model_path
from headgate.providers.wires.gemini.writing import prompt_of

__all__ = ["GeminiCountTokens"]


class _Count(msgspec.Struct, rename="camel"):
    total_tokens: int


_decode = msgspec.json.Decoder(_Count).decode


class GeminiCountTokens:
    """Google's countTokens, asked with the whole request so that system instruction and tools count too."""

    name: str = "gemini.count_tokens"

    def encode(self, request: ChatRequest | EmbeddingsRequest, model: str) -> bytes:
        if isinstance(request, EmbeddingsRequest):
            raise UnsupportedRequest("Gemini counts tokens of contents, not of embeddings", param="input")
        path = model_path(model)
        return msgspec.json.encode({"generateContentRequest": {"model": path, **prompt_of(request, model)}})

    def splice(self, body: bytes, model: str, *, stream: bool = True) -> bytes:  # noqa: ARG002, nobody speaks this wire to us
        return body

    def decode(self, body: bytes) -> TokenCount:
        """Raises UpstreamMalformed if it is no count."""
        try:
            return TokenCount(input_tokens=_decode(body).total_tokens, exact=True)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise UpstreamMalformed(detail=f"no Gemini token count: {error}") from None

    glance = decode

    def decoder(self, *, hide_usage: bool = False) -> StreamDecoder:  # noqa: ARG002, the port asks for it
        """Raises UnsupportedRequest: a count does not stream."""
        raise UnsupportedRequest("Token counts are not streamed; ask without `stream`", param="stream")

    def decode_error(self, status: int, headers: Headers, body: bytes) -> GatewayError:
        return refusal_of(self.name, status, body, headers)
