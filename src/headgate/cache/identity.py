"""Which requests are the same: the key, and whom an answer may be given to."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.cache.policy import CachePolicy
from headgate.cache.settings import Sharing
from headgate.exchange.exchange import Exchange

__all__ = ["Identity", "identity_of"]


@dataclass(frozen=True, slots=True)
class Identity:
    """A request, as far as memory is concerned."""

    key: bytes
    """16 bytes: hash of everything that changes the answer, and of who shares it."""
    compat: bytes
    """16 bytes: the same without the last user message."""
    tenant: str
    scope: Sharing
    owner: str
    """The user (else the key) or team; "" where `scope` is feature."""
    question: str
    """The last user message's text, as it is; "" if it is not all text, or not the last message."""


def identity_of(exchange: Exchange, policy: CachePolicy) -> Identity:
    """Raises MalformedBody, InvalidRequest, as reading the request does."""
    raise NotImplementedError
