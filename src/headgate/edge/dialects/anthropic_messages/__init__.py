"""Anthropic's messages (`POST /v1/messages`) and token counting (`POST /v1/messages/count_tokens`)."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.errors import GatewayError, InternalFault, InvalidRequest
from headgate.core.messages import Answer, ChatRequest, Operation, TokenCount
from headgate.edge.dialects.anthropic_messages.reply import message
from headgate.edge.dialects.anthropic_messages.request import read_messages
from headgate.edge.dialects.anthropic_messages.stream import MessageEncoder
from headgate.edge.dialects.reading import TokenLimit, check_text, read_json
from headgate.edge.dialects.sse import json_bytes
from headgate.edge.problems import Problem, anthropic_problem
from headgate.exchange.dialect import LocalReply, Peek

__all__ = ["AnthropicCountTokens", "AnthropicMessages"]


class _Peeked(msgspec.Struct, gc=False):
    model: str = ""
    stream: bool | None = None
    max_tokens: TokenLimit | None = None
    metadata: dict[str, Any] | None = None


_peeked = msgspec.json.Decoder(_Peeked)


def _peek(body: bytes) -> Peek:
    check_text(body)
    seen = read_json(_peeked, body)
    if not seen.model:
        raise InvalidRequest("`model` is missing: name a feature or a model.", param="model")
    metadata = seen.metadata or {}
    user = metadata.get("user_id") or ""
    if not isinstance(user, str):
        raise InvalidRequest("`metadata.user_id` must be a string.", param="metadata.user_id")
    return Peek(
        model=seen.model,
        stream=bool(seen.stream),
        max_tokens=seen.max_tokens,
        user=user,
        include_usage=True,
        metadata=metadata,
    )


class AnthropicMessages:
    """See the module."""

    name = "anthropic.messages"
    operation: Operation = "chat"

    def peek(self, body: bytes) -> Peek:
        """The few fields everybody needs. Raises MalformedBody, InvalidRequest, also without `max_tokens`."""
        seen = _peek(body)
        if seen.max_tokens is None or seen.max_tokens < 0:
            raise InvalidRequest(
                "`max_tokens` is missing: say how long the answer may be.", param="max_tokens"
            )
        return seen

    def read(self, body: bytes) -> ChatRequest:
        """All of it. Raises MalformedBody, InvalidRequest."""
        check_text(body)
        request = read_messages(body)
        if request.max_tokens is None or request.max_tokens < 0:
            raise InvalidRequest(
                "`max_tokens` is missing: say how long the answer may be.", param="max_tokens"
            )
        return request

    def encoder(self, peek: Peek) -> MessageEncoder:  # noqa: ARG002 - this vendor always tells usage
        """An encoder of `message_start` … `message_stop`."""
        return MessageEncoder()

    def whole(self, reply: LocalReply) -> bytes:
        """A `message` object."""
        if not isinstance(reply, Answer):
            raise InternalFault(f"A message cannot be answered with {type(reply).__name__}.")
        return message(reply)

    def problem(self, error: GatewayError, request_id: str) -> Problem:
        """A refusal, as Anthropic writes it."""
        return anthropic_problem(error, request_id, self.name)


class AnthropicCountTokens:
    """How many tokens a message would send; the same request without the need for `max_tokens`."""

    name = "anthropic.count_tokens"
    operation: Operation = "count_tokens"

    def peek(self, body: bytes) -> Peek:
        """The few fields everybody needs; never a stream. Raises MalformedBody, InvalidRequest."""
        seen = _peek(body)
        seen.stream = False
        return seen

    def read(self, body: bytes) -> ChatRequest:
        """All of it. Raises MalformedBody, InvalidRequest."""
        check_text(body)
        request = read_messages(body)
        request.stream = False
        return request

    def encoder(self, peek: Peek) -> MessageEncoder:  # noqa: ARG002 - of the protocol
        """Raises InternalFault: a count is no stream."""
        raise InternalFault("A token count cannot be streamed.")

    def whole(self, reply: LocalReply) -> bytes:
        """`{"input_tokens": …}`."""
        if not isinstance(reply, TokenCount):
            raise InternalFault(f"A token count cannot be answered with {type(reply).__name__}.")
        return json_bytes({"input_tokens": reply.input_tokens})

    def problem(self, error: GatewayError, request_id: str) -> Problem:
        """A refusal, as Anthropic writes it."""
        return anthropic_problem(error, request_id, self.name)
