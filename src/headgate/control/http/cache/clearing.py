"""`/api/cache/clear`: entries removed from all gateways, by what they are."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec

from headgate.admission.rights import CONTENT
from headgate.control.cache.clearing import clear
from headgate.control.http.cache.entries import EntryTold, entry_told
from headgate.control.http.cache.memory import looked_for, memory_of
from headgate.control.http.fields import Ago, Word
from headgate.control.http.moments import ago_ns
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route
from headgate.stores.answers import Popular, Selection

__all__ = ["ROUTES", "ClearWanted", "Cleared", "remove"]

_SHOWN = 20


class ClearWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which entries go: those of which all of this is true."""

    dry_run: bool
    """true: only tell how many that would be. It has to be said."""
    everything: bool = False
    """Has to be said if nothing else is."""
    feature: Word = ""
    tenant: Word = ""
    prompt: Annotated[Word, msgspec.Meta(examples=["greeting@7"])] = ""
    tag: Word = ""
    text: Word = ""
    """Stands in the question or in the answer. Only who may read content may remove by it."""
    user: Word = ""
    before: Ago = ""
    """Made before: `24h` ago, or a date."""


class Cleared(msgspec.Struct, kw_only=True):
    """What was removed, or would be."""

    dry_run: bool
    entries: int
    bytes: int
    some: list[EntryTold]
    """A few of them, the newest first."""


async def remove(asked: Asked[None, ClearWanted]) -> Cleared:
    """Remove entries from all gateways, or tell first how many that would be. They stay removed; answers under way are not stopped."""
    wanted, may = asked.body, CONTENT in asked.caller.routes
    which = Selection(
        tenant=wanted.tenant or None,
        feature=wanted.feature or None,
        prompt=wanted.prompt or None,
        tag=wanted.tag or None,
        text=looked_for(asked, wanted.text),
        user=wanted.user or None,
        before_ns=ago_ns(wanted.before, "before") if wanted.before else None,
    )
    if (which == Selection()) != wanted.everything:
        raise Problem(
            "invalid_request",
            "say which entries, by feature, prompt, tag and so on, or `everything`; not both",
            param="everything",
        )
    answers = memory_of(asked)
    done = await clear(answers, asked.desk.audit, which, dry_run=wanted.dry_run, actor=asked.actor)
    now = time.time_ns()
    return Cleared(
        dry_run=wanted.dry_run,
        entries=done.entries,
        bytes=done.bytes,
        some=[entry_told(Popular(each, 0, 0), now, content=may) for each in done.some[:_SHOWN]],
    )


ROUTES = (route("POST", "/api/cache/clear", "api.cache.clear", remove, problems=("conflict",), seconds=60.0),)
