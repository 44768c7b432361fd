"""`/api/sessions`: conversations, the latest first; one of them turn by turn."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET

from headgate.admission.rights import CONTENT
from headgate.control.conversations import conversation
from headgate.control.http.fields import Before, Maybe
from headgate.control.http.moments import moment
from headgate.control.http.problems import Problem
from headgate.control.http.requests.query import before_id
from headgate.control.http.requests.rows import RequestTold, request_told
from headgate.control.http.route import Asked, route
from headgate.core.ids import request_id_text
from headgate.core.money import usd
from headgate.stores.rollups import SessionRow

__all__ = ["ROUTES", "ConversationTold", "SessionPage", "SessionTold", "TurnTold"]

_MOST_PLACE = 400
_SEPARATOR = "~"


class SessionsQuery(msgspec.Struct, kw_only=True):
    """Which conversations."""

    feature: Maybe = UNSET
    """Only those whose latest request was this feature's."""
    user: Maybe = UNSET
    """Only this user's."""
    key: Maybe = UNSET
    """Only those of the key with this id."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    """How many at most."""
    cursor: Annotated[str, msgspec.Meta(max_length=_MOST_PLACE)] = ""
    """`next` of the page before."""


class SessionTold(msgspec.Struct, kw_only=True):
    """A conversation, added up; feature, user and key are its latest request's."""

    session: str
    feature: str
    user: str
    key: str
    first: datetime
    last: datetime
    requests: int
    failed: int
    input_tokens: int
    output_tokens: int
    cost_usd: str
    """A decimal number."""


class SessionPage(msgspec.Struct, kw_only=True):
    """Conversations, the latest first."""

    items: list[SessionTold]
    next: str | None
    """Where the next page begins; null: this is the last."""


class ConversationQuery(msgspec.Struct, kw_only=True):
    """Which part of a conversation."""

    session: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    """Its name, as callers say it."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    """How many turns at most, the latest."""
    cursor: Before = ""
    """`next` of the page before."""


class TurnTold(msgspec.Struct, kw_only=True):
    """One request of a conversation."""

    request: RequestTold
    asked: str
    """What the user said last; empty if it is not kept or you may not read it."""
    answered: str
    """The text of the answer."""


class ConversationTold(msgspec.Struct, kw_only=True):
    """A conversation's latest turns, oldest of them first."""

    turns: list[TurnTold]
    next: str | None
    """Earlier turns are on the page that begins here; null: there are none."""
    content: bool
    """May you read prompts and answers?"""


async def list_sessions(asked: Asked[SessionsQuery, None]) -> SessionPage:
    """List conversations, the latest first: requests that callers gave the same session."""
    query = asked.query
    at, before = _place(query.cursor)
    only = {
        name: value
        for name, value in (("feature", query.feature), ("user", query.user), ("key_id", query.key))
        if value is not UNSET
    }
    rows = await asked.desk.rollups.sessions(before_ns=at, before=before, limit=query.limit, only=only)
    last = rows[-1] if len(rows) == query.limit else None
    return SessionPage(
        items=[session_told(row) for row in rows],
        next=f"{last.last_ns}{_SEPARATOR}{last.session}"[:_MOST_PLACE] if last else None,
    )


async def show_session(asked: Asked[ConversationQuery, None]) -> ConversationTold:
    """Show one conversation turn by turn, as far as your role may read content."""
    query = asked.query
    may = CONTENT in asked.caller.routes
    turns, more = await conversation(
        asked.desk.records, query.session, before=before_id(query.cursor), limit=query.limit, content=may
    )
    if not turns and not query.cursor:
        raise Problem("not_found", "no request of this session is stored", param="session")
    return ConversationTold(
        turns=[
            TurnTold(request=request_told(each.request), asked=each.asked, answered=each.answered)
            for each in turns
        ],
        next=request_id_text(more) if more else None,
        content=may,
    )


def session_told(row: SessionRow) -> SessionTold:
    """As it is told."""
    return SessionTold(
        session=row.session,
        feature=row.feature,
        user=row.user,
        key=row.key_id,
        first=moment(row.first_ns),
        last=moment(row.last_ns),
        requests=row.requests,
        failed=row.failed,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cost_usd=f"{usd(row.cost_nanos):f}",
    )


def _place(cursor: str) -> tuple[int, str]:
    """Raises Problem."""
    if not cursor:
        return 0, ""
    at, separator, session = cursor.partition(_SEPARATOR)
    if not separator or not at.isascii() or not at.isdigit() or len(at) > 18 + 1 or int(at) >= 2**63:
        raise Problem("invalid_request", "`cursor` is `next` of the page before", param="cursor")
    return int(at), session


ROUTES = (
    route("GET", "/api/sessions", "api.sessions.list", list_sessions),
    route("GET", "/api/conversation", "api.sessions.show", show_session, problems=("not_found",)),
)
