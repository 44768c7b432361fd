"""Answers that may be given again; what requests say of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_PROVIDERS_CACHE = ("cache_read_saved_nanos", "cache_write_extra_nanos")


def upgrade() -> None:
    """From 0006."""
    op.add_column("request", _text("cache"))
    for name in ("origin_id", "avoided_us", "similarity"):
        op.add_column("request", _number(name))
    op.add_column("request", _text("variables"))
    for name in _PROVIDERS_CACHE:
        op.add_column("request", _number(name))
    for name in ("reworded", "joined", "cacheable", "avoided_us", *_PROVIDERS_CACHE):
        op.add_column("rollup", _number(name))
    given_again = sa.text("origin_id != 0")
    op.create_index(
        "request_origin", "request", ["origin_id"], sqlite_where=given_again, postgresql_where=given_again
    )

    _answers()
    _judgements()


def _answers() -> None:
    op.create_table(
        "answer",
        _blob("key"),
        _big("number"),
        _blob("compat"),
        *map(_text, ("embedder", "tenant", "feature", "scope", "owner", "user")),
        _number("origin_id"),
        *map(_big, ("made_ns", "until_ns", "used_ns")),
        _number("hits"),
        _big("size"),
        _blob("entry"),
        _blob("vector"),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("answer_number", "answer", ["number"])
    op.create_index("answer_used", "answer", ["used_ns"])
    op.create_index("answer_until", "answer", ["until_ns"])
    _partial_index("answer_near", "answer", ["compat", "embedder"], "embedder != ''")
    op.create_table(
        "answer_room",
        _big("id"),
        *map(_number, ("written", "removed", "floor", "entries", "bytes")),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "answer_removal",
        _big("number"),
        _big("at_ns"),
        sa.Column("which", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )


def _judgements() -> None:
    op.create_table(
        "answer_judgement",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        _blob("key"),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("right", sa.Boolean(), nullable=False),
        _big("at_ns"),
        _text("source"),
        _text("question"),
        _number("request_id"),
        _text("feature"),
        sa.Column("weight", sa.Float(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("answer_judgement_key", "answer_judgement", ["key"])
    op.create_index("answer_judgement_at", "answer_judgement", ["at_ns"])
    _partial_index("answer_judgement_request", "answer_judgement", ["request_id"], "request_id != 0")


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _blob(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _big(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=sa.text("''"), nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
