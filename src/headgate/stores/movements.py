"""How the ledger is read and kept, the same on every engine: its SQL, spelt once, and what follows from an orphan.

As in `totals`, the SQL holds names of our own fields and `?` for values.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from headgate.core.ids import newest_id, oldest_id
from headgate.stores.ledger import Entry, Movement
from headgate.stores.purses import Orphan, PotKey
from headgate.stores.sink import Use
from headgate.stores.spans import AttemptRow, RequestRow
from headgate.stores.totals import Which

__all__ = [
    "After",
    "calls_question",
    "charges",
    "entries_question",
    "entry_is_meant",
    "entry_of",
    "entry_of_orphan",
    "in_order",
    "movement",
    "movement_of_call",
    "movement_of_entry",
    "orphan_event",
    "void_of",
    "wants_calls",
    "wants_entries",
]

After = tuple[int, str]
"""(at_ns, event) of the last movement that was read."""

_FIELDS = Movement.__struct_fields__
_OF_REQUEST = ("feature", "key_id", "user", "team", "tenant")
_OF_CALL = {
    "at_ns": "r.started_ns",
    "kind": "'call'",
    "nanos": "a.cost_nanos",
    "label": "a.cost_label",
    "reserved_nanos": "a.reserved_nanos",
    "event": "'call:' || a.id",
    "attempt_id": "a.id",
    "request_id": "r.id",
    "provider": "a.provider",
    # As in `totals`: the model that answered, if it said which.
    "model": "CASE WHEN a.reported_model <> '' THEN a.reported_model ELSE a.model END",
    "budget": "''",
    "subject": "''",
    "note": "CASE WHEN r.purpose <> '' THEN r.purpose ELSE a.outcome END",
    **{name: f'r."{name}"' for name in _OF_REQUEST},
}
_OF_ENTRY = frozenset(Entry.__struct_fields__)


def wants_calls(kinds: Sequence[str]) -> bool:
    """Are calls among these kinds?"""
    return not kinds or "call" in kinds


def wants_entries(which: Which, kinds: Sequence[str]) -> bool:
    """Can an entry be among what is meant? Not if it is about something that entries do not say."""
    return (not kinds or any(kind != "call" for kind in kinds)) and all(
        name in _OF_ENTRY for name in which.only
    )


def calls_question(which: Which, after: After, limit: int, *, bytewise: str = "") -> tuple[str, list[Any]]:
    """The SQL and its values: the fields of a Movement for each call, in order of (at_ns, event).

    bytewise: what makes the engine compare texts byte by byte, if it does not by itself."""
    columns = ", ".join(_OF_CALL[name] for name in _FIELDS)
    event = f"({_OF_CALL['event']}){bytewise}"
    # By the index of ids, so that a page of one hour does not read a year.
    conditions = ["r.id BETWEEN ? AND ?", "r.started_ns >= ?", "r.started_ns < ?"]
    conditions.append(f"(r.started_ns, {event}) > (?, ?)")
    conditions += [f'r."{name}" = ?' for name in which.only]
    since = max(which.since_ns, after[0], 0)
    text = (
        f"SELECT {columns} FROM request r JOIN attempt a ON a.request_id = r.id "  # noqa: S608 - own names
        f"WHERE {' AND '.join(conditions)} ORDER BY r.started_ns, {event} LIMIT ?"
    )
    ids = (oldest_id(since), newest_id(which.until_ns))
    return text, [*ids, since, which.until_ns, *after, *which.only.values(), limit]


def entries_question(
    which: Which, kinds: Sequence[str], after: After, limit: int, *, bytewise: str = ""
) -> tuple[str, list[Any]]:
    """The SQL and its values: the fields of an Entry, in order of (at_ns, event)."""
    columns = ", ".join(f'"{name}"' for name in Entry.__struct_fields__)
    conditions = ["at_ns >= ?", "at_ns < ?", f"(at_ns, event{bytewise}) > (?, ?)"]
    conditions += [f'"{name}" = ?' for name in which.only]
    values: list[Any] = [which.since_ns, which.until_ns, *after, *which.only.values()]
    if kinds:
        conditions.append(f"kind IN ({', '.join('?' * len(kinds))})")
        values += kinds
    text = (
        f"SELECT {columns} FROM ledger_entry WHERE {' AND '.join(conditions)} "  # noqa: S608 - own names
        f"ORDER BY at_ns, event{bytewise} LIMIT ?"
    )
    return text, [*values, limit]


def movement(row: Sequence[Any]) -> Movement:
    """A call's line from its columns, in their order."""
    return Movement(**dict(zip(Movement.__struct_fields__, row, strict=True)))


