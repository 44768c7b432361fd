"""`/api/errors`: what went wrong, and how many people it hit."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET

from headgate.control.errors import errors_of, parts
from headgate.control.http.fields import Ago, Maybe, Word
from headgate.control.http.moments import ago_ns, moment
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route

__all__ = ["ROUTES", "ErrorSum", "ErrorsQuery", "ErrorsTold"]

_NS = 1_000_000_000


class ErrorsQuery(msgspec.Struct, kw_only=True):
    """Which failures, and by what they are added up."""

    by: Annotated[Word, msgspec.Meta(examples=["error,feature,model"])] = "error,feature,model"
    """`error`, `feature`, `model`, with commas between them; a line for each combination. Errors are always told apart."""
    since: Ago = "24h"
    """Failures from then on: `24h`, `7d` or a date. They are added up by the hour: the first hour is a whole one."""
    until: Ago = ""
    """Failures before then; empty: until now."""
    feature: Maybe = UNSET
    """Only this feature's; empty: those of none."""
    model: Maybe = UNSET
    """Only requests that were sent to this model, as the configuration names it."""
    error: Maybe = UNSET
    """Only this error class, as docs/reference/errors.md lists them."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    """How many lines at most; those that hit most people come first."""


class ErrorSum(msgspec.Struct, kw_only=True):
    """Requests without an answer, added up."""

    error: str
    group: str
    """One of a dozen: `rate_limit`, `timeout`, `provider_error`, `content_policy`, `caller_mistake` …"""
    feature: str
    """Empty: of none, or not asked for."""
    model: str
    """Empty: none was chosen, or not asked for."""
    requests: int
    users: int
    """End users affected; where callers name none, their keys."""


class ErrorsTold(msgspec.Struct, kw_only=True):
    """What went wrong."""

    since: datetime
    until: datetime
    items: list[ErrorSum]
    left_out: int
    """Lines that are not among the items, for `limit`."""
    requests: int
    groups: dict[str, int]
    """Requests by group, the most first."""


async def list_errors(asked: Asked[ErrorsQuery, None]) -> ErrorsTold:
    """Tell what went wrong, how often, and how many people it hit, those errors first that hit most.

    What `headgate errors` prints."""
    query = asked.query
    try:
        by = parts(query.by)
    except ValueError as wrong:
        raise Problem("invalid_request", str(wrong), param="by") from None
    since = ago_ns(query.since or "24h", "since") // _NS
    until = ago_ns(query.until, "until") // _NS if query.until else int(time.time()) + 1
    if since >= until:
        raise Problem("invalid_request", "`since` is not before `until`", param="since")
    only = {"feature": query.feature, "model": query.model, "error_class": query.error}
    chosen = {name: value for name, value in only.items() if value is not UNSET}
    found = await errors_of(asked.desk.rollups, since, until, by=by, only=chosen)
    return ErrorsTold(
        since=moment(found.since * _NS),
        until=moment(found.until * _NS),
        items=[
            ErrorSum(
                error=line.error,
                group=line.group,
                feature=line.feature,
                model=line.model,
                requests=line.requests,
                users=line.users,
            )
            for line in found.lines[: query.limit]
        ],
        left_out=max(len(found.lines) - query.limit, 0),
        requests=found.requests,
        groups={str(group): number for group, number in found.groups.items()},
    )


ROUTES = (route("GET", "/api/errors", "api.errors.list", list_errors),)
