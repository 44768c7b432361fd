"""The wire `anthropic.messages`."""

from __future__ import annotations

import msgspec

from headgate.core.errors import GatewayError, UnsupportedRequest
from headgate.core.messages import Answer, ChatRequest, EmbeddingsRequest
from headgate.providers.port import Headers, Marks
from headgate.providers.wires.anthropic_messages.content import WIRE
from headgate.providers.wires.anthropic_messages.errors import refusal_of
from headgate.providers.wires.anthropic_messages.marking import marked
from headgate.providers.wires.anthropic_messages.reading import answer_of
from headgate.providers.wires.anthropic_messages.streaming import MessagesDecoder
from headgate.providers.wires.anthropic_messages.writing import body_of
from headgate.providers.wires.splicing import replace_model

__all__ = ["AnthropicMessages"]

_encode = msgspec.json.encode


class AnthropicMessages:
    """Anthropic's Messages API.

    default_max_tokens:  sent when the caller named no bound; the API demands one.
    sampling:            the API version sent along still knows temperature, top_p and top_k (2023-06-01 does,
                         2026-10-21 answers 400 to them). Otherwise they are left out for callers of other dialects.
    """

    name: str = WIRE

    def __init__(self, *, default_max_tokens: int = 4096, sampling: bool = False) -> None:
        self._default_max_tokens = default_max_tokens
        self._sampling = sampling

    def encode(self, request: ChatRequest | EmbeddingsRequest, model: str) -> bytes:
        """Raises UnsupportedRequest for embeddings, several choices and content only another vendor knows."""
        if isinstance(request, EmbeddingsRequest):
            raise UnsupportedRequest(
                "Anthropic has no embeddings; ask for a model of another provider", param="model"
            )
        body = body_of(request, model, default_max_tokens=self._default_max_tokens, sampling=self._sampling)
        return _encode(body)

    def splice(self, body: bytes, model: str, *, stream: bool = True) -> bytes:  # noqa: ARG002, it changes nothing here
        return replace_model(body, model)

    def mark(self, body: bytes, model: str, marks: Marks) -> bytes:
        """See `Marking`."""
        return marked(body, model, marks)

    def decode(self, body: bytes) -> Answer:
        return answer_of(body)

    glance = decode

    def decoder(self, *, hide_usage: bool = False) -> MessagesDecoder:  # noqa: ARG002, usage is always in this stream
        return MessagesDecoder()

    def decode_error(self, status: int, headers: Headers, body: bytes) -> GatewayError:
        return refusal_of(WIRE, status, body, headers)
