"""What is done with the table of secrets, step by step, the same on every engine."""

from __future__ import annotations

from collections.abc import Callable

from headgate.stores.secrets import SecretRecord
from headgate.stores.steps import Ask, Steps

__all__ = ["all_secrets", "put_secret", "reseal_all"]

_ALL = "SELECT name, host, sealed, master, created_ns, changed_ns FROM secret"
_PUT = (
    "INSERT INTO secret (name, host, sealed, master, created_ns, changed_ns) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) "
    "DO UPDATE SET host = excluded.host, sealed = excluded.sealed, master = excluded.master, changed_ns = excluded.changed_ns"
)
_RESEAL = "UPDATE secret SET sealed = ?, master = ? WHERE name = ?"


def all_secrets() -> Steps[list[SecretRecord]]:
    """See `SecretStore.all`."""
    rows = yield Ask(_ALL)
    records = [
        SecretRecord(
            name=name,
            hosts=tuple(host.split()),
            sealed=bytes(sealed),
            master=master,
            created_ns=created_ns,
            changed_ns=changed_ns,
        )
        for name, host, sealed, master, created_ns, changed_ns in rows
    ]
    # Here, and not by the engine: a server sorts by the rules of some language.
    return sorted(records, key=lambda record: record.name)


def put_secret(record: SecretRecord) -> Steps[None]:
    """See `SecretStore.put`."""
    hosts = " ".join(record.hosts)
    yield Ask(_PUT, [record.name, hosts, record.sealed, record.master, record.created_ns, record.changed_ns])


def reseal_all(again: Callable[[SecretRecord], SecretRecord]) -> Steps[list[SecretRecord]]:
    """See `SecretStore.reseal`."""
    records = [again(record) for record in (yield from all_secrets())]
    for record in records:
        yield Ask(_RESEAL, [record.sealed, record.master, record.name])
    return records
