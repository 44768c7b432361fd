"""OpenAI's embeddings (`POST /v1/embeddings`)."""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from headgate.core.errors import GatewayError, InternalFault, InvalidRequest
from headgate.core.messages import EmbeddingsReply, EmbeddingsRequest, Operation
from headgate.edge.dialects.reading import LIMIT, TEXT, Fields, check_text, read_json
from headgate.edge.dialects.sse import json_bytes
from headgate.edge.problems import Problem, openai_problem
from headgate.exchange.dialect import LocalReply, Peek, ReplyEncoder

__all__ = ["OpenAIEmbeddings"]


class _Peeked(msgspec.Struct, gc=False):
    model: str = ""
    user: str | None = None


_peeked = msgspec.json.Decoder(_Peeked)
_INPUT = msgspec.json.Decoder(str | list[str | int | list[int]])


class OpenAIEmbeddings:
    """See the module."""

    name = "openai.embeddings"
    operation: Operation = "embeddings"

    def peek(self, body: bytes) -> Peek:
        """The few fields everybody needs; never a stream. Raises MalformedBody, InvalidRequest."""
        check_text(body)
        seen = read_json(_peeked, body)
        if not seen.model:
            raise InvalidRequest("`model` is missing: name a feature or a model.", param="model")
        return Peek(model=seen.model, max_tokens=0, user=seen.user or "")

    def read(self, body: bytes) -> EmbeddingsRequest:
        """All of it. Raises MalformedBody, InvalidRequest."""
        check_text(body)
        fields = Fields(body)
        encoding = fields.text("encoding_format") or "float"
        if encoding not in ("float", "base64"):
            fields.refuse("encoding_format", f"must be float or base64, not `{encoding[:40]}`")
        return EmbeddingsRequest(
            model=fields.need("model", TEXT),
            inputs=_inputs(fields),
            dimensions=fields.take("dimensions", LIMIT),
            encoding="base64" if encoding == "base64" else "float",
            user=fields.text("user"),
            extra=fields.left,
        )

    def encoder(self, peek: Peek) -> ReplyEncoder:  # noqa: ARG002 - of the protocol
        """Raises InternalFault: vectors are no stream."""
        raise InternalFault("Embeddings cannot be streamed.")

    def whole(self, reply: LocalReply) -> bytes:
        """The vectors, as numbers or in base64 (`reply.encoding`): OpenAI's Node SDK reads what it asked for only."""
        if not isinstance(reply, EmbeddingsReply):
            raise InternalFault(f"Embeddings cannot be answered with {type(reply).__name__}.")
        return _body(reply)

    def problem(self, error: GatewayError, request_id: str) -> Problem:
        """A refusal, as OpenAI writes it."""
        return openai_problem(error, request_id, self.name)


def _inputs(fields: Fields) -> list[str] | list[list[int]]:
    """One text, texts, one list of token ids, or several."""
    given = fields.need("input", _INPUT)
    if isinstance(given, str):
        return [given]
    if not given:
        fields.refuse("input", "is empty")
    texts = [one for one in given if isinstance(one, str)]
    tokens = [one for one in given if isinstance(one, list)]
    ids = [one for one in given if isinstance(one, int)]
    if len(texts) == len(given):
        return texts
    if len(tokens) == len(given):
        return tokens
    if len(ids) != len(given):
        fields.refuse("input", "must be all texts, all token ids or all lists of token ids")
    return [ids]


def _body(reply: EmbeddingsReply) -> bytes:
    data: list[Any] = []
    for number, vector in enumerate(reply.vectors):
        # Base64 is of little-endian float32; msgspec writes bytes so.
        said = vector if reply.encoding == "float" else struct.pack(f"<{len(vector)}f", *vector)
        data.append({"object": "embedding", "index": number, "embedding": said})
    tokens = reply.usage.prompt if reply.usage is not None else 0
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return json_bytes({"object": "list", "data": data, "model": reply.model, "usage": usage})
