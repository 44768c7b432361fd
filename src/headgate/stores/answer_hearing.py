"""What other nodes have put and removed: asked of the engine a few times a second, and followed here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from headgate.stores.answer_at_hand import AtHand
from headgate.stores.answer_backing import REMEMBERED_SECONDS, Backing, told_of
from headgate.stores.answer_choice import Choice
from headgate.stores.answer_groups import Groups
from headgate.stores.answer_presence import Known
from headgate.stores.answer_reach import Reach
from headgate.stores.answers import Selection

__all__ = ["Hearing"]

_EVERY_SECONDS = 0.3
"""Between two questions for news."""
_FETCHED_AT_ONCE = 200


class Hearing:
    """See above. One event loop uses it. All raise StoreUnavailable."""

    def __init__(
        self,
        backing: Backing,
        hand: AtHand,
        groups: Groups,
        known: Known | None,
        reach: Reach,
        monotonic: Callable[[], float],
    ) -> None:
        """known: None where others write so much that it is not worth knowing."""
        self.removed = -1
        """The number of the last removal that was heard of; -1: of none yet."""
        self._written = -1
        self._backing = backing
        self._hand = hand
        self._groups = groups
        self._known = known
        self._reach = reach
        self._monotonic = monotonic
        self._made_at = monotonic()
        self._own: set[int] = set()
        """Numbers of removals from here, which are carried out here when they are heard of."""
        self._one_at_a_time = asyncio.Lock()

    async def keep(self) -> None:
        """For ever."""
        while True:
            more = await self.hear()
            if self._known is not None and self._known.is_stale:
                await self._learn(self._known)
            if not more:
                await asyncio.sleep(_EVERY_SECONDS)

    async def hear(self) -> bool:
        """Let go of what was removed. Is there more to hear?"""
        async with self._one_at_a_time:
            asked_at = self._monotonic()
            news = await self._backing.news(self.removed, self._written)
            late = self.removed < 0 and asked_at - self._made_at > REMEMBERED_SECONDS / 2
            if news.lost or (late and (len(self._hand.shelf) or self._hand.waiting)):
                self._forget_all()
                self.removed, self._written = news.removed, -1
            else:
                for number, which in news.removals:
                    if number in self._own:
                        self._own.discard(number)
                    else:
                        self._hand.let_go(Choice(which))
                self.removed = max(self.removed, news.removed)
            await self._heard_of(news.entries)
            self._written = news.written
            self._hand.heard_at = asked_at
            self._reach.note_there()
            return news.more

    async def announce(self, which: Selection) -> None:
        """Tell the others of a removal."""
        number = await self._reach.asked(self._backing.announce(told_of(which)))
        if number > self.removed:
            self._own.add(number)

    def wrote(self, number: int) -> None:
        """A batch from here was written under this number."""
        if number == self._written + 1:  # else others have come between
            self._written = number

    async def _heard_of(self, entries: Sequence[tuple[bytes, bytes, str, int]]) -> None:
        if self._known is not None:
            self._known.add([key for key, *_ in entries])
        compared: list[bytes] = []
        for key, compat, embedder, made_ns in entries:
            self._hand.drop_older(key, made_ns)
            if embedder and self._groups.holds(compat, embedder):
                compared.append(key)
        for start in range(0, len(compared), _FETCHED_AT_ONCE):
            for entry in await self._backing.fetch(compared[start : start + _FETCHED_AT_ONCE]):
                self._groups.put(entry)

    async def _learn(self, known: Known) -> None:
        """All keys there are. What comes meanwhile is told as news."""
        learning = known.begin(self._hand.waiting)
        after: bytes | None = b""
        while after is not None:
            some, after = await self._backing.keys(after)
            learning.add(some)
            await self.hear()
        known.end(learning)

    def _forget_all(self) -> None:
        self._hand.forget_all()
        self._groups.clear()
        if self._known is not None:
            self._known.forget()
