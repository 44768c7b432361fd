"""`/api/requests/{id}/replay`: a recorded request sent again, as it was or changed, and compared. It calls a model, and costs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from headgate.admission.rights import CONTENT
from headgate.control.http.fields import Before, Limit
from headgate.control.http.problems import Problem
from headgate.control.http.requests.query import before_id
from headgate.control.http.route import Asked, route
from headgate.control.replays import (
    MayNot,
    NotStored,
    Replayed,
    compare_stored,
    estimated,
    find,
    may_ask,
    replay,
    replays_of,
)
from headgate.core.errors import GatewayError
from headgate.core.ids import parse_request_id, request_id_text
from headgate.core.money import usd
from headgate.quality.replay.changing import ChangeRefused, Changes
from headgate.quality.replay.comparing import Comparison, ReplayCall, ReplaySide
from headgate.quality.replay.planning import Estimate
from headgate.quality.replay.rebuilding import NotReplayable, Original

__all__ = ["ROUTES", "ReplayPage", "ReplayShown", "ReplayWanted", "start_replay"]

_SECONDS = 600.0
"""A model may take as long as the timeouts of the configuration allow."""


class ReplaysQuery(msgspec.Struct, kw_only=True):
    """Which replays."""

    limit: Limit = 100
    """How many at most."""
    cursor: Before = ""
    """`next` of the page before."""


class ReplayWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What shall be different. Nothing said: it is sent as it was, through the configuration of now."""

    model: Annotated[str, msgspec.Meta(max_length=256, examples=["small"])] = ""
    """A feature or a model, instead of what was asked for. Rules of the original's feature go on holding."""
    system: Annotated[str, msgspec.Meta(max_length=50_000)] | None = None
    """Another system prompt; empty: none. Left out: as it was."""
    prompt: Annotated[
        str, msgspec.Meta(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["greeting@8"])
    ] = ""
    """Name and version of that prompt, for the record."""
    temperature: Annotated[float, msgspec.Meta(ge=0, le=10)] | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=2_147_483_647)] | None = None
    """The most tokens of the answer."""
    set: dict[str, Any] = {}
    """Any field of the body, dots leading inwards: `{"reasoning.effort": "low"}`."""
    unset: list[str] = []
    """Fields that are left out."""
    stream: bool | None = None
    """Answered as a stream, or whole. Left out: as it was, so that times to the first content compare."""
    estimate_only: bool = False
    """Only say what it would cost. Nobody is called."""


class EstimateTold(msgspec.Struct, kw_only=True):
    """What it will cost; null: no price is known."""

    places: list[str]
    """Where it would go, best first; the others are asked if that one fails."""
    expected_usd: str | None
    """With as many tokens as the original had, at the first place."""
    least_usd: str | None
    most_usd: str | None
    """Of one attempt, at the dearest of the places."""
    unpriced: list[str]
    """Places of which no price is known."""
    answer_tokens: int
    """The answer is taken to have so many tokens at most."""


class ReplayRun(msgspec.Struct, kw_only=True):
    """A run of text."""

    kind: Literal["same", "del", "ins"]
    """same: in both. del: only in the original. ins: only in the replay."""
    text: str


class ComparisonTold(msgspec.Struct, kw_only=True):
    """The original and its replay, side by side."""

    original: ReplaySide
    replay: ReplaySide
    original_text: str
    replay_text: str
    original_calls: list[ReplayCall]
    """Tools that the model asked for."""
    replay_calls: list[ReplayCall]
    same_calls: bool
    """The same tools, in the same order, with arguments that say the same."""
    identical: bool | None
    """The same text and the same calls; null: one of the answers was not kept."""
    similarity: float | None
    """From 0 to 1: the part of both texts that stands in runs they share."""
    diff: list[ReplayRun]
    """The texts as one, with what went and what came."""
    diff_unit: str
    """What was compared as one: word; of long texts line, or whole."""
    diff_cut: bool
    """Were the ends of very long texts left out?"""


class ReplayShown(msgspec.Struct, kw_only=True):
    """What it costs, and what came of it."""

    original: str
    """The id of the request that was repeated."""
    id: str | None
    """The id of the replay, which is a request of its own; null: only an estimate was asked for."""
    estimate: EstimateTold
    comparison: ComparisonTold | None


class ReplayPage(msgspec.Struct, kw_only=True):
    """Replays, newest first."""

    items: list[ReplaySide]
    next: str | None
    """Where the next page begins; null: this is the last."""


