"""Requests in. What memory has answered says nothing of a call: half of its columns are left to the table's own defaults."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from sqlite3 import Connection
from typing import Any

import msgspec

from headgate.stores.backends.sqlite.statements import ROWS_AT_ONCE, Insert
from headgate.stores.spans import GIVEN, RequestRow

__all__ = ["insert_requests"]

_FIELDS = RequestRow.__struct_fields__
_UNSAID = frozenset(
    {
        "parent_id", "tags", "reported_model", "provider", "region", "error_class", "error_detail", "finish_reason",
        "attempts", "first_upstream_us", "input_tokens", "cache_read_tokens", "cache_write_tokens",
        "cache_write_1h_tokens", "output_tokens", "reasoning_tokens", "cost_label", "notes", "tier", "degraded",
        "purpose", "prompt", "replay_of", "similarity", "variables", "cache_read_saved_nanos",
        "cache_write_extra_nanos",
    }
)  # fmt: skip
"""What nearly every hit has no value of."""
_SAID = [name for name in _FIELDS if name not in _UNSAID]

_astuple = msgspec.structs.astuple
_unsaid = itemgetter(*[at for at, name in enumerate(_FIELDS) if name in _UNSAID])
_said = itemgetter(*[at for at, name in enumerate(_FIELDS) if name not in _UNSAID])
_NOTHING: tuple[Any, ...] = _unsaid(_astuple(RequestRow(0, 0, "")))

_ALL = Insert("request", _FIELDS)
_HITS = Insert("request", _SAID)


def insert_requests(connection: Connection, requests: Sequence[RequestRow]) -> None:
    """Insert those that are not there yet. A hit among many costs a quarter less so (6 µs instead of 8.5)."""
    rows = [_astuple(row) for row in requests]
    hits = [
        values
        for row, values in zip(requests, rows, strict=True)
        if row.cache in GIVEN and _unsaid(values) == _NOTHING
    ]
    if len(hits) < ROWS_AT_ONCE:
        # Two statements for few rows cost more than they spare.
        _ALL.run(connection, rows)
        return
    _HITS.run(connection, [_said(values) for values in hits])
    if len(hits) < len(rows):
        few = {values[0] for values in hits}
        _ALL.run(connection, [values for values in rows if values[0] not in few])
