"""`/api/cache/asked` and `/api/cache/warm`: what is asked most, and answers fetched before anybody asks."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import msgspec

from headgate.cache.settings import FeatureCacheSettings
from headgate.control.cache.asked import most_asked
from headgate.control.cache.warming import Asking, CannotWarm, Outcome, Warmed, warm
from headgate.control.http.cache.memory import feature_settings, no_feature
from headgate.control.http.fields import Ago, Limit, RequestName, Word
from headgate.control.http.moments import ago_ns, moment
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route
from headgate.core.ids import request_id_text
from headgate.core.money import nanos, usd
from headgate.quality.replay.capping import SpendCap

__all__ = [
    "ROUTES",
    "AskedMost",
    "AskedQuery",
    "AskedTold",
    "WarmItem",
    "WarmShown",
    "WarmWanted",
    "WarmedTold",
    "fill",
    "list_asked",
    "warmed_told",
]

_WARM_SECONDS = 600.0
_ASKED_SECONDS = 60.0
Feature = Annotated[
    str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["chat"])
]


class AskedQuery(msgspec.Struct, kw_only=True):
    """Of which feature."""

    feature: Feature
    """Whose requests."""
    since: Ago = "7d"
    """Those from then on: `24h`, `7d` or a date."""
    limit: Limit = 20
    """How many at most."""


class AskedTold(msgspec.Struct, kw_only=True):
    """A request that came again and again."""

    request: str
    """The latest of them."""
    times: int
    last: datetime


class AskedMost(msgspec.Struct, kw_only=True):
    """What is asked most, letter for letter."""

    items: list[AskedTold]


class WarmItem(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One of a question, a recorded request and a whole request."""

    question: Annotated[str, msgspec.Meta(max_length=20_000)] = ""
    request: RequestName = ""
    """Asked as it was."""
    body: dict[str, Any] | None = None
    """As it would be sent to `/v1/chat/completions`; without `model` it asks for the feature."""
    user: Word = ""
    """For whom it is kept, where answers belong to one user."""
    system: Annotated[str, msgspec.Meta(max_length=20_000)] = ""
    """The system prompt that your application sends before the question, letter for letter. For a question alone."""


class WarmWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is to be asked before anybody does. Your key pays."""

    feature: Feature
    items: Annotated[
        list[WarmItem],
        msgspec.Meta(min_length=1, max_length=20, examples=[[{"question": "What is a weir?"}]]),
    ]
    max_usd: Annotated[str, msgspec.Meta(max_length=20, examples=["0.50"])]
    """The most that they may cost together. A call that could cost more than is left is not made."""
    like: RequestName = ""
    """A recorded request, in which each question takes the place of what the user said last; left out, the question is all there is."""
    estimate_only: bool = False
    """Nobody is asked."""


class WarmedTold(msgspec.Struct, kw_only=True):
    """What came of one."""

    outcome: Outcome
    key: str
    request: str
    """That was sent; empty: none."""
    cost_usd: str
    most_usd: str | None
    why: str


class WarmShown(msgspec.Struct, kw_only=True):
    """What came of them, in their order."""

    items: list[WarmedTold]
    spent_usd: str


async def list_asked(asked: Asked[AskedQuery, None]) -> AskedMost:
    """List the requests of a feature that came most often, letter for letter, to warm memory with. Neither prompts nor answers are in it."""
    query = asked.query
    settings = _warmable(asked, query.feature)
    since = ago_ns(query.since or "7d", "since")
    found = await most_asked(asked.desk.records, query.feature, settings, since, query.limit)
    return AskedMost(
        items=[
            AskedTold(request=request_id_text(each.request), times=each.times, last=moment(each.last_ns))
            for each in found
        ]
    )


async def fill(asked: Asked[None, WarmWanted]) -> WarmShown:
    """Ask questions now so that their answers are there later. What is there and fresh is not asked again. It costs; your key pays."""
    wanted, desk = asked.body, asked.desk
    settings = _warmable(asked, wanted.feature)
    cap = SpendCap(_nanos(wanted.max_usd))
    done: list[Warmed] = []
    for item in wanted.items:
        asking = Asking(
            question=item.question, request=item.request, body=item.body, user=item.user, system=item.system
        )
        try:
            done.append(
                await warm(
                    desk.records,
                    desk.replaying,
                    desk.memory,
                    asking,
                    asked.caller,
                    feature=wanted.feature,
                    settings=settings,
                    cap=cap,
                    like=wanted.like,
                    estimate_only=wanted.estimate_only,
                )
            )
        except CannotWarm as wrong:
            raise Problem("invalid_request", str(wrong), param="items") from None
    return WarmShown(items=[warmed_told(each) for each in done], spent_usd=f"{usd(cap.spent):f}")


def warmed_told(each: Warmed) -> WarmedTold:
    """As `/api/cache/warm` tells it."""
    return WarmedTold(
        outcome=each.outcome,
        key=each.key.hex(),
        request=request_id_text(each.id) if each.id else "",
        cost_usd=f"{usd(each.cost_nanos):f}",
        most_usd=None if each.most_nanos is None else f"{usd(each.most_nanos):f}",
        why=each.why,
    )


def _warmable(asked: Asked[Any, Any], feature: str) -> FeatureCacheSettings:
    features = feature_settings(asked.desk.configuration().settings)
    if feature not in features:
        raise no_feature(feature, features)
    settings = features[feature]
    if settings is None or not settings.exact:
        raise Problem("conflict", f"feature `{feature}` has no cache, or it is off", param="feature")
    return settings


def _nanos(text: str) -> int:
    try:
        amount = Decimal(text)
        if not (amount.is_finite() and 0 < amount < 1_000_000):
            raise InvalidOperation
    except InvalidOperation:
        raise Problem(
            "invalid_request", "`max_usd` is an amount of USD above 0, such as 0.50", param="max_usd"
        ) from None
    return nanos(amount)


ROUTES = (
    route(
        "GET",
        "/api/cache/asked",
        "api.cache.asked",
        list_asked,
        problems=("not_found", "conflict"),
        seconds=_ASKED_SECONDS,
    ),
    route(
        "POST",
        "/api/cache/warm",
        "api.cache.warm",
        fill,
        problems=("not_found", "conflict"),
        seconds=_WARM_SECONDS,
    ),
)
