"""The wire `gemini.embeddings`."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.errors import GatewayError, UnsupportedRequest, UpstreamMalformed
from headgate.core.messages import ChatRequest, EmbeddingsReply, EmbeddingsRequest
from headgate.providers.port import Headers, StreamDecoder
from headgate.providers.wires.gemini.errors import refusal_of
from headgate.providers.wires.gemini.models import model_path
from headgate.providers.wires.gemini.reading import UsageFields, usage_of

__all__ = ["GeminiEmbeddings"]


class _Embedding(msgspec.Struct):
    values: list[float]


class _Reply(msgspec.Struct, rename="camel"):
    embeddings: list[_Embedding]
    usage_metadata: UsageFields | None = None


_decode = msgspec.json.Decoder(_Reply).decode


class GeminiEmbeddings:
    """Google's batchEmbedContents: one vector per text."""

    name: str = "gemini.embeddings"

    def encode(self, request: ChatRequest | EmbeddingsRequest, model: str) -> bytes:
        """Raises UnsupportedRequest for inputs that are token ids."""
        if isinstance(request, ChatRequest):
            raise UnsupportedRequest("A conversation cannot be embedded; send texts", param="messages")
        path = model_path(model)
        return msgspec.json.encode(
            {"requests": [_one(text, path, request.dimensions) for text in request.inputs]}
        )

    def splice(self, body: bytes, model: str, *, stream: bool = True) -> bytes:  # noqa: ARG002, nobody speaks this wire to us
        return body

    def decode(self, body: bytes) -> EmbeddingsReply:
        """Raises UpstreamMalformed. Usage is None where the API does not say it."""
        try:
            reply = _decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise UpstreamMalformed(detail=f"no Gemini embeddings: {error}") from None
        usage = reply.usage_metadata
        return EmbeddingsReply(
            vectors=[embedding.values for embedding in reply.embeddings],
            usage=None if usage is None else usage_of(usage),
        )

    glance = decode

    def decoder(self, *, hide_usage: bool = False) -> StreamDecoder:  # noqa: ARG002, the port asks for it
        """Raises UnsupportedRequest: embeddings do not stream."""
        raise UnsupportedRequest("Embeddings are not streamed; ask without `stream`", param="stream")

    def decode_error(self, status: int, headers: Headers, body: bytes) -> GatewayError:
        return refusal_of(self.name, status, body, headers)


def _one(text: object, path: str, dimensions: int | None) -> dict[str, Any]:
    if not isinstance(text, str):
        raise UnsupportedRequest("Gemini embeds texts, not token ids; send strings", param="input")
    written: dict[str, Any] = {"model": path, "content": {"parts": [{"text": text}]}}
    if dimensions is not None:
        written["outputDimensionality"] = dimensions
    return written
