"""What an engine does for entries that outlive a process or are shared by several; `TieredAnswers` does the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from headgate.stores.answer_choice import Choice
from headgate.stores.answers import CacheEntry, Judgement, Popular, Selection

__all__ = [
    "JUDGED_SECONDS",
    "REMEMBERED_SECONDS",
    "ROW_BYTES",
    "WORDS_SECONDS",
    "Backing",
    "Chosen",
    "Held",
    "News",
    "Vectors",
    "encoded",
    "readable",
    "told_of",
]

REMEMBERED_SECONDS = 60.0
"""For so long a removal is told to nodes that ask. Who was away for longer lets go of all it has."""
ROW_BYTES = 400
"""What an entry takes of an engine besides what it says, about: keys, columns, indexes."""
JUDGED_SECONDS = 90 * 86_400
"""Judgements are deleted after so long."""
WORDS_SECONDS = 7 * 86_400
"""The questions of judgements are deleted after so long; what was judged stays."""

_MOST_TOLD = 1_000
"""Keys or requests by which a removal is told. For more, other nodes let go of all."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(CacheEntry)


def encoded(entry: CacheEntry) -> bytes:
    """As it is stored: without its vector, which stands beside it."""
    return _encoder.encode(msgspec.structs.replace(entry, vector=b"") if entry.vector else entry)


def readable(data: bytes, vector: bytes = b"") -> CacheEntry | None:
    """As it was, or None for what a newer Headgate has written in another form: it goes when its time is over."""
    try:
        entry = _decoder.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
    return msgspec.structs.replace(entry, vector=vector) if vector else entry


def told_of(which: Selection) -> Selection:
    """What is told to other nodes of a removal: no names, texts or values of tags. It may mean more entries than were removed; they are
    let go of in memory alone, and are found again where they are kept."""
    return msgspec.structs.replace(
        which,
        text=None,
        user=None,
        tag=None,
        keys=which.keys if len(which.keys) <= _MOST_TOLD else (),
        origins=which.origins if len(which.origins) <= _MOST_TOLD else (),
    )


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What has happened to entries."""

    removed: int
    """The number of the last removal."""
    written: int
    """The number of the last batch that is told of here."""
    removals: Sequence[tuple[int, Selection]] = ()
    """Those asked for, with their numbers."""
    entries: Sequence[tuple[bytes, bytes, str, int]] = ()
    """Of those that came: key, compat, embedder, when it was made."""
    more: bool = False
    """Are there more of them? Ask again."""
    lost: bool = False
    """Nobody knows any more what has happened since: anything may have been removed."""


class Chosen(msgspec.Struct, frozen=True):
    """A piece of the entries that a choice means."""

    entries: Sequence[tuple[CacheEntry, int]]
    """Each with the bytes that it takes."""
    after: bytes | None
    """Where the next piece begins; None: there is none."""


class Vectors(msgspec.Struct, frozen=True):
    """A piece of the vectors that may be compared."""

    rows: Sequence[tuple[bytes, bytes]]
    """Key and vector."""
    after: bytes | None


class Held(msgspec.Struct, frozen=True):
    """How full it is."""

    entries: int
    bytes: int


class Backing(Protocol):
    """Keeps entries within a bound of bytes. All raise StoreUnavailable, and soon, when the engine is away.

    Numbers of removals and of batches only grow, and are the same on all nodes."""

    async def news(self, removed: int, written: int) -> News:
        """What has happened since these numbers. removed: -1 for all removals that are remembered. written: -1 for no entries."""
        ...

    async def fetch(self, keys: Sequence[bytes]) -> Sequence[CacheEntry]:
        """Those of them that are there and not over, in any order."""
        ...

    async def write(self, entries: Sequence[tuple[CacheEntry, int]], removed: int) -> int:
        """Keep them, each with the bytes it takes, and evict what was not asked for longest until all is within the bound. The batch's
        number; 0, and nothing is kept, if anything was removed after the removal of this number."""
        ...

    async def note_hits(self, hits: Mapping[bytes, tuple[int, int]]) -> None:
        """Key -> how often it was given, and when last."""
        ...

    async def announce(self, which: Selection) -> int:
        """Tell all nodes, before anything is removed. The removal's number."""
        ...

    async def chosen(self, choice: Choice, after: bytes) -> Chosen:
        """A piece of those that are meant. after: b"" for the first."""
        ...

    async def drop(self, keys: Sequence[bytes]) -> None:
        """Keep these no longer, and write over them where that can be done."""
        ...

    async def keys(self, after: bytes) -> tuple[Sequence[bytes], bytes | None]:
        """A piece of all keys, and where the next one begins."""
        ...

    async def vectors(self, compat: bytes, embedder: str, after: bytes) -> Vectors:
        """A piece of the vectors that may be compared."""
        ...

    async def nearest(
        self, compat: bytes, embedder: str, vector: bytes, count: int
    ) -> Sequence[tuple[bytes, float]] | None:
        """Keys and cosines, nearest first. None: this engine cannot tell."""
        ...

    async def browse(
        self, choice: Choice, order: Literal["hits", "newest"], limit: int, after: bytes
    ) -> Sequence[Popular]:
        """See `AnswerStore`."""
        ...

    async def judge(self, judgements: Sequence[Judgement]) -> None:
        """See `AnswerStore`."""
        ...

    async def judgements(self, keys: Sequence[bytes]) -> Mapping[bytes, Sequence[Judgement]]:
        """See `AnswerStore`."""
        ...

    async def judged(self, feature: str | None, since_ns: int, limit: int) -> Sequence[Judgement]:
        """See `AnswerStore`."""
        ...

    async def unlearn(self, request_ids: Sequence[int]) -> None:
        """Delete judgements that come of these requests."""
        ...

    async def held(self) -> Held:
        """How full it is."""
        ...

    async def tidy(self) -> int:
        """Delete a piece of what is over or not needed any more; how much it was. 0: nothing was left."""
        ...

    @property
    def evicted(self) -> int:
        """Entries that went for want of room, since the start of this process."""
        ...

    async def aclose(self) -> None:
        """Let go of what is its own. Idempotent."""
        ...
