"""`/api/costs`: what it has cost, by whatever somebody asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from headgate.control.costs.report import dimensions, report
from headgate.control.http.fields import Ago, Maybe, Word
from headgate.control.http.moments import ago_ns
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route
from headgate.core.money import usd
from headgate.stores.totals import FOREVER_NS, Totals, Which

__all__ = ["ROUTES", "Costs", "CostsQuery", "Sum", "meant"]

_SECONDS = 60.0
"""Sums over months read a lot."""


class CostsQuery(msgspec.Struct, kw_only=True):
    """What to add up, and by what."""

    by: Annotated[Word, msgspec.Meta(examples=["feature,day", "tag:task"])] = "feature"
    """`feature`, `model`, `user`, `team`, `key`, `tenant`, `provider`, `day`, `month`, `tag:NAME` and more; several with
    commas between them give a sum for each combination."""
    since: Ago = ""
    """Requests from then on: `24h`, `7d` or a date; empty: all."""
    until: Ago = ""
    """Requests before then; empty: until now."""
    feature: Maybe = UNSET
    """Only this feature's; empty: those of none."""
    user: Maybe = UNSET
    """Only this user's."""
    team: Maybe = UNSET
    """Only this team's."""
    key: Maybe = UNSET
    """Only those of the key with this id."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000
    """How many sums at most; the dearest come first, days and months in their order."""


class Sum(msgspec.Struct, kw_only=True):
    """Requests added up."""

    group: dict[str, str]
    """What they have in common, by the words of `by`."""
    requests: int
    attempts: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_usd: str
    """A decimal number, exact to the nano-dollar; requests of unknown price add nothing to it."""
    estimated_usd: str
    """The part of it that is estimated."""
    cache_read_saved_usd: str
    """What tokens from providers' prompt caches cost less than others."""
    cache_write_extra_usd: str
    """What tokens written to them cost more than others."""
    exact: int
    """Requests whose cost follows from the provider's own count of tokens."""
    estimated: int
    reconciled: int
    unknown: int
    """Requests whose model has no price."""


class Costs(msgspec.Struct, kw_only=True):
    """What was spent."""

    by: list[str]
    items: list[Sum]
    """What callers asked for."""
    left_out: int
    """Sums that are not among the items, for `limit`; they are in the total."""
    total: Sum
    apart: list[Sum]
    """What was made besides what callers asked for, such as copies sent to a shadow: not in the total."""


async def show_costs(asked: Asked[CostsQuery, None]) -> Costs:
    """Tell what was spent, by whatever you ask, and how sure that is. Days are days of UTC.

    What `headgate cost report` prints."""
    query = asked.query
    try:
        by = dimensions(query.by)
    except ValueError as wrong:
        raise Problem("invalid_request", str(wrong), param="by") from None
    only = {"feature": query.feature, "user": query.user, "team": query.team, "key_id": query.key}
    found = await report(asked.desk.records, by, meant(query.since, query.until, only))
    return Costs(
        by=by,
        items=[_sum(by, line) for line in found.lines[: query.limit]],
        left_out=max(len(found.lines) - query.limit, 0),
        total=_sum((), found.total),
        apart=[_sum(("purpose", *by), line) for line in found.apart[: query.limit]],
    )


def meant(since: str, until: str, only: Mapping[str, str | UnsetType]) -> Which:
    """The requests of a query. Raises Problem."""
    which = Which(
        since_ns=ago_ns(since, "since") if since else 0,
        until_ns=ago_ns(until, "until") if until else FOREVER_NS,
        only={name: value for name, value in only.items() if value is not UNSET},
    )
    if which.since_ns >= which.until_ns:
        raise Problem("invalid_request", "`since` is not before `until`", param="since")
    return which


def _sum(by: Sequence[str], line: Totals) -> Sum:
    return Sum(
        group=dict(zip(by, line.group, strict=True)) if by else {},
        requests=line.requests,
        attempts=line.attempts,
        input_tokens=line.input_tokens,
        cache_read_tokens=line.cache_read_tokens,
        cache_write_tokens=line.cache_write_tokens + line.cache_write_1h_tokens,
        output_tokens=line.output_tokens,
        reasoning_tokens=line.reasoning_tokens,
        cost_usd=f"{usd(line.cost_nanos):f}",
        estimated_usd=f"{usd(line.estimated_nanos):f}",
        cache_read_saved_usd=f"{usd(line.cache_read_saved_nanos):f}",
        cache_write_extra_usd=f"{usd(line.cache_write_extra_nanos):f}",
        exact=line.exact,
        estimated=line.estimated,
        reconciled=line.reconciled,
        unknown=line.unknown,
    )


ROUTES = (route("GET", "/api/costs", "api.costs.show", show_costs, seconds=_SECONDS),)
