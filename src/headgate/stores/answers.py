"""Answers that may be given again: entries of the cache, found by key or by nearness, removed by what they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

__all__ = [
    "MOST_JUDGEMENTS",
    "AnswerStore",
    "CacheEntry",
    "Judgement",
    "Near",
    "Popular",
    "Removal",
    "Selection",
    "Sizes",
]

MOST_JUDGEMENTS = 200
"""Of one entry; earlier ones are let go."""

Operation = Literal["chat", "embeddings", "count_tokens"]


class CacheEntry(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """An answer, whom it may be given to, and where it came from. New fields go to the end and have a default."""

    key: bytes
    """16 bytes: hash of everything that changes the answer, the scope included. Equal keys get the same answer."""
    compat: bytes
    """16 bytes: the same without the last user message. Only entries of one `compat` are ever compared by similarity."""
    tenant: str
    feature: str
    scope: Literal["user", "team", "feature"]
    owner: str
    """The user (or key) or team whose it is; "" where `scope` is feature."""
    user: str
    """Who asked first, so that it can be forgotten with them; "" if nobody said."""
    operation: Operation
    model: str
    """The routed model."""
    reported_model: str
    prompt: str
    """Name and version of the prompt, as on the request."""
    tags: dict[str, str]
    question: str
    """The last user message's text; "" if it is not all text. Shown to people and compared by similarity."""
    answer: bytes
    """The canonical answer as JSON, usage included."""
    origin_id: int
    """The request that it was made for."""
    made_ns: int
    """Wall clock. Its age is counted from here."""
    fresh_ns: int
    """Until then it is given without more ado."""
    until_ns: int
    """Until then it is kept: stale while a new one is fetched, or if no model answers. At least `fresh_ns`."""
    cost_nanos: int
    """What it cost to make; 0 if not known."""
    took_us: int
    """What it took to make."""
    vector: bytes = b""
    """The question as little-endian float16, of length one; b"" if it is only found by its key."""
    embedder: str = ""
    """Whose vector: those of different embedders are never compared."""
    request: bytes = b""
    """The canonical request as JSON, for who refreshes it ahead of time; b"" if it is too long to be kept."""
    dialect: str = ""
    """In which the first asker spoke."""
    durable: bool = True
    """False: contents of its feature are not to be written anywhere; it stays in the memory of this process."""


class Near(msgspec.Struct, frozen=True):
    """A neighbour."""

    entry: CacheEntry
    cosine: float


class Judgement(msgspec.Struct, array_like=True, frozen=True):
    """Would this entry's answer have been right for another question?"""

    key: bytes
    """Of the entry that answered, or would have."""
    score: float
    """How sure the check was, 0 to 1."""
    right: bool
    at_ns: int
    source: Literal["sample", "shadow", "near", "person", "feedback"]
    """sample: it was given, and the question was asked all the same. shadow: it would have been given but for shadow mode. near: it
    was not given, for want of certainty. person, feedback: people say so of one that was given."""
    question: str = ""
    """The other question."""
    request_id: int = 0
    """The request that was given (or, in shadow mode, would have been given) the answer; 0 if not known."""
    feature: str = ""
    weight: float = 1.0
    """How many requests it speaks for: a sample of one in twenty speaks for twenty."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries. All that is said has to hold; nothing said: all entries."""

    tenant: str | None = None
    feature: str | None = None
    prompt: str | None = None
    """Exactly (`greeting@7`), or all versions of a name (`greeting`)."""
    tag: str | None = None
    """`name=value`, or a name."""
    text: str | None = None
    """A part of the question or of the answer, whatever its case."""
    user: str | None = None
    """Made for this user, or belonging to them."""
    keys: Sequence[bytes] = ()
    """None but these; (): any."""
    origins: Sequence[int] = ()
    """None but those made by these requests; (): any."""
    before_ns: int | None = None
    """Made before."""


