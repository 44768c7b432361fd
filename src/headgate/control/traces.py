"""Traces: what happened, as data. `tail` follows requests as they are stored, `show` gathers everything about one, `around` what
belongs to the same doing of the caller's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from headgate.core.ids import RequestId
from headgate.core.messages import Answer
from headgate.core.money import usd
from headgate.stores.searching import Search, Searching
from headgate.stores.spans import AttemptRow, Content, RequestRow, SpanStore

__all__ = [
    "MOST_COUNTED",
    "Around",
    "Shown",
    "around",
    "given_again",
    "memory_words",
    "object_of",
    "reply_text",
    "saved_words",
    "show",
    "tail",
]

_PAGE = 500
_NEAR = 20
MOST_COUNTED = 1_000
"""Requests that were given an answer again are counted up to here."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One request with all that belongs to it."""

    request: RequestRow
    attempts: Sequence[AttemptRow]
    prompt: Content | None
    """What the caller sent; None if it was not kept or has been deleted."""
    reply: Content | None
    """What the caller got: the provider's bytes of a whole answer, or the answer folded from a stream."""
    reply_text: str
    """The text of the answer; "" if there is none or it is not kept."""
    given_again: int = 0
    """How many requests were given its answer, at most MOST_COUNTED; 0: nobody has counted, or none was."""


async def show(store: SpanStore, request_id: RequestId) -> Shown | None:
    """Everything about one request; None if it is not stored (yet). Raises StoreUnavailable."""
    request = await store.request(request_id)
    if request is None:
        return None
    prompt = await store.content(request.request_content) if request.request_content else None
    reply = await store.content(request.reply_content) if request.reply_content else None
    return Shown(
        request=request,
        attempts=await store.attempts(request_id),
        prompt=prompt,
        reply=reply,
        reply_text=reply_text(reply) if reply else "",
    )


async def given_again(store: Searching, request_id: int) -> int:
    """How many requests were given the answer of this one, at most MOST_COUNTED. Raises StoreUnavailable."""
    return len((await store.search(Search(origin_id=request_id), limit=MOST_COUNTED)).rows)


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What else belongs to it; the latest, newest first."""

    trace: Sequence[RequestRow] = ()
    """Of the caller's trace, if it said one."""
    session: Sequence[RequestRow] = ()
    replays: Sequence[RequestRow] = ()
    """Those that repeat it."""
    given: Sequence[RequestRow] = ()
    """Those that were given its answer."""
    given_count: int = 0
    """How many they are, at most MOST_COUNTED."""


async def around(store: Searching, request: RequestRow) -> Around:
    """The neighbours of a request. Raises StoreUnavailable."""

    async def others(search: Search) -> Sequence[RequestRow]:
        found = await store.search(search, limit=_NEAR + 1)
        return [row for row in found.rows if row.id != request.id][:_NEAR]

    given = await store.search(Search(origin_id=request.id), limit=MOST_COUNTED)
    return Around(
        trace=await others(Search(trace=request.trace_id)) if request.parent_id else (),
        session=await others(Search(only={"session": request.session})) if request.session else (),
        replays=await others(Search(replay_of=request.id)),
        given=given.rows[:_NEAR],
        given_count=len(given.rows),
    )


def memory_words(row: RequestRow) -> str:
    """How memory answered, without whose answer it was: `exact hit`, `semantic hit, 97.3 % sure`, `bypass: it asks about now`; "" where
    there is no cache."""
    if not row.cache:
        return ""
    words = _HOW.get(row.cache, row.cache)
    if row.similarity:
        words += f", {row.similarity / 10_000:.1f} % sure"
    if row.cache == "bypass":
        try:
            why = msgspec.json.decode(row.notes, type=dict[str, object]).get("cache") if row.notes else ""
        except (msgspec.DecodeError, msgspec.ValidationError):
            why = ""
        words += f": {why}" if why else ""
    return words


_HOW = {
    "exact": "exact hit",
    "semantic": "semantic hit",
    "stale": "stale hit",
    "joined": "joined call",
    "refreshed": "renewed the entry",
}


def saved_words(row: RequestRow) -> str:
    """`$0.0012 and 2.3 s`; "" if nothing was saved."""
    parts = []
    if row.avoided_nanos:
        amount = f"{usd(row.avoided_nanos):.9f}".rstrip("0")
        parts.append(f"${amount}{'0' * max(2 - len(amount.partition('.')[2]), 0)}")
    if row.avoided_us:
        parts.append(
            f"{row.avoided_us / 1e6:.1f} s"
            if row.avoided_us >= 1_000_000
            else f"{row.avoided_us / 1e3:.0f} ms"
        )
    return " and ".join(parts)


async def tail(store: SpanStore, *, last: int = 0, poll_seconds: float = 0.25) -> AsyncIterator[RequestRow]:
    """The `last` requests that are stored, then every further one as it is stored, without end.

    In the order of storing, which is the order of ending: a request with an older id that took longer comes later.
    Raises StoreUnavailable."""
    page = await store.latest(last)
    while True:
        for row in page.rows:
            yield row
        if not page.rows:
            await asyncio.sleep(poll_seconds)
        page = await store.after(page.position, _PAGE)


def reply_text(reply: Content) -> str:
    """The answer's text, whatever format it is kept in; "" for one that is cut off or has no text."""
    try:
        if reply.kind == "canonical":
            return msgspec.json.decode(reply.data, type=Answer).text
        return _vendor_text(msgspec.json.decode(reply.data, type=dict[str, object]))
    except (msgspec.DecodeError, msgspec.ValidationError):
        return ""


def _vendor_text(answer: dict[str, object]) -> str:
    """The text in a vendor's JSON, found by shape: texts lie in `content`, `output`, `choices`, `candidates`, at any depth."""
    found: list[str] = []
    _gather({key: answer.get(key) for key in ("choices", "content", "output", "candidates")}, found)
    return "".join(found)


def _gather(value: object, found: list[str]) -> None:
    if isinstance(value, list):
        for item in value:
            _gather(item, found)
    elif isinstance(value, dict):
        if value.get("type") in ("reasoning", "thinking") or value.get("thought") is True:
            return
        for key, inner in value.items():
            if isinstance(inner, str):
                if key in ("text", "content"):
                    found.append(inner)
            else:
                _gather(inner, found)


def object_of(text: str) -> dict[str, Any]:
    """The notes, tags or variables of a row; {} if somebody else has written it so that they cannot be read: the rest can still be told."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any]) if text else {}
    except msgspec.DecodeError:
        return {}
