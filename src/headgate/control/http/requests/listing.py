"""`GET /api/requests`: what happened, newest first, without what was asked and answered."""

from __future__ import annotations

from datetime import datetime

import msgspec

from headgate.control.http.fields import Before, Limit
from headgate.control.http.moments import moment
from headgate.control.http.requests.query import RequestsQuery, before_id, wanted
from headgate.control.http.requests.rows import RequestTold, request_told
from headgate.control.http.route import Asked, route
from headgate.core.ids import request_id_text

__all__ = ["ROUTES", "RequestListQuery", "RequestPage", "list_requests"]


class RequestListQuery(RequestsQuery, kw_only=True):
    """Which requests, and how many of them."""

    limit: Limit = 100
    """How many at most."""
    cursor: Before = ""
    """`next` of the page before."""


class RequestPage(msgspec.Struct, kw_only=True):
    """Requests, newest first."""

    items: list[RequestTold]
    next: str | None
    """Where the next page begins; null: this is the last. A page may have fewer items than asked for, or none, and not be
    the last: go on."""
    searched_to: datetime | None
    """Everything that came after this moment has been looked through; null after the last page."""


async def list_requests(asked: Asked[RequestListQuery, None]) -> RequestPage:
    """List requests, newest first, by when they came. Neither prompts nor answers are in it."""
    query = asked.query
    search = wanted(query, asked.caller.routes)
    found = await asked.desk.records.search(search, before=before_id(query.cursor), limit=query.limit)
    return RequestPage(
        items=[request_told(row) for row in found.rows],
        next=request_id_text(found.next) if found.next else None,
        searched_to=moment(found.searched_to_ns) if found.next else None,
    )


ROUTES = (route("GET", "/api/requests", "api.requests.list", list_requests),)
