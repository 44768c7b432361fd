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
    for name in ("cache", "variables"):
        op.add_column("request", sa.Column(name, sa.Text(), server_default=sa.text("''"), nullable=False))
    for name in ("origin_id", "avoided_us", "similarity", *_PROVIDERS_CACHE):
        op.add_column("request", _number(name))
    for name in ("reworded", "joined", "cacheable", "avoided_us", *_PROVIDERS_CACHE):
        op.add_column("rollup", _number(name))
    given_again = sa.text("origin_id != 0")
    op.create_index(
        "request_origin", "request", ["origin_id"], sqlite_where=given_again, postgresql_where=given_again
    )


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
