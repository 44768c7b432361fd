"""`/api/requests`: what happened, newest first; one request with its attempts and, for whoever may, its content."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from headgate.admission.rights import CONTENT
from headgate.control.http.fields import Ago, Before, Limit, Maybe, Word
from headgate.control.http.moments import moment
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route
from headgate.control.looking import WrongSearch, search_of
from headgate.control.traces import Around, around, show
from headgate.control.waterfall import Kind, Waterfall, waterfall
from headgate.core.ids import parse_request_id, request_id_text
from headgate.core.money import usd
from headgate.stores.searching import Search
from headgate.stores.spans import AttemptRow, Content, Outcome, RequestRow

__all__ = [
    "ROUTES",
    "AttemptTold",
    "ContentTold",
    "RequestPage",
    "RequestShown",
    "RequestTold",
    "RequestsQuery",
    "before_id",
    "told",
    "wanted",
]


class RequestsQuery(msgspec.Struct, kw_only=True):
    """Which requests: those of which all of this is true."""

    since: Ago = ""
    """Those from then on: `24h`, `7d` or a date; empty: all."""
    until: Ago = ""
    """Those before then."""
    feature: Maybe = UNSET
    """Only this feature's; empty: those of none."""
    user: Maybe = UNSET
    """Only this user's."""
    session: Maybe = UNSET
    """Only this session's."""
    team: Maybe = UNSET
    """Only this team's."""
    tenant: Maybe = UNSET
    """Only this tenant's."""
    key: Maybe = UNSET
    """Only those of the key with this id."""
    tag: Annotated[Word, msgspec.Meta(examples=["task=summary"])] = ""
    """Only those with this tag, NAME=VALUE; several with commas between them."""
    model: Word = ""
    """Only those that asked for this model, were sent to it, or were answered by it."""
    provider: Maybe = UNSET
    """Only those answered by this provider."""
    status: Annotated[Word, msgspec.Meta(examples=["5xx", "429"])] = ""
    """Only those with this HTTP status: `429`, `5xx` or `400-499`."""
    outcome: Outcome | UnsetType = UNSET
    """Only those that ended so."""
    failed: Word = ""
    """`yes`: only those that did not end well, whoever is to blame."""
    error: Maybe = UNSET
    """Only those with this error code."""
    purpose: Maybe = UNSET
    """Empty: only callers' own; `shadow`: only copies; `replay`: only those that were asked again."""
    prompt: Maybe = UNSET
    """Only those with this prompt, such as `greeting@7`."""
    config: Maybe = UNSET
    """Only those served by the configuration with this hash."""
    slower: Annotated[Word, msgspec.Meta(examples=["2s"])] = ""
    """Only those that took at least so long."""
    faster: Word = ""
    """Only those that took at most so long."""
    first_slower: Word = ""
    """Only those whose first content took at least so long."""
    first_faster: Word = ""
    """Only those whose first content took at most so long."""
    costlier: Annotated[Word, msgspec.Meta(examples=["0.05"])] = ""
    """Only those that cost at least so many USD."""
    cheaper: Word = ""
    """Only those that cost at most so many USD."""
    score: Annotated[Word, msgspec.Meta(examples=["helpful<=0.5"])] = ""
    """Only those judged so: a name and a bound, or a name alone."""
    stream: Word = ""
    """`yes`: only streams; `no`: only whole answers."""
    degraded: Word = ""
    """`yes`: only those answered by a degrade ladder."""
    cached: Word = ""
    """`yes`: only those answered from memory, or by the call of another request."""
    cache: Annotated[Maybe, msgspec.Meta(examples=["exact"])] = UNSET
    """Only those that memory answered so: `exact`, `semantic`, `joined`, `stale`; or `miss`, `bypass`, `refreshed`."""
    retried: Word = ""
    """`yes`: only those with more than one attempt."""
    trace: Word = ""
    """Only those of the caller's trace with this id (W3C)."""
    replay_of: Word = ""
    """Only those that repeat this request."""
    given_from: Word = ""
    """Only those that were given the answer of this request."""
    text: Word = ""
    """Only those with this text in the prompt or the answer; for whoever may read content. Contents are read for 0.2 s a page: go
    on as long as there is a `next`."""