async def start_replay(asked: Asked[None, ReplayWanted]) -> ReplayShown:
    """Send a recorded request again and compare what comes with what came then.

    It is a request of its own, with the whole journey: routed and limited by the configuration of now, recorded with
    `purpose = "replay"`, and paid for by your key. You have to be allowed to ask models and to read content. If the
    replay fails, that is a result."""
    original = await _original(asked)
    wanted = asked.body
    changes = Changes(
        model=wanted.model,
        system=wanted.system,
        prompt=wanted.prompt,
        temperature=wanted.temperature,
        max_tokens=wanted.max_tokens,
        set=wanted.set,
        unset=tuple(wanted.unset),
        stream=wanted.stream,
    )
    desk, caller = asked.desk, asked.caller
    try:
        may_ask(caller, original, changes)
        estimate = await estimated(desk.replaying, original, changes, caller)
        done = None
        if not wanted.estimate_only:
            done = await replay(desk.records, desk.replaying, original, changes, caller)
    except MayNot as refused:
        raise Problem("not_allowed", str(refused), param="model") from None
    except ChangeRefused as refused:
        raise Problem("invalid_request", str(refused), param=refused.param) from None
    except NotStored as late:
        raise Problem("took_too_long", str(late)) from None
    except GatewayError as refused:
        raise Problem(
            "invalid_request", f"it would be refused: {refused.message}", param=refused.param or ""
        ) from None
    return _shown(original, estimate, done)


async def list_replays(asked: Asked[ReplaysQuery, None]) -> ReplayPage:
    """List the replays of a request, newest first, in figures."""
    query = asked.query
    items, following = await replays_of(
        asked.desk.records, _number(asked.path["id"]), before=before_id(query.cursor), limit=query.limit
    )
    if CONTENT not in asked.caller.routes:
        # A provider's own words may stand there, and in them a part of the prompt.
        items = [msgspec.structs.replace(item, error_detail="") for item in items]
    return ReplayPage(items=items, next=request_id_text(following) if following else None)


async def show_replay(asked: Asked[None, None]) -> ComparisonTold:
    """Show a replay that is on record beside its original. You have to be allowed to read content."""
    _may_read(asked)
    desk = asked.desk
    try:
        found = await compare_stored(
            desk.records, desk.replaying, _number(asked.path["id"]), _number(asked.path["replay"])
        )
    except NotStored as missing:
        raise Problem("not_found", str(missing), param="replay") from None
    return _told(found)


async def _original(asked: Asked[Any, Any]) -> Original:
    _may_read(asked)
    try:
        return await find(asked.desk.records, _number(asked.path["id"]))
    except NotStored as missing:
        raise Problem("not_found", str(missing), param="id") from None
    except NotReplayable as cannot:
        raise Problem("conflict", str(cannot), param="id") from None


def _may_read(asked: Asked[Any, Any]) -> None:
    if CONTENT not in asked.caller.routes:
        raise Problem(
            "not_allowed",
            f"key `{asked.caller.key_name}` may not read what was asked and answered, and a replay shows it; "
            "a key with the role owner may, or one with the roles developer and reviewer",
        )


def _number(text: str) -> int:
    try:
        return parse_request_id(text)
    except ValueError:
        raise Problem("not_found", "there is no request with this id", param="id") from None


def _shown(original: Original, estimate: Estimate, done: Replayed | None) -> ReplayShown:
    return ReplayShown(
        original=request_id_text(original.row.id),
        id=request_id_text(done.id) if done is not None else None,
        estimate=EstimateTold(
            places=estimate.places,
            expected_usd=_usd(estimate.expected_nanos),
            least_usd=_usd(estimate.least_nanos),
            most_usd=_usd(estimate.most_nanos),
            unpriced=estimate.unpriced,
            answer_tokens=estimate.answer_tokens,
        ),
        comparison=_told(done.comparison) if done is not None else None,
    )


def _usd(nanos: int | None) -> str | None:
    return None if nanos is None else f"{usd(nanos):f}"


def _told(found: Comparison) -> ComparisonTold:
    diff = found.diff
    return ComparisonTold(
        original=found.original,
        replay=found.replay,
        original_text=found.original_text,
        replay_text=found.replay_text,
        original_calls=found.original_calls,
        replay_calls=found.replay_calls,
        same_calls=found.same_calls,
        identical=found.identical,
        similarity=found.similarity,
        diff=[ReplayRun(kind=piece.kind, text=piece.text) for piece in diff.pieces]
        if diff is not None
        else [],
        diff_unit=diff.unit if diff is not None else "",
        diff_cut=diff.cut if diff is not None else False,
    )


ROUTES = (
    route(
        "POST",
        "/api/requests/{id}/replay",
        "api.replays.start",
        start_replay,
        problems=("not_found", "conflict"),
        seconds=_SECONDS,
    ),
    route("GET", "/api/requests/{id}/replays", "api.replays.list", list_replays, problems=("not_found",)),
    route(
        "GET",
        "/api/requests/{id}/replays/{replay}",
        "api.replays.show",
        show_replay,
        problems=("not_found",),
    ),
)
