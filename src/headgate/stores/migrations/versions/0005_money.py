"""Budgets, the ledger, alerts, stored secrets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TEXTS = ("label", "provider", "model", "feature", "key_id", "user", "team", "tenant", "budget", "subject")


def upgrade() -> None:
    """From 0004."""
    zero = sa.text("0")
    op.add_column(
        "attempt", sa.Column("reserved_nanos", sa.BigInteger(), server_default=zero, nullable=False)
    )
    op.add_column("request", sa.Column("avoided_nanos", sa.BigInteger(), server_default=zero, nullable=False))
    _budgets()
    _alerts()
    op.create_table(
        "secret",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("master", sa.Text(), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("changed_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
    )


def _budgets() -> None:
    op.create_table(
        "budget_use",
        sa.Column("budget", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("period", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("nanos", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("budget", "subject", "period"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger_entry",
        sa.Column("id", _ID, nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("nanos", sa.BigInteger(), nullable=False),
        _text("label"),
        _number("attempt_id"),
        _number("request_id"),
        *(_text(name) for name in _TEXTS[1:]),
        _text("note"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ledger_entry_event", "ledger_entry", ["event"], unique=True)
    _only_added("ledger_entry")


def _alerts() -> None:
    op.create_table(
        "alert",
        sa.Column("id", _ID, nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        _text("subject"),
        _text("severity", "'warning'"),
        _text("text"),
        _text("facts", "'{}'"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event"),
    )
    op.create_index("alert_kind", "alert", ["kind", "subject"])
    op.create_table(
        "delivery",
        sa.Column("alert_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        _number("tries"),
        _number("next_ns"),
        sa.Column("done_ns", sa.BigInteger(), nullable=True),
        sa.Column("failed", sa.Boolean(), server_default=sa.false(), nullable=False),
        _text("error"),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"]),
        sa.PrimaryKeyConstraint("alert_id", "receiver"),
        sqlite_with_rowid=False,
    )
    waiting = sa.text("done_ns IS NULL")
    op.create_index(
        "delivery_waiting", "delivery", ["next_ns"], sqlite_where=waiting, postgresql_where=waiting
    )
    op.create_table(
        "receiver",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        _text("subject"),
        _text("about", "'[]'"),
        _text("least", "'info'"),
        _text("via"),
        _text("note"),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
    )


def _text(name: str, default: str = "''") -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=sa.text(default), nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)


def _only_added(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE FUNCTION {table}_only_added() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$BEGIN RAISE EXCEPTION '{table} is only ever added to'; END$$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_only_added()"
        )
        return
    for what in ("DELETE", "UPDATE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{what.lower()} BEFORE {what} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is only ever added to'); END"
        )
