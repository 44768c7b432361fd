"""Answers that are kept, looked at one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from headgate.control.conversations import last_said
from headgate.core.messages import Answer
from headgate.stores.answers import AnswerStore, CacheEntry, Popular, Selection
from headgate.stores.searching import Search, Searching
from headgate.stores.spans import RequestRow, SpanStore

__all__ = [
    "Given",
    "NoSuchEntry",
    "State",
    "answer_text",
    "entry_of",
    "given_to",
    "key_of",
    "question_of",
    "state_of",
]

_MOST_WORDS = 2_000
State = Literal["fresh", "stale"]


class Records(SpanStore, Searching, Protocol):
    """What is asked about what happened."""


class NoSuchEntry(LookupError):
    """Nothing is kept under this; the text says what was looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A request that an entry's answer was given to, in other words."""

    row: RequestRow
    question: str
    """What was asked; "" if that is not kept, or not to be told."""


def key_of(text: str) -> bytes:
    """The key of an entry, as people write it: 32 digits of base 16. Raises ValueError."""
    key = bytes.fromhex(text) if len(text) == 32 and text.isalnum() else b""
    if len(key) != 16:
        raise ValueError(f"`{text[:60]}` is no key of an entry: those have 32 digits of base 16")
    return key


async def entry_of(answers: AnswerStore, key: bytes) -> Popular:
    """An entry, and how often it was given. Raises NoSuchEntry, StoreUnavailable."""
    found = await answers.browse(Selection(keys=(key,)), order="newest", limit=1)
    if not found:
        raise NoSuchEntry(f"nothing is kept under {key.hex()}: it was removed, or its time is over")
    return found[0]


def state_of(entry: CacheEntry, now_ns: int) -> State:
    """fresh: it is given without more ado. stale: only while a new one is fetched, or if no model answers."""
    return "fresh" if entry.fresh_ns > now_ns else "stale"


def answer_text(entry: CacheEntry) -> str:
    """What it says; "" if it is no text."""
    try:
        return msgspec.json.decode(entry.answer, type=Answer).text
    except (msgspec.DecodeError, msgspec.ValidationError):
        return ""


async def given_to(records: Records, entry: CacheEntry, *, content: bool, limit: int = 20) -> list[Given]:
    """The latest requests in other words that were given this answer. content: with what they asked. Raises StoreUnavailable."""
    if not entry.origin_id:
        return []
    search = Search(origin_id=entry.origin_id, only={"cache": "semantic"})
    found = await records.search(search, limit=limit)
    return [Given(row=row, question=await question_of(records, row) if content else "") for row in found.rows]


async def question_of(records: SpanStore, row: RequestRow) -> str:
    """The last thing that was said in a request, if that is kept."""
    content = await records.content(row.request_content) if row.request_content else None
    if content is None or content.truncated:
        return ""
    said = last_said(content)
    return said if len(said) <= _MOST_WORDS else ""
