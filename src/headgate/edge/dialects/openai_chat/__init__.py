"""OpenAI's chat completions (`POST /v1/chat/completions`), also spoken by nearly every compatible server.

Reasoning goes out as `reasoning_content` beside `content`, the field DeepSeek began with and vLLM, SGLang and llama.cpp
share; OpenAI itself shows none. Requests in the old style (`functions`, role `function`) are read; an answer in it is
written with `tool_calls`, unless bytes pass untouched.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from headgate.core.errors import GatewayError, InternalFault, InvalidRequest
from headgate.core.messages import Answer, ChatRequest, Operation
from headgate.edge.dialects.openai_chat.reply import ChatEncoder, chat_completion
from headgate.edge.dialects.openai_chat.request import read_chat
from headgate.edge.dialects.reading import TokenLimit, check_text, read_json
from headgate.edge.problems import Problem, openai_problem
from headgate.exchange.dialect import LocalReply, Peek

__all__ = ["OpenAIChat"]


class _StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool | None = None


class _Peeked(msgspec.Struct, gc=False):
    model: str = ""
    stream: bool | None = None
    max_tokens: TokenLimit | None = None
    max_completion_tokens: TokenLimit | None = None
    user: str | None = None
    safety_identifier: str | None = None
    stream_options: _StreamOptions | None = None
    metadata: dict[str, Any] | None = None


_peeked = msgspec.json.Decoder(_Peeked)


class OpenAIChat:
    """See the module. now: Unix seconds, for answers whose provider does not say when they were made."""

    name = "openai.chat"
    operation: Operation = "chat"

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now

    def peek(self, body: bytes) -> Peek:
        """The few fields everybody needs. Raises MalformedBody, InvalidRequest."""
        check_text(body)
        seen = read_json(_peeked, body)
        if not seen.model:
            raise InvalidRequest("`model` is missing: name a feature or a model.", param="model")
        limit, newer = seen.max_tokens, seen.max_completion_tokens
        if limit is None:
            limit = newer
        elif newer is not None:
            # Servers differ in which of them counts.
            limit = max(limit, newer) if min(limit, newer) >= 0 else None
        options = seen.stream_options
        return Peek(
            model=seen.model,
            stream=bool(seen.stream),
            # Local servers take -1 for "no limit".
            max_tokens=limit if limit is not None and limit >= 0 else None,
            user=seen.user or seen.safety_identifier or "",
            include_usage=bool(options is not None and options.include_usage),
            metadata=seen.metadata or {},
        )

    def read(self, body: bytes) -> ChatRequest:
        """All of it. Raises MalformedBody, InvalidRequest."""
        check_text(body)
        return read_chat(body)

    def encoder(self, peek: Peek) -> ChatEncoder:
        """An encoder of `chat.completion.chunk` events."""
        return ChatEncoder(include_usage=peek.include_usage, now=self._now)

    def whole(self, reply: LocalReply) -> bytes:
        """A `chat.completion` object."""
        if not isinstance(reply, Answer):
            raise InternalFault(f"A chat cannot be answered with {type(reply).__name__}.")
        return chat_completion(reply, self._now)

    def problem(self, error: GatewayError, request_id: str) -> Problem:
        """A refusal, as OpenAI writes it."""
        return openai_problem(error, request_id, self.name)
