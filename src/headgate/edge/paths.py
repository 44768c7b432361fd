"""Which dialect speaks at which path."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

from headgate.edge.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from headgate.edge.dialects.models import AnthropicModels, OpenAIModels
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.edge.dialects.openai_embeddings import OpenAIEmbeddings
from headgate.edge.dialects.openai_responses import OpenAIResponses
from headgate.exchange.dialect import Dialect

__all__ = ["Paths"]


class Paths:
    """(method, path) -> dialect. Requests to paths nobody serves are refused in the words their headers hint at."""

    def __init__(self) -> None:
        self.known: Mapping[tuple[str, str], Dialect] = {
            ("POST", "/v1/chat/completions"): OpenAIChat(),
            ("POST", "/v1/responses"): OpenAIResponses(),
            ("POST", "/v1/embeddings"): OpenAIEmbeddings(),
            ("POST", "/v1/messages"): AnthropicMessages(),
            ("POST", "/v1/messages/count_tokens"): AnthropicCountTokens(),
            ("GET", "/v1/models"): OpenAIModels(),
        }
        self.paths = frozenset(path for _, path in self.known)
        self._anthropic_models = AnthropicModels()

    def dialect(self, method: str, path: str, headers: Sequence[tuple[bytes, bytes]]) -> Dialect:
        """The dialect of a request. For an unknown path, one that can at least say so."""
        found = self.known.get((method, path))
        if found is not None and found.operation != "models":
            return found
        if any(name == b"anthropic-version" for name, _ in headers):
            return self._anthropic_models
        return self.known["GET", "/v1/models"]
