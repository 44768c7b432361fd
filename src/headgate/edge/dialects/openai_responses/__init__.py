"""OpenAI's responses API (`POST /v1/responses`), stateless: Headgate keeps no responses.

What needs the vendor's own storage or runs in its background (`previous_response_id`, `conversation`, `prompt`,
`background`) passes to a provider that speaks this wire and cannot be carried to another: `ChatRequest.native_only` names it.

Reasoning travels between vendors as `encrypted_content` with the owner's name in front (`anthropic:…`), so that a
signature comes back to nobody but its own vendor; OpenAI's own has no mark here and `openai:` in the conversation.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from headgate.core.errors import GatewayError, InternalFault, InvalidRequest
from headgate.core.messages import Answer, ChatRequest, Operation
from headgate.edge.dialects.openai_responses.reply import response_of
from headgate.edge.dialects.openai_responses.request import needs_native, read_responses
from headgate.edge.dialects.openai_responses.stream import ResponseEncoder
from headgate.edge.dialects.reading import TokenLimit, check_text, read_json
from headgate.edge.dialects.sse import json_bytes
from headgate.edge.problems import Problem, openai_problem
from headgate.exchange.dialect import LocalReply, Peek

__all__ = ["OpenAIResponses"]


class _Peeked(msgspec.Struct, gc=False):
    model: str | None = None
    stream: bool | None = None
    max_output_tokens: TokenLimit | None = None
    user: str | None = None
    safety_identifier: str | None = None
    metadata: dict[str, Any] | None = None


_peeked = msgspec.json.Decoder(_Peeked)


class OpenAIResponses:
    """See the module. now: Unix seconds, for answers whose provider does not say when they were made."""

    name = "openai.responses"
    operation: Operation = "chat"

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now

    def peek(self, body: bytes) -> Peek:
        """The few fields everybody needs. Raises MalformedBody, InvalidRequest."""
        check_text(body)
        seen = read_json(_peeked, body)
        if not seen.model:
            raise InvalidRequest("`model` is missing: name a feature or a model.", param="model")
        limit = seen.max_output_tokens
        return Peek(
            model=seen.model,
            stream=bool(seen.stream),
            max_tokens=limit if limit is not None and limit >= 0 else None,
            user=seen.user or seen.safety_identifier or "",
            include_usage=True,
            metadata=seen.metadata or {},
        )

    def read(self, body: bytes) -> ChatRequest:
        """All of it. Raises MalformedBody, InvalidRequest."""
        check_text(body)
        request = read_responses(body)
        request.native_only = needs_native(request) or ""
        return request

    def encoder(self, peek: Peek) -> ResponseEncoder:
        """An encoder of `response.created` … `response.completed`."""
        return ResponseEncoder(peek, self._now)

    def whole(self, reply: LocalReply) -> bytes:
        """A `response` object."""
        if not isinstance(reply, Answer):
            raise InternalFault(f"A response cannot be {type(reply).__name__}.")
        return json_bytes(response_of(reply, self._now))

    def problem(self, error: GatewayError, request_id: str) -> Problem:
        """A refusal, as OpenAI writes it."""
        return openai_problem(error, request_id, self.name)
