"""`/api/rehearsals`: outages rehearsed, ordered and ended. Calls to real providers fail on purpose."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from headgate.control.http.fields import Cursor, Limit, Name, Text
from headgate.control.http.moments import moment, seconds_of
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route
from headgate.control.rehearsals import (
    LONGEST_SECONDS,
    NoSuchRehearsal,
    OrderRefused,
    end_rehearsal,
    order_rehearsal,
    rehearsal_state,
)
from headgate.stores.rehearsals import RehearsalRecord

__all__ = ["ROUTES", "NewRehearsal", "RehearsalPage", "RehearsalShown"]

_PARAMS = {"seconds": "duration"}
_LONGEST_NUMBER = 18


class RehearsalsQuery(msgspec.Struct, kw_only=True):
    """Which rehearsals."""

    state: Literal["running", "all"] = "running"
    """all: those that are over or were stopped too."""
    limit: Limit = 100
    """How many at most."""
    cursor: Cursor = ""
    """`next` of the page before."""


class RehearsalShown(msgspec.Struct, kw_only=True):
    """One order."""

    id: int
    state: Literal["running", "over", "stopped"]
    endpoint: str
    """As it was ordered."""
    targets: list[str]
    """What that meant then: providers, `provider/model`s, or `*`."""
    fault: str
    share: float
    """Of the calls there, how many meet it."""
    feature: str
    """Only this feature's calls; empty: everybody's."""
    started: datetime
    until: datetime
    """When it ends by itself."""
    stopped: datetime | None
    """When somebody ended it before."""


class RehearsalPage(msgspec.Struct, kw_only=True):
    """Rehearsals, the latest first."""

    items: list[RehearsalShown]
    next: str | None
    """Where the next page begins; null: this is the last."""


class NewRehearsal(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The rehearsal that is wanted."""

    endpoint: Annotated[Name, msgspec.Meta(examples=["*"])]
    """A provider, `provider/model`, a model of the configuration, or `*` for all."""
    fault: Annotated[Name, msgspec.Meta(examples=["silence", "error:503"])]
    """`name` or `name:argument`, as `headgate chaos faults` lists them."""
    share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    """Of the calls there, how many meet it: 0.2 is one in five."""
    duration: Annotated[str, msgspec.Meta(max_length=100, examples=["90s", "1h"])] = "5m"
    """When it ends by itself: `90s`, `5m`, `1h`; at most 24h."""
    feature: Text = ""
    """Only calls of this feature."""


async def list_rehearsals(asked: Asked[RehearsalsQuery, None]) -> RehearsalPage:
    """List what is ordered, the latest first: which fault, where, for how many calls, until when."""
    query, now = asked.query, time.time_ns()
    store = asked.desk.rehearsals
    records = await (store.all() if query.state == "all" else store.active(now))
    below = int(query.cursor) if query.cursor else None
    found = [record for record in records[::-1] if below is None or record.id < below]
    page = found[: query.limit]
    return RehearsalPage(
        items=[_shown(record, now) for record in page],
        next=str(page[-1].id) if len(found) > len(page) else None,
    )


async def start(asked: Asked[None, NewRehearsal]) -> RehearsalShown:
    """Let calls fail from now on. Real users meet it: they are answered by other models, or not at all.

    It ends by itself. Every call that met it says so in its record; every gateway follows within a second or so."""
    wanted = asked.body
    try:
        record = await order_rehearsal(
            asked.desk.rehearsals,
            asked.desk.configuration().settings,
            endpoint=wanted.endpoint,
            fault=wanted.fault,
            share=wanted.share,
            seconds=seconds_of(wanted.duration, "duration", most=LONGEST_SECONDS),
            feature=wanted.feature,
            actor=asked.actor,
        )
    except OrderRefused as refused:
        param = _PARAMS.get(refused.param, refused.param)
        raise Problem("invalid_request", str(refused), param=param) from None
    await asked.desk.changed()
    return _shown(record, time.time_ns())


async def stop(asked: Asked[None, None]) -> RehearsalShown:
    """End a rehearsal before its time."""
    text = asked.path["id"]
    # Longer ones are no numbers of any order, and no numbers that a database takes.
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER else -1
    try:
        record = await end_rehearsal(asked.desk.rehearsals, number, actor=asked.actor)
    except NoSuchRehearsal as missing:
        there = ", ".join(map(str, missing.running[:20])) or "none"
        raise Problem(
            "not_found", f"no such rehearsal is running; running are: {there}", param="id"
        ) from None
    await asked.desk.changed()
    return _shown(record, time.time_ns())


def _shown(record: RehearsalRecord, now_ns: int) -> RehearsalShown:
    return RehearsalShown(
        id=record.id,
        state=rehearsal_state(record, now_ns),
        endpoint=record.endpoint,
        targets=list(record.targets),
        fault=record.fault,
        share=record.share,
        feature=record.feature,
        started=moment(record.started_ns),
        until=moment(record.until_ns),
        stopped=None if record.stopped_ns is None else moment(record.stopped_ns),
    )


ROUTES = (
    route("GET", "/api/rehearsals", "api.rehearsals.list", list_rehearsals),
    route("POST", "/api/rehearsals", "api.rehearsals.start", start, status=201),
    route("DELETE", "/api/rehearsals/{id}", "api.rehearsals.stop", stop, problems=("not_found",)),
)
