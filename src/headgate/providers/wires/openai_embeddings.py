"""OpenAI's embeddings as an upstream: `/v1/embeddings`, and every server that speaks the same."""

from __future__ import annotations

import array
import base64
import binascii
import sys
from typing import Any

import msgspec

from headgate.core.errors import GatewayError, UnsupportedRequest, UpstreamMalformed
from headgate.core.messages import ChatRequest, EmbeddingsReply, EmbeddingsRequest
from headgate.core.usage import Usage
from headgate.providers.port import Headers, StreamDecoder
from headgate.providers.wires.openai_errors import http_refusal, is_error_body, stream_refusal
from headgate.providers.wires.openai_usage import TokenCount
from headgate.providers.wires.splicing import replace_model

__all__ = ["OpenAIEmbeddings"]

NAME = "openai.embeddings"


class _Vector(msgspec.Struct, gc=False):
    embedding: list[float] | str
    index: int | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: TokenCount | None = None
    total_tokens: TokenCount | None = None


class _Reply(msgspec.Struct):
    data: list[_Vector] | None = None
    model: str | None = None
    usage: _Usage | None = None


_REPLY = msgspec.json.Decoder(_Reply)


class OpenAIEmbeddings:
    """OpenAI's embeddings. Vectors come as JSON numbers or, a third of the size, as base64 of little-endian float32."""

    name = NAME

    def encode(self, request: ChatRequest | EmbeddingsRequest, model: str) -> bytes:
        """The body that asks for `request`, in the caller's encoding. Raises UnsupportedRequest for a chat."""
        if not isinstance(request, EmbeddingsRequest):
            raise UnsupportedRequest("An embeddings model does not chat; ask for a model that does")
        fields: dict[str, Any] = {"model": model, "input": request.inputs}
        if request.encoding != "float":
            fields["encoding_format"] = request.encoding
        if request.dimensions is not None:
            fields["dimensions"] = request.dimensions
        if request.user:
            fields["user"] = request.user
        for name, raw in request.extra.items():
            fields.setdefault(name, raw)
        return msgspec.json.encode(fields)

    def splice(self, body: bytes, model: str, *, stream: bool = True) -> bytes:  # noqa: ARG002, it changes nothing here
        """The caller's body with the model's name replaced."""
        return replace_model(body, model)

    def decode(self, body: bytes) -> EmbeddingsReply:
        """The vectors in the order of the inputs. Raises UpstreamMalformed, ProviderRefusal for an error in a 200."""
        try:
            reply = _REPLY.decode(body)
        except (ValueError, RecursionError) as error:
            raise UpstreamMalformed(detail=f"no embeddings ({error}): {body[:120]!r}") from None
        if reply.data is None:
            if is_error_body(body):
                raise stream_refusal(NAME, body)
            raise UpstreamMalformed(detail=f"embeddings without `data`: {body[:120]!r}")
        rows = reply.data
        if all(row.index is not None for row in rows):
            rows = sorted(rows, key=lambda row: row.index or 0)
        return EmbeddingsReply(
            vectors=[_vector(row.embedding) for row in rows],
            model=reply.model or "",
            usage=_usage(reply.usage),
        )

    glance = decode

    def decoder(self, *, hide_usage: bool = False) -> StreamDecoder:
        """Raises UnsupportedRequest: embeddings are never streamed."""
        del hide_usage
        raise UnsupportedRequest("Embeddings come whole; leave `stream` out")

    def decode_error(self, status: int, headers: Headers, body: bytes) -> GatewayError:
        """The error behind a reply that is not 2xx."""
        return http_refusal(NAME, status, headers, body)


def _vector(said: list[float] | str) -> list[float]:
    if not isinstance(said, str):
        return said
    try:
        floats = array.array("f", base64.b64decode(said, validate=True))
    except (binascii.Error, ValueError) as error:
        raise UpstreamMalformed(detail=f"an embedding that is no base64 of float32 ({error})") from None
    if sys.byteorder == "big":
        floats.byteswap()
    return floats.tolist()


def _usage(said: _Usage | None) -> Usage | None:
    if said is None:
        return None
    tokens = said.total_tokens if said.prompt_tokens is None else said.prompt_tokens
    return None if tokens is None else Usage(input=tokens)
