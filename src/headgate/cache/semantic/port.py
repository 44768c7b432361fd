"""What the stage asks of the semantic side, and what that asks of whoever checks a neighbour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from headgate.cache.identity import Identity
from headgate.cache.policy import CachePolicy
from headgate.stores.answers import CacheEntry

__all__ = ["Check", "Found", "Semantic", "Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Is it the same question?"""

    score: float
    """How sure it is, 0 to 1; 0 if something must not be overlooked."""
    why: str
    """In a few words: what spoke against it most, such as `numbers differ: 3, 5`; "" if nothing did."""


class Check(Protocol):
    """Compares two questions closely. Pure, quick (under a millisecond for questions of a few lines), never raises."""

    def __call__(self, asked: str, kept: str, cosine: float) -> Verdict:
        """cosine: of their vectors."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """The best neighbour that passed, or nearly."""

    entry: CacheEntry
    score: float
    cosine: float
    give: bool
    """May its answer be given? False: in shadow mode, or not sure enough."""
    ask: bool
    """Shall the question be asked all the same, in the background, to learn whether the answer is right?"""
    why: str = ""
    """If it is not given: why."""


class Semantic(Protocol):
    """Finds answers to questions in other words. Never raises; what is late or gone finds nothing."""

    async def find(self, identity: Identity, policy: CachePolicy) -> tuple[Found | None, bytes]:
        """The neighbour, and the question's vector (b"" if there is none), to be kept with the answer that is fetched now."""
        ...

    @property
    def embedder(self) -> str:
        """Whose vectors; "" as long as there is none."""
        ...

    def learn(
        self, found: Found, policy: CachePolicy, *, question: str, right: bool, request_id: int
    ) -> None:
        """A sample has shown whether `found`'s answer is right for `question`. Never waits."""
        ...
