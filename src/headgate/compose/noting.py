"""What a gateway notes in the audit log of what happens to itself."""

from __future__ import annotations

import logging
import socket

import msgspec

from headgate.config.fingerprint import redacted
from headgate.config.model import Configuration
from headgate.control.installation import differences
from headgate.core.clock import Clock
from headgate.stores.audit import AuditEntry, AuditLog
from headgate.stores.errors import StoreUnavailable

__all__ = ["note_configuration"]

log = logging.getLogger("headgate")


async def note_configuration(
    audit: AuditLog, before: Configuration, after: Configuration, clock: Clock
) -> None:
    """From now on it serves by another configuration. Told are the hashes, and the settings that differ, without secrets.

    Serving goes on if the database is away; then the log says that the entry is missing."""
    if before.hash == after.hash:
        return
    old, new = differences(redacted(before), redacted(after))
    entry = AuditEntry(
        at_ns=clock.wall_ns(),
        actor=f"gateway:{socket.gethostname()}",
        action="config.change",
        subject=str(after.path or ""),
        before=msgspec.json.encode({"hash": before.hash, **old}).decode(),
        after=msgspec.json.encode({"hash": after.hash, **new}).decode(),
    )
    try:
        await audit.add(entry)
    except StoreUnavailable as failure:
        log.warning(
            "configuration %s serves in place of %s, which is not in the audit log: %s",
            after.hash,
            before.hash,
            failure,
        )
