"""Receivers of alerts: added and removed, each change noted in the audit log in the same transaction; and what was told."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from headgate.alerts.receivers import SUBJECTS, Receiver, added
from headgate.alerts.settings import KINDS, NAME, wrong_mail_address
from headgate.core.near import did_you_mean
from headgate.providers.port import Url
from headgate.providers.transport.reach import Reach
from headgate.stores.alerts import SEVERITIES, Alert, ReceiverRecord, ReceiverStore, Told
from headgate.stores.audit import AuditEntry
from headgate.stores.errors import ReceiverExists

__all__ = [
    "NoSuchReceiver",
    "WrongReceiver",
    "add_receiver",
    "receiver_facts",
    "remove_receiver",
    "shown_url",
    "told_facts",
    "trial_alert",
]

_LONGEST_NOTE = 500
_LONGEST_ADDRESS = 2000


class WrongReceiver(ValueError):
    """What is wrong with a receiver that somebody wants to add, and what would be right."""


class NoSuchReceiver(LookupError):
    """No receiver of that name was added. `names` are those that were."""

    def __init__(self, name: str, names: Iterable[str]) -> None:
        super().__init__(f"no receiver `{name}` was added")
        self.name = name
        self.names = list(names)


async def add_receiver(
    store: ReceiverStore, draft: ReceiverRecord, configured: Sequence[Receiver], reach: Reach, *, actor: str
) -> ReceiverRecord:
    """Keep a new receiver. Returns its record, with the moment of its creation.

    configured: those of the configuration; their names are taken, and mail goes by the server of one of them.
    reach: what its URL may reach. A name in it is looked at with every connection, an address now too.
    Raises WrongReceiver, ReceiverExists, StoreUnavailable."""
    _check(draft, reach)
    if any(each.name == draft.name for each in configured):
        raise ReceiverExists(f"`{draft.name}` is a receiver of the configuration: choose another name")
    record = replace(draft, created_ns=time.time_ns())
    try:
        added(record, configured, b"")
    except ValueError as wrong:
        raise WrongReceiver(str(wrong)) from None
    await store.add_receiver(record, _entry(actor, "receiver.add", record, after=receiver_facts(record)))
    return record


async def remove_receiver(store: ReceiverStore, name: str, *, actor: str) -> ReceiverRecord:
    """Tell it nothing any more, also not what waits for it. Returns it as it was. Raises NoSuchReceiver, StoreUnavailable."""
    records = await store.receivers()
    for record in records:
        if record.name == name:
            entry = _entry(actor, "receiver.remove", record, before=receiver_facts(record))
            if await store.remove_receiver(name, time.time_ns(), entry):
                return record
    raise NoSuchReceiver(name, [each.name for each in records])


def receiver_facts(record: ReceiverRecord) -> dict[str, object]:
    """What may be told of a receiver. Of a URL only where it leads: who knows the whole may be able to write there."""
    address = record.address
    if record.kind != "email":
        address = shown_url(Url.parse(address))
    return {
        "name": record.name,
        "kind": record.kind,
        "address": address,
        "of": record.subject or "all",
        "about": list(record.about) or list(KINDS),
        "least": record.least,
        "via": record.via,
        "note": record.note,
        "created": _moment(record.created_ns),
    }


def told_facts(told: Told) -> dict[str, object]:
    """An alert and what became of it; moments as texts, None where there is none."""
    alert = told.alert
    return {
        "at": _moment(alert.at_ns),
        "event": alert.event,
        "kind": alert.kind,
        "subject": alert.subject,
        "severity": alert.severity,
        "text": alert.text,
        "facts": dict(alert.facts),
        "deliveries": [
            {
                "receiver": each.receiver.partition(":")[2],
                "from": "configuration" if each.receiver.startswith("file:") else "added",
                "state": each.state,
                "tries": each.tries,
                "next": _moment(each.next_ns) if each.done_ns is None else None,
                "done": _moment(each.done_ns),
                "error": each.error,
            }
            for each in told.deliveries
        ],
    }


def trial_alert(name: str, actor: str) -> Alert:
    """What `headgate alerts test` sends: an alert like any other, that says what it is."""
    now = time.time_ns()
    return Alert(
        event=f"test/{name}/{now}",
        kind="test",
        subject="all",
        severity="info",
        at_ns=now,
        text=f"This is a test of `{name}`: alerts arrive here.",
        facts={"sent_by": actor},
    )


def shown_url(url: Url) -> str:
    """Scheme, host and port."""
    usual = url.port == (443 if url.scheme == "https" else 80)
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{url.scheme}://{host}{'' if usual else f':{url.port}'}/..."


def _check(draft: ReceiverRecord, reach: Reach) -> None:
    if not re.fullmatch(NAME, draft.name):
        raise WrongReceiver("a receiver's name is letters, digits, `-`, `_` and `.`, at most 64 of them")
    if draft.least not in SEVERITIES:
        raise WrongReceiver(f"no severity `{draft.least}`{did_you_mean(draft.least, SEVERITIES)}")
    for kind in draft.about:
        if kind not in KINDS:
            raise WrongReceiver(f"no alerts are about `{kind}`{did_you_mean(kind, KINDS)}")
    if draft.subject:
        subject, colon, name = draft.subject.partition(":")
        if subject not in SUBJECTS or not colon or not name:
            raise WrongReceiver(
                f'"{draft.subject[:100]}" is none of {", ".join(f"{each}:NAME" for each in SUBJECTS)}'
            )
    if len(draft.note) > _LONGEST_NOTE or (draft.note and not draft.note.isprintable()):
        raise WrongReceiver("the note is too long, or holds characters that cannot be printed")
    if draft.kind == "email":
        if wrong := wrong_mail_address(draft.address):
            raise WrongReceiver(wrong)
    else:
        _check_url(draft.address, reach)


def _check_url(text: str, reach: Reach) -> None:
    try:
        url = Url.parse(text if len(text) <= _LONGEST_ADDRESS else "")
    except ValueError:
        raise WrongReceiver("the URL must be one such as https://example.com/hooks/headgate") from None
    if refusal := reach.early_refusal(url.host, tls=url.scheme == "https"):
        raise WrongReceiver(refusal)


def _entry(
    actor: str,
    action: str,
    record: ReceiverRecord,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> AuditEntry:
    return AuditEntry(
        at_ns=time.time_ns(),
        actor=actor,
        action=action,
        subject=record.name,
        before=_json(before),
        after=_json(after),
    )


def _json(facts: Any) -> str:
    return msgspec.json.encode(facts).decode() if facts is not None else ""


def _moment(ns: int | None) -> str | None:
    return datetime.fromtimestamp(ns // 1_000_000_000, tz=UTC).isoformat(sep=" ") if ns is not None else None
