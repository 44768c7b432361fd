"""Removals that answers on their way from the engine are held against: they were read before, perhaps, and arrive after."""

from __future__ import annotations

from collections import deque

from headgate.stores.answer_choice import Choice
from headgate.stores.answers import CacheEntry

__all__ = ["Removals"]

_REMEMBERED = 64


class Removals:
    """Those that this process has heard of, and those that it carries out itself."""

    def __init__(self) -> None:
        self.count = 0
        """Heard of until now. Whoever reads remembers it, and asks `overtook` with it."""
        self._heard: deque[Choice] = deque(maxlen=_REMEMBERED)
        self._going_on: list[Choice] = []

    def note(self, choice: Choice) -> None:
        """This was removed: what is on its way now was read before."""
        self._heard.append(choice)
        self.count += 1

    def begin(self, choice: Choice) -> None:
        """This is being removed from the engine: what is found there meanwhile is not given."""
        self._going_on.append(choice)

    def end(self, choice: Choice) -> None:
        """It is no longer, however it ended."""
        self._going_on.remove(choice)
        self.note(choice)

    def overtook(self, entry: CacheEntry, before: int) -> bool:
        """Was it removed, or may it have been, since it was asked for? before: the `count` of then."""
        if any(choice(entry) for choice in self._going_on):
            return True
        since = self.count - before
        if not since:
            return False
        return since > _REMEMBERED or any(choice(entry) for choice in list(self._heard)[-since:])
