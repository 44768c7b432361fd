"""`/api/feedback`: what users say of answers, told by the application; tokens for their browsers; what was said."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta

from headgate.admission.rights import CONTENT, allowed_roles
from headgate.control.feedback import Kept, give, keeps_words, score_facts, unkept_features
from headgate.control.http.fields import Ago, Cursor, Limit, Maybe
from headgate.control.http.moments import ago_ns, moment
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route
from headgate.core.ids import parse_request_id
from headgate.exchange.caller import Caller
from headgate.quality.feedback import (
    Given,
    Giver,
    Refused,
    Tokens,
)
from headgate.stores.scores import ScoreKind, ScoreRow, ScoreSource

__all__ = [
    "ROUTES",
    "FeedbackPage",
    "FeedbackTold",
    "Judgement",
    "KeptFeedback",
    "NewFeedback",
    "NewToken",
    "TokenMade",
    "giver_of",
    "kept_feedback",
    "refused",
]

_PLAIN = r"^[^\x00-\x1f\x7f]*$"
_MOST = 100
_EVERYBODYS = frozenset(allowed_roles("api.keys.list"))
"""Who runs the gateway may judge everybody's requests."""

RequestName = Annotated[str, Meta(max_length=40, examples=["req_0g3kz5v8r1c00"])]
Session = Annotated[str, Meta(max_length=256, pattern=_PLAIN)]
Event = Annotated[str, Meta(max_length=200, pattern=_PLAIN)]
Word = Annotated[str, Meta(max_length=100, pattern=_PLAIN)]
Rating = Annotated[float, Meta(ge=1, le=5)]
Number = Annotated[float, Meta(ge=-1e12, le=1e12)]


