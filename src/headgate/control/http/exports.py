"""`/api/exports/requests`: requests whole, page by page, in the form that `headgate traces export` writes."""

from __future__ import annotations

from typing import Annotated

import msgspec

from headgate.admission.rights import CONTENT
from headgate.control.exporting import Exported, exported
from headgate.control.http.fields import Before
from headgate.control.http.problems import Problem
from headgate.control.http.requests.query import RequestsQuery, before_id, wanted
from headgate.control.http.route import Asked, route
from headgate.core.ids import request_id_text

__all__ = ["ROUTES", "ExportPage"]

_SECONDS = 30.0
_MOST_BYTES = 8_000_000
"""Of contents on one page: prompts may be a megabyte each."""


class ExportQuery(RequestsQuery, kw_only=True):
    """Which requests, and what of them."""

    content: bool = False
    """Prompts and answers too, for whoever may read content."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100
    """How many at most; a page of large prompts has fewer."""
    cursor: Before = ""
    """`next` of the page before."""


class ExportPage(msgspec.Struct, kw_only=True):
    """Requests whole, newest first."""

    items: list[Exported]
    next: str | None
    """Where the next page begins; null: this is the last."""


async def export_requests(asked: Asked[ExportQuery, None]) -> ExportPage:
    """Write out requests whole, newest first: the objects that `headgate traces export` writes, a line each."""
    query, desk = asked.query, asked.desk
    if query.content and CONTENT not in asked.caller.routes:
        raise Problem("not_allowed", "`content`: prompts and answers are for roles that may read them")
    search = wanted(query, asked.caller.routes)
    found = await desk.records.search(search, before=before_id(query.cursor), limit=query.limit)
    items: list[Exported] = []
    size, more = 0, found.next
    for row in found.rows:
        items.append(await exported(desk.records, row, content=query.content))
        size += sum(len(kept.text) for kept in (items[-1].prompt, items[-1].reply) if kept is not None)
        if size > _MOST_BYTES and row is not found.rows[-1]:
            more = row.id
            break
    return ExportPage(items=items, next=request_id_text(more) if more else None)


ROUTES = (route("GET", "/api/exports/requests", "api.exports.requests", export_requests, seconds=_SECONDS),)
