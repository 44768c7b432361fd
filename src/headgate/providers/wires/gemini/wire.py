"""The wire `gemini.generate`."""

from __future__ import annotations

import msgspec

from headgate.core.errors import GatewayError, UnsupportedRequest, UpstreamMalformed
from headgate.core.events import AnswerBuilder, Event
from headgate.core.messages import Answer, ChatRequest, EmbeddingsRequest
from headgate.providers.port import Headers
from headgate.providers.wires.gemini.content import WIRE
from headgate.providers.wires.gemini.errors import refusal_of
from headgate.providers.wires.gemini.reading import ChunkReader
from headgate.providers.wires.gemini.streaming import GenerateDecoder
from headgate.providers.wires.gemini.writing import body_of

__all__ = ["GeminiGenerate"]


class GeminiGenerate:
    """Google's generateContent. The model and whether to stream stand in the path, so the body has neither."""

    name: str = WIRE

    def encode(self, request: ChatRequest | EmbeddingsRequest, model: str) -> bytes:
        """Raises UnsupportedRequest for content only another vendor knows."""
        if isinstance(request, EmbeddingsRequest):
            raise UnsupportedRequest("Embeddings are not generated content", param="input")
        return msgspec.json.encode(body_of(request, model))

    def splice(self, body: bytes, model: str, *, stream: bool = True) -> bytes:  # noqa: ARG002, the model stands in the path
        return body

    def decode(self, body: bytes) -> Answer:
        """Raises ContentFiltered if the prompt was blocked, UpstreamMalformed if it is no answer."""
        events: list[Event] = []
        reader = ChunkReader()
        refused = reader.read(body, events)
        if refused is not None:
            raise refused
        if not reader.complete:
            raise UpstreamMalformed(detail="a Gemini reply without a finished candidate")
        builder = AnswerBuilder()
        for event in events:
            builder.add(event)
        return builder.answer()

    glance = decode

    def decoder(self, *, hide_usage: bool = False) -> GenerateDecoder:  # noqa: ARG002, usage is in every chunk
        return GenerateDecoder()

    def decode_error(self, status: int, headers: Headers, body: bytes) -> GatewayError:
        return refusal_of(WIRE, status, body, headers)
