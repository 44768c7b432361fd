"""The wire itself: how the pieces of this package stand behind the port's names."""

from __future__ import annotations

import msgspec

from headgate.core.errors import GatewayError, UnsupportedRequest
from headgate.core.messages import Answer, ChatRequest, EmbeddingsRequest
from headgate.providers.port import Headers, Marks
from headgate.providers.wires.openai_errors import http_refusal
from headgate.providers.wires.openai_responses.reply import read_response
from headgate.providers.wires.openai_responses.request import NAME, response_fields
from headgate.providers.wires.openai_responses.stream import ResponseStream
from headgate.providers.wires.splicing import add_limit, add_prompt_cache_key, replace_model

__all__ = ["OpenAIResponses"]


class OpenAIResponses:
    """OpenAI's responses API. Its streams always report usage."""

    name = NAME

    def __init__(self, *, cache_key: bool = True) -> None:
        """cache_key: the server takes `prompt_cache_key`."""
        self._cache_key = cache_key

    def encode(self, request: ChatRequest | EmbeddingsRequest, model: str) -> bytes:
        """The body that asks for `request`. Raises UnsupportedRequest for what responses cannot say."""
        if not isinstance(request, ChatRequest):
            raise UnsupportedRequest("The responses API gives no embeddings; ask for a model that does")
        return msgspec.json.encode(response_fields(request, model))

    def splice(self, body: bytes, model: str, *, stream: bool = True) -> bytes:  # noqa: ARG002, it changes nothing here
        """The caller's body with the model's name replaced."""
        return replace_model(body, model)

    def limit(self, body: bytes, most: int) -> bytes | None:
        """See `Limiting`."""
        return add_limit(body, "max_output_tokens", most, unless=(b'"max_output_tokens"',))

    def mark(self, body: bytes, model: str, marks: Marks) -> bytes:  # noqa: ARG002 - all models take it
        """See `Marking`."""
        return add_prompt_cache_key(body, marks) if self._cache_key else body

    def decode(self, body: bytes) -> Answer:
        """A whole answer. Raises UpstreamMalformed, ProviderRefusal for a response that failed."""
        return read_response(body)

    glance = decode

    def decoder(self, *, hide_usage: bool = False) -> ResponseStream:
        """A decoder for one stream. Usage comes with the last event, which the caller needs: nothing is hidden."""
        del hide_usage
        return ResponseStream()

    def decode_error(self, status: int, headers: Headers, body: bytes) -> GatewayError:
        """The error behind a reply that is not 2xx."""
        return http_refusal(NAME, status, headers, body)
