"""Outcomes of answers, taken in beside the requests: offered at once, learned when there is time."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from headgate.providers.embedding.port import Embedder, EmbedderBusy
from headgate.routing.learned.model import LearnedModel
from headgate.routing.learned.surface import excerpt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.floating]

__all__ = ["Lessons", "Outcome", "schema_failed", "scored", "user_retried"]

log = logging.getLogger("headgate.routing")

MOST_ANSWERED = 10_000
"""Answers that a score may still come for; some 16 MB."""
_TOLD_EVERY = 100
_PAUSE = 1.0
"""Seconds until a full embedder is asked again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one answer."""

    text: str
    """The question, as graders saw it."""
    model: str
    """That answered."""
    quality: float
    """0 to 1."""
    weight: float = 1.0
    """What it counts beside a judged score."""
    vector: Vector | None = field(default=None, compare=False, repr=False)
    """The question as the model reads it, if somebody has read it already; `text` is not looked at then."""


def scored(text: str, model: str, score: float) -> Outcome:
    """A user, a reviewer, code or a judge model gave a score from 0 to 1."""
    return Outcome(text, model, score)


def user_retried(text: str, model: str) -> Outcome:
    """The user asked the same again. Often the answer was bad, sometimes the line was: counts a third."""
    return Outcome(text, model, 0.0, 1 / 3)


def schema_failed(text: str, model: str) -> Outcome:
    """The answer was not of the form asked for: useless, whatever it said."""
    return Outcome(text, model, 0.0)


class Lessons:
    """A bounded line of outcomes in front of a model; when it is full, the oldest goes and is counted."""

    def __init__(self, model: LearnedModel, embedder: Embedder, *, waiting: int = 1000) -> None:
        self.model = model
        self.dropped = 0
        """Outcomes never learned because the line was full."""
        self.learned = 0
        self.failed = 0
        """Outcomes that could not be learned, by a fault of ours or of the embedder."""
        self._embedder = embedder
        self._line: deque[Outcome] = deque(maxlen=waiting)
        self._there = asyncio.Event()
        self._answered: dict[int, tuple[str, Vector]] = {}

    def offer(self, outcome: Outcome) -> None:
        """Put into the line. Never waits, never fails."""
        self.dropped += len(self._line) == self._line.maxlen
        self._line.append(outcome)
        self._there.set()

    def remember(self, request_id: int, model: str, vector: Vector) -> None:
        """A score for this answer may come. The oldest of `MOST_ANSWERED` goes."""
        self._answered.pop(request_id, None)
        if len(self._answered) >= MOST_ANSWERED:
            del self._answered[next(iter(self._answered))]
        self._answered[request_id] = model, vector.astype(np.float32)

    def score(self, request_id: int, value: float) -> bool:
        """Somebody has judged an answer, from 0 to 1. False: it is not remembered."""
        found = self._answered.get(request_id)
        if found is None:
            return False
        model, vector = found
        self.offer(Outcome("", model, value, vector=vector))
        return True

    async def run(self) -> None:
        """Learn for as long as the task lives."""
        while True:
            await self._there.wait()
            try:
                await self.learn_waiting()
            except EmbedderBusy:
                # Requests come first; what waits here can wait.
                await asyncio.sleep(_PAUSE)

    async def learn_waiting(self) -> int:
        """Learn all that waits now; how many. Raises EmbedderBusy, and then keeps what it has not learned.

        What cannot be learned is told in the log and let go: one bad text must not be the end of all lessons."""
        count = 0
        while self._line:
            outcome = self._line[0]
            try:
                await self._learn(outcome)
                count += 1
                self.learned += 1
            except EmbedderBusy:
                raise
            except Exception:
                self._let_go(outcome)
                self.failed += 1
                if self.failed % _TOLD_EVERY == 1:
                    log.exception("an outcome could not be learned; %d so far", self.failed)
        self._there.clear()
        return count

    async def _learn(self, outcome: Outcome) -> None:
        vector = outcome.vector
        if vector is None:
            [embedding] = await self._embedder.embed([excerpt(outcome.text)])
            vector = self.model.vector(outcome.text, embedding)
        self._let_go(outcome)
        wide = np.asarray(vector, np.float64)
        self.model.update(wide, outcome.model, outcome.quality, outcome.weight)

    def _let_go(self, outcome: Outcome) -> None:
        # While we waited a full line may have let this one go: it is learned all the same, once.
        if self._line and self._line[0] is outcome:
            self._line.popleft()
