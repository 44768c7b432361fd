"""OpenAI's chat completions (`POST /v1/chat/completions`), also spoken by nearly every compatible server.

Reasoning goes out as `reasoning_content` beside `content`, the field DeepSeek began with and vLLM, SGLang and llama.cpp
share; OpenAI itself shows none. Requests in the old style (`functions`, role `function`) are read; an answer in it is
written with `tool_calls`, unless bytes pass untouched.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from headgate.core.errors import GatewayError, InternalFault
from headgate.core.messages import Answer, ChatRequest, Operation
from headgate.edge.dialects.openai_chat.peeking import peek_chat
from headgate.edge.dialects.openai_chat.reply import ChatEncoder, chat_completion
from headgate.edge.dialects.openai_chat.request import read_chat
from headgate.edge.dialects.reading import check_text
from headgate.edge.problems import Problem, openai_problem
from headgate.exchange.dialect import LocalReply, Peek

__all__ = ["OpenAIChat"]


class OpenAIChat:
    """See the module. now: Unix seconds, for answers whose provider does not say when they were made."""

    name = "openai.chat"
    operation: Operation = "chat"

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now

    peek = staticmethod(peek_chat)

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
