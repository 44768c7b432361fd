"""What may explain a change on a plot, noticed while batches are stored: another configuration, another answer to who answers.

Many providers answer with several fingerprints in turn. Only one that was not seen for a day is a change, and there is at most one
mark an hour for each model of a provider, so that a wild one does not fill the plot.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from headgate.stores.rollups import DAY, HOUR, Mark, MarkKind
from headgate.stores.spans import AttemptRow, RequestRow

__all__ = ["NOTICED", "Noticing", "Seen"]

NOTICED = "noticed"
"""Under what name `installation` has what was seen."""
_SECOND = 1_000_000_000
_MOST_SUBJECTS = 1_000
_MOST_VALUES = 20
_WORDS = {
    "config": "configuration {value} serves; before it was {before}",
    "model": "{subject} answers as {value}; before it was {before}",
    "fingerprint": "{subject} answers with fingerprint {value}; before it was {before}",
}


class Seen(NamedTuple):
    """Something that was not so before, as far as this process knows."""

    kind: MarkKind
    subject: str
    value: str
    at_ns: int


class _Thing(msgspec.Struct, array_like=True):
    current: str
    changed_ns: int
    marked_ns: int = 0
    seen_ns: dict[str, int] = {}
    """When each value was seen last."""


class _Known(msgspec.Struct):
    things: dict[str, _Thing] = {}
    """By kind and subject."""
    kept_ns: int = 0


class Noticing:
    """What this process knows of what was seen before. Belongs to the writer."""

    def __init__(self) -> None:
        self._known: _Known | None = None

    def forget(self) -> None:
        """The transaction was undone: what is stored decides."""
        self._known = None

    def look(self, requests: Sequence[RequestRow], attempts: Sequence[AttemptRow]) -> list[Seen]:
        """What is new in this batch, and has to be compared with what is stored. Nearly always nothing."""
        if not requests:
            return []
        known = self._known
        found = [
            seen
            for seen in (*_configurations(requests), *_answers(requests, attempts))
            if known is None or self._is_new(known, seen)
        ]
        if not found and known is not None and requests[-1].started_ns > known.kept_ns + HOUR * _SECOND:
            # So that what is in use is known to be in use, also after a restart.
            return [Seen("config", "", requests[-1].config_hash, requests[-1].started_ns)]
        return found

    def _is_new(self, known: _Known, seen: Seen) -> bool:
        thing = known.things.get(_name(seen))
        if thing is None:
            return len(known.things) < _MOST_SUBJECTS
        return _changes(thing, seen)

    def settle(self, stored: bytes | None, found: Iterable[Seen]) -> tuple[list[Mark], bytes]:
        """Compared with what is stored: the marks to add, and what to store."""
        known = msgspec.msgpack.decode(stored, type=_Known) if stored else _Known()
        mine = self._known
        for name, other in mine.things.items() if mine is not None else ():
            if name in known.things:
                seen_ns = known.things[name].seen_ns
                for value, at_ns in other.seen_ns.items():
                    seen_ns[value] = max(at_ns, seen_ns.get(value, 0))
        marks: list[Mark] = []
        for seen in sorted(found, key=lambda seen: seen.at_ns):
            known.kept_ns = max(known.kept_ns, seen.at_ns)
            thing = known.things.get(_name(seen))
            if thing is None:
                if len(known.things) < _MOST_SUBJECTS:
                    first = _Thing(seen.value, seen.at_ns, 0, {seen.value: seen.at_ns})
                    known.things[_name(seen)] = first
            elif _changes(thing, seen):
                marks.append(_mark(seen, thing.current))
                _change(thing, seen)
        self._known = known
        return marks, msgspec.msgpack.encode(known)


def _name(seen: Seen) -> str:
    return f"{seen.kind}:{seen.subject}"


def _changes(thing: _Thing, seen: Seen) -> bool:
    """Is that a change? If it is none, it is noted as seen."""
    value, at_ns = seen.value, seen.at_ns
    if value == thing.current:
        thing.seen_ns[value] = at_ns
        return False
    if at_ns < thing.changed_ns:
        return False  # began before the change, and ended after it
    if seen.kind == "config":
        return True
    if at_ns - thing.seen_ns.get(value, -DAY * _SECOND) < DAY * _SECOND:
        thing.seen_ns[value] = at_ns
        return False
    return not thing.marked_ns or at_ns - thing.marked_ns >= HOUR * _SECOND


def _change(thing: _Thing, seen: Seen) -> None:
    thing.current, thing.changed_ns, thing.marked_ns = seen.value, seen.at_ns, seen.at_ns
    thing.seen_ns[seen.value] = seen.at_ns
    if len(thing.seen_ns) > _MOST_VALUES:
        del thing.seen_ns[min(thing.seen_ns, key=lambda name: thing.seen_ns[name])]


def _mark(seen: Seen, before: str) -> Mark:
    text = _WORDS[seen.kind].format(value=seen.value, before=before, subject=seen.subject)
    event = f"{seen.kind}/{seen.subject}/{seen.value}/{seen.at_ns // _SECOND}"
    return Mark(event=event, at_ns=seen.at_ns, kind=seen.kind, subject=seen.subject, text=text)


def _configurations(requests: Sequence[RequestRow]) -> list[Seen]:
    first: dict[str, int] = {}
    for row in requests:
        at_ns = first.get(row.config_hash)
        if at_ns is None or row.started_ns < at_ns:
            first[row.config_hash] = row.started_ns
    first.pop("", None)
    return [Seen("config", "", value, at_ns) for value, at_ns in first.items()]


def _answers(requests: Sequence[RequestRow], attempts: Sequence[AttemptRow]) -> list[Seen]:
    said = {
        (row.provider, row.model, row.reported_model, row.fingerprint): row.request_id
        for row in attempts
        if row.outcome == "ok" and (row.reported_model or row.fingerprint)
    }
    if not said:
        return []
    moments = {row.id: row.started_ns for row in requests}
    found: dict[tuple[MarkKind, str, str], int] = {}
    for (provider, model, reported, fingerprint), request_id in said.items():
        at_ns = moments.get(request_id, 0)
        subject = f"{provider}/{model}"
        if at_ns and reported:
            found["model", subject, reported] = at_ns
        if at_ns and fingerprint:
            found["fingerprint", subject, fingerprint] = at_ns
    return [Seen(*key, at_ns) for key, at_ns in found.items()]
