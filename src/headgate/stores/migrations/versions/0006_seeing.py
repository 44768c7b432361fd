"""What dashboards read: rollups, sessions, failures, marks, gauges; scores; rules of alerts; people who sign in."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SUMS = (
    "requests",
    "attempts",
    "failovers",
    "degraded",
    "cached",
    "refusals",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nanos",
    "estimated_nanos",
    "unpriced",
    "avoided_nanos",
)


def upgrade() -> None:
    """From 0005."""
    op.add_column("request", _text("prompt"))
    op.add_column("request", _number("replay_of"))
    op.add_column("attempt", _text("fingerprint"))
    op.add_column("content", _number("last_id"))
    for name, column, empty in (
        ("request_session", "session", "session != ''"),
        ("request_trace", "trace_id", "parent_id != ''"),
        ("request_replay", "replay_of", "replay_of != 0"),
    ):
        _partial_index(name, "request", column, empty)
    _rollups()
    _scores()
    _rules()
    _people()


def _rollups() -> None:
    parts = ("feature", "model", "provider", "outcome", "purpose")
    _table(
        "rollup",
        _key("seconds"),
        _key("at"),
        *(_word(name) for name in parts),
        *(_number(name) for name in _SUMS),
        sa.Column("sketches", sa.LargeBinary(), server_default=sa.text("''"), nullable=False),
        key=("seconds", "at", *parts),
    )
    _table(
        "spend",
        _key("seconds"),
        _word("dimension"),
        _key("at"),
        _word("value"),
        *map(_number, ("requests", "failed", "input_tokens", "output_tokens")),
        *map(_number, ("cost_nanos", "estimated_nanos", "unpriced", "avoided_nanos")),
        key=("seconds", "dimension", "at", "value"),
    )
    whom = ("feature", "model", "error_class", "user")
    _table("failure", _key("at"), *map(_word, whom), _number("requests"), key=("at", *whom))
    op.create_index("failure_users", "failure", [*whom, "at", "requests"])
    _table(
        "session",
        _word("session"),
        *map(_text, ("feature", "user", "key_id")),
        *map(_number, ("first_ns", "last_ns", "requests", "failed")),
        *map(_number, ("input_tokens", "output_tokens", "cost_nanos")),
        key=("session",),
    )
    op.create_index("session_last", "session", ["last_ns"])
    op.create_index("session_user", "session", ["user", "last_ns"])
    op.create_table(
        "mark",
        sa.Column("id", _ID, nullable=False),
        _word("event"),
        _big("at_ns"),
        _word("kind"),
        _text("subject"),
        _text("text"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event"),
    )
    op.create_index("mark_at", "mark", ["at_ns"])
    _table("gauge", _key("at"), _word("name"), _key("node"), _float("value"), key=("at", "name", "node"))


def _scores() -> None:
    op.create_table(
        "score",
        sa.Column("id", _ID, nullable=False),
        _word("event"),
        _big("at_ns"),
        _number("request_id"),
        _text("session"),
        _word("name"),
        _word("kind"),
        sa.Column("number", sa.Float(), nullable=True),
        _text("label"),
        _text("text"),
        _word("source"),
        *map(
            _text,
            ("author", "evaluator", "key_id", "team", "feature", "model", "provider", "prompt", "user"),
        ),
        sa.Column("joined", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event"),
    )
    op.create_index("score_request", "score", ["request_id"])
    _partial_index("score_session", "score", "session", "session != ''")
    alone = "joined = 0" if op.get_bind().dialect.name == "sqlite" else "joined = false"
    _partial_index("score_alone", "score", "at_ns", alone)
    parts = ("name", "kind", "source", "feature", "model", "prompt")
    _table(
        "score_rollup",
        _key("seconds"),
        _key("at"),
        *map(_word, parts),
        _number("scores"),
        sa.Column("total", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("squares", sa.Float(), server_default=sa.text("0"), nullable=False),
        key=("seconds", "at", *parts),
    )


def _rules() -> None:
    _table(
        "rule",
        _word("name"),
        _big("created_ns"),
        _big("changed_ns"),
        _word("definition"),
        sa.Column("paused", sa.Boolean(), server_default=sa.false(), nullable=False),
        key=("name",),
    )
    _table(
        "rule_state",
        *map(_word, ("rule", "subject", "state")),
        _big("since_ns"),
        _big("looked_ns"),
        sa.Column("value", sa.Float(), nullable=True),
        _number("number"),
        _text("toward"),
        _number("held"),
        key=("rule", "subject"),
    )


def _people() -> None:
    op.create_table(
        "person",
        _word("id"),
        _word("email"),
        *map(_text, ("name", "password")),
        _text("roles", "'[]'"),
        *map(_text, ("team", "issuer", "identity")),
        _big("created_ns"),
        sa.Column("disabled_ns", sa.BigInteger(), nullable=True),
        sa.Column("seen_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email"),
        sqlite_with_rowid=False,
    )
    _table(
        "login",
        *map(_word, ("hash", "person")),
        *map(_big, ("created_ns", "expires_ns", "seen_ns")),
        _text("agent"),
        key=("hash",),
    )
    op.create_index("login_person", "login", ["person"])


def _table(name: str, *columns: sa.Column[object], key: Sequence[str]) -> None:
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(*key), sqlite_with_rowid=False)


def _partial_index(name: str, table: str, column: str, where: str) -> None:
    given = sa.text(where)
    op.create_index(name, table, [column], sqlite_where=given, postgresql_where=given)


def _word(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), nullable=False)


def _text(name: str, default: str = "''") -> sa.Column[object]:
    return sa.Column(name, sa.Text(), server_default=sa.text(default), nullable=False)


def _big(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _key(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def _number(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)


def _float(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Float(), nullable=False)