def movement_of_call(request: RequestRow, attempt: AttemptRow) -> Movement:
    """What the SQL says of a call, from whole rows."""
    return Movement(
        at_ns=request.started_ns,
        kind="call",
        nanos=attempt.cost_nanos,
        label=attempt.cost_label,
        reserved_nanos=attempt.reserved_nanos,
        event=f"call:{attempt.id}",
        attempt_id=attempt.id,
        request_id=request.id,
        provider=attempt.provider,
        model=attempt.reported_model or attempt.model,
        note=request.purpose or attempt.outcome,
        **{name: getattr(request, name) for name in _OF_REQUEST},
    )


def entry_of(row: Sequence[Any]) -> Entry:
    """An entry from its columns, in their order."""
    return Entry(**dict(zip(Entry.__struct_fields__, row, strict=True)))


def movement_of_entry(entry: Entry) -> Movement:
    """An entry as a line of the ledger."""
    return Movement(**{name: getattr(entry, name) for name in _FIELDS if name in _OF_ENTRY})


def entry_is_meant(entry: Entry, which: Which, kinds: Sequence[str]) -> bool:
    """What the SQL asks of an entry."""
    return (
        which.since_ns <= entry.at_ns < which.until_ns
        and (not kinds or entry.kind in kinds)
        and all(getattr(entry, name) == value for name, value in which.only.items())
    )


def in_order(movements: Iterable[Movement], after: After, limit: int) -> list[Movement]:
    """The first so many behind `after`."""
    found = [one for one in movements if (one.at_ns, one.event) > after]
    return sorted(found, key=lambda one: (one.at_ns, one.event))[:limit]


def orphan_event(attempt_id: int) -> str:
    """What an orphan's entry is called."""
    return f"orphan:{attempt_id}"


def entry_of_orphan(orphan: Orphan) -> Entry:
    """The line that stands for a call whose node was not heard of any more."""
    holder = orphan.holder
    return Entry(
        event=orphan_event(holder.attempt_id),
        kind="orphan",
        nanos=orphan.nanos,
        label="estimated",
        note="its gateway was not heard of any more: counted as much as had been set aside",
        **{name: getattr(holder, name) for name in holder.__struct_fields__},
    )


def void_of(orphan: Entry) -> Entry:
    """The line that takes an orphan back, at its own moment, so that no day keeps what another gives back."""
    return msgspec.structs.replace(
        orphan,
        event=f"void:{orphan.attempt_id}",
        kind="void",
        nanos=-orphan.nanos,
        note="its own record has turned up",
    )


def charges(
    uses: Iterable[Use], stored: Container[int], orphans: Mapping[int, Entry]
) -> tuple[dict[PotKey, int], list[Entry]]:
    """What to add to each pot, and the lines that take orphans back.

    stored: attempts that were counted before, which count no more. orphans: attempt -> the entry that stood for it."""
    sums: dict[PotKey, int] = {}
    voids: dict[int, Entry] = {}
    for use in uses:
        number = use.attempt_id
        if number in stored:
            continue
        nanos = use.nanos
        orphan = orphans.get(number)
        if orphan is not None:
            nanos -= orphan.nanos
            voids[number] = void_of(orphan)
        pot = (use.budget, use.subject, use.period)
        sums[pot] = sums.get(pot, 0) + nanos
    return sums, list(voids.values())
