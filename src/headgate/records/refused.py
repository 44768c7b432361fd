"""Records that the database does not take: one of them must not keep the others waiting, and its money must not be lost.

A batch that is refused is stored request by request. A request that is refused alone is stored without its words (names,
tags, errors, contents), for it is nearly always one of them that an engine cannot keep; its times, tokens and money stay. One
that is refused even so is set aside in a file beside the journal, as JSON, and the log says so.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from headgate.stores.errors import StoreRefused
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import AttemptRow, RequestRow

__all__ = ["FILE", "MOST_BYTES", "Outcome", "one_by_one", "set_aside", "without_words"]

FILE = "refused.jsonl"
MOST_BYTES = 50_000_000
"""Beyond which only the log tells what was refused."""

_log = logging.getLogger("headgate.records")
_UNTOLD = "refused by the database and stored without its words"
_WORDS = (
    *("user", "session", "tags", "requested_model", "routed_model", "reported_model", "finish_reason"),
    *("request_content", "reply_content", "notes", "prompt", "variables", "parent_id", "trace_id"),
)


class Outcome(msgspec.Struct):
    """How many went which way."""

    whole: int = 0
    without_words: int = 0
    aside: int = 0


def one_by_one(
    batch: Batch, write: Callable[[Batch], None], *, stored: Position, directory: Path, why: Exception
) -> Outcome:
    """Store each of the batch's requests by itself, then its position. stored: up to where the journal is stored now, so that
    a death in the middle reads it again. Raises StoreUnavailable if the database is gone meanwhile; may be called again."""
    outcome = Outcome()
    _log.warning("a batch of %d requests was refused (%s); storing them one by one", len(batch.requests), why)
    for part in _parts(batch, stored):
        try:
            write(part)
            outcome.whole += 1
        except StoreRefused:
            try:
                write(without_words(part))
                outcome.without_words += 1
                _log.error(
                    "request %d was refused by the database; stored without its words", part.requests[0].id
                )
            except StoreRefused as failure:
                outcome.aside += 1
                set_aside(part, directory, failure)
    write(Batch(journal=batch.journal, position=batch.position, recovered=True))
    return outcome


def _parts(batch: Batch, stored: Position) -> Iterator[Batch]:
    """recovered: an attempt at storing them together may have left some, and this may be done again after a death."""
    attempts: dict[int, list[AttemptRow]] = {}
    for attempt in batch.attempts:
        attempts.setdefault(attempt.request_id, []).append(attempt)
    for request in batch.requests:
        own = attempts.get(request.id, [])
        ids = {attempt.id for attempt in own}
        hashes = (request.request_content, request.reply_content)
        yield Batch(
            journal=batch.journal,
            position=stored,
            requests=[request],
            attempts=own,
            contents=[content for content in batch.contents if content.hash in hashes],
            uses=[use for use in batch.uses if use.attempt_id in ids],
            recovered=True,
        )


def without_words(part: Batch) -> Batch:
    """The same with nothing that a caller or a provider could have put into it; what they paid from stays."""
    return Batch(
        journal=part.journal,
        position=part.position,
        requests=[_plain(row) for row in part.requests],
        attempts=[
            replace(
                row,
                reported_model="",
                error_detail="",
                finish_reason="",
                upstream_request_id="",
                fingerprint="",
            )
            for row in part.attempts
        ],
        uses=part.uses,
        recovered=True,
    )


def _plain(row: RequestRow) -> RequestRow:
    none: dict[str, Any] = dict.fromkeys(_WORDS, "")
    return replace(row, **none, error_detail=_UNTOLD)


def set_aside(part: Batch, directory: Path, why: Exception) -> None:
    """Append it to the file. Never raises: a full disk must not keep the others waiting either."""
    request = part.requests[0]
    line = msgspec.json.encode(
        {
            "why": str(why),
            "request": msgspec.structs.asdict(request),
            "attempts": [msgspec.structs.asdict(row) for row in part.attempts],
            "uses": [msgspec.structs.asdict(use) for use in part.uses],
        }
    )
    path = directory / FILE
    try:
        with open(path, "ab", opener=_for_us_alone) as file:
            kept = file.tell() + len(line) < MOST_BYTES
            if kept:
                file.write(line + b"\n")
    except OSError as failure:
        _log.error(
            "request %d was refused by the database (%s) and %s cannot be written: %s",
            request.id,
            why,
            path,
            failure,
        )
        return
    _log.error(
        "request %d was refused by the database (%s); %s",
        request.id,
        why,
        f"its record stands in {path}" if kept else f"{path} is full: its record is lost",
    )


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
