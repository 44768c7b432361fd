"""The first tables: requests, attempts, contents, journal positions, keys, installation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From an empty database."""
    op.create_table(
        "attempt",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("wire", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("reported_model", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("region", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("status", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("outcome", sa.Text(), server_default=sa.text("'ok'"), nullable=False),
        sa.Column("error_class", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("error_detail", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("finish_reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("started_us", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("connected_us", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("sent_us", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_byte_us", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_content_us", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("ended_us", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cache_read_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cache_write_1h_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cost_nanos", sa.BigInteger(), nullable=True),
        sa.Column("cost_label", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("upstream_request_id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("request_id", "number"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "content_segment",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "installation",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "journal_position",
        sa.Column("journal", sa.Text(), nullable=False),
        sa.Column("segment", sa.BigInteger(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "key",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("expires_ns", sa.BigInteger(), nullable=True),
        sa.Column("revoked_ns", sa.BigInteger(), nullable=True),
        sa.Column("team", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("tenant", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("models", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "request",
        sa.Column("stored", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("started_ns", sa.BigInteger(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("key_id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("team", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("tenant", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("user", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("session", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("feature", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("tags", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("operation", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("dialect", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("stream", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("requested_model", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("routed_model", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("reported_model", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("provider", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("region", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("config_hash", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("status", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("outcome", sa.Text(), server_default=sa.text("'ok'"), nullable=False),
        sa.Column("error_class", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("error_detail", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("finish_reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("queued_us", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_upstream_us", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_content_us", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("total_us", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("overhead_us", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cache_read_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cache_write_1h_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cost_nanos", sa.BigInteger(), nullable=True),
        sa.Column("cost_label", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("bytes_in", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("bytes_out", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("request_content", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("reply_content", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("notes", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("stored"),
    )
    with op.batch_alter_table("request", schema=None) as batch_op:
        batch_op.create_index("request_id", ["id"], unique=True)
        for name in ("feature", "key_id", "user"):
            given = sa.text(f"\"{name}\" != ''")
            batch_op.create_index(
                f"request_{name}", [name], unique=False, sqlite_where=given, postgresql_where=given
            )

    op.create_table(
        "content",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("segment_id", sa.BigInteger(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["segment_id"],
            ["content_segment.id"],
        ),
        sa.PrimaryKeyConstraint("hash"),
        sqlite_with_rowid=False,
    )