class Removal(msgspec.Struct, frozen=True):
    """What was removed, or would be."""

    entries: int
    bytes: int
    some: Sequence[CacheEntry]
    """A few of them, the newest first."""


class Popular(msgspec.Struct, frozen=True):
    """An entry and how often it was given."""

    entry: CacheEntry
    hits: int
    last_ns: int
    """When it was given last; 0: never."""


class Sizes(msgspec.Struct, frozen=True):
    """How full it is."""

    entries: int
    bytes: int
    most_bytes: int
    evicted: int = 0
    """For want of room, since the start of this process."""


class AnswerStore(Protocol):
    """Keeps entries, within a bound of bytes. Fulfilled in memory, on SQLite, PostgreSQL and Redis.

    The reading of one key and of neighbours is on the way of requests: whoever asks sets a limit of time, and goes on without an
    answer when it is over. Nothing here is the truth: losing all of it costs money and nothing else. But what was removed must not
    come back, on no node, later than a second after."""

    def at_hand(self, key: bytes) -> CacheEntry | None:
        """The entry, if this process has it in memory; never waits. None: ask `get`, unless `knows_all`."""
        ...

    @property
    def knows_all(self) -> bool:
        """Is a key that is not `at_hand` nowhere else either?"""
        ...

    def absent(self, key: bytes) -> bool:
        """Is it known, without waiting, that this key is kept nowhere? Then `get` finds nothing, and need not be asked. For a tenth of
        a microsecond to one; a key that another process keeps may be said to be absent for half a second. True wherever
        `knows_all` and not `at_hand`; the embedded engine says it of nearly all keys that it does not have."""
        ...

    async def get(self, key: bytes) -> CacheEntry | None:
        """The entry, whatever its age within `until_ns`. Raises StoreUnavailable."""
        ...

    def put(self, entry: CacheEntry) -> None:
        """Keep it in place of an earlier one of its key. Never waits, never raises; at hand at once, elsewhere soon after. One that is
        larger than a hundredth of the room is passed over."""
        ...

    async def nearest(self, compat: bytes, embedder: str, vector: bytes, count: int) -> Sequence[Near]:
        """The nearest entries of this `compat` and embedder, nearest first. Raises StoreUnavailable."""
        ...

    def hit(self, key: bytes, at_ns: int) -> None:
        """It was given. Written down now and then; never waits."""
        ...

    async def remove(self, which: Selection, *, dry_run: bool = False) -> Removal:
        """Remove entries, from all nodes within a second; also those whose `put` has not arrived yet. Raises StoreUnavailable."""
        ...

    async def browse(
        self, which: Selection, *, order: Literal["hits", "newest"], limit: int, after: bytes = b""
    ) -> Sequence[Popular]:
        """Entries for people to look at. after: the key of the last one of the page before. Raises StoreUnavailable."""
        ...

    async def judge(self, judgements: Sequence[Judgement]) -> None:
        """Keep what was learned. Raises StoreUnavailable."""
        ...

    async def judgements(self, keys: Sequence[bytes]) -> Mapping[bytes, Sequence[Judgement]]:
        """What was learned of each of these entries, oldest first, at most the last MOST_JUDGEMENTS. Raises StoreUnavailable."""
        ...

    async def judged(self, feature: str | None, since_ns: int, limit: int) -> Sequence[Judgement]:
        """The latest ones of a feature (None: of all), newest first. Raises StoreUnavailable."""
        ...

    async def unlearn(self, request_ids: Sequence[int]) -> None:
        """Delete what was learned of these requests, which quotes them. Raises StoreUnavailable."""
        ...

    async def sizes(self) -> Sizes:
        """Raises StoreUnavailable."""
        ...

    async def start(self) -> None:
        """Read what is at hand from the start; begin to keep up with other nodes. An engine that is away is no reason to fail: it is
        looked for again."""
        ...

    async def aclose(self) -> None:
        """Write what waits, within a second or two, and stop. Idempotent."""
        ...
