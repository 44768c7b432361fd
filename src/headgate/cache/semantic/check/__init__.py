"""The check: are two questions that look alike the same question? A wrong yes answers another question, so in doubt it says no."""

from __future__ import annotations

from functools import lru_cache

from headgate.cache.semantic.check.features import look
from headgate.cache.semantic.check.lexicon import Lexicon, load_lexicon
from headgate.cache.semantic.check.model import Model, load_model
from headgate.cache.semantic.check.reading import Reading, read
from headgate.cache.semantic.port import Check, Verdict

__all__ = ["CloseCheck", "open_check"]

_EQUAL = 0.995
"""Of questions that differ in spelling and politeness alone."""
_FOREIGN = 0.4
"""Share of unknown words above which a question is not English, for this purpose."""


class CloseCheck:
    """A Check. Holds what it has read of the questions it saw last; safe to share among threads."""

    def __init__(self, lexicon: Lexicon, model: Model, *, remembered: int = 4096) -> None:
        self._lexicon, self._model = lexicon, model
        self._read = lru_cache(maxsize=remembered)(self._reading)

    def _reading(self, text: str) -> Reading:
        return read(text, self._lexicon)

    def __call__(self, asked: str, kept: str, cosine: float) -> Verdict:
        """cosine: of their vectors."""
        left, right = self._read(asked), self._read(kept)
        if left.plain == right.plain and left.plain:
            return Verdict(_EQUAL, "")
        if left.too_long or right.too_long:
            return Verdict(0.0, "too long to compare closely")
        if max(left.foreign, right.foreign) > _FOREIGN:
            return Verdict(0.0, "not English, and not the same words")
        seen = look(left, right, cosine, self._lexicon)
        if seen.why:
            return Verdict(0.0, seen.why)
        return self._model.judge(seen.values)


def open_check() -> Check:
    """Reads its word lists and weights, some 50 ms; they come with the package."""
    return CloseCheck(load_lexicon(), load_model())
