"""Answers removed from all gateways, by what they are."""

from __future__ import annotations

import time

import msgspec

from headgate.stores.answers import AnswerStore, Removal, Selection
from headgate.stores.audit import AuditEntry, AuditLog

__all__ = ["EVERYTHING", "clear", "selection_words"]

EVERYTHING = "everything"


def selection_words(which: Selection) -> dict[str, str]:
    """What is selected, for the audit log: never a text that stands in a question, nor whose it is."""
    told = {
        name: str(value)
        for name in ("tenant", "feature", "prompt", "tag", "before_ns")
        if (value := getattr(which, name)) is not None
    }
    for name in ("text", "user"):
        if getattr(which, name) is not None:
            told[name] = "given"
    if which.keys:
        told["keys"] = ", ".join(key.hex() for key in which.keys[:10])
    return told


async def clear(
    answers: AnswerStore, audit: AuditLog, which: Selection, *, dry_run: bool, actor: str
) -> Removal:
    """Remove entries from all nodes, or tell how many that would be. Raises StoreUnavailable."""
    removed = await answers.remove(which, dry_run=dry_run)
    if not dry_run:
        after = {"entries": removed.entries, "bytes": removed.bytes}
        await audit.add(
            AuditEntry(
                at_ns=time.time_ns(),
                actor=actor,
                action="cache.clear",
                subject=which.feature or EVERYTHING,
                before=_json(selection_words(which)),
                after=_json(after),
            )
        )
    return removed


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
