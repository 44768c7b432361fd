"""One SQLite file in WAL mode: the default. Spans come from one writer's thread, keys and reads from another.

Its parts are imported when they are first asked for: the record writer's process needs few of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headgate.stores.backends.sqlite.alerts import SqliteAlerts
    from headgate.stores.backends.sqlite.answers import sqlite_answers
    from headgate.stores.backends.sqlite.audit import SqliteAudit
    from headgate.stores.backends.sqlite.connection import Database
    from headgate.stores.backends.sqlite.exports import SqliteExports
    from headgate.stores.backends.sqlite.file import DatabaseFile
    from headgate.stores.backends.sqlite.keeping import SqliteKeeper
    from headgate.stores.backends.sqlite.keys import SqliteKeys
    from headgate.stores.backends.sqlite.ledger import SqliteLedger
    from headgate.stores.backends.sqlite.outlet import SqliteOutlet
    from headgate.stores.backends.sqlite.people import SqlitePeople
    from headgate.stores.backends.sqlite.rehearsals import SqliteRehearsals
    from headgate.stores.backends.sqlite.rollups import SqliteRollups
    from headgate.stores.backends.sqlite.rules import SqliteRules
    from headgate.stores.backends.sqlite.scores import SqliteScores
    from headgate.stores.backends.sqlite.secrets import SqliteSecrets
    from headgate.stores.backends.sqlite.sink import SqliteSink
    from headgate.stores.backends.sqlite.spans import SqliteSpans

__all__ = [
    "Database",
    "DatabaseFile",
    "SqliteAlerts",
    "SqliteAudit",
    "SqliteExports",
    "SqliteKeeper",
    "SqliteKeys",
    "SqliteLedger",
    "SqliteOutlet",
    "SqlitePeople",
    "SqliteRehearsals",
    "SqliteRollups",
    "SqliteRules",
    "SqliteScores",
    "SqliteSecrets",
    "SqliteSink",
    "SqliteSpans",
    "sqlite_answers",
]

_PLACES = {
    "Database": "connection",
    "DatabaseFile": "file",
    "SqliteKeeper": "keeping",
    "sqlite_answers": "answers",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    place = _PLACES.get(name) or name.removeprefix("Sqlite").lower()
    return getattr(importlib.import_module(f"{__name__}.{place}"), name)
