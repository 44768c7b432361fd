"""What the stage is told by others, and what it tells them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from headgate.cache.identity import Look
from headgate.cache.policy import CachePolicy
from headgate.cache.schemas import Schemas
from headgate.core.messages import Answer
from headgate.exchange.exchange import Exchange

__all__ = ["Counts", "Ground", "Looks"]


class Looks(Protocol):
    """`identity.Identities.look`."""

    def __call__(self, exchange: Exchange, policy: CachePolicy, /) -> Look: ...


@dataclass(frozen=True, slots=True)
class Ground:
    """What the stage is told by others."""

    policy_of: Callable[[Exchange], CachePolicy | None]
    """What the configuration says of this request's feature; None: it has no cache. Raises GatewayError where the name is unknown."""
    look: Looks
    personal: Callable[[Answer], str]
    """What personal data an answer holds, in words; "" if none."""
    cost_of: Callable[[Exchange], int]
    """What the attempts of a request have cost, nano-dollars; 0 if that is not known."""
    judge: Callable[[Exchange], Awaitable[str]] | None = None
    """Where rules decide about each request: the model that they let answer this one. Raises GatewayError where they let none."""
    schemas: Schemas = field(default_factory=Schemas)
    """Holds answers against the schemas that they were asked for in."""
    total_of: Callable[[str], float] | None = None
    """Feature -> seconds after which its requests have to be over."""


class Counts:
    """What is told to whoever watches, and is on no record."""

    def __init__(self) -> None:
        self.kept = 0
        self.not_kept = 0
        self.shadowed = 0
        """Semantic answers that were found and, in shadow mode or for want of certainty, not given."""
