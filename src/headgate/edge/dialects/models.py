"""The models a caller may ask for (`GET /v1/models`, `GET /v1/models/NAME`), in the shape of either family."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from headgate.core.errors import GatewayError, InternalFault
from headgate.core.messages import ChatRequest, ModelCard, ModelList, Operation
from headgate.edge.dialects.sse import json_bytes
from headgate.edge.problems import Problem, anthropic_problem, openai_problem
from headgate.exchange.dialect import LocalReply, Peek, ReplyEncoder

__all__ = ["AnthropicModels", "OpenAIModels", "listing_for"]


def _cards(reply: LocalReply) -> list[ModelCard]:
    if not isinstance(reply, ModelList):
        raise InternalFault(f"A list of models cannot be answered with {type(reply).__name__}.")
    return reply.models


class _Listing:
    """What both shapes share: a request without a body. one: a single model was asked for, not the list."""

    operation: Operation = "models"

    def __init__(self, *, one: bool = False) -> None:
        self._one = one

    def peek(self, body: bytes) -> Peek:  # noqa: ARG002 - a GET has none
        """Nothing is asked."""
        return Peek(max_tokens=0)

    def read(self, body: bytes) -> ChatRequest:  # noqa: ARG002 - of the protocol
        """Raises InternalFault: there is nothing to carry anywhere."""
        raise InternalFault("A list of models is answered here.")

    def encoder(self, peek: Peek) -> ReplyEncoder:  # noqa: ARG002 - of the protocol
        """Raises InternalFault: a list is no stream."""
        raise InternalFault("A list of models cannot be streamed.")


class OpenAIModels(_Listing):
    """`{"object": "list", "data": [...]}`."""

    name = "openai.models"

    def whole(self, reply: LocalReply) -> bytes:
        """The one model, or all models in one page."""
        data: list[dict[str, object]] = [
            {"id": card.id, "object": "model", "created": card.created, "owned_by": card.owned_by}
            for card in _cards(reply)
        ]
        return json_bytes(data[0] if self._one else {"object": "list", "data": data})

    def problem(self, error: GatewayError, request_id: str) -> Problem:
        """A refusal, as OpenAI writes it."""
        return openai_problem(error, request_id, self.name)


class AnthropicModels(_Listing):
    """A page of `{"type": "model"}`; for callers that send `anthropic-version`."""

    name = "anthropic.models"

    def whole(self, reply: LocalReply) -> bytes:
        """The one model, or all models in one page."""
        data: list[dict[str, object]] = [
            {
                "type": "model",
                "id": card.id,
                "display_name": card.display_name or card.id,
                # Fixed rather than missing: the SDK wants a date, and the epoch is what an unknown one shows as.
                "created_at": datetime.fromtimestamp(card.created, UTC).isoformat().replace("+00:00", "Z"),
                "lifecycle": "active",
            }
            for card in _cards(reply)
        ]
        if self._one:
            return json_bytes(data[0])
        first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
        return json_bytes({"data": data, "has_more": False, "first_id": first, "last_id": last})

    def problem(self, error: GatewayError, request_id: str) -> Problem:
        """A refusal, as Anthropic writes it."""
        return anthropic_problem(error, request_id, self.name)


def listing_for(headers: Iterable[tuple[bytes, bytes]]) -> OpenAIModels | AnthropicModels:
    """The shape a caller wants: Anthropic's SDKs always send `anthropic-version`. headers: names in lower case."""
    return AnthropicModels() if any(name == b"anthropic-version" for name, _ in headers) else OpenAIModels()
