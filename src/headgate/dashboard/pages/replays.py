"""`/traces/{id}/replay`: a recorded request sent again from a form, told first what it costs, and shown beside the original."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from headgate.admission.rights import CONTENT
from headgate.control.http.problems import Problem
from headgate.control.http.replays import (
    ReplaysQuery,
    ReplayWanted,
    list_replays,
    show_replay,
    start_replay,
)
from headgate.control.replays import NotStored, find
from headgate.core.ids import parse_request_id
from headgate.core.money import nanos
from headgate.dashboard.looking import Looking, Redirect, Shown, page
from headgate.quality.replay.rebuilding import NotReplayable

__all__ = ["PAGES"]

_SECONDS = 600.0
_FIELDS = ("model", "system", "prompt", "temperature", "max_tokens", "stream")


async def show(asked: Looking) -> Shown:
    """The form, the replays that there are, and, with `?with=`, one of them beside the original."""
    comparison: Any = None
    if other := asked.query.get("with", ""):
        comparison = await show_replay(asked.asked(id=asked.path["id"], replay=other))
    return await _page(asked, comparison=comparison)


async def send(asked: Looking) -> Shown | Redirect:
    """What the form asks for: an estimate, or the replay itself."""
    wanted = asked.filled(ReplayWanted)
    if asked.form.get("no_system"):
        wanted.system = ""
    try:
        made = await start_replay(asked.asked(body=wanted))
    except Problem as refused:
        if refused.code in ("not_found", "not_allowed"):
            raise
        return await _page(asked, refused=refused.detail, status=400)
    if made.id is None:
        return await _page(asked, estimate=made.estimate)
    return Redirect(f"/traces/{asked.path['id']}/replay?with={made.id}", notice="It was sent again.")


async def _page(
    asked: Looking,
    *,
    comparison: Any = None,
    estimate: Any = None,
    refused: str = "",
    status: int = 200,
) -> Shown:
    name = asked.path["id"]
    replays = (await list_replays(asked.asked(ReplaysQuery(limit=20)))).items
    settings = asked.desk.configuration().settings
    was, obstacle = await _original(asked, name)
    return Shown(
        "replay.html",
        {
            "title": "Replay",
            "id": name,
            "may_replay": asked.viewer.may("api.replays.start") and asked.viewer.may(CONTENT),
            "obstacle": obstacle,
            "was": was,
            "names": [*settings.features, *settings.models],
            "given": {field: asked.form.get(field, "") for field in _FIELDS},
            "estimate": _plain(estimate) if estimate is not None else None,
            "comparison": _compared(comparison) if comparison is not None else None,
            "replays": [_plain(each) for each in replays],
            "shown": asked.query.get("with", ""),
            "refused": refused,
        },
        status,
    )


def _plain(told: Any) -> dict[str, Any]:
    """Its fields; amounts in nano-dollars too, as templates show them."""
    found: dict[str, Any] = msgspec.to_builtins(told)
    for name, amount in list(found.items()):
        if name.endswith("_usd"):
            found[f"{name.removesuffix('usd')}nanos"] = None if amount is None else nanos(Decimal(amount))
    return found


def _compared(told: Any) -> dict[str, Any]:
    return {**_plain(told), "original": _plain(told.original), "replay": _plain(told.replay)}


async def _original(asked: Looking, name: str) -> tuple[str, str]:
    """(the model that was asked for, why the request cannot be sent again; "" if it can)."""
    try:
        return (await find(asked.desk.records, parse_request_id(name))).row.requested_model, ""
    except NotReplayable as cannot:
        return "", str(cannot)
    except (NotStored, ValueError) as missing:
        raise Problem("not_found", str(missing), param="id") from None


PAGES = (
    page("GET", "/traces/{id}/replay", "api.replays.list", show),
    page("POST", "/traces/{id}/replay", "api.replays.start", send, seconds=_SECONDS),
)
