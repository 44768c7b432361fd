"""Outcomes of answers, taken in beside the requests: offered at once, learned when there is time."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from headgate.providers.embedding.port import Embedder, EmbedderBusy
from headgate.routing.learned.model import LearnedModel
from headgate.routing.learned.surface import excerpt

__all__ = ["Lessons", "Outcome", "schema_failed", "scored", "user_retried"]

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
        self._embedder = embedder
        self._line: deque[Outcome] = deque(maxlen=waiting)
        self._there = asyncio.Event()

    def offer(self, outcome: Outcome) -> None:
        """Put into the line. Never waits, never fails."""
        self.dropped += len(self._line) == self._line.maxlen
        self._line.append(outcome)
        self._there.set()

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
        """Learn all that waits now; how many. Raises EmbedderBusy, and then keeps what it has not learned."""
        count = 0
        while self._line:
            outcome = self._line[0]
            [embedding] = await self._embedder.embed([excerpt(outcome.text)])
            # While we waited a full line may have let this one go: it is learned all the same, once.
            if self._line and self._line[0] is outcome:
                self._line.popleft()
            vector = self.model.vector(outcome.text, embedding)
            self.model.update(vector, outcome.model, outcome.quality, outcome.weight)
            count += 1
            self.learned += 1
        self._there.clear()
        return count
