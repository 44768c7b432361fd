"""What the stage asks of the semantic side, and what that asks of whoever checks a neighbour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from headgate.cache.identity import Identity
from headgate.cache.policy import CachePolicy
from headgate.core.messages import Answer
from headgate.exchange.exchange import Exchange
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
    """Shall the question be asked all the same, in the background, to learn whether the answer is right? Only if `give`."""
    why: str = ""
    """If it is not given: why."""
    would: bool = False
    """Would it be given if this were no shadow mode?"""


class Semantic(Protocol):
    """Finds answers to questions in other words. Never raises; what is late or gone finds nothing."""

    async def find(
        self, identity: Identity, policy: CachePolicy, exchange: Exchange
    ) -> tuple[Found | None, bytes]:
        """The neighbour, and the question's vector (b"" if there is none), to be kept with the answer that is fetched now.

        exchange: on whose behalf. Where an embeddings model is asked, that call is recorded and billed as theirs."""
        ...

    @property
    def embedder(self) -> str:
        """Whose vectors; "" as long as there is none."""
        ...

    def compare(
        self, found: Found, policy: CachePolicy, *, question: str, answer: Answer, request_id: int
    ) -> None:
        """The question that led to `found` has been asked all the same, and this is its own answer: find out, in the background, whether
        `found`'s would have been right, and learn from it. Never waits.

        To be called for every answer that is fetched although a neighbour was found: in shadow mode, where it was not sure enough (it
        teaches for nothing), and for those sampled by `Found.ask`. request_id: the request that was, or would have been, given
        `found`'s answer."""
        ...

    def learn(
        self, found: Found, policy: CachePolicy, *, question: str, right: bool, request_id: int
    ) -> None:
        """As `compare`, where it is known already whether `found`'s answer is right for `question`. Never waits."""
        ...

    def again(self, policy: CachePolicy, *, before: bytes, after: Answer) -> None:
        """The very same question was asked anew (an entry was refreshed): two answers to one question, kept and fresh. What the
        comparison takes for different here shows how often it is wrong. Never waits."""
        ...
