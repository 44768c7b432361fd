"""OpenAI's embeddings, spoken by the provider. Source: https://platform.openai.com/docs/api-reference/embeddings."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.providers.simulated.prompt import BadRequest, tokens_in
from headgate.providers.simulated.speech import read_json
from headgate.providers.simulated.vectors import as_base64, vector_of

__all__ = ["EmbeddingsPrompt", "read_embeddings", "whole_embeddings"]


class _Request(msgspec.Struct):
    model: str
    input: str | list[Any]
    dimensions: int | None = None
    encoding_format: str | None = None


_REQUEST = msgspec.json.Decoder(_Request)


class EmbeddingsPrompt(msgspec.Struct):
    """Texts, or lists of token ids, to turn into vectors."""

    model: str
    inputs: list[str | list[int]]
    dimensions: int | None
    base64: bool

    @property
    def tokens(self) -> int:
        """How many tokens went in."""
        return sum(tokens_in(one) if isinstance(one, str) else len(one) for one in self.inputs)


def read_embeddings(body: bytes) -> EmbeddingsPrompt:
    """Raises BadRequest."""
    request = read_json(_REQUEST, body)
    given = [request.input] if isinstance(request.input, str) else request.input
    if given and all(isinstance(one, int) for one in given):
        given = [given]
    if not given or any(not one or not _is_input(one) for one in given):
        raise BadRequest(
            "'$.input' is invalid: it must be text or tokens, or a list of them, and not empty.", "input"
        )
    if len(given) > 2048:
        raise BadRequest("'$.input' is invalid: at most 2048 inputs.", "input")
    if request.dimensions is not None and not 1 <= request.dimensions <= 4096:
        raise BadRequest("Invalid 'dimensions': expected 1 to 4096.", "dimensions")
    if request.encoding_format not in {None, "float", "base64"}:
        raise BadRequest("Invalid 'encoding_format': expected float or base64.", "encoding_format")
    return EmbeddingsPrompt(request.model, given, request.dimensions, request.encoding_format == "base64")


def whole_embeddings(prompt: EmbeddingsPrompt, dimensions: int) -> bytes:
    """The list of vectors."""
    vectors = [vector_of(one, prompt.dimensions or dimensions) for one in prompt.inputs]
    data = [
        {"object": "embedding", "index": number, "embedding": as_base64(vector) if prompt.base64 else vector}
        for number, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": prompt.tokens, "total_tokens": prompt.tokens}
    return msgspec.json.encode({"object": "list", "data": data, "model": prompt.model, "usage": usage})


def _is_input(one: Any) -> bool:
    return isinstance(one, str) or (isinstance(one, list) and all(isinstance(token, int) for token in one))