class RequestListQuery(RequestsQuery, kw_only=True):
    """Which requests, and how many of them."""

    limit: Limit = 100
    """How many at most."""
    cursor: Before = ""
    """`next` of the page before."""


class Tokens(msgspec.Struct, kw_only=True):
    """Tokens; no two of these overlap."""

    input: int
    """Of the prompt, neither read from a provider's cache nor written to it."""
    cache_read: int
    cache_write: int
    output: int
    reasoning: int


class RequestTold(msgspec.Struct, kw_only=True):
    """One request, without what was asked and answered."""

    id: str
    at: datetime
    """When it came."""
    outcome: Outcome
    """ok: answered. refused: the caller's mistake. failed: ours or the provider's. hung_up: the caller left. cut_off: this
    process died in the middle."""
    status: int
    """HTTP status sent, or 499 if the caller had gone."""
    error: str
    """The code of the error; empty if there was none."""
    key: str
    """The id of the key."""
    team: str
    tenant: str
    user: str
    session: str
    feature: str
    tags: dict[str, str]
    operation: str
    dialect: str
    stream: bool
    requested_model: str
    """What the caller asked for."""
    routed_model: str
    """What was chosen."""
    reported_model: str
    """What the provider says answered."""
    provider: str
    region: str
    attempts: int
    degraded: str
    """The rung of the degrade ladder that answered; empty if a model of the route did."""
    difficulty: str
    purpose: str
    """Empty for a caller's own request; `shadow` for a copy of one."""
    tokens: Tokens
    cost_usd: str | None
    """A decimal number; null: no price is known."""
    cost_label: str
    """exact, estimated, reconciled or unknown; empty where nothing was asked of a provider."""
    queued_ms: float
    first_content_ms: float
    """From the request's coming to the first content; 0: there was none."""
    total_ms: float
    overhead_ms: float
    """Our own share of the total."""
    trace: str
    """The trace's id (W3C)."""
    config: str
    """The hash of the configuration that served it."""
    prompt: str
    """Name and version of the prompt; empty if the caller's messages are all there is."""
    replay_of: str
    """The request that this one repeats; empty if it repeats none."""
    cache: str
    """exact, semantic, joined, stale: it was answered without a call of its own. miss: it could have been. bypass: it was not to be.
    refreshed: it renewed an answer. Empty: its feature has no cache."""
    origin: str
    """The request whose answer it was given; empty if it got one of its own."""
    saved_usd: str
    """What that answer had cost, a decimal number."""
    saved_ms: float
    """How much longer that answer took when it was made."""
    similarity: float
    """How sure it was, 0 to 1, that the question is the same; 0 where it was not a question of being sure."""


class AttemptTold(msgspec.Struct, kw_only=True):
    """One call to one endpoint."""

    number: int
    kind: str
    """Why the call was made: empty for the first, else retry, failover, hedge, resume, degrade."""
    provider: str
    model: str
    region: str
    reported_model: str
    outcome: Outcome
    status: int
    """The provider's; 0: no answer came."""
    error: str
    error_detail: str
    """The provider's own words; empty without the right to read content."""
    finish: str
    """Why the model stopped."""
    started_ms: float
    """Since the request came, as the next three; 0: did not happen."""
    first_byte_ms: float
    first_content_ms: float
    ended_ms: float
    tokens: Tokens
    cost_usd: str | None
    cost_label: str
    upstream_request: str
    """The provider's own id of the call."""
    fingerprint: str
    """What the provider says of the system that answered; empty if it says nothing."""


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
        items=[told(row) for row in found.rows],
        next=request_id_text(found.next) if found.next else None,
        searched_to=moment(found.searched_to_ns) if found.next else None,
    )


def wanted(query: RequestsQuery, rights: frozenset[str]) -> Search:
    """What a query means. Raises Problem, also for `text` without the right to read content: it would tell what stands there."""
    words = {
        name: value
        for name in RequestsQuery.__struct_fields__
        if (value := getattr(query, name)) is not UNSET and (value or name in _MAY_BE_EMPTY)
    }
    if query.text and CONTENT not in rights:
        raise Problem("not_allowed", "`text` looks into prompts and answers, which your role may not read")
    try:
        return search_of(words)
    except WrongSearch as wrong:
        raise Problem("invalid_request", str(wrong), param=wrong.param) from None


