"""The learned router of an installation: opened when a feature asks for it, taught while it runs, written down at the end.

All features share one model of what each model of the configuration is good at; each has its own aim. What is missing (the
extra `[embed]`, its file) is told in the log, and the signals judge instead: a gateway that does
not start helps nobody.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headgate.core.tasks import ended
from headgate.providers.embedding.door import open_embedder
from headgate.providers.embedding.place import embedder_file
from headgate.providers.embedding.port import EmbedderMissing
from headgate.routing.difficulty.port import Grader
from headgate.routing.difficulty.signals import Signals
from headgate.routing.learned.door import open_learned_grader
from headgate.routing.outcomes import Learner, Outcomes
from headgate.routing.settings import RouteSettings

if TYPE_CHECKING:
    from headgate.providers.embedding.port import Embedder

__all__ = ["Learning"]

log = logging.getLogger("headgate.routing")

UsdOf = Callable[[str, int], float]
"""(model, tokens of the prompt) -> expected cost in USD."""


class Learning:
    """Opened at the first feature that wants it. Used from one event loop."""

    def __init__(self, file: str, environ: Mapping[str, str], *, usd_of: UsdOf) -> None:
        """file: `routing.learned`; "": there is none. environ: where `HEADGATE_EMBEDDER` may stand."""
        self._file = Path(file) if file else None
        self._environ = environ
        self._usd_of = usd_of
        self._opened: tuple[Any, Embedder] | None = None
        self._lessons: Any = None
        self._outcome: Any = None
        self._outcomes = Outcomes(self)
        self._task: asyncio.Task[None] | None = None
        self._failed = False

    def grader_of(self, feature: str, route: RouteSettings) -> tuple[Grader | None, Learner | None]:
        """Who judges difficulty for a feature, and who learns; None: the signals, nobody. Never raises."""
        if route.grader != "learned" or self._file is None or self._failed:
            return None, None
        try:
            grader = self._grader(route)
        # A file that cannot be used is a ValueError; a library that is there and cannot be loaded is an ImportError.
        except (EmbedderMissing, ImportError, ValueError, OSError, MemoryError) as fault:
            self._failed = True
            log.warning(
                "feature %s is judged by signals, the learned router cannot be used: %s", feature, fault
            )
            return None, None
        return grader, self._outcomes

    def learn(self, text: str, model: str, quality: float, weight: float, vector: Any, /) -> None:
        """See `Pupil`."""
        self._lessons.offer(self._outcome(text, model, quality, weight, vector))

    def remember(self, request_id: int, model: str, vector: Any) -> None:
        """See `Pupil`. A question that nobody read (the embedder had too much to do) is not worth reading now."""
        if vector is not None:
            self._lessons.remember(request_id, model, vector)

    def score(self, request_id: int, value: float) -> bool:
        """A user, a reviewer, code or a judge model says how good an answer was, from 0 to 1.

        False: nothing is known of it: too long ago (the last 10,000 are remembered), before this start, or of a feature
        without a learned grader. Raises ValueError for a value outside 0 to 1."""
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"a score is from 0 to 1, not {value:g}")
        return self._lessons is not None and bool(self._lessons.score(request_id, value))

    def start(self) -> None:
        """Begin to learn from what the stage tells. Needs a running event loop."""
        if self._lessons is not None and self._task is None:
            self._task = asyncio.create_task(self._lessons.run(), name="lessons")

    async def stop(self) -> None:
        """Stop learning and write down what was learned, if anything was."""
        if self._task is not None:
            await ended(self._task)
            self._task = None
        if self._lessons is not None and self._lessons.learned and self._file is not None:
            data = self._lessons.model.dump()
            try:
                await asyncio.to_thread(_write, self._file, data)
            except OSError as fault:
                log.warning("what the router learned is lost, %s cannot be written: %s", self._file, fault)

    def _grader(self, route: RouteSettings) -> Grader:
        if self._opened is None:
            assert self._file is not None
            embedder = open_embedder(embedder_file(self._environ))
            data = _read(self._file, embedder)
            first = open_learned_grader(data, embedder, usd_of=self._usd_of, otherwise=Signals())
            self._opened = first.model, embedder
            # By name: numpy comes with an extra.
            lessons = importlib.import_module("headgate.routing.learned.lessons")
            self._lessons, self._outcome = lessons.Lessons(first.model, embedder), lessons.Outcome
        model, embedder = self._opened
        made = importlib.import_module("headgate.routing.learned.grader")
        aim = made.Aim(usd_per_1000=route.budget_per_1000, quality=route.quality_floor)
        grader: Grader = made.LearnedGrader(
            model, embedder, usd_of=self._usd_of, aim=aim, otherwise=Signals()
        )
        return grader


def _read(file: Path, embedder: Embedder) -> bytes:
    """What was learned; before anything was, what is believed of a weak and a strong model to begin with."""
    if file.exists():
        return file.read_bytes()
    beginning = importlib.import_module("headgate.routing.learned.beginning")
    begun: bytes = beginning.begin(
        embedder.fingerprint, embedder.dimensions, beginning.shipped_prior()
    ).dump()
    return begun


def _write(file: Path, data: bytes) -> None:
    beside = file.with_name(f"{file.name}.new")
    beside.write_bytes(data)
    beside.replace(file)
