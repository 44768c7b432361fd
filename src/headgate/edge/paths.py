"""Which dialect speaks at which path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from headgate.edge.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from headgate.edge.dialects.models import AnthropicModels, OpenAIModels
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.edge.dialects.openai_embeddings import OpenAIEmbeddings
from headgate.edge.dialects.openai_responses import OpenAIResponses
from headgate.exchange.dialect import Dialect
from headgate.exchange.heard import Pairs

__all__ = ["ONE_MODEL", "Paths"]

ONE_MODEL: Final = "/v1/models/"
"""Followed by a model's name, slashes and all."""


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
        self._posted = {path: dialect for (method, path), dialect in self.known.items() if method == "POST"}
        self.paths = frozenset(path for _, path in self.known)
        self._anthropic_models = AnthropicModels()
        self._one_model = OpenAIModels(one=True)
        self._anthropic_one_model = AnthropicModels(one=True)

    def serves(self, path: str) -> bool:
        """Is there something at `path`, for whatever method?"""
        return path in self.paths or _names_a_model(path)

    def takes(self, method: str, path: str) -> bool:
        """May it be asked with `method`?"""
        if method == "POST":
            return path in self._posted
        return (method, path) in self.known or (method == "GET" and _names_a_model(path))

    def dialect(self, method: str, path: str, headers: Pairs) -> Dialect:
        """The dialect of a request. For an unknown path, one that can at least say so."""
        found = self._posted.get(path) if method == "POST" else None
        if found is not None:
            return found
        one = _names_a_model(path)
        if any(name == b"anthropic-version" for name, _ in headers):
            return self._anthropic_one_model if one else self._anthropic_models
        return self._one_model if one else self.known["GET", "/v1/models"]


def _names_a_model(path: str) -> bool:
    return len(path) > len(ONE_MODEL) and path.startswith(ONE_MODEL)
