"""The wire itself: how the pieces of this package stand behind the port's names."""

from __future__ import annotations

from typing import Literal

import msgspec

from headgate.core.errors import GatewayError, UnsupportedRequest
from headgate.core.messages import Answer, ChatRequest, EmbeddingsRequest
from headgate.providers.port import Glimpse, Headers, Marks
from headgate.providers.wires.openai_chat.account import glimpse_of
from headgate.providers.wires.openai_chat.reply import read_answer
from headgate.providers.wires.openai_chat.request import NAME, ChatBody, ask_for_usage
from headgate.providers.wires.openai_chat.stream import ChatStream
from headgate.providers.wires.openai_errors import http_refusal
from headgate.providers.wires.splicing import add_limit, add_prompt_cache_key, replace_model

__all__ = ["OpenAIChat"]

_LIMITS = (b'"max_tokens"', b'"max_completion_tokens"')


class OpenAIChat:
    """OpenAI's chat completions. The keywords say in what the servers that speak it differ."""

    name = NAME

    def __init__(
        self,
        *,
        max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens",
        ask_usage: bool = True,
        send_reasoning: bool = False,
        send_top_k: bool = False,
        cache_key: bool = False,
    ) -> None:
        """How this server is spoken to.

        max_tokens_field:  how a limit on the answer is said. OpenAI's reasoning models refuse `max_tokens`, older servers
                           ignore `max_completion_tokens`.
        ask_usage:         ask for usage at the end of streams (`stream_options`); some older servers refuse the field.
        send_reasoning:    send earlier reasoning back as `reasoning_content`, as DeepSeek, vLLM and llama.cpp read it;
                           else it is dropped.
        send_top_k:        send `top_k` that came in another vendor's dialect; OpenAI refuses it, vLLM and llama.cpp take it.
        cache_key:         it takes `prompt_cache_key`; other servers may refuse a field they do not know.
        """
        self._max_tokens_field = max_tokens_field
        self._ask_usage = ask_usage
        self._send_reasoning = send_reasoning
        self._send_top_k = send_top_k
        self._cache_key = cache_key

    def encode(self, request: ChatRequest | EmbeddingsRequest, model: str) -> bytes:
        """The body that asks for `request`. Raises UnsupportedRequest for what chat completions cannot say."""
        if not isinstance(request, ChatRequest):
            raise UnsupportedRequest("Chat completions give no embeddings; ask for a model that does")
        body = ChatBody(
            request,
            model,
            max_tokens_field=self._max_tokens_field,
            ask_usage=self._ask_usage,
            send_reasoning=self._send_reasoning,
            send_top_k=self._send_top_k,
        )
        return msgspec.json.encode(body.fields())

    def splice(self, body: bytes, model: str, *, stream: bool = True) -> bytes:
        """The caller's body with the model's name replaced and, if it streams, usage asked for."""
        body = replace_model(body, model)
        return ask_for_usage(body) if stream and self._ask_usage else body

    def limit(self, body: bytes, most: int) -> bytes | None:
        """See `Limiting`."""
        return add_limit(body, self._max_tokens_field, most, unless=_LIMITS)

    def mark(self, body: bytes, model: str, marks: Marks) -> bytes:  # noqa: ARG002 - all models take it
        """See `Marking`."""
        return add_prompt_cache_key(body, marks) if self._cache_key else body

    def decode(self, body: bytes) -> Answer:
        """A whole answer. Raises UpstreamMalformed."""
        return read_answer(body)

    def glance(self, body: bytes) -> Glimpse | Answer:
        """Model, usage and why it stopped, without the content. Raises as `decode`."""
        return glimpse_of(body) or read_answer(body)

    def decoder(self, *, hide_usage: bool = False) -> ChatStream:
        """A decoder for one stream."""
        return ChatStream(hide_usage=hide_usage)

    def decode_error(self, status: int, headers: Headers, body: bytes) -> GatewayError:
        """The error behind a reply that is not 2xx."""
        return http_refusal(NAME, status, headers, body)