class Judgement(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What was said of one request or one conversation. Several values may be given at once."""

    request: Annotated[str, Meta(max_length=40)] = ""
    """Which request: what its answer's header `x-request-id` said."""
    session: Annotated[Session, Meta(examples=["chat-17"])] = ""
    """Or which conversation, as the application named it in `x-headgate-session`."""
    thumbs: Annotated[Literal["up", "down"] | None, Meta(examples=["up"])] = None
    rating: Rating | None = None
    """From 1, the worst, to 5."""
    task_completed: bool | None = None
    """Did the user get what they came for?"""
    name: Annotated[str, Meta(max_length=64, pattern=r"^([A-Za-z][A-Za-z0-9_.-]*)?$")] = ""
    """Your word for what `boolean`, `number` or `label` say."""
    boolean: bool | None = None
    number: Number | None = None
    label: Word = ""
    """One word of several, such as `too_long`."""
    comment: str = ""
    """At most 5,000 characters."""
    correction: str = ""
    """What would have been right; at most 20,000 characters."""
    user: Word = ""
    """Who says it: of one user's judgements of the same thing the latest counts."""
    event: Event = ""
    """Your name for it: told again, it changes nothing."""


class NewFeedback(Judgement, kw_only=True, forbid_unknown_fields=True):
    """One judgement, or several in `items`."""

    items: Annotated[list[Judgement], Meta(max_length=_MOST)] = []
    """Several at once. What is said beside it is one more, the last."""


class KeptOne(msgspec.Struct, kw_only=True):
    """What became of one judgement."""

    about: str
    """The request, or the conversation."""
    names: list[str]
    """The values that are kept."""
    state: Literal["joined", "waiting", "repeated", "unknown", "foreign"]
    """joined: it counts. waiting: it will, as soon as its request is stored. repeated: it was told before."""
    left_out: list[str]
    """Values that are not kept, because this installation keeps no texts (`records.content = false`)."""


class KeptFeedback(msgspec.Struct, kw_only=True):
    """What became of it, in the order given."""

    items: list[KeptOne]


class NewToken(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """For which answer."""

    request: Annotated[str, Meta(min_length=1, max_length=40, examples=["req_0g3kz5v8r1c00"])]
    """The request's id."""


class TokenMade(msgspec.Struct, kw_only=True):
    """Whoever has it may judge this one answer at `POST /feedback`, and nothing else."""

    token: str
    expires: datetime


class FeedbackQuery(msgspec.Struct, kw_only=True):
    """Which judgements."""

    since: Ago = ""
    """Those from then on; empty: all."""
    request: RequestName = ""
    """Only those of this request."""
    session: Maybe = UNSET
    """Only those of this conversation, and of its requests."""
    name: Maybe = UNSET
    """`thumbs`, `comment` or another."""
    source: ScoreSource | msgspec.UnsetType = UNSET
    """Only those given by users, or by code."""
    feature: Maybe = UNSET
    """Only those of requests of this feature."""
    model: Maybe = UNSET
    """Only those of requests that went to this model."""
    prompt: Maybe = UNSET
    """Only those of requests with this prompt, such as `greeting@7`."""
    limit: Limit = 100
    """How many at most."""
    cursor: Cursor = ""
    """`next` of the page before."""


class FeedbackTold(msgspec.Struct, kw_only=True):
    """One judgement."""

    id: str
    at: datetime
    request: str
    """Empty: it is about the conversation."""
    session: str
    name: str
    kind: ScoreKind
    number: float | None
    """Yes and up are 1."""
    label: str
    text: str
    """Of a comment or a correction; empty without the right to read content."""
    source: ScoreSource
    author: str
    evaluator: str
    feature: str
    model: str
    prompt: str
    user: str
    """The end user of the request."""
    joined: bool
    """Is its request stored?"""


class FeedbackPage(msgspec.Struct, kw_only=True):
    """Judgements, the latest first."""

    items: list[FeedbackTold]
    next: str | None
    """`cursor` of the next page; null: there is none."""


async def tell(asked: Asked[None, NewFeedback]) -> KeptFeedback:
    """Say what users think of answers: thumbs, a rating, whether the task was done, a comment, a correction.

    About requests of this key, or of keys of its team; who runs the gateway may judge all. An answer is told apart by the header
    `x-request-id`. Feedback may come before its request is stored. What is sent again with the same `event`, or the same header
    `idempotency-key`, changes nothing."""
    return await kept_feedback(asked, _said(asked.body), giver_of(asked, "user"))


async def make_token(asked: Asked[None, NewToken]) -> TokenMade:
    """Make a token with which an end user's browser may judge one answer at `POST /feedback`.

    The request must be this key's own, which is looked at when the judgement comes."""
    settings = _feedback_settings(asked)
    if settings is None or not settings.is_open:
        raise Problem(
            "invalid_request",
            "`/feedback` is closed: set `tokens = true` or `origins` under [feedback] in the configuration",
        )
    try:
        request_id = parse_request_id(asked.body.request)
    except ValueError as wrong:
        raise Problem("invalid_request", str(wrong), param="request") from None
    known, giver = await _own(asked, request_id), giver_of(asked, "user")
    tokens = Tokens(await asked.desk.keys.secret(), time.time, float(settings.valid))
    token = tokens.mint(request_id) if known else tokens.mint(request_id, giver.key_id, giver.team)
    return TokenMade(token=token, expires=moment(tokens.read(token).expires * 1_000_000_000))


async def list_feedback(asked: Asked[FeedbackQuery, None]) -> FeedbackPage:
    """List judgements, the latest first."""
    query, only = asked.query, {}
    for name in ("session", "name", "source", "feature", "model", "prompt"):
        value = getattr(query, name)
        if value is not UNSET:
            only[name] = value
    if query.request:
        try:
            only["request_id"] = parse_request_id(query.request)
        except ValueError as wrong:
            raise Problem("invalid_request", str(wrong), param="request") from None
    since = ago_ns(query.since, "since") if query.since else 0
    rows = await asked.desk.scores.before(
        min(int(query.cursor or 0), 2**63 - 1), query.limit + 1, since_ns=since, only=only
    )
    content = CONTENT in asked.caller.routes
    shown = [_told(row, content=content) for row in rows[: query.limit]]
    return FeedbackPage(items=shown, next=shown[-1].id if len(rows) > query.limit else None)


async def kept_feedback(asked: Asked[Any, Any], said: list[Given], giver: Giver) -> KeptFeedback:
    """Keep it, and say what became of it. Raises Problem."""
    if key := asked.idempotency_key:
        said = [
            each if each.event else replace(each, event=f"{key}#{place}") for place, each in enumerate(said)
        ]
    unkept = unkept_features(getattr(asked.desk.configuration().settings, "features", {}))
    try:
        kept = await give(asked.desk.scores, said, giver, partial(keeps_words, asked.desk.records, unkept))
    except Refused as wrong:
        raise refused(wrong) from None
    return KeptFeedback(items=[_kept(each) for each in kept])


def giver_of(asked: Asked[Any, Any], source: ScoreSource, evaluator: str = "") -> Giver:
    """Who says something over the API."""
    caller: Caller = asked.caller
    everybodys = bool(_EVERYBODYS.intersection(caller.roles))
    return Giver(
        source=source,
        key_id="" if everybodys else caller.key_id,
        team="" if everybodys else caller.team,
        evaluator=evaluator,
        prefix=f"{source}/{caller.key_id}",
        content=_keeps_content(asked),
    )


def refused(wrong: Refused) -> Problem:
    """As a problem."""
    return Problem("invalid_request", str(wrong), param=wrong.param)


def _said(body: NewFeedback) -> list[Given]:
    one = {name: getattr(body, name) for name in Judgement.__struct_fields__}
    if not body.items:
        return [Given(**one)]
    items = [Given(**msgspec.structs.asdict(each)) for each in body.items]
    return [*items, Given(**one)] if any(one.values()) else items


async def _own(asked: Asked[Any, Any], request_id: int) -> bool:
    """Is it stored? Then it must be the key's or its team's; else it may be under way."""
    row = await asked.desk.records.request(request_id)
    giver = giver_of(asked, "user")
    if (
        row is None
        or not giver.key_id
        or row.key_id == giver.key_id
        or (giver.team and row.team == giver.team)
    ):
        return row is not None
    raise Problem("not_found", "there is no such request of yours", param="request")


def _feedback_settings(asked: Asked[Any, Any]) -> Any:
    return getattr(asked.desk.configuration().settings, "feedback", None)


def _keeps_content(asked: Asked[Any, Any]) -> bool:
    records = getattr(asked.desk.configuration().settings, "records", None)
    return True if records is None else bool(records.content)


def _kept(each: Kept) -> KeptOne:
    return KeptOne(about=each.about, names=list(each.names), state=each.state, left_out=list(each.left_out))


def _told(row: ScoreRow, *, content: bool) -> FeedbackTold:
    facts = score_facts(row, content=content)
    return msgspec.convert({**facts, "id": str(row.id), "at": moment(row.at_ns)}, FeedbackTold)


ROUTES = (
    route("POST", "/api/feedback", "api.feedback.give", tell),
    route("GET", "/api/feedback", "api.feedback.list", list_feedback),
    route("POST", "/api/feedback/tokens", "api.feedback.token", make_token, problems=("not_found",)),
)
