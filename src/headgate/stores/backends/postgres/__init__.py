"""A PostgreSQL server, for installations of one node or many. One thread talks to it, whoever asks.

Its parts are imported when they are first asked for: a gateway that keeps a file would wait 20 ms for them at its start.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headgate.stores.backends.postgres.alerts import PostgresAlerts
    from headgate.stores.backends.postgres.answers import postgres_answers
    from headgate.stores.backends.postgres.audit import PostgresAudit
    from headgate.stores.backends.postgres.connection import Database
    from headgate.stores.backends.postgres.exports import PostgresExports
    from headgate.stores.backends.postgres.keeping import PostgresKeeper
    from headgate.stores.backends.postgres.keys import PostgresKeys
    from headgate.stores.backends.postgres.ledger import PostgresLedger
    from headgate.stores.backends.postgres.people import PostgresPeople
    from headgate.stores.backends.postgres.rehearsals import PostgresRehearsals
    from headgate.stores.backends.postgres.rollups import PostgresRollups
    from headgate.stores.backends.postgres.rules import PostgresRules
    from headgate.stores.backends.postgres.scores import PostgresScores
    from headgate.stores.backends.postgres.secrets import PostgresSecrets
    from headgate.stores.backends.postgres.sink import PostgresSink
    from headgate.stores.backends.postgres.spans import PostgresSpans
    from headgate.stores.backends.postgres.target import PostgresTarget

__all__ = [
    "Database",
    "PostgresAlerts",
    "PostgresAudit",
    "PostgresExports",
    "PostgresKeeper",
    "PostgresKeys",
    "PostgresLedger",
    "PostgresPeople",
    "PostgresRehearsals",
    "PostgresRollups",
    "PostgresRules",
    "PostgresScores",
    "PostgresSecrets",
    "PostgresSink",
    "PostgresSpans",
    "PostgresTarget",
    "postgres_answers",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    place = {"Database": "connection", "PostgresKeeper": "keeping", "postgres_answers": "answers"}.get(
        name
    ) or name.removeprefix("Postgres").lower()
    return getattr(importlib.import_module(f"{__name__}.{place}"), name)
