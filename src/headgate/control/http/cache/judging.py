"""`/api/cache/entries/{key}/wrong`: somebody says that an answer was wrong."""

from __future__ import annotations

import msgspec

from headgate.control.cache.entries import NoSuchEntry
from headgate.control.cache.judging import tell_wrong
from headgate.control.http.cache.memory import memory_of
from headgate.control.http.fields import RequestName
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route

__all__ = ["ROUTES", "WrongTold", "WrongWanted", "tell"]


class WrongWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """To which question it was wrong."""

    request: RequestName = ""
    """The request that was given the answer. If that was asked in other words, it is learned that they were not similar enough; left
    out, the answer itself is wrong, and only removed."""


class WrongTold(msgspec.Struct, kw_only=True):
    """What became of it."""

    removed: int
    keys: list[str]
    learned: bool
    """Was anything learned about how similar is similar enough?"""


async def tell(asked: Asked[None, WrongWanted]) -> WrongTold:
    """Say that an answer was wrong: it is removed from all gateways, and how similar is similar enough is learned anew."""
    desk = asked.desk
    try:
        done = await tell_wrong(
            memory_of(asked),
            desk.records,
            desk.audit,
            asked.path["key"],
            request=asked.body.request,
            actor=asked.actor,
        )
    except (NoSuchEntry, ValueError) as missing:
        raise Problem("not_found", str(missing), param="key") from None
    return WrongTold(
        removed=len(done.removed),
        keys=[each.key.hex() for each in done.removed],
        learned=done.judgement is not None,
    )


ROUTES = (
    route(
        "POST",
        "/api/cache/entries/{key}/wrong",
        "api.cache.wrong",
        tell,
        problems=("not_found", "conflict"),
    ),
)
