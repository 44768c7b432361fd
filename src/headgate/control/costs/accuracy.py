"""How far our own count of prompt tokens is off what providers reported, per model and dialect.

Two ways of counting are judged: by the text, which is how prompts are counted before a call (of requests whose prompt is
kept, a sample of each group), and by the length alone, which is what remains where the prompt is not kept.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from headgate.records.estimate import TOKENS_PER_BYTE, tokens_of_body
from headgate.stores.spans import Content
from headgate.stores.totals import AttemptUsage, TotalsStore, Which

__all__ = ["Accuracy", "Errors", "Judged", "accuracy"]

_PAGE = 5_000

Group = tuple[str, str]
"""(the model that answered, the dialect in which it was asked)"""


class _Store(TotalsStore, Protocol):
    async def content(self, content_hash: str) -> Content | None: ...


@dataclass(slots=True)
class Errors:
    """How far estimates are off, as parts of what was reported: 0.1 is a tenth too much, -0.1 a tenth too little."""

    estimated: int = 0
    reported: int = 0
    _each: array[float] = field(default_factory=lambda: array("d"))

    def add(self, estimated: int, reported: int) -> None:
        """reported: at least 1."""
        self.estimated += estimated
        self.reported += reported
        self._each.append((estimated - reported) / reported)

    @property
    def requests(self) -> int:
        return len(self._each)

    @property
    def bias(self) -> float:
        """By how much all estimates together are off: what a bill made of them would be off."""
        return (self.estimated - self.reported) / self.reported if self.reported else 0.0

    @property
    def mean_absolute(self) -> float:
        """The mean of how far each is off, in either direction."""
        return sum(map(abs, self._each)) / len(self._each) if self._each else 0.0

    @property
    def p95(self) -> float:
        """How far off all but one in twenty are at most, in either direction."""
        ordered = sorted(map(abs, self._each))
        return ordered[min(int(len(ordered) * 0.95), len(ordered) - 1)] if ordered else 0.0


@dataclass(slots=True)
class Accuracy:
    """What was found for one model in one dialect."""

    model: str
    dialect: str
    by_length: Errors = field(default_factory=Errors)
    """Of every request with a count of the provider's."""
    by_text: Errors = field(default_factory=Errors)
    """Of the sample."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer: most frequent group first."""

    groups: Sequence[Accuracy]
    unpriced: int
    """Chats left out because their model has no price: their label does not tell whether the tokens were reported."""


@dataclass(slots=True)
class _Seen:
    found: Accuracy
    kept: int = 0
    sample: list[tuple[str, int]] = field(default_factory=list)
    """(hash of the prompt, tokens reported)"""


async def accuracy(
    store: _Store,
    which: Which,
    *,
    sample: int,
    progress: Callable[[int, int], None] | None = None,
) -> Judged:
    """Judge the chats that are meant. Raises StoreUnavailable.

    sample: prompts to read at most, over all groups; 0: none. The same records give the same sample.
    progress: told (prompts read, prompts to read) now and then."""
    groups: dict[Group, _Seen] = {}
    chance = random.Random(0)  # noqa: S311 - a sample, not a secret
    unpriced, after = 0, (0, -1)
    while rows := await store.usages(which, after=after, limit=_PAGE):
        for row in rows:
            unpriced += row.operation == "chat" and row.cost_label == "unknown"
            _take(groups, row, sample, chance)
        after = (rows[-1].request_id, rows[-1].number)
    chosen = _chosen(list(groups.values()), sample)
    for number, (seen, content_hash, reported) in enumerate(chosen, start=1):
        content = await store.content(content_hash)
        if content is not None and not content.truncated:
            seen.found.by_text.add(tokens_of_body(content.data), reported)
        if progress is not None:
            progress(number, len(chosen))
    found = [seen.found for seen in groups.values()]
    found.sort(key=lambda one: (-one.by_length.requests, one.model, one.dialect))
    return Judged(found, unpriced)


def _take(groups: dict[Group, _Seen], row: AttemptUsage, sample: int, chance: random.Random) -> None:
    reported = row.input_tokens + row.cache_read_tokens + row.cache_write_tokens + row.cache_write_1h_tokens
    if row.operation != "chat" or row.cost_label not in ("exact", "reconciled") or not reported:
        # Estimated rows would be compared with themselves.
        return
    model = row.reported_model or row.model
    seen = groups.get((model, row.dialect))
    if seen is None:
        seen = groups[model, row.dialect] = _Seen(Accuracy(model, row.dialect))
    seen.found.by_length.add(round(row.bytes_in * TOKENS_PER_BYTE), reported)
    if row.request_content and sample:
        # Each prompt so far has the same chance to be in the sample (a reservoir).
        seen.kept += 1
        if len(seen.sample) < sample:
            seen.sample.append((row.request_content, reported))
        elif (place := chance.randrange(seen.kept)) < sample:
            seen.sample[place] = (row.request_content, reported)


def _chosen(groups: Sequence[_Seen], most: int) -> list[tuple[_Seen, str, int]]:
    """An equal number of each group, as far as it has them."""
    chosen: list[tuple[_Seen, str, int]] = []
    for place in range(max((len(seen.sample) for seen in groups), default=0)):
        for seen in groups:
            if place < len(seen.sample) and len(chosen) < most:
                chosen.append((seen, *seen.sample[place]))
    return chosen
