"""The chain of migrations: one for every SQL engine, so that a revision says the same of each."""

from __future__ import annotations

from pathlib import Path

__all__ = ["MIGRATIONS", "known_versions"]

MIGRATIONS = Path(__file__).with_name("migrations")
"""Alembic's folder."""


def known_versions() -> list[str]:
    """Every revision there is, oldest first: files are called `NNNN_what.py`."""
    return sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))
