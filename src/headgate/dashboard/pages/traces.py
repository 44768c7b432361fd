"""`/traces`: requests as they end, looked for by anything known of them; one of them whole. `/sessions`: conversations."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from headgate.admission.rights import CONTENT
from headgate.control.conversations import conversation, said_in
from headgate.control.http.problems import Problem
from headgate.control.http.requests.listing import RequestListQuery
from headgate.control.http.requests.query import before_id, wanted
from headgate.control.http.sessions import ConversationQuery, SessionsQuery, list_sessions
from headgate.control.looking import WORDS
from headgate.control.traces import MOST_COUNTED, around, memory_words, saved_words, show
from headgate.control.waterfall import KINDS, Waterfall, waterfall
from headgate.core.ids import parse_request_id, request_id_text
from headgate.core.money import nanos
from headgate.dashboard.looking import Looking, Redirect, Shown, page
from headgate.stores.spans import CACHED, Content, RequestRow

__all__ = ["PAGES", "drawn"]

_LIST, _SHOW, _SESSIONS, _SESSION = (
    "api.requests.list",
    "api.requests.show",
    "api.sessions.list",
    "api.sessions.show",
)
_ROWS = 50
_FIRST = ("feature", "model", "user", "status", "text")
"""Filters that are always there; the others are behind `more`."""
_MORE = (
    "session", "key", "team", "tenant", "provider", "outcome", "error", "purpose", "prompt", "tag", "slower", "faster",
    "first_slower", "costlier", "cheaper", "score", "stream", "retried", "degraded", "cached", "cache", "failed", "config", "trace", "replay_of", "given_from",
)  # fmt: skip
_YES_OR_NO = frozenset({"stream", "retried", "degraded", "cached", "failed"})
_OUTCOMES = ("ok", "refused", "failed", "hung_up", "cut_off")
_LANE = 26
_BAR = 16


async def browse(asked: Looking) -> Shown | Redirect:
    """The list, with its filters."""
    if found := asked.query.get("id", "").strip():
        return Redirect(f"/traces/{_id(found)}")
    stretch = asked.stretch
    times = {"since": str(stretch.since)}
    if not stretch.name:
        times["until"] = str(stretch.until)
    given = {name: asked.query.get(name, "") for name in (*_FIRST, *_MORE)}
    refused, rows, following, searched_to = "", [], "", 0
    try:
        query = asked.queried(RequestListQuery, **times)
        search = wanted(query, asked.viewer.routes)
        page_ = await asked.desk.records.search(search, before=before_id(query.cursor), limit=_ROWS)
        rows, searched_to = list(page_.rows), page_.searched_to_ns
        following = request_id_text(page_.next) if page_.next else ""
    except Problem as problem:
        if problem.code != "invalid_request":
            raise
        refused = problem.detail
    return Shown(
        "traces.html",
        {
            "title": "Traces",
            "rows": rows,
            "next": following,
            "searched_to": searched_to,
            "refused": refused,
            "given": given,
            "first": [(name, WORDS[name]) for name in _FIRST if name != "text" or asked.viewer.may(CONTENT)],
            "more": [(name, WORDS[name]) for name in _MORE],
            "more_open": any(given[name] for name in _MORE),
            "filtered": [(name, value) for name, value in given.items() if value],
            "yes_or_no": sorted(_YES_OR_NO),
            "outcomes": _OUTCOMES,
            "cached": CACHED,
            "features": sorted(asked.desk.configuration().settings.features),
            "live": not (given["text"] or asked.query.get("cursor") or not stretch.name),
            "cursor": asked.query.get("cursor", ""),
        },
        status=400 if refused else 200,
    )


async def detail(asked: Looking) -> Shown:
    """One request whole."""
    records, may = asked.desk.records, asked.viewer.may(CONTENT)
    try:
        found = await show(records, parse_request_id(asked.path["id"]))
    except ValueError:
        found = None
    if found is None:
        raise Problem(
            "not_found", "no request with this id is stored; it is stored a moment after its last byte"
        )
    row, near = found.request, await around(records, found.request)
    fall = waterfall(row, found.attempts)
    shown = {bar.kind for lane in fall.lanes for bar in lane.bars}
    scores = await asked.desk.scores.about([row.id])
    return Shown(
        "trace.html",
        {
            "title": request_id_text(row.id),
            "row": row,
            "attempts": list(found.attempts),
            "fall": drawn(fall),
            "kinds": [(kind, words) for kind, words in KINDS.items() if kind in shown],
            "facts": _facts(row),
            "notes": sorted(_object(row.notes).items()),
            "tags": sorted(_object(row.tags).items()),
            "said": list(said_in(found.prompt)) if may and found.prompt else [],
            "prompt": _readable(found.prompt) if may else "",
            "prompt_cut": bool(found.prompt and found.prompt.truncated),
            "reply": _readable(found.reply) if may else "",
            "reply_text": found.reply_text if may else "",
            "reply_cut": bool(found.reply and found.reply.truncated),
            "may_content": may,
            "kept": bool(found.prompt or found.reply),
            "groups": [
                (words, list(rows))
                for words, rows in (
                    ("In the caller's trace", near.trace),
                    ("In the same session", near.session),
                    ("Sent again", near.replays),
                    ("Given its answer", near.given),
                )
                if rows
            ],
            "scores": [
                {
                    "name": each.name,
                    "value": each.label or ("" if each.number is None else f"{each.number:g}"),
                    "text": each.text if may else "",
                    "by": each.author or each.evaluator or each.source,
                    "at_ns": each.at_ns,
                }
                for each in scores
            ],
            "may_replay": asked.viewer.may("api.replays.start") and may,
            "original": request_id_text(row.replay_of) if row.replay_of else "",
            "memory": memory_words(row),
            "saved": saved_words(row),
            "origin": request_id_text(row.origin_id) if row.origin_id else "",
            "given_again": near.given_count,
            "many": near.given_count >= MOST_COUNTED,
            "variables": sorted(_object(row.variables).items()) if may else [],
        },
    )


def drawn(fall: Waterfall) -> dict[str, Any]:
    """The waterfall in thousandths of its width, for the attributes of an <svg>."""
    total = max(fall.total_us, 1)
    lanes = []
    for place, lane in enumerate(fall.lanes):
        bars = [
            {
                "kind": bar.kind,
                "x": f"{1000 * bar.start_us / total:.2f}",
                "width": f"{max(1000 * bar.us / total, 1.5):.2f}",
                "us": bar.us,
                "start_us": bar.start_us,
            }
            for bar in lane.bars
        ]
        name = lane.name if not lane.number else f"{lane.number}. {lane.name}"
        lanes.append(
            {
                "name": name,
                "outcome": lane.outcome,
                "bars": bars,
                "y": place * _LANE,
                "us": lane.end_us - lane.start_us,
            }
        )
    ticks = [{"x": 250 * part, "us": total * part // 4} for part in range(1, 5)]
    return {
        "lanes": lanes,
        "height": len(lanes) * _LANE,
        "bar": _BAR,
        "total_us": fall.total_us,
        "ticks": ticks,
    }


async def sessions(asked: Looking) -> Shown:
    """Conversations, the latest first."""
    query = asked.queried(SessionsQuery)
    found = await list_sessions(asked.asked(query))
    return Shown(
        "sessions.html",
        {
            "title": "Conversations",
            "items": [
                {
                    "told": each,
                    "cost_nanos": nanos(Decimal(each.cost_usd)),
                    "last_ns": _ns(each.last),
                    "first_ns": _ns(each.first),
                }
                for each in found.items
            ],
            "next": found.next or "",
            "given": {name: asked.query.get(name, "") for name in ("feature", "user", "key")},
        },
    )


async def session(asked: Looking) -> Shown | Redirect:
    """One conversation, turn by turn."""
    if not asked.query.get("session"):
        return Redirect("/sessions")
    query, may = asked.queried(ConversationQuery), asked.viewer.may(CONTENT)
    turns, more = await conversation(
        asked.desk.records, query.session, before=before_id(query.cursor), limit=query.limit, content=may
    )
    if not turns and not query.cursor:
        raise Problem("not_found", "no request of this conversation is stored")
    return Shown(
        "session.html",
        {
            "title": query.session,
            "turns": [
                {"row": each.request, "asked": each.asked, "answered": each.answered} for each in turns
            ],
            "earlier": request_id_text(more) if more else "",
            "may_content": may,
        },
    )


def _facts(row: RequestRow) -> list[tuple[str, str]]:
    """What is said of it in words; amounts stand in the cards."""
    facts = (
        (
            "Asked for",
            f"{row.requested_model or '–'} ({row.operation}, {row.dialect}{', stream' if row.stream else ''})",
        ),
        ("Feature", row.feature),
        ("Difficulty", row.tier),
        ("Purpose", row.purpose),
        ("Routed to", row.routed_model),
        ("Answered by", f"{row.provider} as {row.reported_model}" if row.reported_model else ""),
        ("Region", row.region),
        ("Degraded to", row.degraded),
        ("Finished", row.finish_reason),
        ("Prompt", row.prompt),
        ("Team", row.team),
        ("Tenant", row.tenant),
        ("Key", row.key_id),
        ("Trace", row.trace_id),
        ("Configuration", row.config_hash),
    )
    return [(name, text) for name, text in facts if text]


def _readable(kept: Content | None) -> str:
    if kept is None:
        return ""
    text = kept.data.decode("utf-8", "replace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


def _object(text: str) -> dict[str, str]:
    try:
        found = msgspec.json.decode(text, type=dict[str, Any]) if text else {}
    except (msgspec.DecodeError, msgspec.ValidationError):
        return {}
    return {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in found.items()
    }


def _id(text: str) -> str:
    try:
        return request_id_text(parse_request_id(text))
    except ValueError as wrong:
        raise Problem("not_found", str(wrong)) from None


def _ns(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1e9)


PAGES = (
    page("GET", "/traces", _LIST, browse),
    page("GET", "/traces/{id}", _SHOW, detail),
    page("GET", "/sessions", _SESSIONS, sessions),
    page("GET", "/session", _SESSION, session),
)
