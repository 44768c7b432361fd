"""The wire `anthropic.count_tokens`."""

from __future__ import annotations

import msgspec

from headgate.core.errors import GatewayError, UnsupportedRequest, UpstreamMalformed
from headgate.core.messages import ChatRequest, EmbeddingsRequest, TokenCount
from headgate.providers.port import Headers, StreamDecoder
from headgate.providers.wires.anthropic_messages.errors import refusal_of
from headgate.providers.wires.anthropic_messages.writing import count_body_of
from headgate.providers.wires.splicing import replace_model

__all__ = ["AnthropicCountTokens"]


class _Count(msgspec.Struct):
    input_tokens: int


_decode = msgspec.json.Decoder(_Count).decode


class AnthropicCountTokens:
    """`/v1/messages/count_tokens`: what a request would cost in input tokens, without asking it."""

    name: str = "anthropic.count_tokens"

    def encode(self, request: ChatRequest | EmbeddingsRequest, model: str) -> bytes:
        """Only what makes up the prompt: sampling, bounds and streaming are no part of it."""
        if isinstance(request, EmbeddingsRequest):
            raise UnsupportedRequest("Anthropic counts tokens of messages, not of embeddings", param="input")
        return msgspec.json.encode(count_body_of(request, model))

    def splice(self, body: bytes, model: str, *, stream: bool = True) -> bytes:  # noqa: ARG002, it changes nothing here
        return replace_model(body, model)

    def decode(self, body: bytes) -> TokenCount:
        """Raises UpstreamMalformed if it is no count."""
        try:
            return TokenCount(input_tokens=_decode(body).input_tokens, exact=True)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise UpstreamMalformed(detail=f"no Anthropic token count: {error}") from None

    glance = decode

    def decoder(self, *, hide_usage: bool = False) -> StreamDecoder:  # noqa: ARG002, the port asks for it
        """Raises UnsupportedRequest: a count does not stream."""
        raise UnsupportedRequest("Token counts are not streamed; ask without `stream`", param="stream")

    def decode_error(self, status: int, headers: Headers, body: bytes) -> GatewayError:
        return refusal_of(self.name, status, body, headers)
