"""`GET /api/requests/{id}`: one request with its attempts and where its time went; its content for whoever may."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.admission.rights import CONTENT
from headgate.control.http.problems import Problem
from headgate.control.http.requests.rows import AttemptTold, RequestTold, attempt_told, request_told
from headgate.control.http.route import Asked, route
from headgate.control.traces import Around, around, object_of, show
from headgate.control.waterfall import Kind, Waterfall, waterfall
from headgate.core.ids import parse_request_id
from headgate.stores.spans import Content, Outcome

__all__ = ["ROUTES", "BarTold", "ContentTold", "LaneTold", "RequestShown", "show_request"]


class ContentTold(msgspec.Struct, kw_only=True):
    """A prompt or an answer."""

    kind: str
    """How to read it: the name of a vendor's format, or `canonical` for an answer folded from a stream."""
    text: str
    size: int
    """Bytes it had."""
    truncated: bool
    """Was the end cut off when it was recorded?"""


class BarTold(msgspec.Struct, kw_only=True):
    """A stretch of time, in milliseconds since the request came."""

    kind: Kind
    """queue: waited for room in a limit. own: our own work. pause: between two attempts. connect, send: to the provider. wait: it was
    silent. begin: from its first byte to the first content. stream: content came."""
    start_ms: float
    end_ms: float


class LaneTold(msgspec.Struct, kw_only=True):
    """The request itself (number 0) or one of its attempts."""

    number: int
    name: str
    outcome: Outcome
    bars: list[BarTold]


class RequestShown(msgspec.Struct, kw_only=True):
    """One request with all that belongs to it."""

    request: RequestTold
    attempts: list[AttemptTold]
    notes: dict[str, Any]
    """What was decided on the way, in words."""
    variables: dict[str, str]
    """Of the prompt; empty if there were none, they are not kept, or you may not read content."""
    error_detail: str
    """A provider's own words may stand here, and in them a part of the prompt: empty without the right to read content."""
    prompt: ContentTold | None
    """What the caller sent; null: not kept, or you may not read it."""
    reply: ContentTold | None
    reply_text: str
    """The text of the answer."""
    content: bool
    """May you read prompts and answers?"""
    waterfall: list[LaneTold]
    """Where the time went."""
    same_trace: list[RequestTold]
    """The latest other requests of the caller's trace, newest first."""
    same_session: list[RequestTold]
    """The latest other requests of the session, newest first."""
    replays: list[RequestTold]
    """Requests that repeat this one, newest first."""
    given_again: list[RequestTold]
    """The latest requests that were given its answer, newest first."""
    given_again_count: int
    """How many they are, at most 1,000."""


async def show_request(asked: Asked[None, None]) -> RequestShown:
    """Show one request whole, with its attempts; prompt and answer too if your role may read content.

    A request is stored when it is over, a moment after its last byte."""
    try:
        shown = await show(asked.desk.records, parse_request_id(asked.path["id"]))
    except ValueError:
        shown = None
    if shown is None:
        raise Problem(
            "not_found",
            "no request with this id is stored; it is stored a moment after its last byte",
            param="id",
        )
    may = CONTENT in asked.caller.routes
    near = await around(asked.desk.records, shown.request)
    return RequestShown(
        request=request_told(shown.request),
        attempts=[attempt_told(row, content=may) for row in shown.attempts],
        notes=object_of(shown.request.notes),
        variables={name: str(value) for name, value in object_of(shown.request.variables).items()}
        if may
        else {},
        error_detail=shown.request.error_detail if may else "",
        prompt=_content(shown.prompt) if may else None,
        reply=_content(shown.reply) if may else None,
        reply_text=shown.reply_text if may else "",
        content=may,
        waterfall=_lanes(waterfall(shown.request, shown.attempts)),
        **_told_around(near),
        given_again_count=near.given_count,
    )


def _told_around(near: Around) -> dict[str, list[RequestTold]]:
    return {
        "same_trace": [request_told(row) for row in near.trace],
        "same_session": [request_told(row) for row in near.session],
        "replays": [request_told(row) for row in near.replays],
        "given_again": [request_told(row) for row in near.given],
    }


def _lanes(fall: Waterfall) -> list[LaneTold]:
    return [
        LaneTold(
            number=lane.number,
            name=lane.name,
            outcome=lane.outcome,
            bars=[
                BarTold(kind=bar.kind, start_ms=bar.start_us / 1000, end_ms=bar.end_us / 1000)
                for bar in lane.bars
            ],
        )
        for lane in fall.lanes
    ]


def _content(kept: Content | None) -> ContentTold | None:
    if kept is None:
        return None
    text = kept.data.decode("utf-8", "replace")
    return ContentTold(kind=kept.kind, text=text, size=kept.size, truncated=kept.truncated)


ROUTES = (route("GET", "/api/requests/{id}", "api.requests.show", show_request, problems=("not_found",)),)
