"""The wire `bedrock.converse`."""

from __future__ import annotations

import msgspec

from headgate.core.errors import GatewayError, UnsupportedRequest
from headgate.core.messages import Answer, ChatRequest, EmbeddingsRequest
from headgate.providers.port import Headers, Marks
from headgate.providers.wires.bedrock_converse.content import WIRE
from headgate.providers.wires.bedrock_converse.errors import refusal_of
from headgate.providers.wires.bedrock_converse.marking import marked
from headgate.providers.wires.bedrock_converse.reading import answer_of
from headgate.providers.wires.bedrock_converse.streaming import ConverseDecoder
from headgate.providers.wires.bedrock_converse.writing import body_of

__all__ = ["BedrockConverse"]


class BedrockConverse:
    """Amazon Bedrock's Converse. The model and whether to stream stand in the path, so the body has neither.

    Importable without botocore, which only streams need (extra `bedrock`)."""

    name: str = WIRE

    def encode(self, request: ChatRequest | EmbeddingsRequest, model: str) -> bytes:
        """Raises UnsupportedRequest for embeddings, several choices and content Converse has no words for."""
        if isinstance(request, EmbeddingsRequest):
            raise UnsupportedRequest(
                "Converse makes no embeddings; ask for a model of another provider", param="model"
            )
        return msgspec.json.encode(body_of(request, model))

    def splice(self, body: bytes, model: str, *, stream: bool = True) -> bytes:  # noqa: ARG002, the model stands in the path
        return body

    def mark(self, body: bytes, model: str, marks: Marks) -> bytes:
        """See `Marking`."""
        return marked(body, model, marks)

    def decode(self, body: bytes) -> Answer:
        return answer_of(body)

    glance = decode

    def decoder(self, *, hide_usage: bool = False) -> ConverseDecoder:  # noqa: ARG002, usage is always in this stream
        return ConverseDecoder()

    def decode_error(self, status: int, headers: Headers, body: bytes) -> GatewayError:
        return refusal_of(WIRE, status, body, headers)
