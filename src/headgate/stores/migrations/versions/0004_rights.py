"""Whose a key is and what it may reach; keys that are rotated; the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NEW = {
    "features": "'[]'",
    "roles": """'["service"]'""",
    "user": "''",
    "note": "''",
    "last_used_ns": None,
    "old_hashes": "'[]'",
}


def upgrade() -> None:
    """From 0003."""
    for name, default in _NEW.items():
        if default is None:
            op.add_column("key", sa.Column(name, sa.BigInteger(), nullable=True))
        else:
            op.add_column("key", sa.Column(name, sa.Text(), server_default=sa.text(default), nullable=False))
    # Until now every key could ask models and see the page; so those that are there still can. The first one is the owner's.
    op.execute(
        "UPDATE \"key\" SET roles = CASE WHEN name IN ('first', 'bootstrap') "
        """THEN '["owner"]' ELSE '["service","viewer"]' END"""
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("before", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("after", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION audit_only_added() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION 'audit is only ever added to'; END$$"
        )
        op.execute(
            "CREATE TRIGGER audit_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_only_added()"
        )
        return
    for what in ("DELETE", "UPDATE"):
        op.execute(
            f"CREATE TRIGGER audit_no_{what.lower()} BEFORE {what} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'audit is only ever added to'); END"
        )
