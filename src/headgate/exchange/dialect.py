"""What an exchange needs to know of the dialect its caller speaks. The dialects themselves live in `edge/dialects`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from headgate.core.errors import GatewayError
from headgate.core.events import Event
from headgate.core.messages import (
    Answer,
    ChatRequest,
    EmbeddingsReply,
    EmbeddingsRequest,
    ModelList,
    Operation,
    TokenCount,
)
from headgate.exchange.peek import Peek

__all__ = ["Dialect", "LocalReply", "Peek", "ReplyEncoder"]

LocalReply = Answer | EmbeddingsReply | TokenCount | ModelList


class ReplyEncoder(Protocol):
    """Writes one streamed reply in a dialect, keeping the vendor's event order. One per reply."""

    def feed(self, events: Sequence[Event]) -> bytes:
        """SSE bytes that say `events`; may be empty. `End` writes whatever the dialect ends with."""
        ...

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        """SSE bytes of an explicit error in the middle of the stream, after which nothing follows."""
        ...


class Dialect(Protocol):
    """One inbound format of one operation: pure, stateless, shared."""

    name: str
    """The wire it is (`openai.chat`, `openai.responses`, `openai.embeddings`, `anthropic.messages` …): equal to a provider
    wire's name exactly when bytes may pass between the two."""
    operation: Operation

    def peek(self, body: bytes) -> Peek:
        """The few fields everybody needs, quickly. Raises MalformedBody, InvalidRequest with `param`."""
        ...

    def read(self, body: bytes) -> ChatRequest | EmbeddingsRequest:
        """All of it. Raises MalformedBody, InvalidRequest with `param`."""
        ...

    def encoder(self, peek: Peek) -> ReplyEncoder:
        """An encoder for the stream that answers this request."""
        ...

    def whole(self, reply: LocalReply) -> bytes:
        """The JSON body of a whole answer."""
        ...

    def problem(self, error: GatewayError, request_id: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Status, headers (content type included) and body of a refusal, as this dialect's vendor writes them."""
        ...
