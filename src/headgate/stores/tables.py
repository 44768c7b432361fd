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
from headgate.stores.rollups import SUMS
from headgate.stores.spans import AttemptRow, RequestRow

__all__ = [
    "alert",
    "answer",
    "answer_judgement",
    "answer_removal",
    "answer_room",
    "attempt",
    "audit",
    "budget_use",
    "content",
    "content_segment",
    "delivery",
    "failure",
    "gauge",
    "installation",
    "journal_position",
    "key",
    "ledger_entry",
    "login",
    "mark",
    "metadata",
    "person",
    "receiver",
    "rehearsal",
    "request",
    "rollup",
    "rule",
    "rule_state",
    "score",
    "score_rollup",
    "secret",
    "session",
    "spend",
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
# Conversations, requests of one trace of the caller's, what was asked again and what was given again: few requests have any of these.
_in_session = request.c.session != text("''")
Index("request_session", request.c.session, sqlite_where=_in_session, postgresql_where=_in_session)
_has_parent = request.c.parent_id != text("''")
Index("request_trace", request.c.trace_id, sqlite_where=_has_parent, postgresql_where=_has_parent)
_repeats = request.c.replay_of != text("0")
Index("request_replay", request.c.replay_of, sqlite_where=_repeats, postgresql_where=_repeats)
_given_again = request.c.origin_id != text("0")
Index("request_origin", request.c.origin_id, sqlite_where=_given_again, postgresql_where=_given_again)

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
    Column("last_id", BigInteger, nullable=False, server_default=text("0")),
    sqlite_with_rowid=False,
)
"""Where in which segment a content lies; to delete one, its segment is written anew without it. `last_id`: the latest request that has
it, to the hour; 0: of before anybody wrote that down."""

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


