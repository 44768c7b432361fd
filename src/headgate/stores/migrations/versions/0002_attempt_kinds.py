"""Why an attempt was made and with which key; how hard a request was, what it degraded to, who else caused it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NEW = {"request": ("tier", "degraded", "purpose"), "attempt": ("kind", "credential")}


def upgrade() -> None:
    """From 0001."""
    for table, names in _NEW.items():
        for name in names:
            op.add_column(table, sa.Column(name, sa.Text(), server_default=sa.text("''"), nullable=False))
