"""Somebody says that an answer was wrong: it goes, and how similar is similar enough is learned anew."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from headgate.control.cache.entries import NoSuchEntry, key_of, question_of
from headgate.core.ids import parse_request_id, request_id_text
from headgate.stores.answers import AnswerStore, CacheEntry, Judgement, Selection
from headgate.stores.audit import AuditEntry, AuditLog
from headgate.stores.spans import GIVEN, RequestRow, SpanStore

__all__ = ["Told", "tell_wrong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Somebody said that an answer was wrong."""

    removed: Sequence[CacheEntry]
    judgement: Judgement | None
    """What was learned for questions in other words; None if the words were equal: then the answer itself is wrong, and nothing is
    wrong with how similar is similar enough."""
    bytes: int = 0


async def tell_wrong(
    answers: AnswerStore, records: SpanStore, audit: AuditLog, what: str, *, request: str = "", actor: str
) -> Told:
    """Remove an entry because its answer was wrong; if it was given to a question in other words, have the bound learn from it.

    what: the key of an entry, or a request: one that was answered from memory, or the one whose answer is kept. request: with a key,
    the request to which the entry's answer was wrong. Raises NoSuchEntry, ValueError, StoreUnavailable."""
    row, which = None, None
    if what.startswith("req_"):
        row = await _request(records, what)
        which = Selection(origins=(row.origin_id if row.cache in GIVEN else row.id,))
    else:
        which = Selection(keys=(key_of(what),))
        row = await _request(records, request) if request else None
    there = [each.entry for each in await answers.browse(which, order="newest", limit=100)]
    if not there:
        raise NoSuchEntry(f"no answer is kept that {what} is about: it was removed, or its time is over")
    if row is not None and row.id not in (entry.origin_id for entry in there):
        there = [entry for entry in there if entry.origin_id == row.origin_id]
        if not there:
            raise NoSuchEntry(f"{request_id_text(row.id)} was not answered with this entry")
    judgement = await _judgement(records, there[0], row) if row is not None else None
    # What was learned stays when the entry goes: other entries of the feature learn from it.
    if judgement is not None:
        await answers.judge([judgement])
    removed = await answers.remove(Selection(keys=tuple(entry.key for entry in there)))
    await audit.add(
        AuditEntry(
            at_ns=time.time_ns(),
            actor=actor,
            action="cache.wrong",
            subject=there[0].key.hex(),
            before=_json({"feature": there[0].feature, "origin": request_id_text(there[0].origin_id)}),
            after=_json(
                {
                    "removed": removed.entries,
                    "learned": judgement is not None,
                    **({"request": request_id_text(row.id)} if row is not None else {}),
                }
            ),
        )
    )
    return Told(removed=there, judgement=judgement, bytes=removed.bytes)


async def _request(records: SpanStore, text: str) -> RequestRow:
    row = await records.request(parse_request_id(text))
    if row is None:
        raise NoSuchEntry(f"no request {text[:60]} is stored; it is stored a moment after its last byte")
    return row


async def _judgement(records: SpanStore, entry: CacheEntry, row: RequestRow) -> Judgement | None:
    if row.cache != "semantic":
        return None
    return Judgement(
        key=entry.key,
        score=row.similarity / 1e6,
        right=False,
        at_ns=time.time_ns(),
        source="person",
        question=await question_of(records, row) if entry.durable else "",
        request_id=row.id,
        feature=entry.feature,
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
