"""Addresses of databases, as `server.database` has them: what they name, and how they are shown."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["file_of", "is_address", "is_postgres", "shown_database"]

_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[^:/?#@,\[\]\s]*)(?::(?P<port%d>\d{1,5}))?"
_HOSTS = f"{_HOST % 1}(?:,{_HOST % 2})*"
_SERVER = re.compile(
    rf"(?P<scheme>postgres(?:ql)?://)(?:(?P<user>[^:/?#@\s]+)(?::[^/?#@\s]*)?@)?(?P<place>{_HOSTS}/[^/?#@\s]+)(?:\?\S*)?"
)


def is_postgres(database: str) -> bool:
    """Does `database` name a PostgreSQL server?"""
    return database.startswith(("postgresql://", "postgres://"))


def file_of(database: str) -> Path:
    """Where the SQLite file of `sqlite:///PATH` lies."""
    return Path(database.removeprefix("sqlite:///"))


def is_address(database: str) -> bool:
    """Is it one that can be meant: a server, or several that stand in for each other, and the name of a database?"""
    found = _SERVER.fullmatch(database)
    return found is not None and all(0 < int(found[name] or 1) < 65536 for name in ("port1", "port2"))


def shown_database(database: str) -> str:
    """`database` for people's eyes: a file's path; a server's address without password and options."""
    if not is_postgres(database):
        return database.removeprefix("sqlite:///")
    found = _SERVER.fullmatch(database)
    if found is None:
        # Nobody knows where the password begins.
        return f"{database.partition('://')[0]}://..."
    return f"{found['scheme']}{found['user'] + '@' if found['user'] else ''}{found['place']}"
