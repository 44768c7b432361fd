"""Secrets in the database: given, sealed anew and removed, each change noted in the audit log in the same transaction."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from headgate.stores.audit import AuditEntry
from headgate.stores.sealing import CannotOpen, Sealer
from headgate.stores.secrets import SecretRecord, SecretStore, context_of, read_place

__all__ = [
    "SECRET_NAME",
    "NoSuchSecret",
    "give_secret",
    "open_secret",
    "remove_secret",
    "reseal_secrets",
    "secret_facts",
]

SECRET_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


class NoSuchSecret(LookupError):
    """No secret has that name. `names` are those that are there."""

    def __init__(self, name: str, names: Iterable[str]) -> None:
        super().__init__(f"no secret `{name}`")
        self.name = name
        self.names = list(names)


async def give_secret(
    store: SecretStore, sealer: Sealer, name: str, value: str, hosts: Iterable[str], *, actor: str
) -> tuple[SecretRecord, bool]:
    """Keep a secret, in place of one of the same name. Returns it, and whether there was one.

    hosts: as operators write them. Raises ValueError with what would be right, StoreUnavailable."""
    if not SECRET_NAME.fullmatch(name):
        raise ValueError("a secret's name is 1 to 100 letters, digits and any of `_ . -`")
    if wrong := _wrong_value(value):
        raise ValueError(wrong)
    places = tuple(sorted({read_place(host) for host in hosts}))
    if not places:
        raise ValueError("a secret is kept for a host, the only one it is sent to: name it")
    now, before = time.time_ns(), await _find(store, name)
    sealed = sealer.seal(value.encode(), context_of(name, places))
    record = SecretRecord(
        name=name,
        hosts=places,
        sealed=sealed,
        master=sealer.master,
        created_ns=now if before is None else before.created_ns,
        changed_ns=now,
    )
    await store.put(record, _entry(actor, "secret.set", name, before, record))
    return record, before is not None


async def remove_secret(store: SecretStore, name: str, *, actor: str) -> SecretRecord:
    """Delete it for good. Returns it as it was. Raises NoSuchSecret, StoreUnavailable."""
    before = await _find(store, name)
    if before is None or not await store.remove(name, _entry(actor, "secret.remove", name, before, None)):
        raise NoSuchSecret(name, [record.name for record in await store.all()])
    return before


async def reseal_secrets(store: SecretStore, sealer: Sealer, *, actor: str) -> Sequence[SecretRecord]:
    """Seal all of them under the sealer's own key, or none if one does not open. Raises CannotOpen, StoreUnavailable."""

    def again(record: SecretRecord) -> SecretRecord:
        sealed = sealer.seal(open_secret(sealer, record).encode(), record.context)
        return msgspec.structs.replace(record, sealed=sealed, master=sealer.master)

    def entry(records: Sequence[SecretRecord]) -> AuditEntry:
        facts = {"secrets": [record.name for record in records], "master": sealer.master}
        return AuditEntry(
            at_ns=time.time_ns(),
            actor=actor,
            action="secret.rotate",
            subject=sealer.master,
            after=msgspec.json.encode(facts).decode(),
        )

    return await store.reseal(again, entry)


def open_secret(sealer: Sealer, record: SecretRecord) -> str:
    """The value. Raises CannotOpen, naming the secret."""
    try:
        return sealer.open(record.sealed, record.context).decode()
    except CannotOpen as why:
        raise CannotOpen(f"secret `{record.name}` does not open: {why}") from None


def secret_facts(record: SecretRecord) -> dict[str, object]:
    """What may be told of a secret."""
    return {
        "name": record.name,
        "hosts": list(record.hosts),
        "master": record.master,
        "created": _moment(record.created_ns),
        "changed": _moment(record.changed_ns),
    }


def _wrong_value(value: str) -> str:
    if not value:
        return "the value is empty"
    if not value.isascii() or not value.isprintable() or value != value.strip():
        return (
            "the value holds characters that no header may, or blanks around it: a key is one line of plain letters, digits "
            "and signs"
        )
    return ""


async def _find(store: SecretStore, name: str) -> SecretRecord | None:
    return next((record for record in await store.all() if record.name == name), None)


def _entry(
    actor: str, action: str, name: str, before: SecretRecord | None, after: SecretRecord | None
) -> AuditEntry:
    return AuditEntry(
        at_ns=time.time_ns(),
        actor=actor,
        action=action,
        subject=name,
        before=_json(before),
        after=_json(after),
    )


def _json(record: SecretRecord | None) -> str:
    return msgspec.json.encode(secret_facts(record)).decode() if record is not None else ""


def _moment(ns: int) -> str:
    return datetime.fromtimestamp(ns // 1_000_000_000, tz=UTC).isoformat(sep=" ")