_MAY_BE_EMPTY = frozenset(
    field.name for field in msgspec.structs.fields(RequestsQuery) if field.default is UNSET
)


def before_id(cursor: str) -> int:
    """The id in a cursor; 0 for an empty one. Raises Problem."""
    try:
        return parse_request_id(cursor) if cursor else 0
    except ValueError:
        raise Problem("invalid_request", "`cursor` is `next` of the page before", param="cursor") from None


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
        request=told(shown.request),
        attempts=[_attempt(row, content=may) for row in shown.attempts],
        notes=_object(shown.request.notes),
        variables={name: str(value) for name, value in _object(shown.request.variables).items()}
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
        "same_trace": [told(row) for row in near.trace],
        "same_session": [told(row) for row in near.session],
        "replays": [told(row) for row in near.replays],
        "given_again": [told(row) for row in near.given],
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


def told(row: RequestRow) -> RequestTold:
    """As it is told; neither prompt nor answer."""
    return RequestTold(
        id=request_id_text(row.id),
        at=moment(row.started_ns),
        outcome=row.outcome,
        status=row.status,
        error=row.error_class,
        key=row.key_id,
        team=row.team,
        tenant=row.tenant,
        user=row.user,
        session=row.session,
        feature=row.feature,
        tags={name: str(value) for name, value in _object(row.tags).items()},
        operation=row.operation,
        dialect=row.dialect,
        stream=row.stream,
        requested_model=row.requested_model,
        routed_model=row.routed_model,
        reported_model=row.reported_model,
        provider=row.provider,
        region=row.region,
        attempts=row.attempts,
        degraded=row.degraded,
        difficulty=row.tier,
        purpose=row.purpose,
        tokens=_tokens(row),
        cost_usd=_cost(row),
        cost_label=row.cost_label,
        queued_ms=row.queued_us / 1000,
        first_content_ms=row.first_content_us / 1000,
        total_ms=row.total_us / 1000,
        overhead_ms=row.overhead_us / 1000,
        trace=row.trace_id,
        config=row.config_hash,
        prompt=row.prompt,
        replay_of=request_id_text(row.replay_of) if row.replay_of else "",
        cache=row.cache,
        origin=request_id_text(row.origin_id) if row.origin_id else "",
        saved_usd=f"{usd(row.avoided_nanos):f}",
        saved_ms=row.avoided_us / 1000,
        similarity=row.similarity / 1e6,
    )


def _attempt(row: AttemptRow, *, content: bool) -> AttemptTold:
    return AttemptTold(
        number=row.number,
        kind=row.kind,
        provider=row.provider,
        model=row.model,
        region=row.region,
        reported_model=row.reported_model,
        outcome=row.outcome,
        status=row.status,
        error=row.error_class,
        error_detail=row.error_detail if content else "",
        finish=row.finish_reason,
        started_ms=row.started_us / 1000,
        first_byte_ms=row.first_byte_us / 1000,
        first_content_ms=row.first_content_us / 1000,
        ended_ms=row.ended_us / 1000,
        tokens=_tokens(row),
        cost_usd=_cost(row),
        cost_label=row.cost_label,
        upstream_request=row.upstream_request_id,
        fingerprint=row.fingerprint,
    )


def _tokens(row: RequestRow | AttemptRow) -> Tokens:
    return Tokens(
        input=row.input_tokens,
        cache_read=row.cache_read_tokens,
        cache_write=row.cache_write_tokens + row.cache_write_1h_tokens,
        output=row.output_tokens,
        reasoning=row.reasoning_tokens,
    )


def _cost(row: RequestRow | AttemptRow) -> str | None:
    return None if row.cost_nanos is None else f"{usd(row.cost_nanos):f}"


def _content(kept: Content | None) -> ContentTold | None:
    if kept is None:
        return None
    text = kept.data.decode("utf-8", "replace")
    return ContentTold(kind=kept.kind, text=text, size=kept.size, truncated=kept.truncated)


def _object(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any]) if text else {}
    except msgspec.DecodeError:
        # A row somebody else has written; the rest of it can still be shown.
        return {}


ROUTES = (
    route("GET", "/api/requests", "api.requests.list", list_requests),
    route("GET", "/api/requests/{id}", "api.requests.show", show_request, problems=("not_found",)),
)