def _number(name: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def _text(name: str, default: str = "''") -> Column[Any]:
    return Column(name, Text, nullable=False, server_default=text(default))


_LATER_SUMS = (
    "reworded",
    "joined",
    "cacheable",
    "avoided_us",
    "cache_read_saved_nanos",
    "cache_write_extra_nanos",
)
"""Came by a migration, which puts columns behind those that are there: a new table has them there, too."""

rollup = Table(
    "rollup",
    metadata,
    Column("seconds", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("at", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("feature", Text, primary_key=True, nullable=False),
    Column("model", Text, primary_key=True, nullable=False),
    Column("provider", Text, primary_key=True, nullable=False),
    Column("outcome", Text, primary_key=True, nullable=False),
    Column("purpose", Text, primary_key=True, nullable=False),
    *(_number(name) for name in SUMS if name not in _LATER_SUMS),
    Column("sketches", LargeBinary, nullable=False, server_default=text("''")),
    *(_number(name) for name in _LATER_SUMS),
    sqlite_with_rowid=False,
)
"""Requests that ended in the `seconds` (60, 600, 3600, 86400; negative: of all groups together) from `at` (seconds since 1970 UTC) on, added up in the transaction that
stores them. `sketches`: how their times were spread, see `headgate.stores.rollups`."""

spend = Table(
    "spend",
    metadata,
    Column("seconds", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("dimension", Text, primary_key=True, nullable=False),
    Column("at", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("value", Text, primary_key=True, nullable=False),
    *(
        _number(name)
        for name in (
            "requests",
            "failed",
            "input_tokens",
            "output_tokens",
            "cost_nanos",
            "estimated_nanos",
            "unpriced",
            "avoided_nanos",
        )
    ),
    sqlite_with_rowid=False,
)
"""The same per hour, day and week (see `weeks`) for one value of what a request says of itself: `key_id`, `user`, `team`, `tenant`, `prompt`,
`tag:NAME`."""

failure = Table(
    "failure",
    metadata,
    Column("at", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("feature", Text, primary_key=True, nullable=False),
    Column("model", Text, primary_key=True, nullable=False),
    Column("error_class", Text, primary_key=True, nullable=False),
    Column("user", Text, primary_key=True, nullable=False),
    _number("requests"),
    sqlite_with_rowid=False,
)
"""Requests without an answer in the hour from `at` on, by error and end user (else the key): whom it affected."""
# Holds all that is asked, in the order it is counted in: users of a month are counted without sorting.
Index(
    "failure_users",
    failure.c.feature,
    failure.c.model,
    failure.c.error_class,
    failure.c.user,
    failure.c.at,
    failure.c.requests,
)

session = Table(
    "session",
    metadata,
    Column("session", Text, primary_key=True, nullable=False),
    _text("feature"),
    _text("user"),
    _text("key_id"),
    *(
        _number(name)
        for name in (
            "first_ns",
            "last_ns",
            "requests",
            "failed",
            "input_tokens",
            "output_tokens",
            "cost_nanos",
        )
    ),
    sqlite_with_rowid=False,
)
"""Conversations, added up; feature, user and key are the latest request's."""
Index("session_last", session.c.last_ns)
Index("session_user", session.c.user, session.c.last_ns)

mark = Table(
    "mark",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("event", Text, nullable=False, unique=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    _text("subject"),
    _text("text"),
)
"""What may explain a change on a plot: another configuration, another fingerprint or reported model of a provider."""
Index("mark_at", mark.c.at_ns)

gauge = Table(
    "gauge",
    metadata,
    Column("at", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("name", Text, primary_key=True, nullable=False),
    Column("node", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("value", Float, nullable=False),
    sqlite_with_rowid=False,
)
"""What a node saw of itself in the minute from `at` on: the highest of queue depths, requests in flight, records dropped."""

score = Table(
    "score",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("event", Text, nullable=False, unique=True),
    Column("at_ns", BigInteger, nullable=False),
    _number("request_id"),
    _text("session"),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("number", Float, nullable=True),
    _text("label"),
    _text("text"),
    Column("source", Text, nullable=False),
    _text("author"),
    _text("evaluator"),
    _text("key_id"),
    _text("team"),
    _text("feature"),
    _text("model"),
    _text("provider"),
    _text("prompt"),
    _text("user"),
    Column("joined", Boolean, nullable=False, server_default=false()),
)
"""Judgements, only ever added to. From `feature` on: of the request, filled in as soon as that is stored."""
Index("score_request", score.c.request_id)
_of_session = score.c.session != text("''")
Index("score_session", score.c.session, sqlite_where=_of_session, postgresql_where=_of_session)
_alone = score.c.joined == false()
Index("score_alone", score.c.at_ns, sqlite_where=_alone, postgresql_where=_alone)

score_rollup = Table(
    "score_rollup",
    metadata,
    Column("seconds", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("at", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("name", Text, primary_key=True, nullable=False),
    Column("kind", Text, primary_key=True, nullable=False),
    Column("source", Text, primary_key=True, nullable=False),
    Column("feature", Text, primary_key=True, nullable=False),
    Column("model", Text, primary_key=True, nullable=False),
    Column("prompt", Text, primary_key=True, nullable=False),
    _number("scores"),
    Column("total", Float, nullable=False, server_default=text("0")),
    Column("squares", Float, nullable=False, server_default=text("0")),
    sqlite_with_rowid=False,
)
"""Scores that are numbers (true is 1), per hour and day: their count, sum and sum of squares."""

rule = Table(
    "rule",
    metadata,
    Column("name", Text, primary_key=True, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("changed_ns", BigInteger, nullable=False),
    Column("definition", Text, nullable=False),
    Column("paused", Boolean, nullable=False, server_default=false()),
    sqlite_with_rowid=False,
)
"""Rules of alerts that were added while running; `definition` is a JSON object."""

rule_state = Table(
    "rule_state",
    metadata,
    Column("rule", Text, primary_key=True, nullable=False),
    Column("subject", Text, primary_key=True, nullable=False),
    Column("state", Text, nullable=False),
    Column("since_ns", BigInteger, nullable=False),
    Column("looked_ns", BigInteger, nullable=False),
    Column("value", Float, nullable=True),
    _number("number"),
    _text("toward"),
    _number("held"),
    sqlite_with_rowid=False,
)
"""How each rule stands; `number` counts its transitions, so that each is told once. `held`: so many looks have found `toward`, the
state it may come to."""

person = Table(
    "person",
    metadata,
    Column("id", Text, primary_key=True, nullable=False),
    Column("email", Text, nullable=False, unique=True),
    _text("name"),
    _text("password"),
    _text("roles", "'[]'"),
    _text("team"),
    _text("issuer"),
    _text("identity"),
    Column("created_ns", BigInteger, nullable=False),
    Column("disabled_ns", BigInteger, nullable=True),
    Column("seen_ns", BigInteger, nullable=True),
    sqlite_with_rowid=False,
)
"""Who signs in to the dashboard. `password`: as argon2 keeps it, "" for who signs in elsewhere: `issuer` and `identity`."""

login = Table(
    "login",
    metadata,
    Column("hash", Text, primary_key=True, nullable=False),
    Column("person", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=False),
    Column("seen_ns", BigInteger, nullable=False),
    _text("agent"),
    sqlite_with_rowid=False,
)
"""A person signed in; `hash` is of what their browser's cookie says."""
Index("login_person", login.c.person)

answer = Table(
    "answer",
    metadata,
    Column("key", LargeBinary, primary_key=True, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("compat", LargeBinary, nullable=False),
    _text("embedder"),
    _text("tenant"),
    _text("feature"),
    _text("scope"),
    _text("owner"),
    _text("user"),
    _number("origin_id"),
    Column("made_ns", BigInteger, nullable=False),
    Column("until_ns", BigInteger, nullable=False),
    Column("used_ns", BigInteger, nullable=False),
    _number("hits"),
    Column("size", BigInteger, nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Column("vector", LargeBinary, nullable=False),
)
"""Answers that may be given again. `entry`: all of it but the vector, as MessagePack; the other columns repeat what it is found, removed and
evicted by. `number`: of the batch it came with, so that other nodes see what is new."""
Index("answer_number", answer.c.number)
Index("answer_used", answer.c.used_ns)
Index("answer_until", answer.c.until_ns)
_has_vector = answer.c.embedder != text("''")
Index(
    "answer_near", answer.c.compat, answer.c.embedder, sqlite_where=_has_vector, postgresql_where=_has_vector
)

answer_room = Table(
    "answer_room",
    metadata,
    Column("id", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    _number("written"),
    _number("removed"),
    _number("floor"),
    _number("entries"),
    _number("bytes"),
)
"""One row: the number of the last batch of `answer` and of the last `answer_removal`, up to which number those are not kept any more, and
what `answer` holds."""

answer_removal = Table(
    "answer_removal",
    metadata,
    Column("number", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("which", Text, nullable=False),
)
"""What was removed of `answer` within the last minute, in words that name no person, so that no node gives it any more."""

answer_judgement = Table(
    "answer_judgement",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("key", LargeBinary, nullable=False),
    Column("score", Float, nullable=False),
    Column("right", Boolean, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    _text("source"),
    _text("question"),
    _number("request_id"),
    _text("feature"),
    Column("weight", Float, nullable=False, server_default=text("1")),
)
"""Would an entry's answer have been right for another question?"""
Index("answer_judgement_key", answer_judgement.c.key)
Index("answer_judgement_at", answer_judgement.c.at_ns)
_of_request = answer_judgement.c.request_id != text("0")
Index(
    "answer_judgement_request",
    answer_judgement.c.request_id,
    sqlite_where=_of_request,
    postgresql_where=_of_request,
)
