"""What a gateway notes in the audit log of what happens to itself."""

from __future__ import annotations

import logging
import socket
from typing import Any

import msgspec

from headgate.config.fingerprint import redacted
from headgate.config.model import Configuration
from headgate.control.installation import differences
from headgate.core.clock import Clock
from headgate.stores.audit import AuditEntry, AuditLog
from headgate.stores.errors import StoreUnavailable

__all__ = ["note_configuration", "note_start"]

log = logging.getLogger("headgate")


class _Served(msgspec.Struct):
    """A configuration as it is noted, for whoever starts next."""

    hash: str
    settings: dict[str, Any]


async def note_start(audit: AuditLog, configuration: Configuration, clock: Clock) -> None:
    """This gateway begins to serve; if another configuration served before, what differs is told as for a change while running.

    Serving begins also if the database is away, or what is noted there is of another version."""
    settings = redacted(configuration)
    try:
        noted = await audit.serves(msgspec.json.encode(_Served(configuration.hash, settings)))
        before = msgspec.json.decode(noted, type=_Served) if noted is not None else None
        if before is not None and before.hash != configuration.hash:
            await audit.add(_change(before, _Served(configuration.hash, settings), configuration, clock))
    except StoreUnavailable as failure:
        log.warning("the configuration that begins to serve is not in the audit log: %s", failure)
    except msgspec.MsgspecError:
        log.info("the configuration that served before cannot be compared: it was noted by another version")


async def note_configuration(
    audit: AuditLog, before: Configuration, after: Configuration, clock: Clock
) -> None:
    """From now on it serves by another configuration. Told are the hashes, and the settings that differ, without secrets.

    Serving goes on if the database is away; then the log says that the entry is missing."""
    if before.hash == after.hash:
        return
    old, new = _Served(before.hash, redacted(before)), _Served(after.hash, redacted(after))
    try:
        await audit.add(_change(old, new, after, clock))
        await audit.serves(msgspec.json.encode(new))
    except StoreUnavailable as failure:
        log.warning(
            "configuration %s serves in place of %s, which is not in the audit log: %s",
            after.hash,
            before.hash,
            failure,
        )


def _change(before: _Served, after: _Served, configuration: Configuration, clock: Clock) -> AuditEntry:
    old, new = differences(before.settings, after.settings)
    return AuditEntry(
        at_ns=clock.wall_ns(),
        actor=f"gateway:{socket.gethostname()}",
        action="config.change",
        subject=str(configuration.path or ""),
        before=msgspec.json.encode({"hash": before.hash, **old}).decode(),
        after=msgspec.json.encode({"hash": after.hash, **new}).decode(),
    )
