"""The tables, for every SQL engine. Columns of the span tables are the fields of their rows, so the two cannot drift apart.

This module is read by migrations and by tests. A running gateway does not import it: `import sqlalchemy` takes half a
second. It starts from the `schema.sql` of its engine, which a test holds equal to what stands here.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    false,
    text,
)

from headgate.stores.ledger import Entry
from headgate.stores.spans import AttemptRow, RequestRow

__all__ = [
    "alert",
    "attempt",
    "audit",
    "budget_use",
    "content",
    "content_segment",
    "delivery",
    "installation",
    "journal_position",
    "key",
    "ledger_entry",
    "metadata",
    "receiver",
    "rehearsal",
    "request",
    "secret",
]

metadata = MetaData()

_KINDS: dict[object, Any] = {int: BigInteger, bool: Boolean}
"""Everything else in a row is text; Literal types too."""


def _columns(row: type[msgspec.Struct], *, key: tuple[str, ...]) -> list[Column[Any]]:
    columns = []
    for field in msgspec.structs.fields(row):
        if field.name in key:
            columns.append(
                Column(field.name, BigInteger, nullable=False, primary_key=True, autoincrement=False)
            )
        elif field.type == int | None:
            columns.append(Column(field.name, BigInteger, nullable=True))
        else:
            kind, default = _KINDS.get(field.type, Text), _default(field.default)
            columns.append(Column(field.name, kind, nullable=False, server_default=default))
    return columns


def _default(value: object) -> Any:
    """What rows get in this column that were written before it was there."""
    if value is msgspec.NODEFAULT:
        return None
    return false() if value is False else text(repr(value))


request = Table(
    "request",
    metadata,
    # The order of storing: `tail` reads by it, because a long request has an old id and comes late.
    Column("stored", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    *_columns(RequestRow, key=()),
)
Index("request_id", request.c.id, unique=True)
# Each index costs the writer about a microsecond a row; requests without the field are not in it. SQLite adds `stored`
# to each by itself, so that they answer "the latest of this key" without sorting.
for _name in ("key_id", "feature", "user"):
    _given = request.c[_name] != text("''")
    Index(f"request_{_name}", request.c[_name], sqlite_where=_given, postgresql_where=_given)

# By request, then number: rows arrive in this order, and `show` finds a request's attempts side by side.
attempt = Table(
    "attempt", metadata, *_columns(AttemptRow, key=("request_id", "number")), sqlite_with_rowid=False
)

content_segment = Table(
    "content_segment",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)
"""Many contents joined and compressed together (zstandard), which costs a tenth of compressing each alone."""

content = Table(
    "content",
    metadata,
    Column("hash", Text, primary_key=True, nullable=False),
    Column("kind", Text, nullable=False),
    Column("segment_id", BigInteger, ForeignKey("content_segment.id"), nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Where in which segment a content lies; to delete one, its segment is written anew without it."""

journal_position = Table(
    "journal_position",
    metadata,
    Column("journal", Text, primary_key=True, nullable=False),
    Column("segment", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

key = Table(
    "key",
    metadata,
    Column("id", Text, primary_key=True, nullable=False),
    Column("name", Text, nullable=False, unique=True),
    Column("hash", Text, nullable=False, unique=True),
    Column("created_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=True),
    Column("revoked_ns", BigInteger, nullable=True),
    Column("team", Text, nullable=False, server_default=text("''")),
    Column("tenant", Text, nullable=False, server_default=text("''")),
    Column("models", Text, nullable=False, server_default=text("'[]'")),
    Column("features", Text, nullable=False, server_default=text("'[]'")),
    Column("roles", Text, nullable=False, server_default=text("""'["service"]'""")),
    Column("user", Text, nullable=False, server_default=text("''")),
    Column("note", Text, nullable=False, server_default=text("''")),
    Column("last_used_ns", BigInteger, nullable=True),
    Column("old_hashes", Text, nullable=False, server_default=text("'[]'")),
)
"""`models`, `features` and `roles` are JSON arrays of texts, `old_hashes` of `{"hash", "until_ns"}`."""

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False, server_default=text("''")),
    Column("before", Text, nullable=False, server_default=text("''")),
    Column("after", Text, nullable=False, server_default=text("''")),
    info={"append_only": True},
)
"""Only ever added to: triggers refuse to change or delete a row."""

rehearsal = Table(
    "rehearsal",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("endpoint", Text, nullable=False),
    Column("targets", Text, nullable=False),
    Column("fault", Text, nullable=False),
    Column("share", Float, nullable=False),
    Column("feature", Text, nullable=False, server_default=text("''")),
    Column("started_ns", BigInteger, nullable=False),
    Column("until_ns", BigInteger, nullable=False),
    Column("stopped_ns", BigInteger, nullable=True),
)
"""`targets` is a JSON array."""

budget_use = Table(
    "budget_use",
    metadata,
    Column("budget", Text, primary_key=True, nullable=False),
    Column("subject", Text, primary_key=True, nullable=False),
    Column("period", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("nanos", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""What each pot has spent: the sum of its calls, kept so that nobody has to add them up."""

ledger_entry = Table(
    "ledger_entry",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    *_columns(Entry, key=()),
    info={"append_only": True},
)
"""Movements of money that are no call's own; those are in `attempt`."""
Index("ledger_entry_event", ledger_entry.c.event, unique=True)

alert = Table(
    "alert",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("event", Text, nullable=False, unique=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False, server_default=text("''")),
    Column("severity", Text, nullable=False, server_default=text("'warning'")),
    Column("text", Text, nullable=False, server_default=text("''")),
    Column("facts", Text, nullable=False, server_default=text("'{}'")),
)
"""`event` comes once: whoever adds it tells everybody. `facts` is a JSON object."""
Index("alert_kind", alert.c.kind, alert.c.subject)

delivery = Table(
    "delivery",
    metadata,
    Column("alert_id", BigInteger, ForeignKey("alert.id"), primary_key=True, autoincrement=False),
    Column("receiver", Text, primary_key=True, nullable=False),
    Column("tries", BigInteger, nullable=False, server_default=text("0")),
    Column("next_ns", BigInteger, nullable=False, server_default=text("0")),
    Column("done_ns", BigInteger, nullable=True),
    Column("failed", Boolean, nullable=False, server_default=false()),
    Column("error", Text, nullable=False, server_default=text("''")),
    sqlite_with_rowid=False,
)
"""An alert on its way to a receiver. `next_ns`: not tried before; whoever tries moves it on first."""
_waiting = delivery.c.done_ns.is_(None)
Index("delivery_waiting", delivery.c.next_ns, sqlite_where=_waiting, postgresql_where=_waiting)

receiver = Table(
    "receiver",
    metadata,
    Column("name", Text, primary_key=True, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("subject", Text, nullable=False, server_default=text("''")),
    Column("about", Text, nullable=False, server_default=text("'[]'")),
    Column("least", Text, nullable=False, server_default=text("'info'")),
    Column("via", Text, nullable=False, server_default=text("''")),
    Column("note", Text, nullable=False, server_default=text("''")),
    sqlite_with_rowid=False,
)
"""Who is told of alerts, of those added while running. `subject` is `key:…`, `user:…`, `team:…`, `feature:…` or "" for all;
`about` is a JSON array of kinds."""

secret = Table(
    "secret",
    metadata,
    Column("name", Text, primary_key=True, nullable=False),
    Column("host", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("master", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("changed_ns", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Credentials, encrypted. `master` tells which master key they are sealed with."""

installation = Table(
    "installation",
    metadata,
    Column("name", Text, primary_key=True, nullable=False),
    Column("value", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
